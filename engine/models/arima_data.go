package models

import (
	"fmt"
	"math"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// arimaData is a series made ready: scaled, without the missing values at its ends.
type arimaData struct {
	y        []float64 // scaled by 1/scale; NaN is missing
	filled   []float64 // y with gaps interpolated; y itself if there are none
	x        [][]float64
	first    int // steps dropped before y[0]
	ahead    int // missing values dropped behind it
	scale    float64
	observed int
}

// prepareARIMA scales by a power of two near the mean size: exact, and no square overflows. A step whose regressors are not
// all known counts as missing.
func prepareARIMA(s series.Series) (*arimaData, error) {
	y := append([]float64(nil), s.Y...)
	for i, x := range s.X {
		if len(x) < len(y) {
			return nil, fmt.Errorf("%w: regressor %d has %d rows for %d observations", engine.ErrNoFit, i+1, len(x), len(y))
		}
		for t, v := range x[:len(y)] {
			if v != v || math.IsInf(v, 0) {
				y[t] = math.NaN()
			}
		}
	}
	first := 0
	for first < len(y) && y[first] != y[first] {
		first++
	}
	used, ahead := trimMissing(y[first:])
	st := summarise(used)
	if st.observed == 0 {
		return nil, fmt.Errorf("%w: no observation", engine.ErrTooShort)
	}
	if st.infinite {
		return nil, fmt.Errorf("%w: infinite value", engine.ErrNoFit)
	}
	d := &arimaData{y: used, first: first, ahead: ahead, scale: 1, observed: st.observed}
	sum := 0.0
	for _, v := range used {
		if v == v {
			sum += math.Abs(v) * 0x1p-500 // the sum must not overflow
		}
	}
	if sum > 0 {
		_, exp := math.Frexp(sum / float64(st.observed))
		d.scale = math.Ldexp(1, max(-1022, min(1022, exp+500)))
	}
	for t := range used {
		used[t] /= d.scale
	}
	d.filled = used
	if st.observed < len(used) {
		d.filled = interpolated(used)
	}
	for _, x := range s.X {
		column := append([]float64(nil), x[first:first+len(used)]...)
		for t, v := range column {
			if v != v || math.IsInf(v, 0) {
				column[t] = 0
			}
		}
		d.x = append(d.x, column)
	}
	return d, nil
}

// interpolated replaces missing values, which are not at the ends, by straight lines.
func interpolated(y []float64) []float64 {
	out := append([]float64(nil), y...)
	last := 0
	for t, v := range y {
		if v != v {
			continue
		}
		for i := last + 1; i < t; i++ {
			out[i] = y[last] + (v-y[last])*float64(i-last)/float64(t-last)
		}
		last = t
	}
	return out
}

// filterGaps tells whether missing values are too many for dummies.
func (d *arimaData) filterGaps() bool { return len(d.y)-d.observed > maxDummies }

// completed is d with its gaps interpolated for good.
func (d *arimaData) completed() *arimaData {
	c := *d
	c.y, c.observed = d.filled, len(d.filled)
	return &c
}

// regressors counts the linear coefficients that order o has on this series.
func (d *arimaData) regressors(o arimaOrder) int {
	n := len(d.x)
	if o.mean {
		n++
	}
	if o.drift {
		n++
	}
	return n
}

// arimaProblem is a series with its regressors, constants first, differenced by some d, D and m.
//
// A few missing values are filled in and each gets a dummy regressor. Integrating the likelihood over the coefficients of the
// dummies is integrating it over the missing values, so with the determinant of their regression it is the likelihood
// of those observed (Gómez, Maravall & Peña 1999, "Missing observations in ARIMA models: skipping approach versus additive outlier
// approach", Journal of Econometrics 88). More of them are left to arimaFilter, whose effort does not grow with their number.
type arimaProblem struct {
	differenced [][]float64 // the series, gaps filled, the dummies of missing values, the regressors
	dummies     int
	levels      [][]float64 // the series (NaN is missing), then its regressors; nil unless arimaFilter is used
	delta       []float64
	regressors  int
	used        int // observations left after differencing
}

// maxDummies is the number of missing values from which arimaFilter is the faster.
const maxDummies = 16

func (d *arimaData) problem(o arimaOrder) *arimaProblem {
	pr := &arimaProblem{used: d.observed - o.lost(), delta: differencing(o.d, o.D, o.m), regressors: d.regressors(o)}
	pr.differenced = append(pr.differenced, difference(d.filled, o))
	filtered := d.filterGaps()
	if filtered {
		pr.levels = append(pr.levels, d.y)
	} else {
		for t, v := range d.y {
			if v != v {
				dummy := make([]float64, len(d.y))
				dummy[t] = 1
				pr.differenced = append(pr.differenced, difference(dummy, o))
				pr.dummies++
			}
		}
	}
	add := func(x []float64) {
		if filtered {
			pr.levels = append(pr.levels, x)
		}
		pr.differenced = append(pr.differenced, difference(x, o))
	}
	if o.mean {
		one := make([]float64, len(d.y))
		for t := range one {
			one[t] = 1
		}
		add(one)
	}
	if o.drift {
		line := make([]float64, len(d.y))
		for t := range line {
			line[t] = float64(t + 1)
		}
		add(line)
	}
	for _, x := range d.x {
		add(x)
	}
	return pr
}

// difference applies (1 − B)^d (1 − B^m)^D and drops the steps that it uses up.
func difference(y []float64, o arimaOrder) []float64 {
	out := append([]float64(nil), y...)
	apply := func(lag int) {
		if lag >= len(out) {
			out = nil
			return
		}
		for t := range len(out) - lag {
			out[t] = out[t+lag] - out[t]
		}
		out = out[:len(out)-lag]
	}
	for range o.D {
		apply(o.m)
	}
	for range o.d {
		apply(1)
	}
	return out
}
