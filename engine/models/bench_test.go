package models

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// simulated is a seasonal series with trend and noise, positive, of n observations.
func simulated(n, m int, seed uint64) series.Series {
	rng := rand.New(rand.NewPCG(seed, 1))
	s := series.Series{Y: make([]float64, n)}
	if m > 1 {
		s.Periods = []int{m}
	}
	season := make([]float64, m)
	for i := range season {
		season[i] = 1 + 0.2*math.Sin(2*math.Pi*float64(i)/float64(m)) + 0.1*rng.NormFloat64()
	}
	level := 1000.0
	for t := range s.Y {
		level *= 1 + 0.002 + 0.01*rng.NormFloat64()
		s.Y[t] = level * season[t%m] * (1 + 0.05*rng.NormFloat64())
	}
	return s
}

// counts is a daily retail series: a Poisson count with a weekly pattern and a slowly moving level, often zero.
func counts(n int, seed uint64) series.Series {
	rng := rand.New(rand.NewPCG(seed, 2))
	s := series.Series{Y: make([]float64, n), Periods: []int{7}}
	level := 2.0
	for t := range s.Y {
		level = math.Max(0.2, level+0.05*rng.NormFloat64())
		rate := level
		if t%7 >= 5 {
			rate *= 1.4
		}
		k, p := 0.0, math.Exp(-rate)
		for u, c := rng.Float64(), p; u > c && k < 100; {
			k++
			p *= rate / k
			c += p
		}
		s.Y[t] = k
	}
	return s
}

func benchmark(b *testing.B, spec engine.ModelSpec, args string, make func(seed uint64) series.Series) {
	b.Helper()
	m := mustNew(b, spec, args)
	var all []series.Series
	for seed := range 20 {
		all = append(all, make(uint64(seed)))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, err := m.Fit(context.Background(), all[i%len(all)]); err != nil {
			b.Fatal(err)
		}
		i++
	}
}

func BenchmarkETSMonthly(b *testing.B) {
	benchmark(b, ETS(), "", func(seed uint64) series.Series { return simulated(120, 12, seed) })
}

func BenchmarkETSDaily(b *testing.B) {
	benchmark(b, ETS(), "", func(seed uint64) series.Series { return counts(1900, seed) })
}

func BenchmarkETSDailyPositive(b *testing.B) {
	benchmark(b, ETS(), "", func(seed uint64) series.Series { return simulated(1900, 7, seed) })
}

func BenchmarkETSFixed(b *testing.B) {
	benchmark(b, ETS(), "(A,Ad,A)", func(seed uint64) series.Series { return simulated(120, 12, seed) })
}
