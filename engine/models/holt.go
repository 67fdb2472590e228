package models

import (
	"fmt"

	"github.com/almanacdb/almanac/engine"
)

// Holt is Holt's linear trend method, fitted as its state space form ETS(A,A,N), or ETS(A,Ad,N) with a damped trend.
func Holt() engine.ModelSpec {
	return engine.ModelSpec{
		Name:   "holt",
		Doc:    "Holt's linear trend, as ETS(A,A,N): level and slope follow the data. damped lets the trend level off, ETS(A,Ad,N).",
		Syntax: "holt(damped)",
		References: []string{
			"Holt (1957), reprinted 2004 in International Journal of Forecasting 20",
			"Gardner & McKenzie (1985), Forecasting trends in time series, Management Science 31",
			"Hyndman, Koehler, Ord & Snyder (2008), Forecasting with Exponential Smoothing, section 2.3",
		},
		Caps: engine.Caps{Missing: true},
		New: func(args string) (engine.Model, error) {
			damped := false
			inside, balanced := inBrackets(args)
			if !balanced {
				return nil, fmt.Errorf("%w: holt%s: brackets do not match", engine.ErrSyntax, args)
			}
			for _, word := range words(inside) {
				if word != "damped" {
					return nil, fmt.Errorf("%w: holt(%s): the only option is damped", engine.ErrSyntax, word)
				}
				damped = true
			}
			return fixedETS('A', 'A', 'N', damped), nil
		},
	}
}
