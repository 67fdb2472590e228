package models

import (
	"fmt"

	"github.com/almanacdb/almanac/engine"
)

// HoltWinters is the seasonal method of Holt and Winters, fitted as its state space form: ETS(A,A,A) for an additive
// season, ETS(M,A,M) for a multiplicative one (its errors grow with the level, as the season does), Ad with a damped trend.
func HoltWinters() engine.ModelSpec {
	return engine.ModelSpec{
		Name:   "holtwinters",
		Doc:    "Holt–Winters, as ETS(A,A,A), or ETS(M,A,M) if multiplicative: level, slope and season follow the data.",
		Syntax: "holtwinters(multiplicative, damped): additive is the default",
		References: []string{
			"Winters (1960), Forecasting sales by exponentially weighted moving averages, Management Science 6",
			"Hyndman, Koehler, Ord & Snyder (2008), Forecasting with Exponential Smoothing, section 2.3",
		},
		Caps: engine.Caps{Seasonal: true, Missing: true},
		New: func(args string) (engine.Model, error) {
			m := fixedETS('A', 'A', 'A', false)
			inside, balanced := inBrackets(args)
			if !balanced {
				return nil, fmt.Errorf("%w: holtwinters%s: brackets do not match", engine.ErrSyntax, args)
			}
			for _, word := range words(inside) {
				switch word {
				case "additive":
				case "multiplicative":
					m.request.err, m.request.season = 'M', 'M'
				case "damped":
					m.request.damped = true
				default:
					return nil, fmt.Errorf("%w: holtwinters(%s): options are additive, multiplicative and damped", engine.ErrSyntax, word)
				}
			}
			return m, nil
		},
	}
}
