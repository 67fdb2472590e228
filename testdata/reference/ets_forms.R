# Fits every ETS form that forecast::ets accepts (restrict = FALSE) to a few classic series and writes parameters,
# initial states, likelihood, fitted values and forecasts to ets_forms.json; meanf of every series to meanf.json.
# usage: Rscript ets_forms.R   (in this folder; needs forecast and jsonlite)
suppressMessages({ library(forecast); library(jsonlite) })
options(digits = 15)

intervals <- function(f) list(mean = as.numeric(f$mean),
  lower80 = as.numeric(f$lower[, 1]), upper80 = as.numeric(f$upper[, 1]),
  lower95 = as.numeric(f$lower[, 2]), upper95 = as.numeric(f$upper[, 2]))

forms <- list()
for (name in c("AirPassengers", "UKgas", "JohnsonJohnson", "USAccDeaths", "Nile", "lynx", "WWWusage")) {
  x <- get(name)
  for (e in c("A", "M")) for (t in c("N", "A", "M")) for (d in c(FALSE, TRUE)) for (s in c("N", "A", "M")) {
    if ((t == "N" && d) || (s != "N" && frequency(x) == 1)) next
    model <- paste0(e, t, s)
    fit <- tryCatch(ets(x, model = model, damped = d, restrict = FALSE, allow.multiplicative.trend = TRUE),
      error = function(err) NULL)
    if (is.null(fit)) next
    set.seed(20)
    f <- forecast(fit, h = 30, npaths = 20000)
    forms[[length(forms) + 1]] <- list(series = name, m = frequency(x), model = fit$method,
      par = as.list(fit$par), initstate = I(unname(fit$states[1, ])), loglik = fit$loglik, aicc = fit$aicc,
      sigma2 = fit$sigma2, fitted = as.numeric(head(fitted(fit), 30)), forecast = intervals(f))
  }
}
write_json(forms, "ets_forms.json", digits = 15, auto_unbox = TRUE)

means <- list()
for (file in list.files(".", "\\.json$")) {
  data <- fromJSON(file)
  if (is.null(data$x)) next
  means[[data$id]] <- intervals(meanf(ts(data$x), h = data$h))
}
write_json(means, "meanf.json", digits = 15, auto_unbox = TRUE)
