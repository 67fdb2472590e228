// Package cluster groups time series by the shape of their curve.
//
// Trends is what CLUSTER_TRENDS runs: it makes comparable shapes of the series (Shape), groups them and describes each
// group in a word. KMeans, KMedoids and Silhouette work on any table of points.
//
// # Shapes: what a retail analyst means by "the same trend"
//
// Two articles have the same trend if their curves rise and fall together, whatever their level and scale. The defaults:
//
//   - Calendar alignment: all curves cover the same window of calendar time. It ends at the latest time that at least
//     CoverShare (80 %) of the series reach, and begins at the earliest time by which at least that share of those have begun. A
//     series that covers only part of it takes no part in forming the groups and is put afterwards into the group whose
//     centre is nearest over the time it has, both scaled to that time (Status Partial), if it has at least 6 points of the
//     window or half of them; one with less is not clustered (Status TooShort), nor one without any (Status Outside). Align: Stretch instead stretches every series over its own length, whenever it began: the
//     shape of a life cycle.
//   - Missing values are interpolated along a line; beyond the first and last known value the series does not cover the window.
//   - Long curves are averaged piecewise (piecewise aggregate approximation, Keogh et al. 2001) to at most Points (128) points.
//     Where the seasonal period fits at least 26 times into the window and into 31 observations, segments are whole
//     seasonal cycles (weeks of daily data), so that the weekly pattern, which most articles share, does not decide. Segments
//     are laid from the end of the window; what does not fill one at its start is left out.
//   - The curve is scaled to mean 0 and standard deviation 1. A constant one is all zeros (Status Constant): it is clustered
//     like the others and mostly ends among the flat ones.
//
// # Distances
//
// Between two shapes of P points: Euclidean is the root mean squared difference, in standard deviations, from 0 to 2.
// Correlation is 1 - r, from 0 to 2; a constant shape has correlation 0 to all. DTW is the root of the mean squared
// difference along the best warping path, sqrt(cost/P), with the warping limited to Band (10 %) of P (Sakoe & Chiba 1978).
// KMeans handles Euclidean and Correlation; DTW has no mean, so it needs KMedoids.
//
// # Limits
//
// KMeans keeps no distances: memory is that of the shapes. KMedoids keeps a float32 matrix of all distances up to MaxMatrix
// (5,000) series, 100 MB; above that it works on samples of that kind (Kaufman & Rousseeuw's CLARA with FasterPAM inside,
// Schubert & Rousseeuw 2021).
//
// # Determinism
//
// The same series, options and seed give the same bits whatever the number of workers: each worker computes whole values in
// a fixed order, and nothing is summed across workers. Clusters are numbered from 1 by size, the largest first, ties by
// their first series.
package cluster
