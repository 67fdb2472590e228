package models

import (
	"math"

	"github.com/almanacdb/almanac/engine"
)

// normalQuantile is the standard normal quantile of p in (0,1).
func normalQuantile(p float64) float64 { return math.Sqrt2 * math.Erfinv(2*p-1) }

// fillNormal sets every quantile to that of a Gaussian around Mean with standard deviation sd(h) at step h+1.
func fillNormal(dst *engine.Forecast, sd func(h int) float64) {
	fillScaled(dst, normalQuantile, sd)
}

// fillScaled is fillNormal for any standardised distribution, given by its quantile function.
func fillScaled(dst *engine.Forecast, quantile func(p float64) float64, sd func(h int) float64) {
	for i, p := range dst.Probs {
		z := quantile(p)
		for h, mean := range dst.Mean {
			dst.Quantiles[i][h] = mean
			if s := sd(h); s > 0 && z != 0 {
				dst.Quantiles[i][h] = mean + z*s
			}
		}
	}
}

// sampleQuantile interpolates the order statistics of the ascending v (Hyndman & Fan 1996, definition 7).
func sampleQuantile(v []float64, p float64) float64 {
	if len(v) == 0 {
		return math.NaN()
	}
	x := p * float64(len(v)-1)
	i := int(x)
	if i+1 >= len(v) {
		return v[len(v)-1]
	}
	return v[i] + (x-float64(i))*(v[i+1]-v[i])
}

// trimMissing drops the missing values at the end of y and counts them.
func trimMissing(y []float64) (used []float64, ahead int) {
	n := len(y)
	for n > 0 && y[n-1] != y[n-1] {
		n--
	}
	return y[:n], len(y) - n
}

// summary says what the observed values are like.
type summary struct {
	observed    int
	first       float64 // the first observed value
	min, max    float64
	infinite    bool
	nonNegative bool
	integer     bool
	zeros       int
}

func summarise(y []float64) summary {
	s := summary{min: math.Inf(1), max: math.Inf(-1), integer: true}
	for _, v := range y {
		if v != v {
			continue
		}
		if s.observed == 0 {
			s.first = v
		}
		s.observed++
		s.min, s.max = math.Min(s.min, v), math.Max(s.max, v)
		if v == 0 {
			s.zeros++
		}
		if v != math.Floor(v) {
			s.integer = false
		}
	}
	s.infinite = math.IsInf(s.min, 0) || math.IsInf(s.max, 0)
	if s.observed == 0 {
		s.infinite = false
	}
	s.nonNegative = s.min >= 0
	return s
}
