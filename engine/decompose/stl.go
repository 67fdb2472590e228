package decompose

import (
	"fmt"
	"math"

	"github.com/almanacdb/almanac/engine"
)

// Degree is the degree of a loess fit.
type Degree uint8

// The degrees; DefaultDegree is R's choice for the smoother in question.
const (
	DefaultDegree Degree = iota
	Constant
	Linear
)

func (d Degree) or(def int) int {
	switch d {
	case Constant:
		return 0
	case Linear:
		return 1
	}
	return def
}

// STLOptions are the parameters of STL, named as in R's stl. Zero means the default; windows are made odd and at least 3.
type STLOptions struct {
	// Period is the seasonal period in observations, at least 2.
	Period int
	// SeasonalWindow (s.window) is the loess window over the values of one season, in cycles; 0 keeps the season the same in
	// all cycles ("periodic").
	SeasonalWindow int
	// TrendWindow (t.window) defaults to the next odd number from 1.5 Period / (1 - 1.5/SeasonalWindow) on.
	TrendWindow int
	// LowPassWindow (l.window) defaults to the next odd number from Period on.
	LowPassWindow int
	// Degrees of the three smoothers; defaults are constant, linear and the trend's.
	SeasonalDegree, TrendDegree, LowPassDegree Degree
	// Jumps default to a tenth of each window, rounded up.
	SeasonalJump, TrendJump, LowPassJump int
	// Robust sets the defaults of Inner and Outer to 1 and 15, else 2 and 0.
	Robust bool
	// Inner is the number of passes that update season and trend; Outer the number of times the robustness weights are
	// renewed, -1 for none where Robust would have some.
	Inner, Outer int
	// ExactMedian takes the true median of the absolute residuals for the robustness weights. Otherwise it is, with an even
	// number of observations, the one of the authors' program and R, which may be a few ranks off (see medianTwice).
	ExactMedian bool
}

// resolved returns o with all defaults in place for n observations.
func (o STLOptions) resolved(n int) (r STLOptions, periodic bool) {
	r = o
	sdegree := o.SeasonalDegree.or(0)
	if r.SeasonalWindow <= 0 {
		periodic = true
		r.SeasonalWindow = 10*n + 1
		sdegree = 0
	}
	r.SeasonalDegree = Constant + Degree(sdegree)
	if r.TrendWindow <= 0 {
		r.TrendWindow = nextOdd(math.Ceil(1.5 * float64(r.Period) / (1 - 1.5/float64(r.SeasonalWindow))))
	}
	if r.LowPassWindow <= 0 {
		r.LowPassWindow = nextOdd(float64(r.Period))
	}
	r.TrendDegree = Constant + Degree(o.TrendDegree.or(1))
	r.LowPassDegree = Constant + Degree(o.LowPassDegree.or(r.TrendDegree.or(1)))
	// The jumps follow the windows as asked for, before these are made odd.
	setJump := func(jump *int, window int) {
		if *jump <= 0 {
			*jump = max(1, (window+9)/10)
		}
	}
	setJump(&r.SeasonalJump, r.SeasonalWindow)
	setJump(&r.TrendJump, r.TrendWindow)
	setJump(&r.LowPassJump, r.LowPassWindow)
	for _, w := range []*int{&r.SeasonalWindow, &r.TrendWindow, &r.LowPassWindow} {
		*w = max(3, *w|1)
	}
	if r.Inner <= 0 {
		r.Inner = 2
		if r.Robust {
			r.Inner = 1
		}
	}
	if r.Outer == 0 && r.Robust {
		r.Outer = 15
	}
	r.Outer = max(0, r.Outer)
	return r, periodic
}

// nextOdd is the nearest odd whole number from x, rounded half to even first as R does, then up.
func nextOdd(x float64) int {
	r := int(math.RoundToEven(x))
	return r | 1
}

// STL decomposes y into trend, one seasonal component and remainder by loess (Cleveland, Cleveland, McRae & Terpenning
// 1990, "STL: A Seasonal-Trend Decomposition Procedure Based on Loess", Journal of Official Statistics 6, 3-73), with the
// same results as R's stl. NaN in y is missing (see the package comment). With a fixed season every value of a season is
// the mean of STL's, as in R.
//
// Errors wrap engine.ErrTooShort if y does not have more than two cycles or no value at all is known, and ErrPeriod for a
// period below 2. It allocates nothing when dst has held a series of this length and period before.
func STL(dst *Components, y []float64, o STLOptions) error {
	n := len(y)
	if o.Period < 2 {
		return fmt.Errorf("%w: %d", ErrPeriod, o.Period)
	}
	if n <= 2*o.Period {
		return fmt.Errorf("%w: %d observations, more than two seasons of %d needed", engine.ErrTooShort, n, o.Period)
	}
	ws := &dst.ws
	ws.y = sized(ws.y, n)
	known := fillLinear(ws.y, y)
	if known == 0 {
		return fmt.Errorf("%w: no value is known", engine.ErrTooShort)
	}
	dst.reset(STLMethod, n, o.Period)
	r, periodic := o.resolved(n)
	dst.stl(ws.y, r, periodic)
	if known < n {
		dst.refill(ws.y, y)
		dst.stl(ws.y, r, periodic)
	}
	dst.finish(y)
	return nil
}

// stl is the whole procedure on complete data, filling Trend, Seasonal[0] and Weights.
func (c *Components) stl(y []float64, o STLOptions, periodic bool) {
	n, m := len(y), o.Period
	ws := &c.ws
	ws.detrended = sized(ws.detrended, n)
	ws.cycle = sized(ws.cycle, n+2*m)
	ws.low = sized(ws.low, n+m+1)
	ws.filtered = sized(ws.filtered, n+2)
	perSeason := (n-1)/m + 1
	ws.sub = sized(ws.sub, perSeason)
	ws.subWeights = sized(ws.subWeights, perSeason)
	ws.subFit = sized(ws.subFit, perSeason+2)
	ws.weights = sized(ws.weights, n)
	ws.tricube = sized(ws.tricube, n)
	season := c.Seasonal[0]
	clear(c.Trend)
	var robust []float64
	for outer := 0; ; outer++ {
		for range o.Inner {
			c.innerPass(y, o, robust)
		}
		if outer >= o.Outer {
			break
		}
		ws.fit = sized(ws.fit, n)
		for t := range n {
			ws.fit[t] = math.Abs(y[t] - c.Trend[t] - season[t])
		}
		c.Weights = sized(c.Weights, n)
		ws.order = sized(ws.order, n)
		robustness(c.Weights, ws.fit, ws.order, o.ExactMedian)
		robust = c.Weights
	}
	if robust == nil {
		c.Weights = sized(c.Weights, n)
		for t := range c.Weights {
			c.Weights[t] = 1
		}
	}
	if periodic {
		for s := range m {
			var mean moments
			for t := s; t < n; t += m {
				mean.add(season[t])
			}
			for t := s; t < n; t += m {
				season[t] = mean.mean
			}
		}
	}
}

// innerPass updates season and trend once (section 2.3 of the paper).
func (c *Components) innerPass(y []float64, o STLOptions, robust []float64) {
	n, m := len(y), o.Period
	ws := &c.ws
	season := c.Seasonal[0]
	// Steps 1 and 2: detrend, then smooth the values of each season, extended by one cycle at both ends.
	for t := range n {
		ws.detrended[t] = y[t] - c.Trend[t]
	}
	seasonal := loess{window: o.SeasonalWindow, degree: o.SeasonalDegree.or(0), jump: o.SeasonalJump, weights: ws.weights, tricube: ws.tricube}
	for s := range m {
		c.smoothSeason(&seasonal, s, m, robust)
	}
	// Step 3: low-pass filter of the extended cycles: moving averages of length m, m and 3, then loess.
	movingAverage(ws.low[:n+m+1], ws.cycle[:n+2*m], m)
	movingAverage(ws.filtered[:n+2], ws.low[:n+m+1], m)
	movingAverage(ws.low[:n], ws.filtered[:n+2], 3)
	low := loess{window: o.LowPassWindow, degree: o.LowPassDegree.or(1), jump: o.LowPassJump, weights: ws.weights, tricube: ws.tricube}
	low.smooth(ws.filtered[:n], ws.low[:n], nil)
	// Steps 4 and 5: the season without its low-frequency power; deseasonalise.
	for t := range n {
		season[t] = ws.cycle[m+t] - ws.filtered[t]
		ws.detrended[t] = y[t] - season[t]
	}
	// Step 6: smooth the trend.
	trend := loess{window: o.TrendWindow, degree: o.TrendDegree.or(1), jump: o.TrendJump, weights: ws.weights, tricube: ws.tricube}
	trend.smooth(c.Trend, ws.detrended[:n], robust)
}

// smoothSeason smooths the detrended values of season s into ws.cycle, from one cycle before the series to one after.
func (c *Components) smoothSeason(l *loess, s, m int, robust []float64) {
	ws := &c.ws
	k := 0
	for t := s; t < len(ws.detrended); t += m {
		ws.sub[k] = ws.detrended[t]
		if robust != nil {
			ws.subWeights[k] = robust[t]
		}
		k++
	}
	sub, fit := ws.sub[:k], ws.subFit[:k+2]
	var w []float64
	if robust != nil {
		w = ws.subWeights[:k]
	}
	l.smooth(fit[1:k+1], sub, w)
	var ok bool
	if fit[0], ok = l.at(sub, -1, 0, min(l.window, k)-1, w); !ok {
		fit[0] = fit[1]
	}
	if fit[k+1], ok = l.at(sub, float64(k), max(0, k-l.window), k-1, w); !ok {
		fit[k+1] = fit[k]
	}
	for i, v := range fit {
		ws.cycle[s+i*m] = v
	}
}

// movingAverage writes the len(x)-length+1 means of x over length values.
func movingAverage(dst, x []float64, length int) {
	sum := 0.0
	for _, v := range x[:length] {
		sum += v
	}
	dst[0] = sum / float64(length)
	for i := 1; i+length <= len(x); i++ {
		sum += x[i+length-1] - x[i-1]
		dst[i] = sum / float64(length)
	}
}

// robustness writes the bisquare weights of the absolute residuals r, with h six times their median (section 2.4). scratch
// is overwritten.
func robustness(dst, r, scratch []float64, exact bool) {
	copy(scratch, r)
	h := 3 * medianTwice(scratch, exact)
	for t, v := range r {
		switch {
		case v <= 0.001*h:
			dst[t] = 1
		case v <= 0.999*h:
			u := v / h
			u = 1 - u*u
			dst[t] = u * u
		default:
			dst[t] = 0
		}
	}
}
