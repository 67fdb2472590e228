package models

import (
	"context"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// Drift is a random walk with drift: the line through the first and the last observation goes on.
func Drift() engine.ModelSpec {
	return engine.ModelSpec{
		Name:       "drift",
		Doc:        "Random walk with drift: the line from the first to the last observation goes on.",
		References: []string{"Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, sections 5.2 and 5.5"},
		Caps:       engine.Caps{Missing: true},
		New: func(args string) (engine.Model, error) {
			if err := noArguments("drift", args); err != nil {
				return nil, err
			}
			return driftModel{}, nil
		},
	}
}

type driftModel struct{}

// Fit implements engine.Model.
func (driftModel) Fit(ctx context.Context, s series.Series) (engine.Fitted, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, err := newLagWalk("Drift", s.Y, 1, true)
	if err != nil {
		return nil, err
	}
	return w, nil
}
