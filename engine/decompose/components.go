package decompose

import (
	"math"
)

// Components is a decomposed series. The zero value is ready for use; each decomposition overwrites it and reuses its
// memory, so slices taken from it are valid until the next one. Not safe for concurrent use.
type Components struct {
	// Method is what was done: STL, MSTL, Additive, Multiplicative or Smooth; never Auto.
	Method Method
	// Periods are the seasonal periods removed, in observations, ascending; empty if there is no seasonal component.
	Periods []int
	// Trend is the trend-cycle, one value per observation. Classical leaves NaN where its moving average does not reach.
	Trend []float64
	// Seasonal[i] is the component of Periods[i].
	Seasonal [][]float64
	// Remainder is the rest; NaN where the observation is missing or the trend is NaN.
	Remainder []float64
	// Weights are STL's robustness weights in [0,1], small for outliers; all 1 unless Robust (or Outer > 0). Empty for
	// other methods.
	Weights []float64

	ws workspace
}

// Multiplicative reports whether the components multiply to the observation rather than add up to it.
func (c *Components) Multiplicative() bool { return c.Method == Multiplicative }

// SeasonallyAdjusted appends the observations without their seasonal components to dst[:0] and returns it; NaN where
// Remainder is.
func (c *Components) SeasonallyAdjusted(dst []float64) []float64 {
	dst = dst[:0]
	for t, r := range c.Remainder {
		if c.Multiplicative() {
			dst = append(dst, c.Trend[t]*r)
		} else {
			dst = append(dst, c.Trend[t]+r)
		}
	}
	return dst
}

// TrendStrength is the share of the variance of the seasonally adjusted series that the trend explains,
// max(0, 1 - Var(R)/Var(T+R)), in [0,1] (Forecasting: Principles and Practice, section 4.3). Of a multiplicative
// decomposition it is taken on logarithms. Times where the remainder is NaN do not count. It is 0 for a constant series
// and NaN where a multiplicative component is not positive.
func (c *Components) TrendStrength() float64 { return c.strength(c.Trend) }

// SeasonalStrength is the same for the seasonal component of Periods[i] against the detrended series,
// max(0, 1 - Var(R)/Var(S+R)).
func (c *Components) SeasonalStrength(i int) float64 { return c.strength(c.Seasonal[i]) }

func (c *Components) strength(component []float64) float64 {
	var rest, both moments
	var size float64
	for t, r := range c.Remainder {
		v, level := component[t], c.Trend[t]
		if math.IsNaN(r) {
			continue
		}
		if c.Multiplicative() {
			r, v, level = math.Log(r), math.Log(v), math.Log(level)
			if math.IsNaN(r+v) || math.IsInf(r+v, 0) {
				return math.NaN()
			}
		}
		rest.add(r)
		both.add(r + v)
		size = max(size, math.Abs(level), math.Abs(v))
	}
	// A constant series leaves rounding errors alone, whose ratio means nothing.
	if both.n < 2 || both.variance() <= 1e-24*size*size {
		return 0
	}
	return min(1, max(0, 1-rest.variance()/both.variance()))
}

// moments accumulates mean and sum of squares (Welford 1962).
type moments struct {
	n        int
	mean, ss float64
}

func (m *moments) add(v float64) {
	m.n++
	d := v - m.mean
	m.mean += d / float64(m.n)
	m.ss += d * (v - m.mean)
}

func (m *moments) variance() float64 { return m.ss / float64(m.n-1) }

// workspace is the scratch of all methods.
type workspace struct {
	y, fit           []float64 // observations with gaps filled; trend + season
	detrended, cycle []float64
	low, filtered    []float64
	sub, subWeights  []float64
	subFit           []float64
	weights, tricube []float64
	order            []float64
	deseasonal       []float64
	inner            *Components // STL of one period within MSTL
	index, windows   []int
	smooth           [9][]float64 // SuperSmoother
}

// reset sizes the results for n observations and the given periods.
func (c *Components) reset(m Method, n int, periods ...int) {
	c.Method = m
	c.Periods = append(c.Periods[:0], periods...)
	c.Trend = sized(c.Trend, n)
	c.Remainder = sized(c.Remainder, n)
	for len(c.Seasonal) < len(periods) {
		if cap(c.Seasonal) > len(c.Seasonal) { // a component of an earlier series keeps its memory
			c.Seasonal = c.Seasonal[:len(c.Seasonal)+1]
			continue
		}
		c.Seasonal = append(c.Seasonal, nil)
	}
	c.Seasonal = c.Seasonal[:len(periods)]
	for i := range c.Seasonal {
		c.Seasonal[i] = sized(c.Seasonal[i], n)
	}
	c.Weights = c.Weights[:0]
}

// sized returns v with length n; its values are unspecified.
func sized(v []float64, n int) []float64 {
	if cap(v) < n {
		return make([]float64, n)
	}
	return v[:n]
}

// SeasonalFit is the sum of all seasonal components at observation t, or their product in a multiplicative decomposition;
// 0 or 1 without any.
func (c *Components) SeasonalFit(t int) float64 {
	if c.Multiplicative() {
		p := 1.0
		for _, s := range c.Seasonal {
			p *= s[t]
		}
		return p
	}
	sum := 0.0
	for _, s := range c.Seasonal {
		sum += s[t]
	}
	return sum
}

// finish fills Remainder from the observations y.
func (c *Components) finish(y []float64) {
	for t, v := range y {
		if c.Multiplicative() {
			c.Remainder[t] = v / (c.Trend[t] * c.SeasonalFit(t))
		} else {
			c.Remainder[t] = v - c.Trend[t] - c.SeasonalFit(t)
		}
	}
}
