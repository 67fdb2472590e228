# Writes reference.json: results of R's supsmu, and of forecast's mstl on a series with two seasonal periods.
# Rscript reference.R > reference.json
suppressMessages(library(forecast))
numbers <- function(x) paste0("[", paste(format(as.numeric(x), digits = 15, trim = TRUE), collapse = ","), "]")
field <- function(name, x) sprintf('"%s":%s', name, numbers(x))
smooth <- function(name, x) {
  x <- as.numeric(x)
  sprintf('"%s":{%s,%s}', name, field("x", x), field("y", supsmu(seq_along(x), x)$y))
}
set.seed(7)
t <- 1:400
two <- 50 + t / 40 + 5 * sin(2 * pi * t / 7) + (t %% 30) / 4 + rnorm(400)
m <- mstl(msts(two, seasonal.periods = c(7, 30)))
robust <- mstl(msts(two, seasonal.periods = c(7, 30)), s.window = c(9, 21), robust = TRUE)
series <- function(m) paste(field("trend", m[, "Trend"]), field("s1", m[, "Seasonal7"]), field("s2", m[, "Seasonal30"]), field("remainder", m[, "Remainder"]), sep = ",")
cat("{\n", paste(c(
  sprintf('"supsmu":{%s}', paste(smooth("lynx", lynx), smooth("Nile", Nile), smooth("uspop", uspop), smooth("LakeHuron", LakeHuron),
    smooth("three", window(lynx, end = 1823)), sep = ",\n")),
  sprintf('"mstl":{%s,\n"default":{%s},\n"robust":{%s}}', field("x", two), series(m), series(robust)),
  sprintf('"versions":{"r":"%s","forecast":"%s"}', R.version.string, packageVersion("forecast"))), collapse = ",\n"), "}\n")
