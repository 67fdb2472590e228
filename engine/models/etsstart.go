package models

import "math"

// etsStart guesses the initial states as Hyndman et al. (2008, section 2.6.1): a seasonal figure from a classical
// decomposition of the first years, then a straight line through the first seasonally adjusted observations. The optimiser
// refines all of them. multiplicative tells how the season works. season (length m, m ≥ 1) is filled and normalised to
// mean 0 or 1.
func etsStart(y []float64, m int, multiplicative bool, season, scratch []float64) (level, slope float64) {
	n := len(y)
	neutral := 0.0
	if multiplicative {
		neutral = 1
	}
	for i := range season {
		season[i] = neutral
	}
	if m > 1 {
		etsStartSeason(y[:min(n, 4*m)], m, multiplicative, season, scratch)
	}
	// The straight line uses max(10, 2m) observations, as they tell the level where the recursion starts.
	var st, sy, stt, sty, k float64
	for t := range min(n, max(10, 2*m)) {
		v := y[t]
		if v != v {
			continue
		}
		if m > 1 {
			if s := season[t%m]; multiplicative {
				v /= s
			} else {
				v -= s
			}
		}
		x := float64(t + 1)
		k, st, sy, stt, sty = k+1, st+x, sy+v, stt+x*x, sty+x*v
	}
	if k == 0 {
		return 0, 0
	}
	if det := k*stt - st*st; det > 0 {
		slope = (k*sty - st*sy) / det
	}
	return (sy - slope*st) / k, slope
}

// etsStartSeason averages, by season, the deviations (ratios) from a centred moving average over the first years; series
// too short for one use the deviations from their straight line.
func etsStartSeason(y []float64, m int, multiplicative bool, season, scratch []float64) {
	n := len(y)
	trend := scratch[:n]
	half := m / 2
	for t := range trend {
		trend[t] = math.NaN()
		if t < half || t+half >= n || n < 2*m {
			continue
		}
		sum, weight := 0.0, 0.0
		for j := -half; j <= half; j++ {
			c := 1.0
			if m%2 == 0 && (j == -half || j == half) {
				c = 0.5
			}
			if v := y[t+j]; v == v {
				sum, weight = sum+c*v, weight+c
			}
		}
		if weight > float64(m)/2 {
			trend[t] = sum / weight
		}
	}
	if n < 2*m {
		var st, sy, stt, sty, k float64
		for t, v := range y {
			if v == v {
				x := float64(t)
				k, st, sy, stt, sty = k+1, st+x, sy+v, stt+x*x, sty+x*v
			}
		}
		if k == 0 {
			return
		}
		slope := 0.0
		if det := k*stt - st*st; det > 0 && n > m+2 {
			slope = (k*sty - st*sy) / det
		}
		for t := range trend {
			trend[t] = (sy-slope*st)/k + slope*float64(t)
		}
	}
	mean, used := 0.0, 0
	for i := range m {
		sum, k := 0.0, 0
		for t := i; t < n; t += m {
			switch d := trend[t]; {
			case y[t] != y[t] || d != d:
			case !multiplicative:
				sum, k = sum+y[t]-d, k+1
			case d > 0:
				sum, k = sum+y[t]/d, k+1
			}
		}
		if k > 0 {
			season[i] = sum / float64(k)
			mean, used = mean+season[i], used+1
		}
	}
	if used == 0 {
		return
	}
	mean /= float64(used)
	for i := range season {
		if !multiplicative {
			season[i] -= mean
			continue
		}
		season[i] = math.Max(season[i]/mean, 0.01)
	}
}
