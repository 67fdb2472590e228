package functions

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

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
	level    float64
	history  int
	nonNeg   string
	forecast engine.Forecast
	fitted   []float64
	filled   []float64

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
	if description.Note != "" {
		f.notes = append(f.notes, description.Note)
	}
	if f.history != 0 {
		f.fitted = fitted.FittedValues(f.fitted[:0])
		f.historyBounds(s.Y, description.Sigma2)
	}
	if f.nonNeg == "yes" || f.nonNeg == "auto" && nonNegative {
		if f.clip() {
			f.notes = append(f.notes, "forecast limited to zero")
		}
	}
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

// historyBounds makes the one-step prediction interval around each fitted value from the variance of the innovations, taken as
// normal: fitted ± z σ, or fitted (1 ± z σ) for a model whose innovations are relative. Which of the two sigma2 is follows from
// the data: it is the one nearer, in ratio, to the mean square of the absolute or the relative innovations. Where a model
// states no variance, the mean square of its innovations serves.
func (f *forecaster) historyBounds(y []float64, sigma2 float64) {
	f.lower, f.upper = f.lower[:0], f.upper[:0]
	var absolute, relative float64
	n := 0
	for t, fit := range f.fitted {
		if math.IsNaN(fit) || t >= len(y) || math.IsNaN(y[t]) {
			continue
		}
		e := y[t] - fit
		absolute += e * e
		relative += e * e / (fit * fit)
		n++
	}
	if n > 0 {
		absolute /= float64(n)
		relative /= float64(n)
	}
	if math.IsNaN(sigma2) || sigma2 < 0 {
		sigma2 = absolute
	}
	isRelative := relative > 0 && !math.IsInf(relative, 0) && !math.IsNaN(relative) && sigma2 > 0 &&
		math.Abs(math.Log(sigma2/relative)) < math.Abs(math.Log(sigma2/absolute))
	spread := distuv.UnitNormal.Quantile((1+f.level)/2) * math.Sqrt(sigma2)
	for _, fit := range f.fitted {
		half := spread
		if isRelative {
			half = spread * math.Abs(fit)
		}
		f.lower = append(f.lower, fit-half)
		f.upper = append(f.upper, fit+half)
	}
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
		if x < 0 {
			v[i], changed = 0, true
		}
	}
	return changed
}

// status joins what the panel and the fit have to say; "ok" if nothing.
func (f *forecaster) status(panelNotes string) string {
	return joinNotes(panelNotes, f.notes...)
}

func joinNotes(first string, rest ...string) string {
	notes := make([]string, 0, 1+len(rest))
	if first != "" && first != "ok" {
		notes = append(notes, first)
	}
	for _, n := range rest {
		if n != "" && !slices.Contains(notes, n) {
			notes = append(notes, n)
		}
	}
	if len(notes) == 0 {
		return "ok"
	}
	return strings.Join(notes, "; ")
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

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
