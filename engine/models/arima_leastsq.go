package models

import (
	"context"
	"math"
)

// residualFunc writes the residuals of parameters x to r and returns their sum of squares; ok is false where x is
// inadmissible. tag carries what a neighbouring evaluation must share with this one (see exactARMA.innovations): a
// negative tag asks for a fresh one, which is returned.
type residualFunc func(x, r []float64, tag int) (sum float64, newTag int, ok bool)

// jacobianFunc writes the derivatives of the residuals r to jacobian, column after column, at the point where the
// residualFunc was evaluated last.
type jacobianFunc func(r, jacobian []float64)

// leastSquares is the method of Levenberg and Marquardt with a forward difference Jacobian unless one is given. ARMA likelihoods are sums
// of squares: after concentrating the innovation variance out, −2/n times the log likelihood is the logarithm of
//
//	Σ (v_t² / F_t) · (Π F_t)^{1/n}
//
// up to constants (Mélard 1984). Gauss–Newton steps then need some ten iterations where quasi-Newton methods need
// several times more. The damping is Nielsen's (1999), the scaling Moré's (1978). It keeps its memory and is not safe for
// concurrent use.
type leastSquares struct {
	r, trial   []float64
	jacobian   []float64 // column after column
	normal     []float64
	chol       []float64
	gradient   []float64
	scale      []float64
	step, next []float64
	correction []float64
	// secants allows to update a difference Jacobian between its computations, which halves the evaluations but may lead
	// into another maximum.
	secants bool
}

// jacobianStep is the step of the Jacobian, relative to max(|x|, 1).
const jacobianStep = 1e-6

// minimize searches from x, of which it leaves the best in x, and returns the sum of squares there. n is the number of
// residuals. It stops when a step promises or brings a relative decrease below tol. ok is false if the start is
// inadmissible.
func (l *leastSquares) minimize(ctx context.Context, f residualFunc, jacobian jacobianFunc, x []float64, n int, tol float64) (sum float64, ok bool, err error) {
	const maxIterations = 200 // along the ridges of nearly cancelling factors
	k := len(x)
	l.r, l.trial = growTo(l.r, n), growTo(l.trial, n)
	sum, tag, ok := f(x, l.r, -1)
	if !ok || k == 0 {
		return sum, ok, ctx.Err()
	}
	l.jacobian, l.normal, l.chol = growTo(l.jacobian, n*k), growTo(l.normal, k*k), growTo(l.chol, k*k)
	for _, v := range []*[]float64{&l.gradient, &l.scale, &l.step, &l.next} {
		*v = growTo(*v, k)
	}
	clear(l.scale)
	damping, growth := 1e-3, 2.0
	flat := 0
	stale := 0 // secant updates since the Jacobian was last computed
	refresh := true
	for range maxIterations {
		if err := ctx.Err(); err != nil {
			return sum, true, err
		}
		switch {
		case jacobian != nil:
			jacobian(l.r[:n], l.jacobian)
		case refresh:
			l.differentiate(f, x, n, tag)
			stale = 0
		}
		l.normalize(n)
		fresh := stale == 0
		refresh = false
		for {
			if damping > 1e14 || !l.solve(damping) {
				return sum, true, nil
			}
			promise := 0.0 // of the quadratic model
			for i, s := range l.step {
				promise += s * (damping*l.scale[i]*s - l.gradient[i])
				l.next[i] = x[i] + s
			}
			if promise <= 1e-3*tol*sum {
				if stale == 0 {
					return sum, true, nil
				}
				refresh = true
				break
			}
			trial, newTag, ok := f(l.next, l.trial, -1)
			gain := sum - trial
			if !ok || !(gain > 0) {
				if stale > 0 {
					refresh = true
					break
				}
				damping *= growth
				growth *= 2
				if ok && math.Abs(gain) <= 1e-13*sum {
					return sum, true, nil // down to rounding
				}
				continue
			}
			ratio := gain / promise
			if jacobian == nil {
				if refresh = !l.secants || ratio < 0.25 || stale >= len(x)+3; !refresh {
					l.secant(n)
					stale++
				}
			}
			copy(x, l.next)
			l.r, l.trial = l.trial, l.r
			sum, tag = trial, newTag
			ratio = 2*ratio - 1
			damping = max(1e-14, damping*max(1./3, 1-ratio*ratio*ratio))
			growth = 2
			if gain <= tol*sum {
				flat++
			} else {
				flat = 0
			}
			break
		}
		if flat >= 2 {
			if fresh {
				break
			}
			refresh = true // secants may have lost the way down
		}
	}
	return sum, true, nil
}

// secant corrects the Jacobian by Broyden's (1965) rank one formula to the residuals of the step just made, which trial
// holds, in the norm that scale gives.
func (l *leastSquares) secant(n int) {
	length := 0.0
	for i, s := range l.step {
		length += l.scale[i] * s * s
	}
	if !(length > 0) {
		return
	}
	l.correction = growTo(l.correction, n)
	c := l.correction
	for t, v := range l.trial[:n] {
		c[t] = (v - l.r[t]) / length
	}
	for i, s := range l.step {
		s /= length
		for t, v := range l.jacobian[i*n : (i+1)*n] {
			c[t] -= s * v
		}
	}
	for i, s := range l.step {
		s *= l.scale[i]
		col := l.jacobian[i*n : (i+1)*n]
		for t, v := range c {
			col[t] += s * v
		}
	}
}

// differentiate fills the Jacobian at x by differences.
func (l *leastSquares) differentiate(f residualFunc, x []float64, n, tag int) {
	for i, xi := range x {
		col := l.jacobian[i*n : (i+1)*n]
		h := jacobianStep * max(math.Abs(xi), 1)
		x[i] = xi + h
		_, _, ok := f(x, col, tag)
		if !ok {
			h = -h
			x[i] = xi + h
			_, _, ok = f(x, col, tag)
		}
		h = x[i] - xi
		x[i] = xi
		if !ok { // cornered: this parameter rests for a step
			clear(col)
			continue
		}
		inverse := 1 / h
		for t, v := range l.r {
			col[t] = (col[t] - v) * inverse
		}
	}
}

// normalize computes J′J and J′r.
func (l *leastSquares) normalize(n int) {
	k := len(l.gradient)
	for i := range k {
		a := l.jacobian[i*n : (i+1)*n]
		g := 0.0
		for t, v := range l.r[:n] {
			g += v * a[t]
		}
		l.gradient[i] = g
		for j := range i + 1 {
			b := l.jacobian[j*n : (j+1)*n]
			s := 0.0
			for t, v := range a {
				s += v * b[t]
			}
			l.normal[i*k+j] = s
		}
		l.scale[i] = max(l.scale[i], l.normal[i*k+i])
	}
}

// solve sets step to the solution of (J′J + damping·diag(scale)) step = −J′r by Cholesky's decomposition, raising the damping
// of a matrix that is singular to rounding.
func (l *leastSquares) solve(damping float64) bool {
	k := len(l.step)
	for attempt := 0; attempt < 30; attempt++ {
		if l.factor(damping) {
			for i := range k {
				v := -l.gradient[i]
				for j := range i {
					v -= l.chol[i*k+j] * l.step[j]
				}
				l.step[i] = v / l.chol[i*k+i]
			}
			for i := k - 1; i >= 0; i-- {
				v := l.step[i]
				for j := i + 1; j < k; j++ {
					v -= l.chol[j*k+i] * l.step[j]
				}
				l.step[i] = v / l.chol[i*k+i]
			}
			return true
		}
		damping = max(10*damping, 1e-12)
	}
	return false
}

func (l *leastSquares) factor(damping float64) bool {
	k := len(l.step)
	for i := range k {
		for j := range i + 1 {
			v := l.normal[i*k+j]
			if i == j {
				v += damping * l.scale[i]
				if l.scale[i] == 0 {
					v = 1
				}
			}
			for m := range j {
				v -= l.chol[i*k+m] * l.chol[j*k+m]
			}
			if i != j {
				l.chol[i*k+j] = v / l.chol[j*k+j]
				continue
			}
			if !(v > 1e-14*l.normal[i*k+i]) {
				return false
			}
			l.chol[i*k+i] = math.Sqrt(v)
		}
	}
	return true
}
