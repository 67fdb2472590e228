package models

import "math"

// recurse computes the innovations e[t] of w for t ≥ from, which is at least the order of the autoregression; earlier e
// are given. It is the conditional recursion of Box & Jenkins: what precedes the sample counts as zero. The factors are
// applied one after the other, which takes fewer operations than their product.
func (a *arma) recurse(w, e []float64, from int) {
	n := len(w)
	a.work = growTo(a.work, n)
	x := a.work
	lo := from - a.m*len(a.sar)
	laggedSum(x, w, a.ar, lo)
	a.seasonalLagged(x, from)
	for t := max(0, from-len(a.ma)); t < from; t++ { // what the first factor left before from
		v := e[t]
		for j, c := range a.sma {
			if at := t - (j+1)*a.m; at >= 0 {
				v += c * e[at]
			}
		}
		x[t] = v
	}
	divide(x, a.ma, from)
	copy(e[from:], x[from:])
	seasonalDivide(e, a.sma, a.m, from)
}

// laggedSum sets x_t to w_t − Σ c_j w_{t−j} for t ≥ from ≥ len(c).
func laggedSum(x, w, c []float64, from int) {
	n := len(w)
	copy(x[from:], w[from:])
	for j, cj := range c {
		src := w[from-j-1 : n-j-1]
		dst := x[from:n][:len(src)]
		for i, v := range src {
			dst[i] -= cj * v
		}
	}
}

// seasonalLagged replaces x_t by x_t − Σ sar_j x_{t−jm} for t ≥ from.
func (a *arma) seasonalLagged(x []float64, from int) {
	switch len(a.sar) {
	case 0:
	case 1:
		c, m := a.sar[0], a.m
		src := x[from-m : len(x)-m]
		dst := x[from:][:len(src)]
		for i := len(dst) - 1; i >= 0; i-- { // backwards: the lagged values are still the old ones
			dst[i] -= c * src[i]
		}
	default:
		for t := len(x) - 1; t >= from; t-- {
			v := x[t]
			for j, c := range a.sar {
				v -= c * x[t-(j+1)*a.m]
			}
			x[t] = v
		}
	}
}

// divide replaces x_t by y_t = x_t − Σ c_j y_{t−j} for t ≥ from: division by 1 + c(B). Values before from are given y; those before
// the start are zero.
func divide(x, c []float64, from int) {
	var y [5]float64 // the last values
	if len(c) <= len(y) {
		for j := range c {
			if from-1-j >= 0 {
				y[j] = x[from-1-j]
			}
		}
	}
	switch {
	case len(c) == 0:
	case len(c) == 1:
		c1, y1 := c[0], y[0]
		rest := x[from:]
		for i, v := range rest {
			y1 = v - c1*y1
			rest[i] = y1
		}
	case len(c) == 2:
		c1, c2, y1, y2 := c[0], c[1], y[0], y[1]
		rest := x[from:]
		for i, v := range rest {
			y1, y2 = (v-c2*y2)-c1*y1, y1
			rest[i] = y1
		}
	case len(c) <= len(y):
		var k [5]float64
		copy(k[:], c)
		c1, c2, c3, c4, c5 := k[0], k[1], k[2], k[3], k[4]
		y1, y2, y3, y4, y5 := y[0], y[1], y[2], y[3], y[4]
		rest := x[from:]
		for i, v := range rest {
			y1, y2, y3, y4, y5 = (((v-c5*y5)-c4*y4)-(c3*y3+c2*y2))-c1*y1, y1, y2, y3, y4
			rest[i] = y1
		}
	default:
		seasonalDivide(x, c, 1, from)
	}
}

// seasonalDivide is divide by 1 + c(B^m).
func seasonalDivide(x, c []float64, m, from int) {
	if len(c) == 0 {
		return
	}
	t := from
	for ; t < min(m*len(c), len(x)); t++ {
		v := x[t]
		for j, cj := range c {
			if at := t - (j+1)*m; at >= 0 {
				v -= cj * x[at]
			}
		}
		x[t] = v
	}
	if t >= len(x) {
		return
	}
	if len(c) == 1 {
		c1 := c[0]
		src := x[t-m : len(x)-m]
		dst := x[t:][:len(src)]
		for i, v := range src {
			dst[i] -= c1 * v
		}
		return
	}
	for ; t < len(x); t++ {
		v := x[t]
		for j, cj := range c {
			v -= cj * x[t-(j+1)*m]
		}
		x[t] = v
	}
}

// conditional is the residualFunc of the conditional sum of squares. Its parameters are the coefficients themselves.
func (w *arimaWork) conditional(x, r []float64, _ int) (float64, int, bool) {
	if w.invertibleOnly && !w.invertible(x) {
		return 0, 0, false
	}
	w.poly.set(w.order, x)
	from := len(w.poly.phi)
	columns := w.problem.differenced
	out := w.columns(len(columns), r)
	for c := range out {
		clear(out[c][:from])
		w.poly.recurse(columns[c], out[c], from)
	}
	w.regress(out, from)
	sum := 0.0
	for _, v := range r[from:] {
		sum += v * v
	}
	return sum, 0, !math.IsNaN(sum) && !math.IsInf(sum, 0)
}

// conditionalJacobian is the Jacobian of conditional at the point of its last evaluation, r being the residuals there:
// the derivative by a coefficient of a factor is the lagged residual divided by that factor (Box & Jenkins 1970,
// section 7.2). The regression is taken out of it afterwards with its coefficients held, which leaves the gradient exact
// (Kaufman 1975, for separable least squares).
func (w *arimaWork) conditionalJacobian(r, jacobian []float64) {
	n, o, a := len(r), w.order, &w.poly
	from := len(a.phi)
	next := 0
	column := func() []float64 {
		c := jacobian[next*n : (next+1)*n]
		next++
		return c
	}
	z := w.partialInnovations()
	// The residual without one autoregressive factor, lagged, goes through the moving averages.
	autoregressive := func(order, lag int, filtered []float64) {
		for j := 1; j <= order; j++ {
			c := column()
			clear(c[:from])
			for t := from; t < n; t++ {
				c[t] = -filtered[t-j*lag]
			}
			divide(c, a.ma, from)
			seasonalDivide(c, a.sma, a.m, from)
		}
	}
	moving := func(order, lag int, divided []float64) {
		for j := 1; j <= order; j++ {
			c := column()
			k := min(n, from+j*lag)
			clear(c[:k])
			for t := k; t < n; t++ {
				c[t] = -divided[t-j*lag]
			}
		}
	}
	if o.p > 0 { // w less seasonal autoregression; lag j ≤ p reaches back to from−p ≥ m·P
		w.deriv = growTo(w.deriv, n)
		copy(w.deriv, z)
		a.seasonalLagged(w.deriv, a.m*o.P)
		autoregressive(o.p, 1, w.deriv)
	}
	if o.q > 0 {
		w.deriv = growTo(w.deriv, n)
		copy(w.deriv, r)
		divide(w.deriv, a.ma, from)
		moving(o.q, 1, w.deriv)
	}
	if o.P > 0 {
		w.deriv = growTo(w.deriv, n)
		laggedSum(w.deriv, z, a.ar, o.p)
		autoregressive(o.P, a.m, w.deriv)
	}
	if o.Q > 0 {
		w.deriv = growTo(w.deriv, n)
		copy(w.deriv, r)
		seasonalDivide(w.deriv, a.sma, a.m, from)
		moving(o.Q, a.m, w.deriv)
	}
	k := len(w.out) - 1
	for i := range k { // columns of the regression are orthogonal by now
		norm := w.upper[i*k+i]
		if norm == 0 {
			continue
		}
		xi := w.out[i+1][from:n]
		for j := range next {
			c := jacobian[j*n+from : (j+1)*n]
			s := 0.0
			for t, v := range xi {
				s += v * c[t]
			}
			s /= norm
			for t, v := range xi {
				c[t] -= s * v
			}
		}
	}
}

// partialInnovations is the differenced series less its regression.
func (w *arimaWork) partialInnovations() []float64 {
	columns := w.problem.differenced
	w.level = append(w.level[:0], columns[0]...)
	for i, x := range columns[1:] {
		b := w.beta[i]
		for t, v := range x {
			w.level[t] -= b * v
		}
	}
	return w.level
}
