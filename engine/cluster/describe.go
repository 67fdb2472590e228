package cluster

import (
	"math"
	"slices"

	"github.com/almanacdb/almanac/engine/decompose"
)

// Thresholds of Describe. They are measured on the curve itself, whose noise shrinks with the number of series that it is
// the mean of, so that a clear movement of many noisy series counts.
const (
	// leastMovement is the change of the trend line from end to end, and 4 standard deviations of a season, that count at all, in
	// standard deviations of the series: less is a matter of the last units sold.
	leastMovement = 0.25
	// leastShare is the share of the curve's variance (without its season) that the trend line must explain, or the share of
	// the variance around its moving average that the season must explain.
	leastShare = 0.25
	// leastSignificance is the two-sided level of the Mann-Kendall test.
	leastSignificance = 0.05
	// seasonSignificance is the probability of a false season that each of the detector's two searches allows itself.
	seasonSignificance = 0.01
)

// Describe tells the trend of a curve in a word. periods are the seasonal periods to look for first, in positions of the
// curve, from two cycles on; others are found by decompose.Detector, from four cycles on.
//
// "seasonal": a period is significant at level 0.01 against autocorrelated noise, its season explains at least a quarter of
// the variance around the moving average of one cycle, or cycles have a correlation of a quarter with each other; and it
// explains more of the curve than the trend line does. "rising" or "falling":
// the line with the median of all pairwise slopes (Sen 1968) through the curve without its season explains at least a quarter of
// the variance, and the Mann-Kendall test (Mann 1945, Kendall 1975) finds a trend at level 0.05. Either must move the curve by at
// least a quarter of a standard deviation of a series. Else "flat".
//
// The words say what the curve did, not that it will go on: the aimless walk of a share price may well be "rising". On white noise
// and on autocorrelated noise, which return to their mean, "rising", "falling" and "seasonal" are false alarms; they are rarer than one in
// twenty. The curve has no NaN.
func Describe(curve []float64, periods []int) string {
	season := findSeason(curve, periods)
	adjusted := slices.Clone(curve)
	for t := range adjusted {
		adjusted[t] -= season[t]
	}
	change := senSlope(adjusted) * float64(len(curve)-1)
	line := change * change / 12 // variance of a line that changes so much
	if v := variance(season); v > line && 4*math.Sqrt(v) >= leastMovement {
		return "seasonal"
	}
	switch {
	case math.Abs(change) < leastMovement || line < leastShare*variance(adjusted) || mannKendall(adjusted) >= leastSignificance:
		return "flat"
	case change < 0:
		return "falling"
	}
	return "rising"
}

// findSeason is the clearest seasonal component of the curve: the means of the places in the cycle of the detrended curve, around zero.
// Without a season it is zero.
func findSeason(curve []float64, periods []int) []float64 {
	m := 0
	if found := decompose.DetectPeriods(curve, decompose.DetectOptions{Natural: periods, Max: 1, Significance: seasonSignificance}); len(found) > 0 && found[0].Strength >= leastShare {
		m = found[0].Length
	}
	slope := senSlope(curve)
	detrended := make([]float64, len(curve))
	for t, v := range curve {
		detrended[t] = v - slope*float64(t)
	}
	for _, p := range periods {
		if m == 0 && recurs(detrended, p) {
			m = p
		}
	}
	if m == 0 {
		return make([]float64, len(curve))
	}
	return placeMeans(detrended, m)
}

// recurs looks for seasons that a few harmonics do not describe, such as a peak every Christmas: the correlation of one cycle
// with another, averaged over all pairs of cycles, is at least leastShare and significant. Were there no season, its variance would be
// that of Bartlett's formula for autoregressive noise of order one, whose coefficient is estimated from what the season leaves.
func recurs(v []float64, m int) bool {
	cycles := len(v) / max(1, m)
	if m < 4 || cycles < 2 {
		return false
	}
	v = v[len(v)-cycles*m:]
	season := placeMeans(v, m)
	var square, product float64
	for t := range v {
		e := v[t] - season[t]
		square += e * e
		if t > 0 {
			product += e * (v[t-1] - season[t-1])
		}
	}
	if square <= 0 {
		return variance(season) > 0
	}
	phi := max(0, product/square)
	total, pairs := 0.0, 0.0
	for i := range cycles {
		for j := range i {
			total += correlation(v[i*m:(i+1)*m], v[j*m:(j+1)*m])
			pairs++
		}
	}
	share, deviation := total/pairs, math.Sqrt((1+phi*phi)/(1-phi*phi)/float64(m)/pairs)
	return share >= leastShare && math.Erfc(share/deviation/math.Sqrt2)/2 < seasonSignificance
}

// placeMeans is the mean of each place in the cycle of m values, less the mean of all places, written along v.
func placeMeans(v []float64, m int) []float64 {
	sum, count, centre := make([]float64, m), make([]float64, m), 0.0
	for t, x := range v {
		sum[t%m] += x
		count[t%m]++
	}
	for i := range sum {
		sum[i] /= count[i]
		centre += sum[i] / float64(m)
	}
	out := make([]float64, len(v))
	for t := range out {
		out[t] = sum[t%m] - centre
	}
	return out
}

// correlation of two curves of one length; 0 if one is constant.
func correlation(a, b []float64) float64 {
	x, y := slices.Clone(a), slices.Clone(b)
	if !standardise(x) || !standardise(y) {
		return 0
	}
	return dot(x, y) / float64(len(x))
}

func variance(v []float64) float64 {
	centre, sum := mean(v), 0.0
	for _, x := range v {
		sum += (x - centre) * (x - centre)
	}
	return sum / float64(len(v))
}

// senSlope is the median of the slopes between all pairs of values.
func senSlope(v []float64) float64 {
	var slopes []float64
	for i := range v {
		for j := i + 1; j < len(v); j++ {
			slopes = append(slopes, (v[j]-v[i])/float64(j-i))
		}
	}
	if len(slopes) == 0 {
		return 0
	}
	slices.Sort(slopes)
	n := len(slopes)
	return (slopes[n/2] + slopes[(n-1)/2]) / 2
}

// mannKendall is the two-sided p-value of the test for a monotone trend, with the variance corrected for ties and the
// statistic for continuity.
func mannKendall(v []float64) float64 {
	s := 0
	for i := range v {
		for j := i + 1; j < len(v); j++ {
			switch {
			case v[j] > v[i]:
				s++
			case v[j] < v[i]:
				s--
			}
		}
	}
	n := float64(len(v))
	variance := n * (n - 1) * (2*n + 5)
	sorted := slices.Clone(v)
	slices.Sort(sorted)
	for i := 0; i < len(sorted); {
		j := i
		for j < len(sorted) && sorted[j] == sorted[i] {
			j++
		}
		t := float64(j - i)
		variance -= t * (t - 1) * (2*t + 5)
		i = j
	}
	variance /= 18
	if s == 0 || variance <= 0 {
		return 1
	}
	z := (math.Abs(float64(s)) - 1) / math.Sqrt(variance)
	return math.Erfc(z / math.Sqrt2)
}
