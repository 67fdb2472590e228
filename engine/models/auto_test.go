package models

import (
	"context"
	"math"
	"strings"
	"testing"

	"github.com/almanacdb/almanac/engine/series"
)

// TestAutoBeatsSeasonalNaive forecasts the last 28 days of the training part of 60 M5 items from the days
// before: auto must be clearly better than seasonal naive in both measures that retailers read.
func TestAutoBeatsSeasonalNaive(t *testing.T) {
	all := readFirst(t, sharedData(t, "m5/CA_1_train.csv.gz"), 60)
	auto := evaluate(t, Auto(ARIMA()), "", all, 7, 28, []int{7})
	naive := evaluate(t, SNaive(), "", all, 7, 28, []int{7})
	t.Logf("auto   %s", auto)
	t.Logf("snaive %s", naive)
	if auto.absolute > 0.9*naive.absolute {
		t.Errorf("WAPE is only %.3f of seasonal naive's", auto.absolute/naive.absolute)
	}
	if auto.rmsse > 0.85*naive.rmsse {
		t.Errorf("RMSSE is only %.3f of seasonal naive's", auto.rmsse/naive.rmsse)
	}
}

// TestAutoFallsBack gives a series whose last season repeats exactly after years of noise: nothing can beat repeating it.
func TestAutoFallsBack(t *testing.T) {
	s := simulated(144, 12, 3)
	for i := 48; i < 144; i++ {
		s.Y[i] = s.Y[36+i%12]
	}
	f, err := mustNew(t, Auto(), "").Fit(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	d := f.Describe()
	if d.Model != "SNaive" || !strings.Contains(d.Note, "fell back to snaive") {
		t.Errorf("%s: %s", d.Model, d.Note)
	}
}

// TestAutoNotNegative: sales that die away are never forecast below zero, in mean and quantiles.
func TestAutoNotNegative(t *testing.T) {
	for seed := range uint64(10) {
		s := counts(300, seed)
		for i := range s.Y {
			s.Y[i] = math.Floor(s.Y[i] * math.Max(0, 1-float64(i)/280))
		}
		_, fc := fitForecast(t, mustNew(t, Auto(ARIMA()), ""), s, 60)
		for h := range fc.Mean {
			if fc.Mean[h] < 0 || fc.Quantiles[0][h] < 0 {
				t.Fatalf("seed %d step %d: mean %v, lower %v", seed, h+1, fc.Mean[h], fc.Quantiles[0][h])
			}
		}
	}
}

// TestAutoCombination: a fixed combination is the weighted mean of its members.
func TestAutoCombination(t *testing.T) {
	s := simulated(96, 12, 5)
	_, got := fitForecast(t, mustNew(t, Auto(ARIMA()), "(3*Theta + SNaive)"), s, 12)
	_, a := fitForecast(t, mustNew(t, Theta(), ""), s, 12)
	_, b := fitForecast(t, mustNew(t, SNaive(), ""), s, 12)
	for h := range got.Mean {
		if want := 0.75*a.Mean[h] + 0.25*b.Mean[h]; math.Abs(got.Mean[h]-want) > 1e-9*want {
			t.Errorf("step %d: %v, want %v", h+1, got.Mean[h], want)
		}
	}
}

func BenchmarkAutoMonthly(b *testing.B) {
	benchmark(b, Auto(ARIMA()), "", func(seed uint64) series.Series { return simulated(120, 12, seed) })
}

func BenchmarkAutoDaily(b *testing.B) {
	benchmark(b, Auto(ARIMA()), "", func(seed uint64) series.Series { return counts(1500, seed) })
}
