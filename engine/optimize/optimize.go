// Package optimize minimises the likelihoods of the models: Nelder–Mead for functions without derivatives and BFGS for
// smooth ones. Both are deterministic, poll their context once per iteration and keep their memory between calls, so
// that fitting thousands of series allocates once per worker.
//
// An objective may return +Inf (or NaN, taken as +Inf) where the parameters are inadmissible; the start must be
// finite.
package optimize

import (
	"errors"
	"math"
)

// ErrStart means that the objective is not finite at the starting point.
var ErrStart = errors.New("objective is not finite at the start")

// Func is an objective without derivatives. It must not retain or change x.
type Func func(x []float64) float64

// FuncGrad is an objective that also fills grad, of the length of x, with its gradient. Where it returns +Inf grad is
// not read. It must not retain or change x.
type FuncGrad func(x, grad []float64) float64

// Settings limit a search. Zero fields take the defaults named.
type Settings struct {
	// MaxIterations bounds the iterations; default 200 per parameter for Nelder–Mead, 200 for BFGS.
	MaxIterations int
	// FTol stops when the objective's relative improvement falls below it: of the simplex's spread (Nelder–Mead), or
	// of two iterations in a row (BFGS). Default 1e-8. Relative to |f| + 1e-3.
	FTol float64
	// GTol stops BFGS when no component of the gradient exceeds it in size. Default 1e-6.
	GTol float64
	// FirstStep bounds the length of BFGS's first trial step, in the units of x. Default 0.1.
	FirstStep float64
}

// Result tells how a search ended. The minimiser itself is left in the caller's x.
type Result struct {
	// F is the objective at the minimiser.
	F float64
	// Iterations and Evaluations count the work; an evaluation of a FuncGrad counts once.
	Iterations, Evaluations int
	// Converged is false when MaxIterations came first.
	Converged bool
}

// NumericGradient turns a Func into a FuncGrad by finite differences: pass its Eval method. It keeps its memory and
// is not safe for concurrent use.
type NumericGradient struct {
	// F is the objective.
	F Func
	// Central asks for central differences (two evaluations per parameter, error O(h²)) instead of forward ones.
	Central bool
	work    []float64
}

// Eval is the FuncGrad. The step is the usual compromise between truncation and rounding: eps^(1/3) for central and
// eps^(1/2) for forward differences, relative to max(|x|, 1). A side on which F is not finite is left out; if both are,
// that component is zero.
func (g *NumericGradient) Eval(x, grad []float64) float64 {
	f := clean(g.F(x))
	if math.IsInf(f, 1) {
		return f
	}
	g.work = append(g.work[:0], x...)
	scale := 1.5e-8
	if g.Central {
		scale = 6.1e-6
	}
	for i, xi := range x {
		h := scale * math.Max(math.Abs(xi), 1)
		up, down := f, f
		width := 0.0
		g.work[i] = xi + h
		if v := clean(g.F(g.work)); !math.IsInf(v, 1) {
			up, width = v, g.work[i]-xi
		}
		if g.Central || width == 0 {
			g.work[i] = xi - h
			if v := clean(g.F(g.work)); !math.IsInf(v, 1) {
				down, width = v, width+(xi-g.work[i])
			}
		}
		g.work[i] = xi
		if width > 0 {
			grad[i] = (up - down) / width
		} else {
			grad[i] = 0
		}
	}
	return f
}

// clean maps NaN to +Inf, so that every comparison in the searches is decided.
func clean(f float64) float64 {
	if math.IsNaN(f) {
		return math.Inf(1)
	}
	return f
}

func grow(v []float64, n int) []float64 {
	if cap(v) < n {
		return make([]float64, n)
	}
	return v[:n]
}
