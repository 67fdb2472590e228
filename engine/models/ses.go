package models

import (
	"github.com/almanacdb/almanac/engine"
)

// SES is simple exponential smoothing, fitted as its state space form ETS(A,N,N) by maximum likelihood, which for this
// form is least squares.
func SES() engine.ModelSpec {
	return engine.ModelSpec{
		Name: "ses",
		Doc:  "Simple exponential smoothing, as ETS(A,N,N): a level that follows the data. For series without trend or season.",
		References: []string{
			"Brown (1959), Statistical Forecasting for Inventory Control",
			"Hyndman, Koehler, Ord & Snyder (2008), Forecasting with Exponential Smoothing, section 2.3",
		},
		Caps: engine.Caps{Missing: true},
		New: func(args string) (engine.Model, error) {
			if err := noArguments("ses", args); err != nil {
				return nil, err
			}
			return fixedETS('A', 'N', 'N', false), nil
		},
	}
}

// fixedETS is exponential smoothing of one form.
func fixedETS(err, trend, season byte, damped bool) etsModel {
	return etsModel{etsRequest{etsForm: etsForm{err, trend, season, damped}, dampedSet: true}}
}
