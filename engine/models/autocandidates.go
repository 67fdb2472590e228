package models

import (
	"math"

	"github.com/almanacdb/almanac/engine/series"
)

// autoPlan is what Auto does with a series.
type autoPlan struct {
	candidates []string // as a user would write them
	yardstick  string   // the model to beat
	horizon    int      // steps judged from each origin
	folds      int      // origins wanted
	stride     int      // observations between origins
	squared    bool     // judge by squared errors, not absolute ones
}

// characterise names candidates by the character of the series:
//
//   - nothing to estimate (constant, or fewer than 5 observations): the last value or the mean;
//   - sales in small whole numbers, many of them zero: window averages, smoothed levels and theta, no steep trends; they are
//     judged by squared errors, as the least absolute error of a series of mostly zeros is that of forecasting zero;
//   - long seasonal periods (24 and more): STL with exponential smoothing, theta and seasonal naive;
//   - everything else: exponential smoothing without and with a damped trend, theta and ARIMA; with few seasons, where
//     horizons are short, exponential smoothing of any trend in place of none.
func characterise(s series.Series, st summary) autoPlan {
	n, m := st.observed, s.Period()
	p := autoPlan{yardstick: "naive", horizon: 6, folds: 4}
	if m > 1 && len(s.Y) > m {
		p.yardstick = "snaive"
	}
	switch {
	case m == 1 || len(s.Y) <= m:
	case m <= 4:
		p.horizon = 2 * m
	case m == 7:
		p.horizon = 28
	case m < 24:
		p.horizon = m
	case m <= 48:
		p.horizon = 2 * m
	default:
		p.horizon = min(m, 56)
	}
	p.horizon = max(1, min(p.horizon, n/4))
	p.stride = max(1, p.horizon/2)
	seasonal := p.yardstick == "snaive"
	sparse := float64(st.zeros) > 0.1*float64(n)
	switch {
	case st.min == st.max:
		p.candidates, p.folds = []string{"naive"}, 0
	case n < 5:
		p.candidates, p.folds = []string{"naive", "mean"}, 0
	case st.nonNegative && (sparse || st.integer && mean(s.Y) < 20):
		p.candidates = []string{"window", "theta", "ets(Z,N,Z)"}
		if !seasonal {
			p.candidates = append(p.candidates, "mean")
		}
		p.folds, p.stride, p.squared = 3, p.horizon, true
	case seasonal && m >= 24:
		p.candidates = []string{"stl", "theta", "snaive"}
		if m == 24 && len(s.Y) <= 1000 {
			p.candidates = append(p.candidates, "ets(Z,N,Z)")
		}
	case seasonal:
		p.candidates = []string{"ets(Z,N,Z)", "ets(Z,Ad,Z)", "theta"}
		if m <= 4 {
			p.candidates[0] = "ets"
		}
		if m == 7 {
			p.candidates = append(p.candidates, "window")
		}
		if len(s.Y) <= 600 {
			p.candidates = append(p.candidates, "arima")
		}
	default:
		p.candidates = []string{"ets", "ets(Z,Ad,N)", "theta"}
		if len(s.Y) <= 3000 {
			p.candidates = append(p.candidates, "arima")
		}
	}
	return p
}

func mean(y []float64) float64 {
	sum, n := 0.0, 0
	for _, v := range y {
		if v == v {
			sum, n = sum+v, n+1
		}
	}
	return sum / math.Max(1, float64(n))
}

// recent leaves off the distant past of long series: models whose memory fades gain nothing from it, and time grows with
// it. Kept are at least 104 cycles of the season (two years of days), at least 730 observations, and whole cycles are cut.
func recent(s series.Series) series.Series {
	m := s.Period()
	keep := max(730, min(104*m, 2000))
	cut := len(s.Y) - keep
	if cut <= 0 {
		return s
	}
	cut -= cut % m
	s.Y = s.Y[cut:]
	if len(s.X) > 0 {
		x := make([][]float64, len(s.X))
		for i, row := range s.X {
			x[i] = row[cut:]
		}
		s.X = x
	}
	return s
}

// origins are the lengths of the parts from which candidates forecast, latest first: the last one leaves the horizon to
// be judged. Each part keeps two cycles and a few observations.
func (p autoPlan) origins(s series.Series, st summary) []int {
	var out []int
	least := max(2*s.Period()+1, 5)
	if s.Period() == 1 || len(s.Y) <= s.Period() {
		least = 6
	}
	missingAtEnd := 0
	for t := len(s.Y) - 1; t >= 0 && s.Y[t] != s.Y[t]; t-- {
		missingAtEnd++
	}
	for o := len(s.Y) - missingAtEnd - p.horizon; len(out) < p.folds && o >= least; o -= p.stride {
		if summarise(s.Y[:o]).observed >= least {
			out = append(out, o)
		}
	}
	return out
}
