# Writes reference.json: k-means (Lloyd), PAM and silhouettes of R on the scaled USArrests.
# Rscript reference.R > reference.json
suppressMessages(library(cluster))
numbers <- function(x) paste0("[", paste(format(as.numeric(x), digits = 15, trim = TRUE), collapse = ","), "]")
field <- function(name, x) sprintf('"%s":%s', name, numbers(x))
x <- scale(USArrests)
run <- function(k) {
  start <- round(seq(1, nrow(x), length.out = k))
  km <- kmeans(x, x[start, ], iter.max = 100, algorithm = "Lloyd")
  set.seed(1)
  best <- kmeans(x, k, nstart = 500)
  p <- pam(x, k)
  sprintf('{%s}', paste(sprintf('"k":%d', k), field("start", start - 1), field("cluster", km$cluster - 1), field("withinss", km$tot.withinss),
    field("best", best$tot.withinss), field("silhouette", silhouette(km$cluster, dist(x))[, 3]), field("medoids", sort(p$id.med - 1)),
    field("pam_cost", sum(apply(as.matrix(dist(x))[, p$id.med, drop = FALSE], 1, min))), sep = ","))
}
cat(sprintf('{"n":%d,"p":%d,%s,\n"versions":"%s, cluster %s",\n"runs":[%s]}\n', nrow(x), ncol(x), field("x", t(x)), R.version.string,
  packageVersion("cluster"), paste(sapply(2:5, run), collapse = ",\n")))
