package models

import (
	"context"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// Mean forecasts the average of all observations, for series that vary around a constant.
func Mean() engine.ModelSpec {
	return engine.ModelSpec{
		Name:       "mean",
		Doc:        "The average of all observations, for series that vary around a constant.",
		References: []string{"Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, sections 5.2 and 5.5"},
		Caps:       engine.Caps{Missing: true},
		New: func(args string) (engine.Model, error) {
			if err := noArguments("mean", args); err != nil {
				return nil, err
			}
			return meanModel{}, nil
		},
	}
}

type meanModel struct{}

// Fit implements engine.Model.
func (meanModel) Fit(ctx context.Context, s series.Series) (engine.Fitted, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st := summarise(s.Y)
	if st.observed == 0 {
		return nil, fmt.Errorf("%w: no observation", engine.ErrTooShort)
	}
	if st.infinite {
		return nil, fmt.Errorf("%w: infinite value", engine.ErrNoFit)
	}
	f := &meanFitted{observed: st.observed, length: len(s.Y)}
	// Deviations from the first value keep large offsets from cancelling; dividing first keeps sums from overflowing.
	n := float64(st.observed)
	for _, v := range s.Y {
		if v == v {
			f.mean += v/n - st.first/n
		}
	}
	f.mean += st.first
	if st.observed > 1 {
		for _, v := range s.Y {
			if v == v {
				d := (v - f.mean) / math.Sqrt(n-1)
				f.sigma2 += d * d
			}
		}
	}
	return f, nil
}

type meanFitted struct {
	mean, sigma2     float64
	observed, length int
}

// Forecast implements engine.Fitted: y ~ mean + s·√(1 + 1/n)·t with n − 1 degrees of freedom.
func (f *meanFitted) Forecast(ctx context.Context, dst *engine.Forecast, _ [][]float64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for h := range dst.Mean {
		dst.Mean[h] = f.mean
	}
	t := distuv.StudentsT{Sigma: 1, Nu: math.Max(1, float64(f.observed-1))}
	sd := math.Sqrt(f.sigma2) * math.Sqrt(1+1/float64(f.observed))
	fillScaled(dst, t.Quantile, func(int) float64 { return sd })
	return nil
}

// FittedValues implements engine.Fitted: the mean everywhere, as in R.
func (f *meanFitted) FittedValues(dst []float64) []float64 {
	dst = dst[:0]
	for range f.length {
		dst = append(dst, f.mean)
	}
	return dst
}

// Describe implements engine.Fitted.
func (f *meanFitted) Describe() engine.Description {
	nan := math.NaN()
	return engine.Description{
		Model: "Mean", Params: []engine.Param{{Name: "mean", Value: f.mean}}, Sigma2: f.sigma2,
		LogLik: nan, AIC: nan, AICc: nan, BIC: nan,
	}
}
