package stationarity

import "math"

// KPSSCritical are the critical values of the level test at 10, 5, 2.5 and 1 % (Kwiatkowski, Phillips, Schmidt & Shin 1992,
// table 1).
var KPSSCritical = [4]float64{0.347, 0.463, 0.574, 0.739}

var kpssLevels = [4]float64{0.10, 0.05, 0.025, 0.01}

// KPSS is the statistic of Kwiatkowski, Phillips, Schmidt & Shin (1992), "Testing the null hypothesis of stationarity against
// the alternative of a unit root", Journal of Econometrics 54, eq. 13, for the null of stationarity around a level. The
// long-run variance uses Bartlett's window over lags autocovariances; a negative lags means ⌊3√n/13⌋, which Hyndman's
// ndiffs uses. Missing values are left out and their neighbours count as adjacent. It is NaN for a constant series.
func KPSS(y []float64, lags int) float64 {
	x := known(y)
	n := len(x)
	if n == 0 {
		return math.NaN()
	}
	if lags < 0 {
		lags = int(3 * math.Sqrt(float64(n)) / 13)
	}
	mean := 0.0
	for _, v := range x {
		mean += v / float64(n)
	}
	for t := range x {
		x[t] -= mean
	}
	partial, squares := 0.0, 0.0
	for _, v := range x {
		partial += v
		squares += partial * partial
	}
	variance := lagged(x, 0)
	for k := 1; k <= min(lags, n-1); k++ {
		variance += 2 * (1 - float64(k)/float64(lags+1)) * lagged(x, k)
	}
	if !(variance > 0) {
		return math.NaN()
	}
	return squares / (float64(n) * variance)
}

// KPSSProbability interpolates the probability of a statistic at least so great under the null between the tabulated levels;
// beyond these it is 0.10 or 0.01.
func KPSSProbability(statistic float64) float64 {
	last := len(KPSSCritical) - 1
	switch {
	case statistic != statistic:
		return math.NaN()
	case statistic <= KPSSCritical[0]:
		return kpssLevels[0]
	case statistic >= KPSSCritical[last]:
		return kpssLevels[last]
	}
	i := 1
	for statistic > KPSSCritical[i] {
		i++
	}
	w := (statistic - KPSSCritical[i-1]) / (KPSSCritical[i] - KPSSCritical[i-1])
	return kpssLevels[i-1] + w*(kpssLevels[i]-kpssLevels[i-1])
}

// lagged is Σ x_t x_{t−k}.
func lagged(x []float64, k int) float64 {
	s := 0.0
	for t := k; t < len(x); t++ {
		s += x[t] * x[t-k]
	}
	return s
}

// known is a copy of y without its missing values.
func known(y []float64) []float64 {
	x := make([]float64, 0, len(y))
	for _, v := range y {
		if v == v {
			x = append(x, v)
		}
	}
	return x
}
