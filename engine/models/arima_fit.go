package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/almanacdb/almanac/engine"
)

// arimaMethod says what estimation maximises.
type arimaMethod int

const (
	// exactFromConditional maximises the exact likelihood starting at the conditional estimates, as R's CSS-ML.
	exactFromConditional arimaMethod = iota
	// exactLikelihood maximises it starting at zero coefficients, as R's ML.
	exactLikelihood
	// conditionalSquares minimises the conditional sum of squares, as R's CSS.
	conditionalSquares
)

// effort is how hard to look for the optimum.
type effort int

const (
	brisk    effort = iota // one start; tolerance for comparing orders
	thorough               // several starts, the best of them; tight tolerance
)

// errARIMARejected means that no admissible estimate of these orders was reached.
var errARIMARejected = fmt.Errorf("%w: estimation did not reach an admissible ARIMA model", engine.ErrNoFit)

// arimaEstimate is an estimated model, on the scaled series.
type arimaEstimate struct {
	order            arimaOrder
	params, beta     []float64
	sum              float64 // of squared standardised innovations
	sigma2           float64 // adjusted for the number of coefficients, as R's forecast package gives it
	loglik           float64
	aic, aicc, bic   float64
	conditionalScore float64 // n·log(innovation variance) + 2·parameters of the conditional fit
}

// arimaWork is the memory of one worker fitting ARIMA models.

type arimaWork struct {
	poly    arma
	exact   exactARMA
	filter  arimaFilter
	squares leastSquares
	out     [][]float64 // innovations of the last evaluation
	buffers [][]float64
	x, best []float64
	natural []float64
	partial []float64
	beta    []float64
	upper   []float64 // triangular factor of the regression
	level   []float64
	deriv   []float64

	// the problem in hand
	problem *arimaProblem
	order   arimaOrder
	sumLog  float64
	// invertibleOnly keeps the conditional estimates in the region where they mean something: beyond it the recursion
	// explodes from a start that the sum of squares does not see, and its minimum there is no estimate.
	invertibleOnly bool
}

var arimaPool = sync.Pool{New: func() any { return new(arimaWork) }}

// estimate fits order o to the problem, which was made for the same d, D, m and constants. The error is the context's or
// errARIMARejected.
func (w *arimaWork) estimate(ctx context.Context, pr *arimaProblem, o arimaOrder, method arimaMethod, how effort) (arimaEstimate, error) {
	k, n := o.coefficients(), len(pr.differenced[0])
	w.problem, w.order = pr, o
	w.size(k, n)
	tol, startTol := tolerance(method, how)
	w.squares.secants = how == brisk
	x := w.x
	clear(x)
	conditional := false
	w.invertibleOnly = how == brisk && method == conditionalSquares
	if method != exactLikelihood && n-(o.p+o.m*o.P) > k+len(pr.differenced) {
		sum, ok, err := w.squares.minimize(ctx, w.conditional, w.conditionalJacobian, x, n, startTol)
		if err != nil {
			return arimaEstimate{}, err
		}
		conditional = ok && !math.IsNaN(sum)
	}
	if method == conditionalSquares {
		if !conditional {
			return arimaEstimate{}, errARIMARejected
		}
		return w.describe(x, true)
	}
	found := math.Inf(1)
	try := func() error {
		sum, ok, err := w.squares.minimize(ctx, w.likelihood, nil, x, w.residuals(n), tol)
		if err != nil {
			return err
		}
		if ok && sum < found {
			found = sum
			copy(w.best, x)
		}
		return nil
	}
	if conditional {
		w.admissible(x)
		if err := try(); err != nil {
			return arimaEstimate{}, err
		}
	}
	for i := 0; i == 0 && !conditional || math.IsInf(found, 1) && i < 2 || how == thorough && i < starts(o); i++ {
		w.otherStart(x, i)
		if err := try(); err != nil {
			return arimaEstimate{}, err
		}
	}
	if math.IsInf(found, 1) {
		return arimaEstimate{}, errARIMARejected
	}
	copy(x, w.best)
	w.toNatural(x)
	w.flip()
	copy(x, w.natural)
	return w.describe(x, false)
}

// tolerance is the relative decrease of the sum of squares at which a search ends, and that of the conditional one, which for
// the exact methods is but a start. A decrease of 1e-6 changes the log likelihood of n observations by n/2 millionths:
// enough to compare orders by.
func tolerance(method arimaMethod, how effort) (tol, start float64) {
	switch {
	case how == thorough && method == conditionalSquares:
		return 1e-11, 1e-11
	case how == thorough:
		return 1e-11, 1e-8
	case method == conditionalSquares:
		return 1e-6, 1e-6
	}
	return 1e-7, 1e-8
}

// starts is how many starts otherStart knows for o.
func starts(o arimaOrder) int {
	if o.p+o.P > 0 && o.q+o.Q > 0 {
		return 9 // the likelihood of mixed models often has several maxima
	}
	return 1
}

// otherStart sets x to the i-th start besides the conditional estimates: zero coefficients, then autoregressive and
// moving average parts of either sign, between which mixed models often have ridges.
func (w *arimaWork) otherStart(x []float64, i int) {
	clear(x)
	if i == 0 {
		return
	}
	ar, ma := 0.6, 0.7
	if i > 4 {
		ma = 0.85 // nearer the border: parsimonious overdifferenced forms have their maximum there
	}
	if i&1 != 0 {
		ar = -ar
	}
	if i&2 != 0 {
		ma = -ma
	}
	o := w.order
	for j := range x[:o.p] {
		x[j] = ar
	}
	for j := range o.q { // (1 + ma·B)^q
		x[o.p+j] = 0
		for l := j; l >= 0; l-- {
			before := 1.0
			if l > 0 {
				before = x[o.p+l-1]
			}
			x[o.p+l] += ma * before
		}
	}
	if o.P > 0 {
		x[o.p+o.q] = ar
	}
	if o.Q > 0 {
		x[o.p+o.q+o.P] = ma
	}
}

// polish improves an estimate of the exact likelihood, found with little effort, to full precision.
func (w *arimaWork) polish(ctx context.Context, pr *arimaProblem, e arimaEstimate) (arimaEstimate, error) {
	k, n := len(e.params), len(pr.differenced[0])
	w.problem, w.order = pr, e.order
	w.size(k, n)
	x := w.x
	copy(x, e.params)
	w.admissible(x)
	w.toNatural(x)
	copy(w.best, w.natural)
	e, err := w.describe(w.best[:k], false)
	if err != nil {
		return e, err
	}
	tol, _ := tolerance(exactLikelihood, thorough)
	w.squares.secants = false
	if _, ok, err := w.squares.minimize(ctx, w.likelihood, nil, x, w.residuals(n), tol); err != nil {
		return e, err
	} else if !ok {
		return e, nil
	}
	w.toNatural(x)
	w.flip()
	copy(x, w.natural)
	better, err := w.describe(x, false)
	if err != nil || !(better.loglik >= e.loglik) {
		return e, nil
	}
	return better, nil
}

// flip makes the moving averages in natural invertible.
func (w *arimaWork) flip() {
	o := w.order
	flipMA(w.natural[o.p : o.p+o.q])
	flipMA(w.natural[o.p+o.q+o.P : o.coefficients()])
}

func (w *arimaWork) size(k, n int) {
	w.x, w.best, w.natural = growTo(w.x, k), growTo(w.best, k), growTo(w.natural, k)
	w.partial = growTo(w.partial, k)
	columns := len(w.problem.differenced)
	w.beta, w.upper = growTo(w.beta, columns-1), growTo(w.upper, columns*columns)
	for len(w.buffers) < columns {
		w.buffers = append(w.buffers, nil)
	}
	for c := range columns {
		w.buffers[c] = growTo(w.buffers[c], n+len(w.problem.delta))
	}
}

// residuals is how many residuals the exact likelihood has.
func (w *arimaWork) residuals(n int) int {
	if w.problem.levels != nil {
		return w.problem.used
	}
	return n
}

// invertible reports whether both moving averages of coefficients x are.
func (w *arimaWork) invertible(x []float64) bool {
	o := w.order
	for _, ma := range [...][]float64{x[o.p : o.p+o.q], x[o.p+o.q+o.P:]} {
		for j, v := range ma {
			w.natural[j] = -v
		}
		if !arToPartial(w.natural[:len(ma)], w.partial) {
			return false
		}
	}
	return true
}

// likelihood is the residualFunc of the exact likelihood. Its parameters are those of toNatural.
func (w *arimaWork) likelihood(x, r []float64, steady int) (float64, int, bool) {
	w.toNatural(x)
	return w.scaledInnovations(r, steady)
}

// scaledInnovations computes the residuals of leastSquares' formula at the coefficients in natural.
func (w *arimaWork) scaledInnovations(r []float64, steady int) (sum float64, switched int, ok bool) {
	w.poly.set(w.order, w.natural)
	pr := w.problem
	if pr.levels != nil {
		out := w.columns(len(pr.levels), r)
		if !w.filter.begin(&w.poly, pr.delta, len(out)) {
			return 0, 0, false
		}
		w.sumLog, ok = w.filter.innovations(pr.levels, out)
		ok = ok && len(out[0]) == len(r)
	} else {
		out := w.columns(len(pr.differenced), r)
		w.sumLog, switched, ok = w.exact.innovations(&w.poly, pr.differenced, out, steady)
	}
	if !ok {
		return 0, 0, false
	}
	w.regress(w.out, 0)
	k := len(w.out) - 1
	for i := range pr.dummies {
		if norm := w.upper[i*k+i]; norm > 0 {
			w.sumLog += math.Log(norm)
		}
	}
	scale := math.Exp(w.sumLog / float64(2*pr.used))
	for t, v := range r {
		v *= scale
		r[t] = v
		sum += v * v
	}
	return sum, switched, !math.IsNaN(sum) && !math.IsInf(sum, 0)
}

// columns is where the innovations of n columns go: those of the series to r itself.
func (w *arimaWork) columns(n int, r []float64) [][]float64 {
	w.out = append(w.out[:0], r)
	for c := 1; c < n; c++ {
		w.out = append(w.out, w.buffers[c][:len(r)])
	}
	return w.out
}

// toNatural sets natural to the coefficients that x stands for: each autoregressive factor through its partial
// autocorrelations, which keeps it stationary; moving averages as they are.
func (w *arimaWork) toNatural(x []float64) {
	o := w.order
	copy(w.natural, x)
	partialToAR(w.natural[:o.p], w.partial)
	partialToAR(w.natural[o.p+o.q:o.p+o.q+o.P], w.partial)
}

// admissible turns the conditional estimates x into parameters of likelihood: moving averages are made invertible and
// autoregressions stationary, by drawing their roots outwards if need be.
func (w *arimaWork) admissible(x []float64) {
	o := w.order
	for _, ar := range [][]float64{x[:o.p], x[o.p+o.q : o.p+o.q+o.P]} {
		copy(w.natural, ar)
		for !arToPartial(ar, w.partial) {
			copy(ar, w.natural)
			factor := 1.0
			for j := range ar {
				factor *= 0.95
				ar[j] *= factor
			}
			copy(w.natural, ar)
		}
		for j, v := range ar { // not so near the border that the search starts on a plateau
			ar[j] = max(-4, min(4, v))
		}
	}
	flipMA(x[o.p : o.p+o.q])
	flipMA(x[o.p+o.q+o.P:])
}

// describe evaluates the criterion at the coefficients x and derives all that an estimate tells.
func (w *arimaWork) describe(x []float64, conditional bool) (arimaEstimate, error) {
	pr, o := w.problem, w.order
	n := float64(pr.used)
	k := len(x) + pr.regressors
	r := growTo(w.squares.trial, w.residuals(len(pr.differenced[0])))
	w.squares.trial = r
	e := arimaEstimate{order: o}
	if conditional {
		r = growTo(r, len(pr.differenced[0]))
		w.squares.trial = r
		sum, _, ok := w.conditional(x, r, -1)
		if !ok {
			return e, errARIMARejected
		}
		e.sum = sum
		variance := sum / float64(len(r)-len(w.poly.phi)-pr.dummies)
		e.loglik = -n / 2 * (math.Log(2*math.Pi*variance) + 1)
		e.conditionalScore = n*math.Log(variance) + 2*float64(k+1)
		e.aic, e.aicc, e.bic = math.NaN(), math.NaN(), math.NaN()
	} else {
		copy(w.natural, x)
		sum, _, ok := w.scaledInnovations(r, -1)
		if !ok {
			return e, errARIMARejected
		}
		e.sum = sum / math.Exp(w.sumLog/n)
		e.loglik = -n/2*(math.Log(2*math.Pi*e.sum/n)+1) - w.sumLog/2
		e.aic, e.aicc = informationCriteria(-2*e.loglik, k+1, pr.used)
		e.bic = e.aic + float64(k+1)*(math.Log(n)-2)
	}
	e.sigma2 = e.sum / max(n-float64(k), 1)
	e.params = append([]float64(nil), x...)
	e.beta = append([]float64(nil), w.beta[len(w.out)-1-pr.regressors:len(w.out)-1]...)
	return e, nil
}

// rejected tells whether an error of estimate is about the orders, not the context.
func rejected(err error) bool { return errors.Is(err, errARIMARejected) }
