package models

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/almanacdb/almanac/engine"
)

// arimaFitted is an estimated ARIMA model with its filter after the last observation. Everything but the description is
// on the scaled series.
type arimaFitted struct {
	estimate    arimaEstimate
	scale       float64
	poly        arma
	delta       []float64
	state       []float64 // prediction of the state behind the last observation
	covariance  []float64
	first       int // index in the caller's series of the first step used
	next        int // steps used, so that the next one is number next+1 for the drift
	ahead       int // missing values between the last observation and the forecast origin
	constants   int
	fitted      []float64
	description engine.Description
}

// finish runs the exact filter at the estimate, for the fitted values and the forecasts. n is the length of the caller's
// series.
func (w *arimaWork) finish(d *arimaData, e arimaEstimate, n int, note string) (*arimaFitted, error) {
	o := e.order
	f := &arimaFitted{
		estimate: e, scale: d.scale, delta: differencing(o.d, o.D, o.m), first: d.first, next: len(d.y), ahead: d.ahead,
		constants: len(e.beta) - len(d.x), fitted: make([]float64, n),
	}
	f.poly.set(o, e.params)
	k := &w.filter
	if !k.begin(&f.poly, f.delta, 1) {
		return nil, errARIMARejected
	}
	for t := range f.fitted {
		f.fitted[t] = math.NaN()
	}
	run, steady := 0, false
	var v [1]float64
	for t, y := range d.y {
		linear := 0.0
		i := 0
		if o.mean {
			linear += e.beta[i]
			i++
		}
		if o.drift {
			linear += e.beta[i] * float64(t+1)
			i++
		}
		for j, x := range d.x {
			linear += e.beta[i+j] * x[t]
		}
		variance := 1.0
		if !steady {
			variance = k.variance()
			steady = run > k.dim && variance-1 < steadyExcess
		}
		predicted := k.observe(k.state[0])
		if !math.IsInf(variance, 1) {
			f.fitted[d.first+t] = (predicted + linear) * d.scale
		}
		if y != y {
			run, steady = 0, false
			k.advance(true)
			continue
		}
		v[0] = y - linear - predicted
		run++
		if steady {
			k.steadyUpdate(v[:])
			k.advance(false)
			continue
		}
		k.update(v[:], variance)
		k.advance(true)
	}
	f.state = append([]float64(nil), k.state[0]...)
	f.covariance = append([]float64(nil), k.p[:k.dim*k.dim]...)
	f.describe(d, note)
	return f, nil
}

func (f *arimaFitted) describe(d *arimaData, note string) {
	e := f.estimate
	f.description = engine.Description{
		Model: e.order.String(), Sigma2: e.sigma2 * f.scale * f.scale,
		LogLik: math.NaN(), AIC: math.NaN(), AICc: math.NaN(), BIC: math.NaN(), Note: note,
	}
	if len(d.x) > 0 {
		if e.order.mean || e.order.drift || e.order.d+e.order.D == 0 {
			f.description.Model += " and regressors"
		} else {
			f.description.Model += " with regressors"
		}
	}
	names := e.order.names()
	if e.order.mean {
		names = append(names, "intercept")
	}
	if e.order.drift {
		names = append(names, "drift")
	}
	for i := range d.x {
		names = append(names, "xreg"+strconv.Itoa(i+1))
	}
	for i, name := range names {
		v := 0.0
		if i < len(e.params) {
			v = e.params[i]
		} else {
			v = e.beta[i-len(e.params)] * f.scale
		}
		f.description.Params = append(f.description.Params, engine.Param{Name: name, Value: v})
	}
	if e.sum > 0 {
		// The density of the series itself: a scaled observation counts scale times.
		n := float64(d.observed - e.order.lost())
		shift := n * math.Log(f.scale)
		f.description.LogLik = e.loglik - shift
		f.description.AIC, f.description.AICc, f.description.BIC = e.aic+2*shift, e.aicc+2*shift, e.bic+2*shift
	}
}

// Describe implements engine.Fitted. Parameters are ar1 …, ma1 …, sar1 …, sma1 …, intercept, drift, xreg1 and so on.
func (f *arimaFitted) Describe() engine.Description {
	d := f.description
	d.Params = append([]engine.Param(nil), d.Params...)
	return d
}

// FittedValues implements engine.Fitted: the exact one-step predictions at the estimated parameters; NaN for the first
// d + m·D observations.
func (f *arimaFitted) FittedValues(dst []float64) []float64 { return append(dst[:0], f.fitted...) }

// Forecast implements engine.Fitted. Means and variances are those of the state space form, so they account for missing
// values near the end; like R's, they take the parameters as known. future holds the regressors' rows.
func (f *arimaFitted) Forecast(ctx context.Context, dst *engine.Forecast, future [][]float64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	e := f.estimate
	regressors := len(e.beta) - f.constants
	if len(future) < regressors {
		return fmt.Errorf("%w: %s needs the future values of %d regressors", engine.ErrMissing, f.description.Model, regressors)
	}
	for i := range regressors {
		if len(future[i]) < dst.H {
			return fmt.Errorf("%w: regressor %d is known for %d of %d steps", engine.ErrMissing, i+1, len(future[i]), dst.H)
		}
	}
	var k arimaFilter
	if !k.begin(&f.poly, f.delta, 1) {
		return errARIMARejected
	}
	k.diffuseNow = false
	copy(k.state[0], f.state)
	copy(k.p, f.covariance)
	sd := make([]float64, dst.H)
	for step := range f.ahead + dst.H {
		if h := step - f.ahead; h >= 0 {
			mean := k.observe(k.state[0])
			i := 0
			if e.order.mean {
				mean += e.beta[i]
				i++
			}
			if e.order.drift {
				mean += e.beta[i] * float64(f.next+step+1)
				i++
			}
			for j := range regressors {
				mean += e.beta[i+j] * future[j][h]
			}
			dst.Mean[h] = mean * f.scale
			sd[h] = math.Sqrt(max(0, e.sigma2*k.variance())) * f.scale
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		k.advance(true)
	}
	for h, v := range dst.Mean {
		if math.IsNaN(v) || math.IsInf(v, 0) || math.IsNaN(sd[h]) || math.IsInf(sd[h], 0) {
			return fmt.Errorf("%w: the forecast overflows at step %d", engine.ErrNoFit, h+1)
		}
	}
	fillNormal(dst, func(h int) float64 { return sd[h] })
	return nil
}
