package models

import (
	"context"
	"math"
	"slices"
	"strings"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// trial is one candidate with its fit to the whole series and its forecasts from the origins.
type trial struct {
	name     string
	fitted   engine.Fitted
	fixed    engine.Model // the form found on the whole series: its parameters are estimated anew at each origin
	forecast []engine.Forecast
	failed   bool
	loss     float64 // mean absolute, or root mean squared, error over all judged steps
}

// trialProbs bound the central 80 % in the backtest.
var trialProbs = []float64{0.1, 0.9}

// newTrial fits the candidate and checks that it forecasts finite values. The search for the form (ARIMA orders, ETS
// components) is done once, here; at the origins the form is kept, which saves most of the time and tilts the backtest towards models
// with many forms so little that shrinking the weights covers it.
func newTrial(ctx context.Context, name string, s series.Series, specs []engine.ModelSpec) (*trial, error) {
	m, err := findModel(name, specs)
	if err != nil {
		return nil, err
	}
	f, err := m.Fit(ctx, s)
	if err != nil {
		return nil, err
	}
	var fc engine.Forecast
	fc.Reset(2, trialProbs)
	if err := f.Forecast(ctx, &fc, nil); err != nil {
		return nil, err
	}
	for h, v := range fc.Mean {
		if math.IsNaN(v) || math.IsInf(v, 0) || math.IsNaN(fc.Quantiles[0][h]) || math.IsInf(fc.Quantiles[1][h], 0) {
			return nil, errNoForecast
		}
	}
	t := &trial{name: name, fitted: f, fixed: m}
	if label := f.Describe().Model; !strings.EqualFold(label, name) {
		if fixed, err := findModel(label, specs); err == nil {
			t.fixed = fixed
		}
	}
	return t, nil
}

// judge forecasts h steps from the origin. A candidate that cannot be fitted to some part is out.
func (t *trial) judge(ctx context.Context, s series.Series, origin, h int) error {
	if t.failed {
		return nil
	}
	part := s
	part.Y = s.Y[:origin]
	f, err := t.fixed.Fit(ctx, part)
	var fc engine.Forecast
	if err == nil {
		fc.Reset(h, trialProbs)
		err = f.Forecast(ctx, &fc, nil)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	t.failed = err != nil
	for _, v := range fc.Mean {
		t.failed = t.failed || math.IsNaN(v) || math.IsInf(v, 0)
	}
	t.forecast = append(t.forecast, fc)
	return nil
}

// alone makes the candidate the whole answer.
func (t *trial) alone(note string) *autoFitted {
	return &autoFitted{members: []engine.Fitted{t.fitted}, weights: []float64{1}, spread: 1, note: note}
}

// autoExponent and autoShrink turn backtest errors into weights: three tenths of a weight are the candidate's share of 1/error²,
// the rest is equality; autoDrop is how many times the best one's error leaves a candidate out.
const (
	autoExponent = 2
	autoShrink   = 0.7
	autoDrop     = 2
)

// combine weighs the candidates whose forecasts have been judged; without origins all weigh the same. Errors are set
// later by backtest.
func combine(trials []*trial) *autoFitted {
	f := &autoFitted{spread: 1}
	for _, t := range trials {
		if !t.failed {
			f.trials = append(f.trials, t)
		}
	}
	if len(f.trials) == 0 {
		f.trials = trials
	}
	for _, t := range f.trials {
		f.members = append(f.members, t.fitted)
		f.weights = append(f.weights, 1/float64(len(f.trials)))
	}
	return f
}

// backtest sets the weights by the candidates' errors and returns the mean absolute (root mean squared) errors of the
// combination and of the yardstick over all origins and steps.
func (f *autoFitted) backtest(yardstick *trial, s series.Series, origins []int, squared bool) (own, theirs float64) {
	for _, t := range append(slices.Clone(f.trials), yardstick) {
		t.loss = t.meanLoss(s.Y, origins, squared)
	}
	f.weigh()
	return f.judge(s, origins, squared), yardstick.loss
}

// lean gives the yardstick a share of the weight and returns the combination's error.
func (f *autoFitted) lean(yardstick *trial, share float64, s series.Series, origins []int, squared bool) float64 {
	last := len(f.trials) - 1
	if f.trials[last] != yardstick {
		f.trials = append(f.trials, yardstick)
		f.members = append(f.members, yardstick.fitted)
		f.weights = append(f.weights, 0)
		last++
	}
	old, rest := 1-f.weights[last], 1-share
	for i := range last {
		f.weights[i] = math.Round(100*f.weights[i]/old*(1-share)) / 100
		rest -= f.weights[i]
	}
	f.weights[0] = math.Round(100*(f.weights[0]+rest)) / 100
	f.weights[last] = share
	return f.judge(s, origins, squared)
}

// judge is the combination's error over all origins and steps; it sets the spread of the intervals on the way.
func (f *autoFitted) judge(s series.Series, origins []int, squared bool) float64 {
	sum, n := 0.0, 0.0
	var ratios []float64
	for i, o := range origins {
		for h := range f.trials[0].forecast[i].Mean {
			y := s.Y[o+h]
			if y != y {
				continue
			}
			mean, lower, upper := 0.0, 0.0, 0.0
			for k, t := range f.trials {
				fc := &t.forecast[i]
				mean += f.weights[k] * fc.Mean[h]
				lower += f.weights[k] * fc.Quantiles[0][h]
				upper += f.weights[k] * fc.Quantiles[1][h]
			}
			sum, n = sum+loss(y-mean, squared), n+1
			side := upper - mean
			if y < mean {
				side = mean - lower
			}
			if side > 0 {
				ratios = append(ratios, math.Abs(y-mean)/side)
			}
		}
	}
	f.calibrate(ratios)
	return unloss(sum/math.Max(1, n), squared)
}

func (t *trial) meanLoss(y []float64, origins []int, squared bool) float64 {
	sum, n := 0.0, 0.0
	for i, o := range origins {
		if i >= len(t.forecast) {
			break
		}
		for h, v := range t.forecast[i].Mean {
			if e := y[o+h] - v; e == e {
				sum, n = sum+loss(e, squared), n+1
			}
		}
	}
	if n == 0 || t.failed {
		return math.Inf(1)
	}
	return unloss(sum/n, squared)
}

func loss(e float64, squared bool) float64 {
	if squared {
		return e * e
	}
	return math.Abs(e)
}

// unloss brings a mean loss back to the units of the data.
func unloss(v float64, squared bool) float64 {
	if squared {
		return math.Sqrt(v)
	}
	return v
}

// weigh drops candidates far behind and shares the weight among the others. Weights are rounded to hundredths, so that
// the label says exactly what was done.
func (f *autoFitted) weigh() {
	best := math.Inf(1)
	for _, t := range f.trials {
		best = math.Min(best, t.loss)
	}
	if math.IsInf(best, 1) {
		return
	}
	kept := f.trials[:0:0]
	for _, t := range f.trials {
		if t.loss <= autoDrop*best {
			kept = append(kept, t)
		}
	}
	f.trials = kept
	total, share := 0.0, make([]float64, len(kept))
	for i, t := range kept {
		share[i] = 1
		if best > 0 {
			share[i] = math.Pow(best/t.loss, autoExponent)
		}
		total += share[i]
	}
	f.members, f.weights = f.members[:0], f.weights[:0]
	rest := 1.0
	for i, t := range kept {
		w := (1-autoShrink)*share[i]/total + autoShrink/float64(len(kept))
		w = math.Round(100*w) / 100
		if i == len(kept)-1 {
			w = math.Round(100*rest) / 100
		}
		rest -= w
		f.members = append(f.members, t.fitted)
		f.weights = append(f.weights, w)
	}
}

// calibrate sets spread so that the central 80 % would have covered 80 % of the backtest. Few, dependent errors say little: the
// logarithm of the factor is shrunk by their number.
func (f *autoFitted) calibrate(ratios []float64) {
	if len(ratios) < 5 {
		return
	}
	slices.Sort(ratios)
	n := float64(len(ratios))
	log := math.Log(math.Max(0.05, sampleQuantile(ratios, 0.8))) * n / (n + 20)
	f.spread = math.Exp(math.Min(math.Max(log, math.Log(0.8)), math.Log(2)))
}
