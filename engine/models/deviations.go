package models

import (
	"math"

	"github.com/almanacdb/almanac/engine"
)

// How far the innovations of each observation scatter, for the models where that differs from one observation to the next: the
// one-step prediction interval of a fitted value is the value plus and minus a normal quantile times this.

var (
	_ engine.InnovationDeviations = (*etsFitted)(nil)
	_ engine.InnovationDeviations = (*stlFitted)(nil)
	_ engine.InnovationDeviations = (*thetaFitted)(nil)
	_ engine.InnovationDeviations = (*windowFitted)(nil)
	_ engine.InnovationDeviations = (*lagWalk)(nil)
	_ engine.InnovationDeviations = (*autoFitted)(nil)
)

// deviations are those of any fit, for its fitted values.
func deviations(f engine.Fitted, dst, fitted []float64) []float64 {
	if own, ok := f.(engine.InnovationDeviations); ok {
		return own.InnovationDeviations(dst)
	}
	sigma := math.Sqrt(f.Describe().Sigma2)
	dst = dst[:0]
	for _, v := range fitted {
		dst = append(dst, sigma+0*v) // NaN where there is no fitted value
	}
	return dst
}

// InnovationDeviations implements engine.InnovationDeviations: σ for additive errors, σ times the fitted value for
// multiplicative ones (Hyndman et al. 2008, table 2.3).
func (f *etsFitted) InnovationDeviations(dst []float64) []float64 {
	dst = f.FittedValues(dst)
	sigma := math.Sqrt(f.sigma2)
	for t, mu := range dst {
		if f.form.err == 'M' {
			dst[t] = sigma * math.Abs(mu)
		} else {
			dst[t] = sigma*f.scale + 0*mu
		}
	}
	return dst
}

// InnovationDeviations implements engine.InnovationDeviations: those of the adjusted series, since the season is taken as known.
func (f *stlFitted) InnovationDeviations(dst []float64) []float64 {
	return f.smooth.InnovationDeviations(dst)
}

// InnovationDeviations implements engine.InnovationDeviations: those of the smoothing times the season, which is a factor.
func (f *thetaFitted) InnovationDeviations(dst []float64) []float64 {
	fitted := f.FittedValues(nil)
	dst = f.ses.InnovationDeviations(dst)
	for t := len(dst); t < len(fitted); t++ {
		dst = append(dst, math.Sqrt(f.ses.sigma2)*f.ses.scale)
	}
	if m := len(f.season); m > 0 {
		for t := range dst {
			dst[t] *= math.Abs(f.season[t%m])
		}
	}
	return dst
}

// InnovationDeviations implements engine.InnovationDeviations: as in Forecast, the variance of what is never negative goes with the
// mean, as for counts. The size is that of the one-step innovations; Sigma2 is that of one to m steps.
func (f *windowFitted) InnovationDeviations(dst []float64) []float64 {
	fitted := f.FittedValues(nil)
	dst = append(dst[:0], fitted...)
	for t, v := range dst {
		dst[t] = 1 + 0*v
		if f.ratio && f.level > 0 {
			dst[t] = math.Sqrt(math.Max(v, 0) / f.level)
		}
	}
	standardiseDeviations(dst, f.y, fitted)
	return dst
}

// InnovationDeviations implements engine.InnovationDeviations: the variance grows with the cycles since the value repeated was
// observed.
func (w *lagWalk) InnovationDeviations(dst []float64) []float64 {
	dst = dst[:0]
	age := make([]float64, w.lag) // NaN: nothing observed yet
	for i := range age {
		age[i] = math.NaN()
	}
	for t, v := range w.y {
		i := t % w.lag
		age[i]++
		dst = append(dst, math.Sqrt(age[i]*w.sigma2))
		if v == v {
			age[i] = 0
		}
	}
	return dst
}

// InnovationDeviations implements engine.InnovationDeviations: the weighted mean of the members' deviations gives the shape, as the
// quantiles of the forecast are weighted means, and the combination's own innovations the size: divided by their deviations
// they have mean square one.
func (f *autoFitted) InnovationDeviations(dst []float64) []float64 {
	if len(f.members) == 1 {
		dst = dst[:0]
		for range f.cut {
			dst = append(dst, math.NaN())
		}
		return append(dst, deviations(f.members[0], nil, f.members[0].FittedValues(nil))...)
	}
	fitted := f.FittedValues(nil)
	sum, weight := make([]float64, len(fitted)), make([]float64, len(fitted))
	var values, buf []float64
	for i, m := range f.members {
		values = m.FittedValues(values)
		buf = deviations(m, buf, values)
		for t, d := range buf {
			if d == d {
				sum[f.cut+t] += f.weights[i] * d
				weight[f.cut+t] += f.weights[i]
			}
		}
	}
	dst = dst[:0]
	for t := range sum {
		dst = append(dst, sum[t]/weight[t]+0*fitted[t])
	}
	standardiseDeviations(dst[f.cut:], f.y, fitted[f.cut:])
	return dst
}

// standardiseDeviations scales d so that the innovations y - fitted, each divided by its deviation, have mean square one. Without any
// innovation the size is unknown: NaN.
func standardiseDeviations(d, y, fitted []float64) {
	square, n := 0.0, 0.0
	for t, v := range d {
		e := (y[t] - fitted[t]) / v
		if y[t] == fitted[t] {
			e = 0 // also where no deviation is expected
		}
		if e == e && !math.IsInf(e, 0) {
			square, n = square+e*e, n+1
		}
	}
	size := math.Sqrt(square / n)
	for t := range d {
		d[t] *= size
	}
}
