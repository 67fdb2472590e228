// Package stationarity tells how often a series must be differenced before it is stationary, and how its values depend
// on earlier ones: the KPSS test, seasonal strength, autocorrelations and partial autocorrelations.
//
// NaN is a missing value throughout.
package stationarity
