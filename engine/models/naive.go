package models

import (
	"context"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// Naive forecasts the last observation. It is optimal for a random walk, and the yardstick for series without season.
func Naive() engine.ModelSpec {
	return engine.ModelSpec{
		Name:       "naive",
		Doc:        "The last observation, for ever: a random walk. The yardstick for series without a season.",
		References: []string{"Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, sections 5.2 and 5.5"},
		Caps:       engine.Caps{Missing: true},
		New: func(args string) (engine.Model, error) {
			if err := noArguments("naive", args); err != nil {
				return nil, err
			}
			return naiveModel{}, nil
		},
	}
}

type naiveModel struct{}

// Fit implements engine.Model.
func (naiveModel) Fit(ctx context.Context, s series.Series) (engine.Fitted, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	w, err := newLagWalk("Naive", s.Y, 1, false)
	if err != nil {
		return nil, err
	}
	return w, nil
}
