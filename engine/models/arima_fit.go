package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
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

// arimaData is a series made ready: scaled, without the missing values at its ends.
type arimaData struct {
	y        []float64 // scaled by 1/scale; NaN is missing
	filled   []float64 // y with gaps interpolated; y itself if there are none
	x        [][]float64
	first    int // steps dropped before y[0]
	ahead    int // missing values dropped behind it
	scale    float64
	observed int
}

// prepareARIMA scales by a power of two near the mean size: exact, and no square overflows. A step whose regressors are not
// all known counts as missing.
func prepareARIMA(s series.Series) (*arimaData, error) {
	y := append([]float64(nil), s.Y...)
	for i, x := range s.X {
		if len(x) < len(y) {
			return nil, fmt.Errorf("%w: regressor %d has %d rows for %d observations", engine.ErrNoFit, i+1, len(x), len(y))
		}
		for t, v := range x[:len(y)] {
			if v != v || math.IsInf(v, 0) {
				y[t] = math.NaN()
			}
		}
	}
	first := 0
	for first < len(y) && y[first] != y[first] {
		first++
	}
	used, ahead := trimMissing(y[first:])
	st := summarise(used)
	if st.observed == 0 {
		return nil, fmt.Errorf("%w: no observation", engine.ErrTooShort)
	}
	if st.infinite {
		return nil, fmt.Errorf("%w: infinite value", engine.ErrNoFit)
	}
	d := &arimaData{y: used, first: first, ahead: ahead, scale: 1, observed: st.observed}
	sum := 0.0
	for _, v := range used {
		if v == v {
			sum += math.Abs(v) * 0x1p-500 // the sum must not overflow
		}
	}
	if sum > 0 {
		_, exp := math.Frexp(sum / float64(st.observed))
		d.scale = math.Ldexp(1, max(-1022, min(1022, exp+500)))
	}
	for t := range used {
		used[t] /= d.scale
	}
	d.filled = used
	if st.observed < len(used) {
		d.filled = interpolated(used)
	}
	for _, x := range s.X {
		column := append([]float64(nil), x[first:first+len(used)]...)
		for t, v := range column {
			if v != v || math.IsInf(v, 0) {
				column[t] = 0
			}
		}
		d.x = append(d.x, column)
	}
	return d, nil
}

// interpolated replaces missing values, which are not at the ends, by straight lines.
func interpolated(y []float64) []float64 {
	out := append([]float64(nil), y...)
	last := 0
	for t, v := range y {
		if v != v {
			continue
		}
		for i := last + 1; i < t; i++ {
			out[i] = y[last] + (v-y[last])*float64(i-last)/float64(t-last)
		}
		last = t
	}
	return out
}

// filterGaps tells whether missing values are too many for dummies.
func (d *arimaData) filterGaps() bool { return len(d.y)-d.observed > maxDummies }

// completed is d with its gaps interpolated for good.
func (d *arimaData) completed() *arimaData {
	c := *d
	c.y, c.observed = d.filled, len(d.filled)
	return &c
}

// regressors counts the linear coefficients that order o has on this series.
func (d *arimaData) regressors(o arimaOrder) int {
	n := len(d.x)
	if o.mean {
		n++
	}
	if o.drift {
		n++
	}
	return n
}

// arimaProblem is a series with its regressors, constants first, differenced by some d, D and m.
//
// A few missing values are filled in and each gets a dummy regressor. Integrating the likelihood over the coefficients of the
// dummies is integrating it over the missing values, so with the determinant of their regression it is the likelihood
// of those observed (Gómez, Maravall & Peña 1999, "Missing observations in ARIMA models: skipping approach versus additive outlier
// approach", Journal of Econometrics 88). More of them are left to arimaFilter, whose effort does not grow with their number.
type arimaProblem struct {
	differenced [][]float64 // the series, gaps filled, the dummies of missing values, the regressors
	dummies     int
	levels      [][]float64 // the series (NaN is missing), then its regressors; nil unless arimaFilter is used
	delta       []float64
	regressors  int
	used        int // observations left after differencing
}

// maxDummies is the number of missing values from which arimaFilter is the faster.
const maxDummies = 16

func (d *arimaData) problem(o arimaOrder) *arimaProblem {
	pr := &arimaProblem{used: d.observed - o.lost(), delta: differencing(o.d, o.D, o.m), regressors: d.regressors(o)}
	pr.differenced = append(pr.differenced, difference(d.filled, o))
	filtered := d.filterGaps()
	if filtered {
		pr.levels = append(pr.levels, d.y)
	} else {
		for t, v := range d.y {
			if v != v {
				dummy := make([]float64, len(d.y))
				dummy[t] = 1
				pr.differenced = append(pr.differenced, difference(dummy, o))
				pr.dummies++
			}
		}
	}
	add := func(x []float64) {
		if filtered {
			pr.levels = append(pr.levels, x)
		}
		pr.differenced = append(pr.differenced, difference(x, o))
	}
	if o.mean {
		one := make([]float64, len(d.y))
		for t := range one {
			one[t] = 1
		}
		add(one)
	}
	if o.drift {
		line := make([]float64, len(d.y))
		for t := range line {
			line[t] = float64(t + 1)
		}
		add(line)
	}
	for _, x := range d.x {
		add(x)
	}
	return pr
}

// difference applies (1 − B)^d (1 − B^m)^D and drops the steps that it uses up.
func difference(y []float64, o arimaOrder) []float64 {
	out := append([]float64(nil), y...)
	apply := func(lag int) {
		if lag >= len(out) {
			out = nil
			return
		}
		for t := range len(out) - lag {
			out[t] = out[t+lag] - out[t]
		}
		out = out[:len(out)-lag]
	}
	for range o.D {
		apply(o.m)
	}
	for range o.d {
		apply(1)
	}
	return out
}

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

// regress replaces the first column by what remains of it after regression on the others, from the given step on, and
// leaves the coefficients in beta: generalised least squares, for the columns hold innovations. It is the modified
// Gram–Schmidt process; a column that depends on those before it gets the coefficient zero. The others are overwritten.
func (w *arimaWork) regress(columns [][]float64, from int) {
	k := len(columns) - 1
	if k == 0 {
		return
	}
	r := w.upper
	y := columns[0]
	for i := range k {
		xi := columns[i+1][from:]
		before := 0.0
		for _, v := range xi {
			before += v * v
		}
		after := before
		if i > 0 {
			for j := range i {
				xj := columns[j+1][from:]
				if r[j*k+j] == 0 {
					continue
				}
				s := 0.0
				for t, v := range xj {
					s += v * xi[t]
				}
				r[j*k+i] = s / r[j*k+j]
				for t, v := range xj {
					xi[t] -= r[j*k+i] * v
				}
			}
			after = 0
			for _, v := range xi {
				after += v * v
			}
		}
		r[i*k+i] = after
		if !(after > 1e-18*before) {
			r[i*k+i] = 0
			w.beta[i] = 0
			continue
		}
		s := 0.0
		for t, v := range xi {
			s += v * y[from+t]
		}
		s /= after
		w.beta[i] = s
		for t, v := range xi {
			y[from+t] -= s * v
		}
	}
	for i := k - 1; i >= 0; i-- {
		if r[i*k+i] == 0 {
			continue
		}
		for j := i + 1; j < k; j++ {
			if r[j*k+j] != 0 {
				w.beta[i] -= r[i*k+j] * w.beta[j]
			}
		}
	}
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
