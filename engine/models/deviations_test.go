package models

import (
	"math"
	"testing"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// TestInnovationDeviations holds every model's one-step intervals in the past to its own innovations: divided by their
// deviations they have mean square near one, and 95 % lie within 1.96 of them, on series that grow and series that do not.
func TestInnovationDeviations(t *testing.T) {
	for _, k := range []struct {
		series string
		period int
		models []string
	}{
		{"AirPassengers", 12, []string{"naive", "snaive", "drift", "mean", "ses", "holt", "holtwinters", "holtwinters(multiplicative)", "ets", "ets(M,Ad,M)", "ets(M,A,M)", "ets(A,A,A)", "theta", "arima", "stl", "window", "auto", "auto(ets(M,Ad,M) + theta)"}},
		{"USAccDeaths", 12, []string{"snaive", "ets", "theta", "arima", "stl", "auto"}},
		{"nottem", 12, []string{"snaive", "ets", "theta", "arima", "stl", "auto"}},
		{"Nile", 1, []string{"naive", "mean", "ets", "theta", "arima", "auto"}},
	} {
		y := classic(t, k.series)
		for _, text := range k.models {
			m, err := findModel(text, All())
			if err != nil {
				t.Fatal(err)
			}
			f, err := m.Fit(t.Context(), series.Series{Y: y, Periods: []int{k.period}})
			if err != nil {
				t.Fatal(err)
			}
			fitted := f.FittedValues(nil)
			d := deviations(f, nil, fitted)
			if len(d) != len(fitted) {
				t.Fatalf("%s: %d deviations of %d fitted values", text, len(d), len(fitted))
			}
			square, inside, n := 0.0, 0.0, 0.0
			for i := range y {
				if math.IsNaN(fitted[i]) != math.IsNaN(d[i]) {
					t.Errorf("%s %s: fitted value %v with deviation %v", k.series, text, fitted[i], d[i])
				}
				e := math.Abs(y[i]-fitted[i]) / d[i]
				if math.IsNaN(e) {
					continue
				}
				square, n = square+e*e, n+1
				if e <= 1.959964 {
					inside++
				}
			}
			if ms := square / n; ms < 0.75 || ms > 1.35 || inside/n < 0.91 || inside/n > 0.995 {
				t.Errorf("%s %s: mean square %.3f, coverage %.3f", k.series, text, ms, inside/n)
			}
		}
	}
}

// TestInnovationDeviationsGrow compares early and late years of the passengers: with multiplicative errors both are
// covered alike, with one deviation for all the early ones are covered too well.
func TestInnovationDeviationsGrow(t *testing.T) {
	y := classic(t, "AirPassengers")
	for _, text := range []string{"ets(M,Ad,M)", "auto(ets(M,Ad,M) + ets(M,A,M))"} {
		m, err := findModel(text, All())
		if err != nil {
			t.Fatal(err)
		}
		f, err := m.Fit(t.Context(), series.Series{Y: y, Periods: []int{12}})
		if err != nil {
			t.Fatal(err)
		}
		fitted := f.FittedValues(nil)
		d := f.(engine.InnovationDeviations).InnovationDeviations(nil)
		if d[143] < 2.5*d[0] {
			t.Errorf("%s: deviations %.3g at 112 passengers, %.3g at 432", text, d[0], d[143])
		}
		rms := func(from, to int) float64 {
			sum := 0.0
			for i := from; i < to; i++ {
				e := (y[i] - fitted[i]) / d[i]
				sum += e * e / float64(to-from)
			}
			return math.Sqrt(sum)
		}
		if early, late := rms(0, 72), rms(72, 144); early/late > 1.8 || late/early > 1.8 {
			t.Errorf("%s: standardised innovations of %.2f early, %.2f late", text, early, late)
		}
		if relative := f.Describe().Relative; relative != (text == "ets(M,Ad,M)") {
			t.Errorf("%s: relative %v", text, relative)
		}
	}
}

// TestInnovationDeviationsOverGaps: the variance of a walk grows with the time since the last observation.
func TestInnovationDeviationsOverGaps(t *testing.T) {
	nan := math.NaN()
	w, err := newLagWalk("Naive", []float64{1, 3, nan, 2, 4}, 1, false)
	if err != nil {
		t.Fatal(err)
	}
	d := w.InnovationDeviations(nil)
	s := math.Sqrt(w.sigma2)
	for i, want := range []float64{nan, s, s, s * math.Sqrt2, s} {
		if got := d[i]; !(math.Abs(got-want) < 1e-12 || got != got && want != want) {
			t.Errorf("deviation %d is %v, want %v", i, got, want)
		}
	}
}

// TestInnovationDeviationsOfConstants: where nothing was ever missed the interval is the value itself.
func TestInnovationDeviationsOfConstants(t *testing.T) {
	y := make([]float64, 40)
	for i := range y {
		y[i] = 7
	}
	for _, text := range []string{"window", "naive", "snaive", "mean", "ets", "theta", "auto", "auto(ets + window)"} {
		m, err := findModel(text, All())
		if err != nil {
			t.Fatal(err)
		}
		f, err := m.Fit(t.Context(), series.Series{Y: y, Periods: []int{7}})
		if err != nil {
			t.Fatal(err)
		}
		fitted := f.FittedValues(nil)
		for i, d := range deviations(f, nil, fitted) {
			if !(math.Abs(d) < 1e-12) && !math.IsNaN(fitted[i]) {
				t.Errorf("%s: deviation %d is %v", text, i, d)
			}
		}
	}
}
