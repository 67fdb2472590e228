package models

import (
	"context"
	"fmt"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// SNaive forecasts the observation of one seasonal period ago: last year's month, last week's weekday. It is the
// yardstick that every other model has to beat.
func SNaive() engine.ModelSpec {
	return engine.ModelSpec{
		Name:       "snaive",
		Doc:        "Seasonal naive: what was observed one seasonal period ago. The yardstick for seasonal series.",
		References: []string{"Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, sections 5.2 and 5.5"},
		Caps:       engine.Caps{Seasonal: true, Missing: true},
		New: func(args string) (engine.Model, error) {
			if err := noArguments("snaive", args); err != nil {
				return nil, err
			}
			return snaiveModel{}, nil
		},
	}
}

type snaiveModel struct{}

// Fit implements engine.Model. A series no longer than the period is fitted by naive, and the description says so.
func (snaiveModel) Fit(ctx context.Context, s series.Series) (engine.Fitted, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	m, note := s.Period(), ""
	if m > 1 && len(s.Y) <= m {
		note = fmt.Sprintf("%d observations do not exceed the seasonal period %d: the last one is repeated", len(s.Y), m)
		m = 1
	}
	w, err := newLagWalk("SNaive", s.Y, m, false)
	if err != nil {
		return nil, err
	}
	w.note = note
	return w, nil
}
