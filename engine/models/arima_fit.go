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

func (d *arimaData) missing() bool { return d.observed < len(d.y) }

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

// arimaProblem is a series with its regressors, constants first, as levels and as differenced by some d, D and m.
type arimaProblem struct {
	levels      [][]float64 // the series (NaN is missing), then its regressors; used only if missing
	differenced [][]float64 // the same differenced, gaps filled
	delta       []float64
	missing     bool
	used        int // observations left after differencing
}

func (d *arimaData) problem(o arimaOrder) *arimaProblem {
	pr := &arimaProblem{missing: d.missing(), used: d.observed - o.lost(), delta: differencing(o.d, o.D, o.m)}
	pr.levels = append(pr.levels, d.y)
	pr.differenced = append(pr.differenced, difference(d.filled, o))
	add := func(x []float64) {
		pr.levels = append(pr.levels, x)
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
	out     [][]float64
	x, best []float64
	natural []float64
	partial []float64
	beta    []float64
	upper   []float64 // triangular factor of the regression

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
	tol := 1e-8
	if how == thorough {
		tol = 1e-11
	}
	x := w.x
	clear(x)
	conditional := false
	w.invertibleOnly = how == brisk && method == conditionalSquares
	if method != exactLikelihood && n-(o.p+o.m*o.P) > k+len(pr.levels) {
		sum, ok, err := w.squares.minimize(ctx, w.conditional, x, n, tol)
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
		sum, ok, err := w.squares.minimize(ctx, w.likelihood, x, w.residuals(n), tol)
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
	flipMA(w.natural[o.p : o.p+o.q])
	flipMA(w.natural[o.p+o.q+o.P : k])
	copy(x, w.natural)
	return w.describe(x, false)
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

func (w *arimaWork) size(k, n int) {
	w.x, w.best, w.natural = growTo(w.x, k), growTo(w.best, k), growTo(w.natural, k)
	w.partial = growTo(w.partial, k)
	columns := len(w.problem.levels)
	w.beta, w.upper = growTo(w.beta, columns-1), growTo(w.upper, columns*columns)
	for len(w.out) < columns {
		w.out = append(w.out, nil)
	}
	w.out = w.out[:columns]
	for c := range w.out {
		w.out[c] = growTo(w.out[c], max(n, len(w.problem.levels[0])))
	}
}

// residuals is how many residuals the exact likelihood has.
func (w *arimaWork) residuals(n int) int {
	if w.problem.missing {
		return w.problem.used
	}
	return n
}

// conditional is the residualFunc of the conditional sum of squares. Its parameters are the coefficients themselves.
func (w *arimaWork) conditional(x, r []float64, _ int) (float64, int, bool) {
	if w.invertibleOnly && !w.invertible(x) {
		return 0, 0, false
	}
	w.poly.set(w.order, x)
	from := len(w.poly.phi)
	columns := w.problem.differenced
	out := w.columns(r)
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
	out := w.columns(r)
	if w.problem.missing {
		if !w.filter.begin(&w.poly, w.problem.delta, len(out)) {
			return 0, 0, false
		}
		w.sumLog, ok = w.filter.innovations(w.problem.levels, out)
		ok = ok && len(out[0]) == len(r)
	} else {
		w.sumLog, switched, ok = w.exact.innovations(&w.poly, w.problem.differenced, out, steady)
	}
	if !ok {
		return 0, 0, false
	}
	w.regress(out, 0)
	scale := math.Exp(w.sumLog / float64(2*len(r)))
	for t, v := range r {
		v *= scale
		r[t] = v
		sum += v * v
	}
	return sum, switched, !math.IsNaN(sum) && !math.IsInf(sum, 0)
}

// columns is where innovations go: those of the series to r itself.
func (w *arimaWork) columns(r []float64) [][]float64 {
	w.out[0] = r
	for c := 1; c < len(w.out); c++ {
		w.out[c] = w.out[c][:len(r)]
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
	k := len(x) + len(pr.levels) - 1
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
		variance := sum / float64(len(r)-len(w.poly.phi))
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
	e.beta = append([]float64(nil), w.beta...)
	return e, nil
}

// rejected tells whether an error of estimate is about the orders, not the context.
func rejected(err error) bool { return errors.Is(err, errARIMARejected) }
