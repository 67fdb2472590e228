package models

import "math"

// The recursions of exponential smoothing, and their derivatives.
//
// In all 30 forms the state follows the same error-correction equations whatever the error type (Hyndman et al. 2008,
// tables 2.2 and 2.3, with e the one-step error y − μ in both columns):
//
//	q = l + φb  or  l·b^φ             the trend's one-step forecast
//	μ = q, q + s or q·s               the one-step expectation, s the season of m steps ago
//	δ = e, or e/s for seasons ×       the error in units of the level
//	l = q + α·δ
//	b = φb + β·δ  or  b^φ + β·δ/l₋
//	s = s + γ·e, or s + γ·e/q for seasons ×
//
// Only the likelihood differs: additive errors are e, multiplicative ones e/μ. A missing observation has e = 0: the state
// evolves without correction and adds nothing to the likelihood.
//
// The gradient of the likelihood with respect to all parameters and all initial states comes from one backward sweep (the
// adjoint of the recursion), at about the cost of the forward one however many seasons there are.

// etsParams are the quantities the likelihood depends on. beta is the weight of the error itself (the β = αβ* of Hyndman
// et al.). season[i] is the state used by observation i, oldest first.
type etsParams struct {
	alpha, beta, gamma, phi float64
	level, trend            float64
	season                  []float64
}

// etsSweep holds one forward pass and what its backward pass needs. Its memory is reused.
type etsSweep struct {
	e      []float64 // y − μ, 0 where y is missing
	q      []float64
	b      []float64 // trend before observation t
	l      []float64 // level before observation t; multiplicative trends only
	s      []float64 // s[t] is the season used by observation t; its update is s[t+m]
	invS   []float64 // 1/s[t] and 1/q[t]; multiplicative seasons only
	invQ   []float64
	dmu    []float64 // derivative of the criterion by μ[t], given the state
	sAdj   []float64
	level  float64 // final states
	trend  float64
	sse    float64 // Σe² or Σ(e/μ)²
	logSum float64 // Σ log μ; multiplicative errors only
}

func (w *etsSweep) size(n, m int) {
	for _, v := range []*[]float64{&w.e, &w.q, &w.b, &w.l, &w.invS, &w.invQ, &w.dmu} {
		*v = growTo(*v, n)
	}
	w.s, w.sAdj = growTo(w.s, n+m), growTo(w.sAdj, n+m)
}

func growTo(v []float64, n int) []float64 {
	if cap(v) < n {
		return make([]float64, n)
	}
	return v[:n]
}

// etsTiny bounds q and s away from zero where the recursion divides by them.
const etsTiny = 1e-10

// forward runs the recursion; false means it left the region where the form is defined.
func (w *etsSweep) forward(f etsForm, p *etsParams, y []float64, m int) bool {
	w.size(len(y), m)
	copy(w.s, p.season)
	switch {
	case f.trend == 'M':
		return w.forwardMultiplicativeTrend(f, p, y, m)
	case f.season == 'N':
		w.forwardNonseasonal(p, y)
	case f.season == 'A':
		w.forwardAdditive(p, y, m)
	default:
		return w.forwardMultiplicative(p, y, m)
	}
	return true
}

func (w *etsSweep) forwardNonseasonal(p *etsParams, y []float64) {
	alpha, beta, phi, l, b := p.alpha, p.beta, p.phi, p.level, p.trend
	es, qs, bs := w.e[:len(y)], w.q[:len(y)], w.b[:len(y)]
	for t, v := range y {
		pb := phi * b
		q := l + pb
		e := v - q
		if v != v {
			e = 0
		}
		es[t], qs[t], bs[t] = e, q, b
		l = q + alpha*e
		b = pb + beta*e
	}
	w.level, w.trend = l, b
}

func (w *etsSweep) forwardAdditive(p *etsParams, y []float64, m int) {
	alpha, beta, gamma, phi, l, b := p.alpha, p.beta, p.gamma, p.phi, p.level, p.trend
	es, qs, bs := w.e[:len(y)], w.q[:len(y)], w.b[:len(y)]
	old, updated := w.s[:len(y)], w.s[m:m+len(y)]
	for t, v := range y {
		s := old[t]
		pb := phi * b
		q := l + pb
		e := v - s - q
		if v != v {
			e = 0
		}
		es[t], qs[t], bs[t] = e, q, b
		l = q + alpha*e
		b = pb + beta*e
		updated[t] = s + gamma*e
	}
	w.level, w.trend = l, b
}

func (w *etsSweep) forwardMultiplicative(p *etsParams, y []float64, m int) bool {
	alpha, beta, gamma, phi, l, b := p.alpha, p.beta, p.gamma, p.phi, p.level, p.trend
	es, qs, bs := w.e[:len(y)], w.q[:len(y)], w.b[:len(y)]
	invS, invQ := w.invS[:len(y)], w.invQ[:len(y)]
	old, updated := w.s[:len(y)], w.s[m:m+len(y)]
	for t, v := range y {
		s := old[t]
		pb := phi * b
		q := l + pb
		if !(q > etsTiny) || !(s > etsTiny) {
			return false
		}
		is, iq := 1/s, 1/q
		e := v - q*s
		if v != v {
			e = 0
		}
		es[t], qs[t], bs[t], invS[t], invQ[t] = e, q, b, is, iq
		d := e * is
		l = q + alpha*d
		b = pb + beta*d
		updated[t] = s + gamma*(e*iq)
	}
	w.level, w.trend = l, b
	return true
}

func (w *etsSweep) forwardMultiplicativeTrend(f etsForm, p *etsParams, y []float64, m int) bool {
	l, b := p.level, p.trend
	for t, v := range y {
		if !(l > etsTiny) || !(b > etsTiny) {
			return false
		}
		pb := b
		if f.damped {
			pb = math.Pow(b, p.phi)
		}
		q := l * pb
		w.l[t], w.q[t], w.b[t] = l, q, b
		var e, d float64
		switch f.season {
		case 'N':
			e = v - q
			if v != v {
				e = 0
			}
			d = e
		case 'A':
			e = v - q - w.s[t]
			if v != v {
				e = 0
			}
			d = e
			w.s[t+m] = w.s[t] + p.gamma*e
		default:
			s := w.s[t]
			if !(s > etsTiny) || !(q > etsTiny) {
				return false
			}
			e = v - q*s
			if v != v {
				e = 0
			}
			w.invS[t], w.invQ[t] = 1/s, 1/q
			d = e / s
			w.s[t+m] = s + p.gamma*e/q
		}
		w.e[t] = e
		b = pb + p.beta*d/l
		l = q + p.alpha*d
	}
	w.level, w.trend = l, b
	return true
}

// criterion is −2·log L up to a constant (Hyndman et al. 2008, eq. 5.1 with σ² concentrated out): n·log Σε² + 2·Σ log|μ|,
// the second part for multiplicative errors only. It fills dmu if wanted. floor keeps a perfect fit finite. +Inf is returned
// where μ ≤ 0 with multiplicative errors.
func (w *etsSweep) criterion(f etsForm, y []float64, observed int, floor float64, wantGrad bool) float64 {
	n := float64(observed)
	e, dmu := w.e[:len(y)], w.dmu[:len(y)]
	w.logSum = 0
	if f.err == 'A' {
		sse := 0.0
		for _, v := range e {
			sse += v * v
		}
		w.sse = sse
		if wantGrad {
			c := -2 * n / (sse + floor)
			for t, v := range e {
				dmu[t] = c * v
			}
		}
		return n * math.Log(sse+floor)
	}
	// Logarithms are slow: they are taken of products of eight, which cannot overflow because y is scaled to about one; where
	// a wild μ makes one overflow nevertheless, the result is not finite and the point is refused.
	sse, product, logSum := 0.0, 1.0, 0.0
	for t, v := range y {
		if v != v {
			continue
		}
		mu := v - e[t]
		if !(mu > etsTiny) {
			return math.Inf(1)
		}
		r := e[t] / mu
		sse += r * r
		product *= mu
		if t&7 == 7 {
			logSum += math.Log(product)
			product = 1
		}
	}
	logSum += math.Log(product)
	w.sse, w.logSum = sse, logSum
	if wantGrad {
		c := -2 * n / (sse + floor)
		for t, v := range y {
			if v != v {
				dmu[t] = 0
				continue
			}
			inv := 1 / (v - e[t])
			dmu[t] = inv * (2 + c*e[t]*inv*v*inv)
		}
	}
	return n*math.Log(sse+floor) + 2*logSum
}

// backward fills g with the derivatives of the criterion whose dmu was just computed.
func (w *etsSweep) backward(f etsForm, p, g *etsParams, y []float64, m int) {
	switch {
	case f.trend == 'M':
		w.backwardMultiplicativeTrend(f, p, g, y, m)
	case f.season == 'N':
		w.backwardNonseasonal(p, g, y)
	case f.season == 'A':
		w.backwardAdditive(p, g, y, m)
	default:
		w.backwardMultiplicative(p, g, y, m)
	}
	if f.season != 'N' {
		copy(g.season, w.sAdj[:m])
	}
}

func (w *etsSweep) backwardNonseasonal(p, g *etsParams, y []float64) {
	alpha, beta, phi := p.alpha, p.beta, p.phi
	var la, ba, alphaA, betaA, phiA float64
	es, bs, dmu := w.e[:len(y)], w.b[:len(y)], w.dmu[:len(y)]
	for t := len(y) - 1; t >= 0; t-- {
		e := es[t]
		alphaA += la * e
		betaA += ba * e
		mu := 0.0
		if y[t] == y[t] {
			mu = dmu[t] - alpha*la - beta*ba
		}
		q := la + mu
		pb := ba + q
		phiA += pb * bs[t]
		ba = phi * pb
		la = q
	}
	g.alpha, g.beta, g.phi, g.level, g.trend = alphaA, betaA, phiA, la, ba
}

func (w *etsSweep) backwardAdditive(p, g *etsParams, y []float64, m int) {
	alpha, beta, gamma, phi := p.alpha, p.beta, p.gamma, p.phi
	var la, ba, alphaA, betaA, gammaA, phiA float64
	es, bs, dmu := w.e[:len(y)], w.b[:len(y)], w.dmu[:len(y)]
	clear(w.sAdj[len(y):])
	old, updated := w.sAdj[:len(y)], w.sAdj[m:m+len(y)]
	for t := len(y) - 1; t >= 0; t-- {
		e, sa := es[t], updated[t]
		alphaA += la * e
		betaA += ba * e
		gammaA += sa * e
		mu := 0.0
		if y[t] == y[t] {
			mu = dmu[t] - alpha*la - beta*ba - gamma*sa
		}
		old[t] = sa + mu
		q := la + mu
		pb := ba + q
		phiA += pb * bs[t]
		ba = phi * pb
		la = q
	}
	g.alpha, g.beta, g.gamma, g.phi, g.level, g.trend = alphaA, betaA, gammaA, phiA, la, ba
}

func (w *etsSweep) backwardMultiplicative(p, g *etsParams, y []float64, m int) {
	alpha, beta, gamma, phi := p.alpha, p.beta, p.gamma, p.phi
	var la, ba, alphaA, betaA, gammaA, phiA float64
	es, qs, bs, dmu := w.e[:len(y)], w.q[:len(y)], w.b[:len(y)], w.dmu[:len(y)]
	invS, invQ := w.invS[:len(y)], w.invQ[:len(y)]
	clear(w.sAdj[len(y):])
	old, updated, s := w.sAdj[:len(y)], w.sAdj[m:m+len(y)], w.s[:len(y)]
	for t := len(y) - 1; t >= 0; t-- {
		e, sa, is, iq := es[t], updated[t], invS[t], invQ[t]
		d, r := e*is, e*iq
		alphaA += la * d
		betaA += ba * d
		gammaA += sa * r
		da := alpha*la + beta*ba // adjoint of δ
		mu := 0.0
		if y[t] == y[t] {
			mu = dmu[t] - da*is - gamma*sa*iq
		}
		old[t] = sa - da*d*is + mu*qs[t]
		q := la - gamma*sa*r*iq + mu*s[t]
		pb := ba + q
		phiA += pb * bs[t]
		ba = phi * pb
		la = q
	}
	g.alpha, g.beta, g.gamma, g.phi, g.level, g.trend = alphaA, betaA, gammaA, phiA, la, ba
}

func (w *etsSweep) backwardMultiplicativeTrend(f etsForm, p, g *etsParams, y []float64, m int) {
	*g = etsParams{season: g.season}
	la, ba := 0.0, 0.0
	clear(w.sAdj[len(y):])
	for t := len(y) - 1; t >= 0; t-- {
		e, q, l, b := w.e[t], w.q[t], w.l[t], w.b[t]
		d, is, sa := e, 1.0, 0.0
		if f.season != 'N' {
			sa = w.sAdj[t+m]
		}
		if f.season == 'M' {
			is = w.invS[t]
			d = e * is
		}
		da := p.alpha*la + p.beta*ba/l
		g.alpha += la * d
		g.beta += ba * d / l
		mu := 0.0
		if y[t] == y[t] {
			mu = w.dmu[t] - da*is
		}
		qa := la
		switch f.season {
		case 'N':
			qa += mu
		case 'A':
			g.gamma += sa * e
			if y[t] == y[t] {
				mu -= p.gamma * sa
			}
			w.sAdj[t] = sa + mu
			qa += mu
		default:
			iq := w.invQ[t]
			g.gamma += sa * e * iq
			if y[t] == y[t] {
				mu -= p.gamma * sa * iq
			}
			w.sAdj[t] = sa - da*d*is + mu*q
			qa += mu*w.s[t] - p.gamma*sa*e*iq*iq
		}
		pb := q / l
		pa := ba + qa*l
		lNext := qa*pb - ba*p.beta*d/(l*l)
		if f.damped {
			g.phi += pa * pb * math.Log(b)
			ba = pa * p.phi * pb / b
		} else {
			ba = pa
		}
		la = lNext
	}
	g.level, g.trend = la, ba
}

// The forecast function with all future errors zero: dst[h] is the point forecast of step h+1. season holds the last m
// seasonal states, oldest first.
func etsPoint(f etsForm, phi, level, trend float64, season, dst []float64) {
	damp, sum := 1.0, 0.0
	for h := range dst {
		damp *= phi
		sum += damp
		v := level
		switch f.trend {
		case 'A':
			v += sum * trend
		case 'M':
			v *= math.Pow(trend, sum)
		}
		switch f.season {
		case 'A':
			v += season[h%len(season)]
		case 'M':
			v *= season[h%len(season)]
		}
		dst[h] = v
	}
}
