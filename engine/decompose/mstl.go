package decompose

import (
	"fmt"
	"slices"

	"github.com/almanacdb/almanac/engine"
)

// MSTLOptions are the parameters of MSTL, as in R's mstl.
type MSTLOptions struct {
	// Periods are the seasonal periods in observations, in any order, each at least 2. Those of which the series has no two
	// full cycles are left out, as R does; Components.Periods tells which remain.
	Periods []int
	// SeasonalWindows are the loess windows of the periods in ascending order; those not given are 11, 15, 19, …;
	// -1 stands for a fixed season ("periodic").
	SeasonalWindows []int
	// Iterate is the number of rounds over the periods, 2 by default; one period needs only one.
	Iterate int
	// STL gives the other parameters; its Period and SeasonalWindow do not matter.
	STL STLOptions
}

// MSTL decomposes y into trend, one seasonal component per period and remainder: STL for each period in turn on the
// series without the other components (Bandara, Hyndman & Bergmeir 2021, "MSTL: A Seasonal-Trend Decomposition Algorithm
// for Time Series with Multiple Seasonal Patterns"). With no period the trend is Friedman's super smoother. NaN in y is
// missing.
//
// Errors wrap engine.ErrTooShort if no value is known and ErrPeriod for a period below 2.
func MSTL(dst *Components, y []float64, o MSTLOptions) error {
	n := len(y)
	ws := &dst.ws
	ws.index = append(ws.index[:0], o.Periods...)
	slices.Sort(ws.index)
	periods := slices.Compact(ws.index)
	if len(periods) > 0 && periods[0] < 2 {
		return fmt.Errorf("%w: %d", ErrPeriod, periods[0])
	}
	for len(periods) > 0 && 2*periods[len(periods)-1] >= n {
		periods = periods[:len(periods)-1]
	}
	ws.y = sized(ws.y, n)
	known := fillLinear(ws.y, y)
	if known == 0 {
		return fmt.Errorf("%w: no value is known", engine.ErrTooShort)
	}
	if len(periods) == 0 {
		dst.reset(Smooth, n)
		dst.superSmooth(dst.Trend, ws.y)
		dst.finish(y)
		return nil
	}
	dst.reset(MSTLMethod, n, periods...)
	if err := dst.mstl(ws.y, o); err != nil {
		return err
	}
	if known < n {
		dst.refill(ws.y, y)
		if err := dst.mstl(ws.y, o); err != nil {
			return err
		}
	}
	dst.finish(y)
	return nil
}

func (c *Components) mstl(y []float64, o MSTLOptions) error {
	ws := &c.ws
	if ws.inner == nil {
		ws.inner = new(Components)
	}
	rest := sized(ws.deseasonal, len(y))
	ws.deseasonal = rest
	copy(rest, y)
	for _, s := range c.Seasonal {
		clear(s)
	}
	rounds := max(1, o.Iterate)
	if o.Iterate == 0 {
		rounds = 2
	}
	if len(c.Periods) == 1 {
		rounds = 1
	}
	for range rounds {
		for i, m := range c.Periods {
			seasonal := c.Seasonal[i]
			for t := range rest {
				rest[t] += seasonal[t]
			}
			so := o.STL
			so.Period, so.SeasonalWindow = m, 11+4*i
			if i < len(o.SeasonalWindows) && o.SeasonalWindows[i] != 0 {
				so.SeasonalWindow = max(0, o.SeasonalWindows[i])
			}
			if err := STL(ws.inner, rest, so); err != nil {
				return err
			}
			copy(seasonal, ws.inner.Seasonal[0])
			for t := range rest {
				rest[t] -= seasonal[t]
			}
		}
	}
	copy(c.Trend, ws.inner.Trend)
	c.Weights = append(c.Weights[:0], ws.inner.Weights...)
	return nil
}
