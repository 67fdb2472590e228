package optimize

import (
	"context"
	"math"
)

// BFGS is the quasi-Newton method of Broyden, Fletcher, Goldfarb and Shanno with a dense inverse Hessian and a line
// search for the weak Wolfe conditions (Nocedal & Wright 2006, chapters 3 and 6; the bracketing is that of Lewis & Overton
// 2013, which also survives an objective that is +Inf beyond a border). The zero value is ready; it keeps its memory and is
// not safe for concurrent use.
type BFGS struct {
	h        []float64 // inverse Hessian, n by n
	dir      []float64
	grad     []float64
	trial    []float64
	gradNew  []float64
	step, dg []float64 // x and gradient differences
	hdg      []float64
}

// wolfeDecrease and wolfeCurvature are Nocedal & Wright's constants for quasi-Newton directions (section 3.1).
const (
	wolfeDecrease  = 1e-4
	wolfeCurvature = 0.9
	maxLineSearch  = 40
)

// Minimize searches from x and leaves the best point found in x. The error is ErrStart or the context's; x holds the
// best point even then.
func (b *BFGS) Minimize(ctx context.Context, f FuncGrad, x []float64, set Settings) (Result, error) {
	n := len(x)
	if set.MaxIterations == 0 {
		set.MaxIterations = 200
	}
	if set.FTol == 0 {
		set.FTol = 1e-8
	}
	if set.GTol == 0 {
		set.GTol = 1e-6
	}
	if set.FirstStep == 0 {
		set.FirstStep = 0.1
	}
	b.size(n)
	fx := clean(f(x, b.grad))
	res := Result{F: fx, Evaluations: 1}
	if math.IsInf(fx, 0) || !finite(b.grad) {
		return res, ErrStart
	}
	fresh, flat := true, 0
	for ; res.Iterations < set.MaxIterations; res.Iterations++ {
		if err := ctx.Err(); err != nil {
			return res, err
		}
		if largest(b.grad) <= set.GTol {
			res.Converged = true
			return res, nil
		}
		slope := b.direction(fresh)
		if !(slope < 0) { // rounding has spoiled the inverse Hessian
			fresh = true
			slope = b.direction(true)
		}
		t := 1.0
		if fresh {
			t = math.Min(1, set.FirstStep/math.Sqrt(-slope))
		}
		fnew, t := b.search(f, x, fx, slope, t, &res)
		if t == 0 {
			if fresh { // not even steepest descent improves: as good as it gets in this arithmetic
				res.Converged = true
				return res, nil
			}
			fresh = true
			continue
		}
		for i := range x {
			b.step[i] = b.trial[i] - x[i]
			b.dg[i] = b.gradNew[i] - b.grad[i]
		}
		b.update(fresh)
		fresh = false
		copy(x, b.trial)
		b.grad, b.gradNew = b.gradNew, b.grad
		gain := fx - fnew
		fx = fnew
		res.F = fx
		if gain <= set.FTol*(math.Abs(fx)+1e-3) {
			if flat++; flat >= 2 {
				res.Iterations++
				res.Converged = true
				return res, nil
			}
		} else {
			flat = 0
		}
	}
	return res, nil
}

func (b *BFGS) size(n int) {
	b.h = grow(b.h, n*n)
	for _, v := range []*[]float64{&b.dir, &b.grad, &b.trial, &b.gradNew, &b.step, &b.dg, &b.hdg} {
		*v = grow(*v, n)
	}
}

// direction sets dir to −H·grad, or −grad when fresh, and returns the slope along it.
func (b *BFGS) direction(fresh bool) float64 {
	n := len(b.grad)
	slope := 0.0
	for i := range n {
		d := 0.0
		if fresh {
			d = b.grad[i]
		} else {
			row := b.h[i*n : (i+1)*n]
			for j, g := range b.grad {
				d += row[j] * g
			}
		}
		b.dir[i] = -d
		slope -= d * b.grad[i]
	}
	return slope
}

// search looks for a step t along dir that satisfies the weak Wolfe conditions, leaving the point in trial and its
// gradient in gradNew. A point that only decreases is accepted when the search is exhausted; t = 0 means none was found.
func (b *BFGS) search(f FuncGrad, x []float64, fx, slope, t float64, res *Result) (fnew, step float64) {
	lo, flo, slo := 0.0, fx, slope
	hi, fhi := math.Inf(1), math.Inf(1)
	for range maxLineSearch {
		same := true
		for i := range x {
			b.trial[i] = x[i] + t*b.dir[i]
			same = same && b.trial[i] == x[i]
		}
		if same {
			break
		}
		ft := clean(f(b.trial, b.gradNew))
		res.Evaluations++
		if !math.IsInf(ft, 1) && !finite(b.gradNew) {
			ft = math.Inf(1)
		}
		if ft > fx+wolfeDecrease*t*slope || math.IsInf(ft, 1) {
			hi, fhi = t, ft
		} else {
			st := 0.0
			for i, d := range b.dir {
				st += d * b.gradNew[i]
			}
			if st >= wolfeCurvature*slope {
				return ft, t
			}
			lo, flo, slo = t, ft, st
		}
		if math.IsInf(hi, 1) {
			t *= 2
			if t > 1e10 {
				break
			}
			continue
		}
		width := hi - lo
		if width <= 1e-12*hi {
			break
		}
		t = lo + width/2
		if !math.IsInf(fhi, 1) { // minimum of the parabola through lo, its slope, and hi
			if curve := fhi - flo - slo*width; curve > 0 {
				p := -slo * width * width / (2 * curve)
				t = lo + math.Min(math.Max(p, 0.1*width), 0.9*width)
			}
		} else {
			t = lo + width/4 // beyond the border: come back well inside
		}
	}
	if lo > 0 && flo < fx { // decrease without curvature: still progress
		for i := range x {
			b.trial[i] = x[i] + lo*b.dir[i]
		}
		res.Evaluations++
		return clean(f(b.trial, b.gradNew)), lo
	}
	return fx, 0
}

// update applies the BFGS formula to the inverse Hessian (Nocedal & Wright, eq. 6.17); the first one starts from the
// identity scaled by eq. 6.20. A pair without positive curvature is skipped.
func (b *BFGS) update(fresh bool) {
	n := len(b.step)
	sy, yy, ss := 0.0, 0.0, 0.0
	for i, s := range b.step {
		sy += s * b.dg[i]
		yy += b.dg[i] * b.dg[i]
		ss += s * s
	}
	curved := sy > 1e-10*math.Sqrt(ss*yy)
	if fresh {
		d := 1.0
		if curved {
			d = sy / yy
		}
		clear(b.h)
		for i := range n {
			b.h[i*n+i] = d
		}
	}
	if !curved {
		return
	}
	yhy := 0.0
	for i := range n {
		row := b.h[i*n : (i+1)*n]
		v := 0.0
		for j, y := range b.dg {
			v += row[j] * y
		}
		b.hdg[i] = v
		yhy += v * b.dg[i]
	}
	rho := 1 / sy
	c := rho * (1 + rho*yhy)
	for i := range n {
		row := b.h[i*n : (i+1)*n]
		si, hi := b.step[i], b.hdg[i]
		for j, sj := range b.step {
			row[j] += c*si*sj - rho*(si*b.hdg[j]+hi*sj)
		}
	}
}

func largest(v []float64) float64 {
	m := 0.0
	for _, x := range v {
		m = math.Max(m, math.Abs(x))
	}
	return m
}

func finite(v []float64) bool {
	for _, x := range v {
		if math.IsNaN(x) || math.IsInf(x, 0) {
			return false
		}
	}
	return true
}
