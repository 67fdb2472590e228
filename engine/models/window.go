package models

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// Window forecasts retail demand as planners do: the average of the last weeks times what each weekday usually makes of it.
// It works for any seasonal period and for series full of zeros.
//
// The level is the mean of the last window observations. The season at each place of the cycle is the ratio of that place's mean to
// the mean of all, over up to the last 52 cycles, shrunk towards 1 by the James–Stein rule: the share of the places' variance that
// chance alone would cause is taken out, so that short or sparse histories show no season by accident. Series with
// negative values use differences in place of ratios. The window is the one, among a few multiples of the period, that would
// have forecast the next cycle's mean best.
func Window() engine.ModelSpec {
	return engine.ModelSpec{
		Name:   "window",
		Doc:    "Average of the last weeks by day of week (of any seasonal period): the level of a window, chosen unless given, and a shrunk season. For retail demand with short or sparse histories.",
		Syntax: "window(n): the average is of the last n observations",
		References: []string{
			"Brown (1959), Statistical Forecasting for Inventory Control (moving averages)",
			"James & Stein (1961), Estimation with quadratic loss, Proceedings of the Fourth Berkeley Symposium 1",
			"Miller & Williams (2003), Shrinkage estimators of time series seasonal factors and their effect on forecasting accuracy, International Journal of Forecasting 19",
		},
		Caps: engine.Caps{Seasonal: true, Missing: true},
		New: func(args string) (engine.Model, error) {
			inside, ok := inBrackets(args)
			list := words(inside)
			if len(list) == 0 && ok {
				return windowModel{}, nil
			}
			if len(list) == 1 && ok {
				if n, err := strconv.Atoi(list[0]); err == nil && n > 0 {
					return windowModel{n}, nil
				}
			}
			return nil, fmt.Errorf("%w: window%s: write window(n) with a whole number of observations", engine.ErrSyntax, args)
		},
	}
}

type windowModel struct{ length int } // 0: to be chosen

// windowCycles are the windows tried, in cycles; seasonal periods below 4 count four observations as one.
var windowCycles = []int{1, 2, 4, 8, 16, 32}

// seasonCycles is how far back the season looks.
const seasonCycles = 52

// Fit implements engine.Model.
func (w windowModel) Fit(ctx context.Context, s series.Series) (engine.Fitted, error) {
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
	f := &windowFitted{y: s.Y, m: s.Period(), ratio: st.nonNegative, length: w.length}
	f.cumulate()
	if f.length == 0 {
		f.choose()
	}
	f.level = f.mean(len(s.Y), f.length)
	if f.m > 1 && len(s.Y) >= 2*f.m {
		f.fitSeason()
	}
	f.fitErrors()
	return f, nil
}

type windowFitted struct {
	y      []float64
	m      int
	ratio  bool
	length int
	level  float64
	season []float64 // by t mod m: factors, or differences; nil without
	errors []float64 // of the level and season that were known a cycle before, ascending
	sigma2 float64
	sum    []float64 // sum[t] of the observed values before t
	count  []float64
}

func (f *windowFitted) cumulate() {
	n := len(f.y)
	f.sum, f.count = make([]float64, n+1), make([]float64, n+1)
	for t, v := range f.y {
		f.sum[t+1], f.count[t+1] = f.sum[t], f.count[t]
		if v == v {
			f.sum[t+1] += v
			f.count[t+1]++
		}
	}
}

// mean of the observed values among the length before t; further back if there are none.
func (f *windowFitted) mean(t, length int) float64 {
	for from := max(0, t-length); ; from = max(0, from-length) {
		if k := f.count[t] - f.count[from]; k > 0 {
			return (f.sum[t] - f.sum[from]) / k
		}
		if from == 0 {
			return math.NaN()
		}
	}
}

func (f *windowFitted) unit() int {
	if f.m < 4 {
		return 4
	}
	return f.m
}

// choose picks the window with the least squared error of the next cycle's mean, over the last third of the series or 26
// cycles. Near ties go to the longer window, which is the less variable one.
func (f *windowFitted) choose() {
	n, unit := len(f.y), f.unit()
	start := max(n-26*unit, 2*n/3)
	best, bestError := 4*unit, math.Inf(1)
	if n < 3*unit {
		f.length = min(max(n, 1), best)
		return
	}
	for _, c := range windowCycles {
		length := c * unit
		if length > start {
			break
		}
		total, k := 0.0, 0
		for t := start; t+unit <= n; t++ {
			if observed := f.count[t+unit] - f.count[t]; observed*2 >= float64(unit) {
				d := (f.sum[t+unit]-f.sum[t])/observed - f.mean(t, length)
				if d == d {
					total, k = total+d*d, k+1
				}
			}
		}
		if k > 0 && total/float64(k) < bestError*1.02 {
			best, bestError = length, math.Min(bestError, total/float64(k))
		}
	}
	f.length = best
}

// fitSeason estimates the shrunk season.
func (f *windowFitted) fitSeason() {
	n, m := len(f.y), f.m
	from := max(0, n-seasonCycles*m)
	k := f.count[n] - f.count[from]
	if k < float64(m) {
		return
	}
	all := (f.sum[n] - f.sum[from]) / k
	if f.ratio && all <= 0 {
		return
	}
	sum, square, count := make([]float64, m), make([]float64, m), make([]float64, m)
	for t := from; t < n; t++ {
		if v := f.y[t]; v == v {
			d := v - all
			sum[t%m] += d
			square[t%m] += d * d
			count[t%m]++
		}
	}
	within, between, freedom, places := 0.0, 0.0, 0.0, 0.0
	chance := 0.0
	for i := range sum {
		if count[i] == 0 {
			continue
		}
		d := sum[i] / count[i]
		within += square[i] - count[i]*d*d
		freedom += count[i] - 1
		between += d * d
		chance += 1 / count[i]
		places++
	}
	if freedom < 1 || places < 2 || between <= 0 {
		return
	}
	// E[between] = true + σ²·Σ 1/count: what is left after chance is the share to keep.
	keep := math.Max(0, 1-within/freedom*chance*(places-2)/places/between)
	f.season = make([]float64, m)
	for i := range f.season {
		d := 0.0
		if count[i] > 0 {
			d = keep * sum[i] / count[i]
		}
		if f.ratio {
			d = 1 + d/all
		}
		f.season[i] = d
	}
}

func (f *windowFitted) apply(level float64, t int) float64 {
	if f.season == nil {
		return level
	}
	if f.ratio {
		return level * f.season[t%f.m]
	}
	return level + f.season[t%f.m]
}

// fitErrors collects the errors against the window that ended a cycle before, up to the last 365.
func (f *windowFitted) fitErrors() {
	n, unit := len(f.y), f.unit()
	for t := max(n-365, min(unit, n-1)); t < n; t++ {
		if e := f.y[t] - f.apply(f.mean(max(0, t-unit+1), f.length), t); e == e {
			f.errors = append(f.errors, e)
			f.sigma2 += e * e
		}
	}
	if len(f.errors) == 0 {
		f.errors = append(f.errors, 0)
	}
	f.sigma2 /= float64(len(f.errors))
	slices.Sort(f.errors)
}

// Forecast implements engine.Fitted. Quantiles are those of the past errors of one to m steps, which keep the skewness of
// sales, around the mean; they are the same at all steps, and not below zero where the data never are.
func (f *windowFitted) Forecast(ctx context.Context, dst *engine.Forecast, _ [][]float64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for h := range dst.Mean {
		dst.Mean[h] = f.apply(f.level, len(f.y)+h)
	}
	for i, p := range dst.Probs {
		e := sampleQuantile(f.errors, p)
		for h, v := range dst.Mean {
			scale := 1.0
			if f.ratio && f.level > 0 {
				scale = math.Sqrt(v / f.level) // as for counts, the variance goes with the mean
			}
			q := v + e*scale
			if f.ratio {
				q = math.Max(q, 0)
			}
			dst.Quantiles[i][h] = q
		}
	}
	return nil
}

// FittedValues implements engine.Fitted: the window that ended just before, times the season of the whole series.
func (f *windowFitted) FittedValues(dst []float64) []float64 {
	dst = dst[:0]
	for t := range f.y {
		dst = append(dst, f.apply(f.mean(t, f.length), t))
	}
	return dst
}

// Describe implements engine.Fitted.
func (f *windowFitted) Describe() engine.Description {
	nan := math.NaN()
	d := engine.Description{
		Model: fmt.Sprintf("Window(%d)", f.length), Sigma2: f.sigma2, LogLik: nan, AIC: nan, AICc: nan, BIC: nan,
		Params: []engine.Param{{Name: "level", Value: f.level}},
	}
	for i, v := range f.season {
		d.Params = append(d.Params, engine.Param{Name: fmt.Sprintf("season%d", i+1), Value: v})
	}
	return d
}
