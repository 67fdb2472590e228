package functions_test

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// The models below exist to show what the functions do around a model: their arithmetic is done by hand in the tests.

// shaped is levelModel with another forecast.
func shaped(name string, shape func(*engine.Forecast)) engine.ModelSpec {
	return engine.ModelSpec{
		Name: name, Doc: "A test model.", Caps: engine.Caps{Missing: true},
		New: func(string) (engine.Model, error) { return shapedModel{shape}, nil },
	}
}

type shapedModel struct{ shape func(*engine.Forecast) }

func (m shapedModel) Fit(ctx context.Context, s series.Series) (engine.Fitted, error) {
	fit := &levelFit{y: s.Y, period: s.Period()}
	for _, y := range s.Y {
		fit.level += y / float64(len(s.Y))
	}
	return &shapedFit{fit, m.shape}, nil
}

type shapedFit struct {
	*levelFit
	shape func(*engine.Forecast)
}

func (f *shapedFit) Forecast(ctx context.Context, dst *engine.Forecast, future [][]float64) error {
	err := f.levelFit.Forecast(ctx, dst, future)
	f.shape(dst)
	return err
}

// levelModel forecasts the mean of the known values with standard deviation 1, and refuses series shorter than 3.
type levelModel struct {
	behave func(ctx context.Context, s series.Series) error
}

type levelFit struct {
	y      []float64
	level  float64
	period int // observations without a fitted value; 0 stands for 1
}

func (m levelModel) Fit(ctx context.Context, s series.Series) (engine.Fitted, error) {
	if m.behave != nil {
		if err := m.behave(ctx, s); err != nil {
			return nil, err
		}
	}
	if len(s.Y) < 3 {
		return nil, fmt.Errorf("%w: %d observations, 3 needed", engine.ErrTooShort, len(s.Y))
	}
	sum, n := 0.0, 0
	for _, y := range s.Y {
		if !math.IsNaN(y) {
			sum += y
			n++
		}
	}
	return &levelFit{y: s.Y, level: sum / float64(n)}, nil
}

func (f *levelFit) Forecast(_ context.Context, dst *engine.Forecast, _ [][]float64) error {
	for h := range dst.H {
		dst.Mean[h] = f.level
		for p, prob := range dst.Probs {
			dst.Quantiles[p][h] = f.level + 10*(prob-0.5)
		}
	}
	return nil
}

func (f *levelFit) FittedValues(dst []float64) []float64 {
	dst = dst[:0]
	for t := range f.y {
		if t < max(f.period, 1) {
			dst = append(dst, math.NaN())
		} else {
			dst = append(dst, f.level)
		}
	}
	return dst
}

func (f *levelFit) Describe() engine.Description {
	return engine.Description{Model: "level", Sigma2: 1}
}

func testModels() []engine.ModelSpec {
	model := func(name string, missing bool, behave func(context.Context, series.Series) error) engine.ModelSpec {
		return engine.ModelSpec{
			Name: name, Doc: "A test model.", Caps: engine.Caps{Missing: missing},
			New: func(args string) (engine.Model, error) {
				if args != "" {
					return nil, fmt.Errorf("%w: %q behind the name", engine.ErrSyntax, args)
				}
				return levelModel{behave}, nil
			},
		}
	}
	return []engine.ModelSpec{
		model("auto", false, nil),
		model("gaps", true, nil),
		model("panics", false, func(_ context.Context, s series.Series) error {
			if s.Y[0] > 30 {
				panic("index out of range")
			}
			return nil
		}),
		model("slow", false, func(ctx context.Context, _ series.Series) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(time.Minute):
				return nil
			}
		}),
		shaped("skewed", func(dst *engine.Forecast) {
			for h := range dst.H {
				dst.Mean[h] += 100 // a few large values: the mean is beyond the quantiles
			}
		}),
		shaped("cycle", func(*engine.Forecast) {}),
		shaped("exact", func(dst *engine.Forecast) {
			for p := range dst.Probs {
				copy(dst.Quantiles[p], dst.Mean)
			}
		}),
		model("runaway", false, func(context.Context, series.Series) error { return engine.ErrNoFit }),
		model("period", false, func(_ context.Context, s series.Series) error {
			return fmt.Errorf("%w: periods %v", engine.ErrNoFit, s.Periods)
		}),
	}
}
