package models

import "math"

// arimaFilter is the Kalman filter of an ARIMA process with missing values, exact from the first observation: the last
// d + m·D values before the sample, which the difference operator needs, start diffuse (Koopman 1997; Durbin & Koopman 2012,
// chapter 5), the ARMA part stationary. Its state is Harvey's (1989, section 3.3) ARMA vector of length r followed by
// the last values of the series, newest first, and y_t = state[0] + Σ δ_j y_{t−j}.
//
// Covariances are in units of the innovation variance. It keeps its memory and is not safe for concurrent use.
type arimaFilter struct {
	a          *arma
	delta      []float64 // δ_j of the difference operator 1 − Σ δ_j B^j, at j−1
	deltaLag   []int
	r, dim     int
	p, work    []float64   // covariance of the prediction, dim × dim
	diffuse    []float64   // its diffuse part
	state      [][]float64 // one per column
	m, md      []float64   // P Z′ and its diffuse part
	diffuseNow bool
	start      exactARMA
}

// differencing gives δ of (1 − B)^d (1 − B^m)^D = 1 − Σ δ_j B^j.
func differencing(d, seasonal, m int) []float64 {
	c := []float64{1}
	times := func(lag int) {
		next := make([]float64, len(c)+lag)
		for j, v := range c {
			next[j] += v
			next[j+lag] -= v
		}
		c = next
	}
	for range d {
		times(1)
	}
	for range seasonal {
		times(m)
	}
	delta := make([]float64, len(c)-1)
	for j := range delta {
		delta[j] = -c[j+1]
	}
	return delta
}

// begin sets the filter to before the first observation, for the given number of columns. It reports false if the
// autoregression is not stationary.
func (k *arimaFilter) begin(a *arma, delta []float64, columns int) bool {
	k.a, k.delta = a, delta
	k.deltaLag = k.deltaLag[:0]
	for j, v := range delta {
		if v != 0 {
			k.deltaLag = append(k.deltaLag, j+1)
		}
	}
	k.r = max(len(a.phi), len(a.theta)+1)
	k.dim = k.r + len(delta)
	n := k.dim
	k.p, k.work, k.diffuse = growTo(k.p, n*n), growTo(k.work, n*n), growTo(k.diffuse, n*n)
	k.m, k.md = growTo(k.m, n), growTo(k.md, n)
	for len(k.state) < columns {
		k.state = append(k.state, nil)
	}
	k.state = k.state[:columns]
	for c := range k.state {
		k.state[c] = growTo(k.state[c], n)
		clear(k.state[c])
	}
	clear(k.p)
	clear(k.diffuse)
	k.diffuseNow = len(delta) > 0
	for i := k.r; i < n; i++ {
		k.diffuse[i*n+i] = 1
	}
	variance, ok := k.start.start(a)
	if !ok {
		return false
	}
	// First row: cov(state, w); then P = T P T′ + R R′ solved along the diagonals, from the last row up.
	r := k.r
	k.p[0] = variance
	for i := 1; i < r; i++ {
		k.p[i] = k.start.gain[i-1] - k.phi(i-1)*variance
		k.p[i*n] = k.p[i]
	}
	for i := r - 1; i >= 1; i-- {
		for j := i; j >= 1; j-- {
			v := k.phi(i)*k.phi(j)*variance + k.load(i)*k.load(j)
			if j+1 < r {
				v += k.phi(i) * k.p[j+1]
			}
			if i+1 < r {
				v += k.phi(j)*k.p[i+1] + k.p[(i+1)*n+j+1]
			}
			k.p[i*n+j], k.p[j*n+i] = v, v
		}
	}
	return true
}

func (k *arimaFilter) phi(i int) float64 {
	if i < len(k.a.phi) {
		return k.a.phi[i]
	}
	return 0
}

// load is the innovation's loading on state i.
func (k *arimaFilter) load(i int) float64 {
	switch {
	case i == 0:
		return 1
	case i <= len(k.a.theta) && i < k.r:
		return k.a.theta[i-1]
	}
	return 0
}

// observe is Z·v: how the observation depends on a state vector.
func (k *arimaFilter) observe(v []float64) float64 {
	s := v[0]
	for _, lag := range k.deltaLag {
		s += k.delta[lag-1] * v[k.r+lag-1]
	}
	return s
}

// diffuseTolerance separates a diffuse innovation variance, a sum of squares of whole numbers in theory, from rounding.
const diffuseTolerance = 1e-7

// variance computes the one-step prediction variance of the next observation, +Inf while it is diffuse, and keeps P Z′ for update.
func (k *arimaFilter) variance() float64 {
	n := k.dim
	if k.diffuseNow {
		for i := range n {
			k.md[i] = k.observe(k.diffuse[i*n : (i+1)*n])
		}
	}
	for i := range n {
		k.m[i] = k.observe(k.p[i*n : (i+1)*n])
	}
	if k.diffuseNow && k.observe(k.md) > diffuseTolerance {
		return math.Inf(1)
	}
	return k.observe(k.m)
}

// update conditions on an observation whose prediction errors, one per column, are v. It follows variance, whose result is f.
func (k *arimaFilter) update(v []float64, f float64) {
	n := k.dim
	if math.IsInf(f, 1) {
		fd, fs := k.observe(k.md), k.observe(k.m)
		for i := range n {
			k.md[i] /= fd // gain
		}
		for c, s := range k.state {
			for i, g := range k.md {
				s[i] += g * v[c]
			}
		}
		left := 0.0
		for i := range n {
			for j := range n {
				k.p[i*n+j] += k.md[i]*k.md[j]*fs - k.md[i]*k.m[j] - k.m[i]*k.md[j]
				k.diffuse[i*n+j] -= k.md[i] * k.md[j] * fd
			}
			left = max(left, math.Abs(k.diffuse[i*n+i]))
		}
		k.diffuseNow = left > diffuseTolerance
		return
	}
	if !(f > 0) {
		return
	}
	for c, s := range k.state {
		g := v[c] / f
		for i, m := range k.m {
			s[i] += m * g
		}
	}
	for i, m := range k.m {
		if m == 0 {
			continue
		}
		row, g := k.p[i*n:(i+1)*n], m/f
		for j, mj := range k.m {
			row[j] -= g * mj
		}
	}
}

// advance predicts the next state; withCovariance false leaves the covariance, for a filter that is steady.
func (k *arimaFilter) advance(withCovariance bool) {
	for _, s := range k.state {
		k.transition(s, 1)
	}
	if !withCovariance {
		return
	}
	k.propagate(k.p)
	r, n := k.r, k.dim
	for i := range r {
		li := k.load(i)
		if li == 0 {
			continue
		}
		for j := range r {
			k.p[i*n+j] += li * k.load(j)
		}
	}
	if k.diffuseNow {
		k.propagate(k.diffuse)
	}
}

// transition replaces the vector v, whose elements lie stride apart, by T v.
func (k *arimaFilter) transition(v []float64, stride int) {
	r, n := k.r, k.dim
	first := v[0]
	y := first
	for _, lag := range k.deltaLag {
		y += k.delta[lag-1] * v[(r+lag-1)*stride]
	}
	for i := range r - 1 {
		v[i*stride] = v[(i+1)*stride]
	}
	v[(r-1)*stride] = 0
	for i, ph := range k.a.phi {
		v[i*stride] += ph * first
	}
	for i := n - 1; i > r; i-- {
		v[i*stride] = v[(i-1)*stride]
	}
	if n > r {
		v[r*stride] = y
	}
}

// propagate replaces p by T p T′.
func (k *arimaFilter) propagate(p []float64) {
	r, n := k.r, k.dim
	w := k.work[:n*n]
	// T p, row by row.
	first := p[:n]
	for i := range r {
		dst, ph := w[i*n:(i+1)*n], k.phi(i)
		switch {
		case i+1 < r && ph == 0:
			copy(dst, p[(i+1)*n:(i+2)*n])
		case i+1 < r:
			for j, v := range p[(i+1)*n : (i+2)*n] {
				dst[j] = v + ph*first[j]
			}
		default:
			for j, v := range first {
				dst[j] = ph * v
			}
		}
	}
	if n > r {
		dst := w[r*n : (r+1)*n]
		copy(dst, first)
		for _, lag := range k.deltaLag {
			d := k.delta[lag-1]
			for j, v := range p[(r+lag-1)*n : (r+lag)*n] {
				dst[j] += d * v
			}
		}
		copy(w[(r+1)*n:], p[r*n:(n-1)*n])
	}
	for i := range n {
		k.transition(w[i*n:(i+1)*n], 1)
	}
	copy(p, w)
}

// innovations filters the columns, of which the first is the series with NaN where missing, and appends each column's
// standardised prediction errors to out[c][:0], leaving out those at missing values and those with a diffuse variance.
// It returns Σ log F.
func (k *arimaFilter) innovations(columns, out [][]float64) (sumLog float64, ok bool) {
	var errs [8]float64
	v := errs[:0]
	for c := range columns {
		out[c] = out[c][:0]
		v = append(v, 0)
	}
	run := 0 // observations since the filter last met a gap or a diffuse state
	steady := false
	for t, y := range columns[0] {
		if y != y {
			run, steady = 0, false
			k.advance(true)
			continue
		}
		f := 1.0
		if !steady {
			f = k.variance()
			steady = run > k.dim && f-1 < steadyExcess
		}
		for c, s := range k.state {
			v[c] = columns[c][t] - k.observe(s)
		}
		if !math.IsInf(f, 1) {
			if !(f > 0) {
				return 0, false
			}
			sumLog += math.Log(f)
			sd := math.Sqrt(f)
			for c := range out {
				out[c] = append(out[c], v[c]/sd)
			}
			run++
		}
		if steady {
			k.steadyUpdate(v)
			k.advance(false)
			continue
		}
		k.update(v, f)
		k.advance(true)
	}
	return sumLog, true
}

// steadyUpdate is update with P Z′ as the last call of variance left it.
func (k *arimaFilter) steadyUpdate(v []float64) {
	for c, s := range k.state {
		for i, m := range k.m {
			s[i] += m * v[c]
		}
	}
}
