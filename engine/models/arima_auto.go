package models

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
	"github.com/almanacdb/almanac/engine/stationarity"
)

// The search's bounds and starts are those of R's auto.arima, from Hyndman & Khandakar (2008), section 3.
const (
	arimaMaxP, arimaMaxQ                 = 5, 5
	arimaMaxSeasonalP, arimaMaxSeasonalQ = 2, 2
	arimaMaxTotal                        = 5 // p+q+P+Q, of the complete search only
	arimaMaxD, arimaMaxSeasonalD         = 2, 1
	arimaMaxModels                       = 94
	arimaExactLength                     = 150  // longer series are searched by conditional sums of squares
	arimaExactPeriod                     = 12   // and so are those with a longer season
	arimaLeastRoot                       = 1.01 // modulus: nearer the unit circle a model is not trusted
)

// arimaAutoPeriod is the longest season that the search takes. Beyond it there are seldom enough cycles for a seasonal
// difference to pay, and the exact filter's state grows with it.
const arimaAutoPeriod = 60

// arimaAuto finds the orders: stepwise, as Hyndman & Khandakar (2008) do, or among all with p+q+P+Q ≤ 5.
type arimaAuto struct {
	stepwise bool
	exact    bool // never by conditional sums of squares
}

// Fit implements engine.Model.
func (m arimaAuto) Fit(ctx context.Context, s series.Series) (engine.Fitted, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	data, err := prepareARIMA(s)
	if err != nil {
		return nil, err
	}
	period, note := s.Period(), ""
	if period > arimaAutoPeriod {
		note = fmt.Sprintf("seasonal period %d is longer than %d: fitted without season", period, arimaAutoPeriod)
		period = 1
	}
	w := arimaPool.Get().(*arimaWork)
	defer arimaPool.Put(w)
	search := arimaSearch{work: w, data: data, period: max(period, 1)}
	if o, ok := search.differences(); ok {
		e, err := w.estimate(ctx, data.problem(o), o, exactFromConditional, brisk)
		if err != nil {
			return nil, err
		}
		return w.finish(data, e, len(s.Y), note)
	}
	search.limits()
	search.conditional = !m.exact && (len(data.y) > arimaExactLength || s.Period() > arimaExactPeriod)
	if search.conditional && data.observed < len(data.y) { // orders by the series with gaps filled, their estimates without
		search.data = data.completed()
	}
	if m.stepwise {
		err = search.stepwise(ctx)
	} else {
		err = search.complete(ctx)
	}
	if err != nil {
		return nil, err
	}
	best, err := search.final(ctx)
	if err != nil {
		return nil, err
	}
	if best, err = w.polish(ctx, data.problem(best.order), best); err != nil {
		return nil, err
	}
	return w.finish(data, best, len(s.Y), note)
}

// arimaSearch is one search for orders.
type arimaSearch struct {
	work        *arimaWork
	data        *arimaData
	period      int
	base        arimaOrder // d, D, m
	most        arimaOrder // largest p, q, P, Q
	constant    bool       // a mean or drift may be estimated
	conditional bool
	problems    [2]*arimaProblem // without and with the constant
	tried       []arimaCandidate
	best        int // index in tried, -1 for none
}

// arimaCandidate is a model that was tried; ic is +Inf if it was rejected.
type arimaCandidate struct {
	order    arimaOrder
	estimate arimaEstimate
	ic       float64
}

// differences chooses D by seasonal strength and then d by the KPSS test. done means that the differenced series is
// constant: then the order returned is the model.
func (a *arimaSearch) differences() (o arimaOrder, done bool) {
	y := a.withoutRegressors()
	a.base.m = a.period
	if stationarity.Constant(y) && len(a.data.x) == 0 {
		return arimaOrder{m: 1, mean: true}, true
	}
	if a.period > 1 && len(y) > 2*a.period {
		a.base.D = stationarity.NSDiffs(y, a.period, arimaMaxSeasonalD)
	}
	seasonal := difference(y, arimaOrder{D: a.base.D, m: a.period})
	if !observes(seasonal) {
		a.base.D = 0
		seasonal = y
	}
	a.base.d = stationarity.NDiffs(seasonal, arimaMaxD)
	for a.base.d > 0 && !observes(difference(y, a.base)) {
		a.base.d--
	}
	if len(a.data.x) > 0 {
		return o, false
	}
	if left := difference(y, a.base); a.isConstant(left) {
		o = a.base
		switch o.D + o.d {
		case 0:
			o.mean = true
		case 1:
			o.drift = true
		}
		return o, true
	}
	return o, false
}

// withoutRegressors is the series less its regression on the regressors and a constant.
func (a *arimaSearch) withoutRegressors() []float64 {
	if len(a.data.x) == 0 {
		return a.data.y
	}
	columns := make([][]float64, 1, len(a.data.x)+2)
	one := make([]float64, 0, a.data.observed)
	for _, v := range a.data.y {
		if v == v {
			columns[0] = append(columns[0], v)
			one = append(one, 1)
		}
	}
	columns = append(columns, one)
	for _, x := range a.data.x {
		column := make([]float64, 0, a.data.observed)
		for t, v := range a.data.y {
			if v == v {
				column = append(column, x[t])
			}
		}
		columns = append(columns, column)
	}
	w := a.work
	w.beta, w.upper = growTo(w.beta, len(columns)-1), growTo(w.upper, len(columns)*len(columns))
	w.regress(columns, 0)
	out := append([]float64(nil), a.data.y...)
	i := 0
	for t, v := range out {
		if v == v {
			out[t] = columns[0][i]
			i++
		}
	}
	return out
}

func observes(y []float64) bool {
	for _, v := range y {
		if v == v {
			return true
		}
	}
	return false
}

// isConstant is stationarity.Constant, or equality to rounding on the scale of the series, of mean size about one.
func (a *arimaSearch) isConstant(y []float64) bool {
	if stationarity.Constant(y) {
		return true
	}
	low, high := math.Inf(1), math.Inf(-1)
	for _, v := range y {
		if v == v {
			low, high = min(low, v), max(high, v)
		}
	}
	return high-low < 1e-12
}

// limits sets the largest orders for the length of the series.
func (a *arimaSearch) limits() {
	n, m := a.data.observed, a.period
	a.most = arimaOrder{p: min(arimaMaxP, n/3), q: min(arimaMaxQ, n/3)}
	if m > 1 {
		a.most.P, a.most.Q = min(arimaMaxSeasonalP, n/3/m), min(arimaMaxSeasonalQ, n/3/m)
		if a.most.P > 0 {
			a.most.p = min(a.most.p, m-1)
		}
		if a.most.Q > 0 {
			a.most.q = min(a.most.q, m-1)
		}
	}
	a.constant = a.base.d+a.base.D <= 1
	a.best = -1
}

// with completes orders p, q, P, Q to a form.
func (a *arimaSearch) with(p, q, sp, sq int, constant bool) arimaOrder {
	o := a.base
	o.p, o.q, o.P, o.Q = p, q, sp, sq
	if constant {
		o.mean, o.drift = o.d+o.D == 0, o.d+o.D == 1
	}
	return o
}

// try estimates a form unless it was tried before, and reports whether it is the best so far.
func (a *arimaSearch) try(ctx context.Context, o arimaOrder) (better bool, err error) {
	for i := range a.tried {
		if a.tried[i].order == o {
			return false, nil
		}
	}
	method := exactFromConditional
	if a.conditional {
		method = conditionalSquares
	}
	c, err := a.estimate(ctx, o, method)
	if err != nil {
		return false, err
	}
	a.tried = append(a.tried, c)
	if !math.IsInf(c.ic, 1) && (a.best < 0 || c.ic < a.tried[a.best].ic) {
		a.best = len(a.tried) - 1
		return true, nil
	}
	return false, nil
}

func (a *arimaSearch) estimate(ctx context.Context, o arimaOrder, method arimaMethod) (arimaCandidate, error) {
	c := arimaCandidate{order: o, ic: math.Inf(1)}
	which := bit(o.mean || o.drift)
	if a.problems[which] == nil {
		a.problems[which] = a.data.problem(o)
	}
	pr := a.problems[which]
	k := o.coefficients() + pr.regressors + 1 // with the innovation variance
	if pr.used <= k {
		return c, nil
	}
	e, err := a.work.estimate(ctx, pr, o, method, brisk)
	if rejected(err) {
		return c, nil
	}
	if err != nil {
		return c, err
	}
	c.estimate = e
	switch {
	case nearestRoot(o, e.params) < arimaLeastRoot:
	case method == conditionalSquares:
		_, c.ic = informationCriteria(e.conditionalScore-2*float64(k), k, pr.used)
	case a.data.observed <= 3:
		c.ic = e.aic
	default:
		c.ic = e.aicc
	}
	if math.IsNaN(c.ic) {
		c.ic = math.Inf(1)
	}
	return c, nil
}

// stepwise starts from five simple models, then moves to any better neighbour until there is none (Hyndman & Khandakar 2008,
// section 3.2). Neighbours have a constant, if differencing allows one, until leaving it out of the best of them was an
// improvement. So where the start without any coefficient leads, its neighbours with a constant are tried only, as R does: a
// step towards random walks that short series are forecast better with.
func (a *arimaSearch) stepwise(ctx context.Context) error {
	seasonal := a.period > 1
	p, q := min(2, a.most.p), min(2, a.most.q)
	sp, sq := min(1, a.most.P), min(1, a.most.Q)
	if len(a.data.y) < 10 {
		p, q, sp, sq = min(1, p), min(1, q), 0, 0
	}
	constant := a.constant
	starts := []arimaOrder{
		a.with(p, q, sp, sq, constant),
		a.with(0, 0, 0, 0, constant),
	}
	if a.most.p > 0 || a.most.P > 0 {
		starts = append(starts, a.with(min(1, a.most.p), 0, bit(seasonal && a.most.P > 0), 0, constant))
	}
	if a.most.q > 0 || a.most.Q > 0 {
		starts = append(starts, a.with(0, min(1, a.most.q), 0, bit(seasonal && a.most.Q > 0), constant))
	}
	if constant {
		starts = append(starts, a.with(0, 0, 0, 0, false))
	}
	for _, o := range starts {
		if _, err := a.try(ctx, o); err != nil {
			return err
		}
	}
	if a.best < 0 {
		return nil
	}
	// Changes of p, q, P, Q in the order in which they are tried.
	moves := [...][4]int{
		{0, 0, -1, 0},
		{0, 0, 0, -1},
		{0, 0, 1, 0},
		{0, 0, 0, 1},
		{0, 0, -1, -1},
		{0, 0, -1, 1},
		{0, 0, 1, -1},
		{0, 0, 1, 1},
		{-1, 0, 0, 0},
		{0, -1, 0, 0},
		{1, 0, 0, 0},
		{0, 1, 0, 0},
		{-1, -1, 0, 0},
		{-1, 1, 0, 0},
		{1, -1, 0, 0},
		{1, 1, 0, 0},
	}
again:
	for len(a.tried) < arimaMaxModels {
		at := a.tried[a.best].order
		for _, move := range moves {
			p, q, sp, sq := at.p+move[0], at.q+move[1], at.P+move[2], at.Q+move[3]
			if min(p, q, sp, sq) < 0 || p > a.most.p || q > a.most.q || sp > a.most.P || sq > a.most.Q {
				continue
			}
			better, err := a.try(ctx, a.with(p, q, sp, sq, constant))
			if err != nil {
				return err
			}
			if better {
				continue again
			}
		}
		if !a.constant {
			return nil
		}
		better, err := a.try(ctx, a.with(at.p, at.q, at.P, at.Q, !constant))
		if err != nil || !better {
			return err
		}
		constant = !constant
	}
	return nil
}

// complete tries every form with p+q+P+Q ≤ arimaMaxTotal.
func (a *arimaSearch) complete(ctx context.Context) error {
	for p := range a.most.p + 1 {
		for q := range a.most.q + 1 {
			for sp := range a.most.P + 1 {
				for sq := range a.most.Q + 1 {
					if p+q+sp+sq > arimaMaxTotal {
						continue
					}
					for constant := range bit(a.constant) + 1 {
						if _, err := a.try(ctx, a.with(p, q, sp, sq, constant == 1)); err != nil {
							return err
						}
					}
				}
			}
		}
	}
	return nil
}

// final is the best model by the exact likelihood: of a conditional search, the first of the ranking that passes then,
// too. If none passes it is the differenced series itself, without coefficients.
func (a *arimaSearch) final(ctx context.Context) (arimaEstimate, error) {
	if a.conditional {
		ranking := make([]int, 0, len(a.tried))
		for i := range a.tried {
			if !math.IsInf(a.tried[i].ic, 1) {
				ranking = append(ranking, i)
			}
		}
		slices.SortStableFunc(ranking, func(i, j int) int {
			if a.tried[i].ic < a.tried[j].ic {
				return -1
			}
			return bit(a.tried[i].ic > a.tried[j].ic)
		})
		for _, i := range ranking {
			c, err := a.estimate(ctx, a.tried[i].order, exactFromConditional)
			if err != nil {
				return arimaEstimate{}, err
			}
			if !math.IsInf(c.ic, 1) {
				return c.estimate, nil
			}
		}
	} else if a.best >= 0 {
		return a.tried[a.best].estimate, nil
	}
	o := a.base
	o.mean = o.d+o.D == 0
	return a.work.estimate(ctx, a.data.problem(o), o, exactFromConditional, brisk)
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}
