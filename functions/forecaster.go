package functions

import (
	"context"
	"errors"
	"fmt"
	"math"

	"gonum.org/v1/gonum/stat/distuv"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// forecaster fits one model to series after series, reusing its memory. It belongs to one goroutine.
type forecaster struct {
	model   boundModel
	horizon int
	probs   []float64
	// level is the coverage of the bounds on history rows; 0 leaves them out.
	level   float64
	history int
	// widen draws the outer quantiles out to the mean, as those of an interval.
	widen    bool
	nonNeg   string
	forecast engine.Forecast
	fitted   []float64
	filled   []float64
	// deviations are the standard deviations of the innovations about fitted.
	deviations []float64

	// The result of run, valid until the next one.
	lower, upper []float64 // bounds of fitted
	fittedModel  string
	notes        []string
}

// run fits the model to s and fills forecast and, where history is wanted, fitted, lower and upper.
func (f *forecaster) run(ctx context.Context, s series.Series) error {
	f.notes, f.fittedModel = f.notes[:0], ""
	observed, nonNegative := 0, true
	for _, y := range s.Y {
		switch {
		case math.IsNaN(y):
		case math.IsInf(y, 0):
			return errInfinite
		default:
			observed++
			nonNegative = nonNegative && y >= 0
		}
	}
	if observed == 0 {
		return fmt.Errorf("%w: no known value", engine.ErrTooShort)
	}
	if unknown := len(s.Y) - observed; unknown > 0 && !f.model.spec.Caps.Missing {
		f.filled = interpolate(append(f.filled[:0], s.Y...))
		s.Y = f.filled
		f.notes = append(f.notes, plural(unknown, "unknown value", "unknown values")+" interpolated for the model")
	}
	fitted, err := f.model.model.Fit(ctx, s)
	if err != nil {
		return err
	}
	f.forecast.Reset(f.horizon, f.probs)
	if err := fitted.Forecast(ctx, &f.forecast, nil); err != nil {
		return err
	}
	if err := f.checkFinite(); err != nil {
		return err
	}
	description := fitted.Describe()
	f.fittedModel = description.Model
	if f.history != 0 {
		f.fitted = fitted.FittedValues(f.fitted[:0])
		f.historyBounds(s.Y, fitted, description.Sigma2)
	}
	switch {
	case observed < minForInterval:
		f.withoutInterval()
		f.notes = append(f.notes, plural(observed, "observation", "observations")+": no interval")
	default:
		if n := f.errors(s, observed, fitted); n < minForInterval-1 {
			f.withoutInterval()
			f.notes = append(f.notes, fmt.Sprintf("%s leave %s to judge by: no interval", plural(observed, "observation", "observations"), plural(n, "error", "errors")))
		} else if f.widen {
			f.holdMean()
		}
	}
	if f.nonNeg == "yes" || f.nonNeg == "auto" && nonNegative {
		if f.clip() {
			f.notes = append(f.notes, "forecast limited to zero")
		}
	}
	f.notes = append(f.notes, description.Note) // what was done to the data comes first
	return nil
}

// errInfinite is a value that no model can take.
var errInfinite = errors.New("an infinite value")

// checkFinite refuses a forecast that a model let run away, rather than showing NaN or Inf as a number.
func (f *forecaster) checkFinite() error {
	for _, m := range f.forecast.Mean {
		if math.IsNaN(m) || math.IsInf(m, 0) {
			return fmt.Errorf("%w: the forecast grows beyond all bounds", engine.ErrNoFit)
		}
	}
	for _, q := range f.forecast.Quantiles {
		for _, v := range q {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return fmt.Errorf("%w: the prediction interval grows beyond all bounds", engine.ErrNoFit)
			}
		}
	}
	return nil
}

// minForInterval is the number of observations from which a spread is believed. With n of them, a level and nothing else
// estimated, the standard deviation is itself uncertain by the share 1/√(2(n−1)): 41 % for 4, and 50 to 100 % for fewer.
const minForInterval = 4

// errors counts the observations that have a fitted value: a seasonal method has none in its first cycle, and no errors there. At
// most minForInterval are counted, and nothing is where no model can lose that many.
func (f *forecaster) errors(s series.Series, observed int, fitted engine.Fitted) int {
	longest := 0
	for _, m := range s.Periods {
		longest = max(longest, m)
	}
	if observed >= minForInterval+longest {
		return minForInterval
	}
	if f.history == 0 {
		f.fitted = fitted.FittedValues(f.fitted[:0])
	}
	n := 0
	for t := range min(len(f.fitted), len(s.Y)) {
		if !math.IsNaN(f.fitted[t]) && !math.IsNaN(s.Y[t]) {
			n++
		}
	}
	return min(n, minForInterval)
}

// withoutInterval makes all that tells of the spread unknown. The median remains, as the point forecast.
func (f *forecaster) withoutInterval() {
	for p, q := range f.forecast.Quantiles {
		for h := range q {
			q[h] = math.NaN()
			if f.forecast.Probs[p] == 0.5 {
				q[h] = f.forecast.Mean[h]
			}
		}
	}
	for t := range f.lower {
		f.lower[t], f.upper[t] = math.NaN(), math.NaN()
	}
}

// holdMean draws the first and the last quantile out to the mean where a skewed distribution has it beyond them. The interval then
// covers at least what was asked for.
func (f *forecaster) holdMean() {
	lower, upper := f.forecast.Quantiles[0], f.forecast.Quantiles[len(f.forecast.Quantiles)-1]
	for h, m := range f.forecast.Mean {
		lower[h], upper[h] = min(lower[h], m), max(upper[h], m)
	}
}

// historyBounds makes the one-step prediction interval around each fitted value from the standard deviation of that innovation,
// taken as normal. Where a model states no variance, the mean square of its innovations serves.
func (f *forecaster) historyBounds(y []float64, fitted engine.Fitted, sigma2 float64) {
	if own, ok := fitted.(engine.InnovationDeviations); ok {
		f.deviations = own.InnovationDeviations(f.deviations)
	} else {
		if math.IsNaN(sigma2) || sigma2 < 0 {
			sigma2 = meanSquare(y, f.fitted)
		}
		f.deviations = f.deviations[:0]
		for range f.fitted {
			f.deviations = append(f.deviations, math.Sqrt(sigma2))
		}
	}
	z := distuv.UnitNormal.Quantile((1 + f.level) / 2)
	f.lower, f.upper = f.lower[:0], f.upper[:0]
	for t, fit := range f.fitted {
		half := z * f.deviations[t]
		f.lower = append(f.lower, fit-half)
		f.upper = append(f.upper, fit+half)
	}
}

// meanSquare is that of y about fitted, over the observations where both are known.
func meanSquare(y, fitted []float64) float64 {
	sum, n := 0.0, 0.0
	for t, fit := range fitted[:min(len(fitted), len(y))] {
		if e := y[t] - fit; !math.IsNaN(e) {
			sum, n = sum+e*e, n+1
		}
	}
	return sum / n
}

// clip raises everything below zero to zero and reports whether the point forecast was. Bounds that end at zero are what a reader of
// sales expects and need no word.
func (f *forecaster) clip() bool {
	for _, q := range f.forecast.Quantiles {
		clipZero(q)
	}
	if f.history != 0 {
		clipZero(f.fitted)
		clipZero(f.lower)
		clipZero(f.upper)
	}
	return clipZero(f.forecast.Mean)
}

func clipZero(v []float64) bool {
	changed := false
	for i, x := range v {
		if x <= 0 { // -0 too
			v[i], changed = 0, changed || x < 0
		}
	}
	return changed
}

// status joins what the panel and the fit have to say; "ok" if nothing.
func (f *forecaster) status(panelNotes string) string {
	return joinNotes(panelNotes, f.notes...)
}

// interpolate replaces NaN by the straight line between its neighbours, and by the nearest value at the ends.
func interpolate(y []float64) []float64 {
	last := -1
	for t, v := range y {
		if math.IsNaN(v) {
			continue
		}
		for i := last + 1; i < t; i++ {
			if last < 0 {
				y[i] = v
			} else {
				w := float64(i-last) / float64(t-last)
				y[i] = y[last] + w*(v-y[last])
			}
		}
		last = t
	}
	if last >= 0 {
		for i := last + 1; i < len(y); i++ {
			y[i] = y[last]
		}
	}
	return y
}
