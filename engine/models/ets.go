package models

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// ETS is exponential smoothing as innovations state space models: one of 30 forms, or the one with the least AICc.
//
// Automatic selection tries, like R's ets, no and additive trends, damped or not, with every season, except the
// numerically unstable forms (see etsForm.stable). Estimation maximises the likelihood over smoothing parameters and
// initial states within the bounds that etsfit.go states. Series with zeros or negative values get additive forms only.
func ETS() engine.ModelSpec {
	return engine.ModelSpec{
		Name:   "ets",
		Doc:    "Exponential smoothing state space model; error, trend and season chosen by AICc unless given; a trend that is not damped must be clearly better. The all-round choice for series with a trend, a season or both.",
		Syntax: "ets(error,trend,season): error A, M or Z; trend N, A, Ad, M, Md or Z; season N, A, M or Z; Z finds it. Such as ets(M,Ad,M)",
		References: []string{
			"Hyndman, Koehler, Ord & Snyder (2008), Forecasting with Exponential Smoothing: The State Space Approach",
			"Hyndman, Koehler, Snyder & Grose (2002), A state space framework for automatic forecasting using exponential smoothing methods, International Journal of Forecasting 18",
			"Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, chapter 8",
		},
		Caps: engine.Caps{Seasonal: true, Missing: true},
		New: func(args string) (engine.Model, error) {
			r, err := parseETS(args)
			if err != nil {
				return nil, err
			}
			return etsModel{r}, nil
		},
	}
}

// maxETSPeriod is the longest season that exponential smoothing takes: each season costs a parameter, and beyond 24 the
// likelihood has little to say about them.
const maxETSPeriod = 24

type etsModel struct{ request etsRequest }

// Fit implements engine.Model.
func (m etsModel) Fit(ctx context.Context, s series.Series) (engine.Fitted, error) {
	return fitETS(ctx, s, m.request)
}

func fitETS(ctx context.Context, s series.Series, r etsRequest) (*etsFitted, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	y, ahead := trimMissing(s.Y)
	st := summarise(y)
	if st.observed == 0 {
		return nil, fmt.Errorf("%w: no observation", engine.ErrTooShort)
	}
	if st.infinite {
		return nil, fmt.Errorf("%w: infinite value", engine.ErrNoFit)
	}
	period, note := s.Period(), ""
	wantSeason := r.season == 'A' || r.season == 'M'
	switch {
	case r.season == 'N' || period <= 1 && !wantSeason:
		period = 1
	case period > maxETSPeriod && !wantSeason:
		note = fmt.Sprintf("seasonal period %d is longer than %d: fitted without season", period, maxETSPeriod)
		period = 1
	case period <= 1:
		return nil, fmt.Errorf("%w: %s needs a seasonal period and the series has none", engine.ErrNoFit, r.etsForm)
	case period > maxETSPeriod:
		return nil, fmt.Errorf("%w: %s takes seasonal periods up to %d, not %d", engine.ErrNoFit, r.etsForm, maxETSPeriod, period)
	case len(y) <= period || st.observed <= period:
		if wantSeason {
			return nil, fmt.Errorf("%w: %d observations, %s with seasonal period %d needs %d", engine.ErrTooShort, st.observed, r.etsForm, period, r.params(period)+2)
		}
		note = fmt.Sprintf("%d observations are too few for seasonal period %d: fitted without season", st.observed, period)
		period = 1
	}
	if r.fixed() && r.positive() && st.min <= 0 {
		return nil, fmt.Errorf("%w: %s met %v", engine.ErrNotPositive, r.etsForm, st.min)
	}
	if st.min == st.max && !r.fixed() || st.observed < 4 && r.trend != 'A' && r.trend != 'M' && !wantSeason && r.err != 'M' {
		// Nothing to estimate: the level follows the data.
		f := constantETS(s.Y, y, ahead, st)
		f.description.Note = note
		return f, nil
	}

	w := etsPool.Get().(*etsWork)
	defer etsPool.Put(w)
	scale := w.prepare(y, period)
	best, bestIC := etsOptimum{}, math.Inf(1)
	var fits []etsOptimum
	tooShort, need := 0, math.MaxInt
	for _, form := range r.forms(period > 1, st.min > 0) {
		np := form.params(period)
		if np >= st.observed-1 {
			tooShort++
			need = min(need, np+2)
			continue
		}
		_, penalty := informationCriteria(0, np+1, st.observed)
		if form.trend == 'A' && !form.damped {
			penalty += r.evidence
		}
		o, err := w.fit(ctx, form, nearest(fits, form), bestIC-penalty)
		if errors.Is(err, errNoStart) || errors.Is(err, errHopeless) {
			continue
		}
		if err != nil {
			return nil, err
		}
		fits = append(fits, o)
		if ic := o.criterion + penalty; ic < bestIC {
			best, bestIC = o, ic
		}
	}
	if best.params.alpha == 0 && len(fits) > 0 { // so short that AICc is undefined for all: the simplest
		best = fits[0]
	}
	if best.params.alpha == 0 {
		if tooShort > 0 {
			return nil, fmt.Errorf("%w: %d observations, %s needs %d", engine.ErrTooShort, st.observed, r.etsForm, need)
		}
		return nil, fmt.Errorf("%w: %s has no admissible starting point on this series", engine.ErrNoFit, r.etsForm)
	}
	f := newETSFitted(w, best, s.Y, y, ahead, scale, period, st.observed)
	f.description.Note = note
	return f, nil
}

// etsUndampedEvidence is by how much the AICc of a form whose trend never levels off must be below that of all others to be chosen: a
// difference of 10 leaves the alternatives "essentially no support" (Burnham & Anderson 2002, section 2.6). A trend fitted to
// the past that goes on for ever is the costliest mistake of automatic smoothing, and damping it the best-documented cure
// (Gardner & McKenzie 1985; Makridakis & Hibon 2000). On held-out ends of the M3 training parts the rule lowers the mean sMAPE
// from 14.9 to 14.3 and the monthly MASE by 3 %, quarterly and other series lose 2 to 3 %.
const etsUndampedEvidence = 10

// nearest picks the fit whose optimum is the best start for form: the same trend and season first, then the same season.
func nearest(fits []etsOptimum, form etsForm) *etsOptimum {
	best, score := (*etsOptimum)(nil), -1
	for i := range fits {
		f, k := fits[i].form, 0
		if f.season == form.season {
			k += 4
		}
		if f.trend == form.trend {
			k += 2
		}
		if f.damped == form.damped {
			k++
		}
		if k > score {
			best, score = &fits[i], k
		}
	}
	return best
}

// informationCriteria returns AIC and AICc of a criterion −2·log L (up to the constant that R also leaves out) with k
// parameters and n observations; AICc is +Inf where it is undefined.
func informationCriteria(criterion float64, k, n int) (aic, aicc float64) {
	aic = criterion + 2*float64(k)
	if n-k-1 <= 0 {
		return aic, math.Inf(1)
	}
	return aic, aic + 2*float64(k)*float64(k+1)/float64(n-k-1)
}

// etsFitted is a fitted form. States are on the scaled data; scale brings them back.
type etsFitted struct {
	form        etsForm
	m           int
	scale       float64
	params      etsParams // initial states
	level       float64   // final states
	trend       float64
	season      []float64 // oldest first
	sigma2      float64
	y           []float64 // as given
	used        int       // observations before the trailing missing ones
	ahead       int       // trailing missing observations
	description engine.Description
}

// newETSFitted runs the recursion once more at the optimum and describes it in the units of the data.
func newETSFitted(w *etsWork, o etsOptimum, given, y []float64, ahead int, scale float64, m, observed int) *etsFitted {
	if o.form.season == 'N' {
		m = 1
	}
	w.form, w.p = o.form, o.params
	w.sweep.forward(o.form, &o.params, w.y, m)
	w.sweep.criterion(o.form, w.y, observed, w.floor, false)
	params := o.params
	params.season = append([]float64(nil), o.params.season...) // the workspace goes on to the next series
	f := &etsFitted{
		form: o.form, m: m, scale: scale, params: params, level: w.sweep.level, trend: w.sweep.trend,
		y: given, used: len(y), ahead: ahead,
	}
	if o.form.season != 'N' {
		f.season = append([]float64(nil), w.sweep.s[len(y):len(y)+m]...)
	}
	np := o.form.params(m)
	f.sigma2 = w.sweep.sse / float64(max(1, observed-np))
	criterion := o.criterion + 2*float64(observed)*math.Log(scale)
	aic, aicc := informationCriteria(criterion, np+1, observed)
	if math.IsInf(aicc, 1) {
		aicc = math.NaN()
	}
	f.description = engine.Description{
		Model: o.form.String(), LogLik: -criterion / 2, AIC: aic, AICc: aicc,
		BIC: criterion + math.Log(float64(observed))*float64(np+1), Sigma2: f.sigma2, Params: f.describeParams(),
		Relative: o.form.err == 'M',
	}
	if o.form.err == 'A' {
		f.description.Sigma2 *= scale * scale
	}
	return f
}

func (f *etsFitted) describeParams() []engine.Param {
	p := &f.params
	out := []engine.Param{{Name: "alpha", Value: p.alpha}}
	if f.form.trend != 'N' {
		out = append(out, engine.Param{Name: "beta", Value: p.beta})
	}
	if f.form.season != 'N' {
		out = append(out, engine.Param{Name: "gamma", Value: p.gamma})
	}
	if f.form.damped {
		out = append(out, engine.Param{Name: "phi", Value: p.phi})
	}
	out = append(out, engine.Param{Name: "l0", Value: p.level * f.scale})
	switch f.form.trend {
	case 'A':
		out = append(out, engine.Param{Name: "b0", Value: p.trend * f.scale})
	case 'M':
		out = append(out, engine.Param{Name: "b0", Value: p.trend})
	}
	for i := range p.season { // s0 is the newest, as in R
		v := p.season[len(p.season)-1-i]
		if f.form.season == 'A' {
			v *= f.scale
		}
		out = append(out, engine.Param{Name: fmt.Sprintf("s%d", -i), Value: v})
	}
	return out
}

// constantETS is ETS(A,N,N) with alpha at its upper bound, for series where nothing can be estimated: constant ones and
// those of one to three observations.
func constantETS(given, y []float64, ahead int, st summary) *etsFitted {
	p := etsParams{alpha: etsUpper, phi: 1, level: st.first}
	f := &etsFitted{form: etsForm{err: 'A', trend: 'N', season: 'N'}, m: 1, scale: 1, params: p, y: given, used: len(y), ahead: ahead}
	var w etsSweep
	w.forward(f.form, &p, y, 1)
	f.level = w.level
	sse := 0.0
	for _, e := range w.e[:len(y)] {
		sse += e * e
	}
	f.sigma2 = sse / float64(max(1, st.observed-1))
	nan := math.NaN()
	f.description = engine.Description{Model: f.form.String(), Sigma2: f.sigma2, LogLik: nan, AIC: nan, AICc: nan, BIC: nan, Params: f.describeParams()}
	return f
}

// Describe implements engine.Fitted.
func (f *etsFitted) Describe() engine.Description { return f.description }

// FittedValues implements engine.Fitted: the one-step expectation μ of every observation, missing ones included.
func (f *etsFitted) FittedValues(dst []float64) []float64 {
	w := etsPool.Get().(*etsWork)
	defer etsPool.Put(w)
	w.scaled = growTo(w.scaled, f.used)
	y := w.scaled
	for t, v := range f.y[:f.used] {
		y[t] = v / f.scale
	}
	p := f.params
	w.sweep.forward(f.form, &p, y, f.m)
	dst = dst[:0]
	for t, v := range y {
		mu := v - w.sweep.e[t]
		if v != v {
			mu = w.sweep.q[t]
			switch f.form.season {
			case 'A':
				mu += w.sweep.s[t]
			case 'M':
				mu *= w.sweep.s[t]
			}
		}
		dst = append(dst, mu*f.scale)
	}
	if f.ahead > 0 {
		n := len(dst)
		dst = append(dst, make([]float64, f.ahead)...)
		etsPoint(f.form, f.params.phi, f.level, f.trend, f.season, dst[n:])
		for i := range dst[n:] {
			dst[n+i] *= f.scale
		}
	}
	return dst
}
