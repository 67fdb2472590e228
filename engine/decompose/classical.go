package decompose

import (
	"fmt"
	"math"

	"github.com/almanacdb/almanac/engine"
)

// Classical decomposes y by moving averages, as R's decompose does: the trend is the centred moving average over one cycle
// (2 x m for even m), NaN for the first and last half cycle; the season is the mean of the detrended values of each
// season, the same in all cycles, centred to sum 0 (to mean 1 when multiplicative). NaN in y is missing: gaps are
// interpolated for the trend, and take no part in the means.
//
// Errors wrap engine.ErrTooShort if y has less than two cycles or a season without a value, engine.ErrNotPositive if a
// multiplicative one meets a value that is not positive, and ErrPeriod for a period below 2.
func Classical(dst *Components, y []float64, period int, multiplicative bool) error {
	n, m := len(y), period
	if m < 2 {
		return fmt.Errorf("%w: %d", ErrPeriod, m)
	}
	if n < 2*m {
		return fmt.Errorf("%w: %d observations, two seasons of %d needed", engine.ErrTooShort, n, m)
	}
	method := Additive
	if multiplicative {
		method = Multiplicative
		for t, v := range y {
			if v <= 0 {
				return fmt.Errorf("%w: value %g at observation %d in a multiplicative decomposition", engine.ErrNotPositive, v, t+1)
			}
		}
	}
	ws := &dst.ws
	ws.y = sized(ws.y, n)
	known := fillLinear(ws.y, y)
	if known == 0 {
		return fmt.Errorf("%w: no value is known", engine.ErrTooShort)
	}
	dst.reset(method, n, m)
	if err := dst.classical(ws.y, y); err != nil {
		return err
	}
	if known < n && !multiplicative {
		dst.refill(ws.y, y)
		if err := dst.classical(ws.y, y); err != nil {
			return err
		}
	}
	dst.finish(y)
	return nil
}

// classical fills Trend from the filled series and Seasonal[0] from the observed one.
func (c *Components) classical(filled, y []float64) error {
	n, m := len(y), c.Periods[0]
	centredAverage(c.Trend, filled, m)
	season := c.Seasonal[0]
	total := 0.0
	for s := range m {
		var mean moments
		for t := s; t < n; t += m {
			d := y[t] - c.Trend[t]
			if c.Multiplicative() {
				d = y[t] / c.Trend[t]
			}
			if !math.IsNaN(d) {
				mean.add(d)
			}
		}
		if mean.n == 0 {
			return fmt.Errorf("%w: season %d of %d has no value with a trend", engine.ErrTooShort, s+1, m)
		}
		season[s] = mean.mean
		total += mean.mean
	}
	centre := total / float64(m)
	for t := range n {
		switch {
		case t >= m:
			season[t] = season[t-m]
		case c.Multiplicative():
			season[t] /= centre
		default:
			season[t] -= centre
		}
	}
	return nil
}

// centredAverage writes the centred moving average of length m to dst, with half weights at both ends for even m; NaN where
// it does not reach.
func centredAverage(dst, y []float64, m int) {
	n, half := len(y), m/2
	for t := range dst {
		dst[t] = math.NaN()
	}
	if n < 2*half+1 {
		return
	}
	inner := half // neighbours at each side with full weight
	if m%2 == 0 {
		inner--
	}
	sum := 0.0
	for _, v := range y[half-inner : half+inner+1] {
		sum += v
	}
	for t := half; t+half < n; t++ {
		if t > half {
			sum += y[t+inner] - y[t-inner-1]
		}
		v := sum
		if m%2 == 0 {
			v += (y[t-half] + y[t+half]) / 2
		}
		dst[t] = v / float64(m)
	}
}
