// Package decompose splits a time series into trend, seasonal components and remainder, measures how strong each is,
// and finds the seasonal periods of a series from its values.
//
// STL is Cleveland, Cleveland, McRae & Terpenning (1990), MSTL its extension to several periods by Bandara, Hyndman &
// Bergmeir (2021), Classical the decomposition by moving averages (Hyndman & Athanasopoulos, Forecasting: Principles and
// Practice, section 3.4), Friedman's super smoother (1984) the trend of a series without season. Decompose chooses
// among them. Detector finds seasonal periods.
//
// # Missing values
//
// NaN is a missing value. The fit needs every value, so gaps are filled for it: first by a line between the known
// values beside the gap (the nearest known value at the ends), and where there is a season, once more by a line between
// the seasonally adjusted values plus the season that the first fit found. Trend and seasonal components are thus known
// everywhere; the remainder is NaN exactly where the observation is, so trend + seasonal + remainder (or their product)
// is the observation wherever there is one.
//
// # Memory and concurrency
//
// Every function writes to a *Components that the caller owns and may reuse: after the first series of some length it
// allocates nothing. A Components or Detector serves one goroutine at a time; inputs are read only and not retained.
package decompose
