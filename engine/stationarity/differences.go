package stationarity

import (
	"math"

	"github.com/almanacdb/almanac/engine/decompose"
)

// SeasonalThreshold is the seasonal strength from which a series is differenced seasonally. Hyndman chose it for
// forecast accuracy on the M3 series (Hyndman & Athanasopoulos 2021, section 9.1).
const SeasonalThreshold = 0.64

// testLevel is the significance level of the unit root tests.
const testLevel = 0.05

// NDiffs is how many times y is differenced, at most limit times, until the KPSS test no longer rejects stationarity at the 5 %
// level (Hyndman & Khandakar 2008, section 3.1). A series that is, or becomes, constant needs no more.
func NDiffs(y []float64, limit int) int {
	x := known(y)
	d := 0
	for d < limit && len(x) > 1 && !Constant(x) {
		p := KPSSProbability(KPSS(x, -1))
		if !(p < testLevel) {
			break
		}
		x = lagDifference(x, 1)
		d++
	}
	return d
}

// NSDiffs is how many seasonal differences, at most limit, a series of period m needs: one more as long as its seasonal
// strength exceeds SeasonalThreshold and it has two full cycles.
func NSDiffs(y []float64, m, limit int) int {
	x := append([]float64(nil), y...)
	d := 0
	for d < limit && m > 1 && len(x) >= 2*m && !Constant(x) {
		if !(SeasonalStrength(x, m) > SeasonalThreshold) {
			break
		}
		x = lagDifference(x, m)
		d++
	}
	return d
}

// SeasonalStrength is max(0, 1 − Var(R)/Var(S+R)) of the seasonal and remainder components of an STL decomposition with
// seasonal window 11 (Wang, Smith & Hyndman 2006; the window as in R's mstl). It is 0 for series of no more than two cycles, of which
// no season can be told.
func SeasonalStrength(y []float64, m int) float64 {
	var c decompose.Components
	if err := decompose.MSTL(&c, y, decompose.MSTLOptions{Periods: []int{m}}); err != nil || len(c.Seasonal) == 0 {
		return 0
	}
	s := c.SeasonalStrength(0)
	if s != s {
		return 0
	}
	return s
}

// Constant reports whether all known values of y agree to eight digits of their mean size, as R's is.constant does.
func Constant(y []float64) bool {
	const tolerance = 1.5e-8
	n, first, size, apart := 0, 0.0, 0.0, 0.0
	for _, v := range y {
		if v != v {
			continue
		}
		if n == 0 {
			first = v
		}
		n++
		size += math.Abs(v)
		apart += math.Abs(v - first)
	}
	return n == 0 || apart == 0 || apart < tolerance*size
}

// lagDifference is y_t − y_{t−lag}; NaN where either is missing.
func lagDifference(y []float64, lag int) []float64 {
	if len(y) <= lag {
		return nil
	}
	out := make([]float64, len(y)-lag)
	for t := range out {
		out[t] = y[t+lag] - y[t]
	}
	return out
}
