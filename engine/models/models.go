// Package models holds Almanac's forecasting models, one file each, written from the sources that the file names. All
// lists them; nothing registers itself.
package models

import "github.com/almanacdb/almanac/engine"

// All returns every model, in the order in which documentation lists them. The slice is the caller's.
func All() []engine.ModelSpec {
	return []engine.ModelSpec{
		Naive(), SNaive(), Drift(), Mean(),
		SES(), Holt(), HoltWinters(), ETS(), Theta(),
		STL(), Window(), ARIMA(),
		Auto(ARIMA()),
	}
}
