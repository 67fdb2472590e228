// Package modeltest is the conformance suite of forecasting models: what every engine.Model must do whatever it
// forecasts. It needs no reference values; those are tested beside each model.
package modeltest

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// probs are asked of every model, wide ones included.
var probs = []float64{0.005, 0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975, 0.995}

// Run checks spec against the suite. all is the list that the labels of fits must be found in (a model may describe
// its fit as another one, as ses does with ETS(A,N,N)); with nil, in spec alone.
func Run(t *testing.T, spec engine.ModelSpec, all []engine.ModelSpec) {
	t.Helper()
	if all == nil {
		all = []engine.ModelSpec{spec}
	}
	c := conformance{spec: spec, all: all}
	t.Run("Spec", c.testSpec)
	t.Run("Answers", c.testAnswers)
	t.Run("ScaleAndShift", c.testScaleAndShift)
	t.Run("Deterministic", c.testDeterministic)
	t.Run("Concurrent", c.testConcurrent)
	t.Run("Cancelled", c.testCancelled)
	t.Run("Missing", c.testMissing)
	t.Run("Label", c.testLabel)
	t.Run("ForecastReused", c.testReuse)
}

type conformance struct {
	spec engine.ModelSpec
	all  []engine.ModelSpec
}

func (c conformance) model(t *testing.T) engine.Model {
	t.Helper()
	m, err := c.spec.New("")
	if err != nil {
		t.Fatalf("New(\"\"): %v", err)
	}
	return m
}

func (c conformance) testSpec(t *testing.T) {
	if c.spec.Name == "" || c.spec.Name != strings.ToLower(c.spec.Name) || strings.ContainsAny(c.spec.Name, " (),;=") {
		t.Errorf("name %q is not a lower-case word", c.spec.Name)
	}
	if c.spec.Doc == "" || len(c.spec.References) == 0 {
		t.Error("documentation or references are missing")
	}
	for _, bad := range []string{"(no such option!)", "((("} {
		if _, err := c.spec.New(bad); !errors.Is(err, engine.ErrSyntax) {
			t.Errorf("New(%q) = %v, want ErrSyntax", bad, err)
		}
	}
}

// Sample is a series of the suite.
type Sample struct {
	Name   string
	Series series.Series
	// Ordinary series must be fitted; the others may be refused with one of engine's errors.
	Ordinary bool
}

// Samples are the series that every model meets: ordinary ones and the worst that tables hold. They are made anew.
func Samples() []Sample {
	nan := math.NaN()
	var out []Sample
	add := func(name string, ordinary bool, periods []int, y []float64) {
		out = append(out, Sample{name, series.Series{Y: y, Periods: periods}, ordinary})
	}
	monthly := []int{12}
	add("monthly", true, monthly, Seasonal(96, 12, 1))
	add("quarterly", true, []int{4}, Seasonal(40, 4, 2))
	add("yearly", true, nil, Seasonal(30, 1, 3))
	add("daily counts", true, []int{7}, Counts(200, 4))
	add("three years of days", true, []int{7}, Counts(1096, 10))
	add("empty", false, nil, nil)
	add("one point", false, nil, []float64{5})
	add("one point, monthly", false, monthly, []float64{5})
	add("two points", false, nil, []float64{5, 7})
	add("two points, monthly", false, monthly, []float64{5, 7})
	for n := 3; n <= 8; n++ {
		add("few points", false, nil, Seasonal(n, 1, 5))
	}
	for _, n := range []int{11, 12, 13, 15, 18, 20, 24, 25, 30} {
		add("about a period", false, monthly, Seasonal(n, 12, 6))
	}
	add("constant", false, monthly, fill(40, func(int) float64 { return 7.3 }))
	add("all zero", false, monthly, fill(40, func(int) float64 { return 0 }))
	add("negative constant", false, nil, fill(10, func(int) float64 { return -1e6 }))
	add("straight line", false, monthly, fill(48, func(t int) float64 { return 3 + 2*float64(t) }))
	add("exact season", false, monthly, fill(60, func(t int) float64 { return float64(10 + t%12) }))
	add("alternating", false, nil, fill(30, func(t int) float64 { return float64(t % 2) }))
	add("one spike", false, monthly, fill(40, func(t int) float64 { return b2f(t == 20) }))
	add("last spike", false, monthly, fill(40, func(t int) float64 { return b2f(t == 39) }))
	add("step", false, monthly, fill(60, func(t int) float64 { return 10 + 1000*b2f(t >= 30) }))
	add("tiny", false, monthly, scaled(Seasonal(60, 12, 7), 1e-12, 0))
	add("huge", false, monthly, scaled(Seasonal(60, 12, 7), 1e12, 0))
	add("negative", false, monthly, scaled(Seasonal(60, 12, 7), -1, 0))
	add("far from zero", false, monthly, scaled(Seasonal(60, 12, 7), 0.001, 1e9))
	add("explosive", false, nil, fill(40, func(t int) float64 { return math.Exp(float64(t)) }))
	add("intermittent", false, []int{7}, fill(90, func(t int) float64 { return float64(t%3) * b2f(t%11 == 0) }))
	add("period longer than series", false, []int{365}, Seasonal(100, 7, 8))
	add("period of 52", false, []int{52}, Seasonal(160, 52, 8))
	add("all missing", false, monthly, fill(20, func(int) float64 { return nan }))
	add("one value among missing", false, monthly, fill(20, func(t int) float64 {
		if t == 11 {
			return 4
		}
		return nan
	}))
	add("missing first and last", false, monthly, holes(Seasonal(60, 12, 9), func(t int) bool { return t < 5 || t >= 55 }))
	add("every second missing", false, monthly, holes(Seasonal(60, 12, 9), func(t int) bool { return t%2 == 0 }))
	add("one season never seen", false, monthly, holes(Seasonal(60, 12, 9), func(t int) bool { return t%12 == 3 }))
	add("infinite value", false, monthly, func() []float64 { y := Seasonal(60, 12, 9); y[30] = math.Inf(1); return y }())
	return out
}

// mayRefuse: a seasonal model may say that a series without period is not for it.
func (c conformance) mayRefuse(s Sample, err error) bool {
	return c.spec.Caps.Seasonal && s.Series.Period() == 1 && errors.Is(err, engine.ErrNoFit)
}

// known are the errors that a refusal must wrap.
var known = []error{engine.ErrTooShort, engine.ErrNotPositive, engine.ErrNoFit, engine.ErrMissing}

// testAnswers: a finite forecast with ordered quantiles and fitted values of the right length, or a typed error.
func (c conformance) testAnswers(t *testing.T) {
	for _, s := range Samples() {
		fitted, err := c.model(t).Fit(context.Background(), s.Series)
		if err != nil {
			if s.Ordinary && !c.mayRefuse(s, err) {
				t.Errorf("%s: refused: %v", s.Name, err)
			}
			typed := false
			for _, e := range known {
				typed = typed || errors.Is(err, e)
			}
			if !typed {
				t.Errorf("%s (n=%d): error %v wraps none of engine's", s.Name, len(s.Series.Y), err)
			}
			continue
		}
		for _, h := range []int{1, 2, 30} {
			var fc engine.Forecast
			fc.Reset(h, probs)
			if err := fitted.Forecast(context.Background(), &fc, nil); err != nil {
				t.Errorf("%s (n=%d): Forecast: %v", s.Name, len(s.Series.Y), err)
				break
			}
			if problem := check(&fc); problem != "" {
				t.Errorf("%s (n=%d, %s): %s", s.Name, len(s.Series.Y), fitted.Describe().Model, problem)
				break
			}
		}
		values := fitted.FittedValues([]float64{1, 2, 3})
		if len(values) != len(s.Series.Y) {
			t.Errorf("%s: %d fitted values for %d observations", s.Name, len(values), len(s.Series.Y))
		}
		for i, v := range values {
			if math.IsInf(v, 0) {
				t.Errorf("%s: fitted value %d is %v", s.Name, i, v)
				break
			}
		}
	}
}

func check(fc *engine.Forecast) string {
	for h := range fc.H {
		if bad(fc.Mean[h]) {
			return "mean is not finite"
		}
		for p := range fc.Probs {
			if bad(fc.Quantiles[p][h]) {
				return "a quantile is not finite"
			}
			if p > 0 && fc.Quantiles[p][h] < fc.Quantiles[p-1][h] {
				return "quantiles cross"
			}
		}
	}
	return ""
}

func bad(v float64) bool { return math.IsNaN(v) || math.IsInf(v, 0) }

// testScaleAndShift: units of measurement must not matter. Times 1024 is exact in floating point, so the form chosen is
// the same and forecasts follow to rounding; a thousand times as much must not change the forecast materially.
func (c conformance) testScaleAndShift(t *testing.T) {
	for _, s := range Samples() {
		if !s.Ordinary {
			continue
		}
		base := c.forecast(t, s.Series, 12)
		if base == nil {
			continue
		}
		other := s.Series
		other.Y = scaled(s.Series.Y, 1024, 0)
		c.compare(t, s.Name+" × 1024", base, c.forecast(t, other, 12), 1024, 1e-6)
	}
}

func (c conformance) compare(t *testing.T, name string, base, got *engine.Forecast, factor, tolerance float64) {
	t.Helper()
	if got == nil {
		return
	}
	for h := range base.H {
		unit := math.Abs(base.Mean[h]) + base.Quantiles[len(probs)-1][h] - base.Quantiles[0][h]
		if d := math.Abs(got.Mean[h]/factor - base.Mean[h]); d > tolerance*unit {
			t.Errorf("%s: mean of step %d is %v, want %v", name, h+1, got.Mean[h]/factor, base.Mean[h])
			return
		}
		for p := range probs {
			if d := math.Abs(got.Quantiles[p][h]/factor - base.Quantiles[p][h]); d > tolerance*unit {
				t.Errorf("%s: quantile %v of step %d is %v, want %v", name, probs[p], h+1, got.Quantiles[p][h]/factor, base.Quantiles[p][h])
				return
			}
		}
	}
}

func (c conformance) forecast(t *testing.T, s series.Series, h int) *engine.Forecast {
	t.Helper()
	f, err := c.model(t).Fit(context.Background(), s)
	if err != nil {
		if !c.mayRefuse(Sample{Series: s}, err) {
			t.Errorf("Fit: %v", err)
		}
		return nil
	}
	fc := new(engine.Forecast)
	fc.Reset(h, probs)
	if err := f.Forecast(context.Background(), fc, nil); err != nil {
		t.Errorf("Forecast: %v", err)
		return nil
	}
	return fc
}

// testDeterministic: the same series gives the same bits, and Fit leaves it unchanged.
func (c conformance) testDeterministic(t *testing.T) {
	for _, s := range Samples() {
		if !s.Ordinary {
			continue
		}
		before := append([]float64(nil), s.Series.Y...)
		a, b := c.forecast(t, s.Series, 12), c.forecast(t, s.Series, 12)
		if a == nil || b == nil {
			continue
		}
		identical(t, s.Name, a, b)
		for i, v := range s.Series.Y {
			if math.Float64bits(v) != math.Float64bits(before[i]) {
				t.Fatalf("%s: Fit changed observation %d", s.Name, i)
			}
		}
	}
}

func identical(t *testing.T, name string, a, b *engine.Forecast) {
	t.Helper()
	for h := range a.H {
		same := math.Float64bits(a.Mean[h]) == math.Float64bits(b.Mean[h])
		for p := range probs {
			same = same && math.Float64bits(a.Quantiles[p][h]) == math.Float64bits(b.Quantiles[p][h])
		}
		if !same {
			t.Errorf("%s: two runs differ at step %d", name, h+1)
			return
		}
	}
}

// testConcurrent: one Model fits from several goroutines as from one; run it with -race.
func (c conformance) testConcurrent(t *testing.T) {
	m := c.model(t)
	s := Samples()[0].Series
	results := make(chan *engine.Forecast, 4)
	for range cap(results) {
		go func() {
			fc := new(engine.Forecast)
			fc.Reset(6, probs)
			f, err := m.Fit(context.Background(), s)
			if err == nil {
				err = f.Forecast(context.Background(), fc, nil)
			}
			if err != nil {
				fc = nil
			}
			results <- fc
		}()
	}
	first := <-results
	for range cap(results) - 1 {
		fc := <-results
		if first == nil || fc == nil {
			t.Error("a concurrent fit failed")
			continue
		}
		identical(t, "concurrent", first, fc)
	}
}

// testCancelled: a cancelled context ends Fit with its error, at once and in the middle.
func (c conformance) testCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	s := Samples()[0].Series
	if _, err := c.model(t).Fit(ctx, s); !errors.Is(err, context.Canceled) {
		t.Errorf("Fit with a cancelled context: %v", err)
	}
	ctx, cancel = context.WithTimeout(context.Background(), 2*time.Millisecond)
	defer cancel()
	long := s
	long.Y = Seasonal(20000, 12, 11)
	begin := time.Now()
	_, err := c.model(t).Fit(ctx, long)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("Fit went on for %v after its deadline", took)
	}
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Fit interrupted: %v", err)
	}
}

// testMissing: models declare whether they take missing values; those that do not must say ErrMissing.
func (c conformance) testMissing(t *testing.T) {
	s := Samples()[0].Series
	s.Y = holes(s.Y, func(t int) bool { return t == 40 || t == 41 || t == 70 })
	_, err := c.model(t).Fit(context.Background(), s)
	switch {
	case c.spec.Caps.Missing && err != nil:
		t.Errorf("declared to take missing values: %v", err)
	case !c.spec.Caps.Missing && !errors.Is(err, engine.ErrMissing):
		t.Errorf("missing values: %v, want ErrMissing", err)
	}
	if err != nil {
		return
	}
	// A few holes must not turn the forecast upside down.
	full, holed := c.forecast(t, Samples()[0].Series, 6), c.forecast(t, s, 6)
	if full == nil || holed == nil {
		return
	}
	for h := range full.H {
		width := full.Quantiles[len(probs)-1][h] - full.Quantiles[0][h]
		if math.Abs(full.Mean[h]-holed.Mean[h]) > width {
			t.Errorf("three missing values move step %d from %v to %v, more than an interval", h+1, full.Mean[h], holed.Mean[h])
			return
		}
	}
}

// testLabel: what Describe calls the fit is understood as the text of a model again, and that model gives a label, too.
func (c conformance) testLabel(t *testing.T) {
	for _, s := range Samples() {
		f, err := c.model(t).Fit(context.Background(), s.Series)
		if err != nil {
			continue
		}
		label := f.Describe().Model
		m, err := Parse(c.all, label)
		if err != nil {
			t.Errorf("%s: label %q is not accepted: %v", s.Name, label, err)
			continue
		}
		if again, err := m.Fit(context.Background(), s.Series); s.Ordinary {
			if err != nil {
				t.Errorf("%s: %s refuses the series it was fitted to: %v", s.Name, label, err)
			} else if got := again.Describe().Model; got != label {
				t.Errorf("%s: model %q fits %q", s.Name, label, got)
			}
		}
	}
}

// Parse finds the model whose name begins text, in any case, and gives it the rest.
func Parse(all []engine.ModelSpec, text string) (engine.Model, error) {
	end := strings.IndexAny(text, "( [")
	if end < 0 {
		end = len(text)
	}
	for _, spec := range all {
		if spec.Name == strings.ToLower(text[:end]) {
			return spec.New(text[end:])
		}
	}
	return nil, engine.ErrSyntax
}

// testReuse: a Forecast that held another series, longer and with other probabilities, is overwritten completely.
func (c conformance) testReuse(t *testing.T) {
	s := Samples()[1].Series
	f, err := c.model(t).Fit(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	used, fresh := new(engine.Forecast), new(engine.Forecast)
	used.Reset(50, []float64{0.3, 0.4})
	if err := f.Forecast(context.Background(), used, nil); err != nil {
		t.Fatal(err)
	}
	used.Reset(5, probs)
	fresh.Reset(5, probs)
	for _, fc := range []*engine.Forecast{used, fresh} {
		if err := f.Forecast(context.Background(), fc, nil); err != nil {
			t.Fatal(err)
		}
	}
	identical(t, "reused", used, fresh)
	fresh.Reset(0, probs)
	if err := f.Forecast(context.Background(), fresh, nil); err != nil {
		t.Errorf("no steps: %v", err)
	}
	fresh.Reset(3, nil)
	if err := f.Forecast(context.Background(), fresh, nil); err != nil {
		t.Errorf("no probabilities: %v", err)
	}
}

// Seasonal is a positive series of n observations with trend, season of period m and noise.
func Seasonal(n, m int, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 17))
	return fill(n, func(t int) float64 {
		season := 1 + 0.3*math.Sin(2*math.Pi*float64(t%m)/float64(m))
		return (200 + 1.5*float64(t)) * season * (1 + 0.05*rng.NormFloat64())
	})
}

// Counts is a series of small counts with a weekly pattern and many zeros.
func Counts(n int, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 23))
	return fill(n, func(t int) float64 {
		rate := 0.6 + 0.8*b2f(t%7 >= 5)
		k, p := 0.0, math.Exp(-rate)
		for u, c := rng.Float64(), p; u > c && k < 50; {
			k++
			p *= rate / k
			c += p
		}
		return k
	})
}

func fill(n int, f func(t int) float64) []float64 {
	y := make([]float64, n)
	for t := range y {
		y[t] = f(t)
	}
	return y
}

func scaled(y []float64, factor, shift float64) []float64 {
	return fill(len(y), func(t int) float64 { return y[t]*factor + shift })
}

func holes(y []float64, missing func(t int) bool) []float64 {
	return fill(len(y), func(t int) float64 {
		if missing(t) {
			return math.NaN()
		}
		return y[t]
	})
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
