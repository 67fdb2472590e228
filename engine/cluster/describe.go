package cluster

import (
	"math"
	"slices"

	"github.com/almanacdb/almanac/engine/decompose"
)

// Thresholds of Describe. Curves are measured in standard deviations of the series they stand for.
const (
	// leastChange is the total change of the trend line that counts: a line that rises by 1 explains 1/12 of the variance of a
	// standardised curve.
	leastChange = 1.0
	// leastSignificance is the two-sided level of the Mann-Kendall test.
	leastSignificance = 0.05
	// leastSeason is the seasonal strength from which on a series counts as seasonal, the threshold of Wang, Smith & Hyndman
	// (2006) in R's nsdiffs.
	leastSeason = 0.64
	// leastSeasonalDeviation is the standard deviation of the seasonal component that counts, as for leastChange: 1/12 of the
	// variance.
	leastSeasonalDeviation = 0.2887
)

// Describe tells the trend of a curve in a word. periods are seasonal periods in positions of the curve.
//
// "rising" or "falling": the line with the median of all pairwise slopes (Sen 1968) changes by at least one standard
// deviation over the curve, and the Mann-Kendall test (Mann 1945, Kendall 1975) finds a trend at level 0.05. "seasonal": at
// some period the seasonal strength by STL is at least 0.64, the component has at least 1/12 of a series' variance, and more
// than the line, if there is one. Else "flat". The curve has no NaN.
func Describe(curve []float64, periods []int) string {
	p := len(curve)
	line := 0.0 // variance of the trend line
	word := "flat"
	if change := senSlope(curve) * float64(p-1); math.Abs(change) >= leastChange && mannKendall(curve) < leastSignificance {
		line = change * change / 12
		word = "rising"
		if change < 0 {
			word = "falling"
		}
	}
	var c decompose.Components
	for _, m := range periods {
		if m < 2 || p <= 2*m {
			continue
		}
		if err := decompose.STL(&c, curve, decompose.STLOptions{Period: m}); err != nil {
			continue
		}
		variance := 0.0
		for _, s := range c.Seasonal[0] {
			variance += s * s / float64(p)
		}
		if c.SeasonalStrength(0) >= leastSeason && variance > line && variance >= leastSeasonalDeviation*leastSeasonalDeviation {
			word, line = "seasonal", variance
		}
	}
	return word
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
