package models

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/decompose"
	"github.com/almanacdb/almanac/engine/series"
)

// STL forecasts a decomposed series: the seasonal components are taken out by STL (by MSTL where there are several
// periods), exponential smoothing without season forecasts the rest, and each component goes on as in its last cycle. It is
// the model for seasonal periods too long for a state each, and for several periods at once.
func STL() engine.ModelSpec {
	return engine.ModelSpec{
		Name:   "stl",
		Doc:    "STL decomposition, then exponential smoothing of the seasonally adjusted series; the last cycle of each season goes on. For long seasonal periods and several at once.",
		Syntax: "stl(ets(error,trend,N)): the form of the smoothing, chosen by AICc unless given",
		References: []string{
			"Cleveland, Cleveland, McRae & Terpenning (1990), STL: A seasonal-trend decomposition procedure based on loess, Journal of Official Statistics 6",
			"Bandara, Hyndman & Bergmeir (2021), MSTL: A seasonal-trend decomposition algorithm for time series with multiple seasonal patterns",
			"Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, section 5.7",
		},
		Caps: engine.Caps{Seasonal: true, Missing: true},
		New: func(args string) (engine.Model, error) {
			inside := strings.TrimSpace(args)
			if strings.HasPrefix(inside, "(") && strings.HasSuffix(inside, ")") {
				inside = strings.TrimSpace(inside[1 : len(inside)-1])
			}
			if len(inside) >= 3 && strings.EqualFold(inside[:3], "ets") {
				inside = inside[3:]
			}
			r, err := parseETS(inside)
			if err != nil {
				return nil, fmt.Errorf("stl: %w", err)
			}
			if r.season == 'A' || r.season == 'M' {
				return nil, fmt.Errorf("%w: stl%s: the smoothed series has no season left, write N", engine.ErrSyntax, args)
			}
			r.season = 'N'
			return stlModel{r}, nil
		},
	}
}

type stlModel struct{ request etsRequest }

// Fit implements engine.Model. Periods of which there are not two full cycles are left in the series, which Note says; with
// none left the model refuses the series.
func (m stlModel) Fit(ctx context.Context, s series.Series) (engine.Fitted, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	st := summarise(s.Y)
	if st.observed == 0 {
		return nil, fmt.Errorf("%w: no observation", engine.ErrTooShort)
	}
	if st.infinite {
		return nil, fmt.Errorf("%w: infinite value", engine.ErrNoFit)
	}
	var periods []int
	note, longest := "", 0
	for _, p := range s.Periods {
		switch {
		case p < 2:
		case len(s.Y) <= 2*p || st.observed <= p:
			note = fmt.Sprintf("less than two cycles of period %d: left in the series", p)
			longest = max(longest, p)
		default:
			periods = append(periods, p)
		}
	}
	if len(periods) == 0 {
		if longest > 0 {
			return nil, fmt.Errorf("%w: %d observations, stl with period %d needs %d", engine.ErrTooShort, len(s.Y), longest, 2*longest+1)
		}
		return nil, fmt.Errorf("%w: stl needs a seasonal period and the series has none", engine.ErrNoFit)
	}
	// STL's weights are squares of squares: working near one keeps them from under- and overflowing.
	_, exp := math.Frexp(math.Max(math.Abs(st.min), math.Abs(st.max)))
	scale := math.Ldexp(1, max(-1000, min(1000, exp)))
	y := make([]float64, len(s.Y))
	for t, v := range s.Y {
		y[t] = v / scale
	}
	var c decompose.Components
	if err := decompose.MSTL(&c, y, decompose.MSTLOptions{Periods: periods}); err != nil {
		return nil, fmt.Errorf("%w: stl: %w", engine.ErrNoFit, err)
	}
	adjusted := c.SeasonallyAdjusted(nil)
	for t := range adjusted {
		adjusted[t] *= scale
	}
	smooth, err := fitETS(ctx, series.Series{Y: adjusted}, m.request)
	if err != nil {
		return nil, fmt.Errorf("stl: %w", err)
	}
	f := &stlFitted{smooth: smooth, note: note}
	f.season = make([]float64, len(s.Y))
	for i, p := range c.Periods {
		for t, v := range c.Seasonal[i] {
			f.season[t] += v * scale
		}
		f.last = append(f.last, scaleBy(c.Seasonal[i][len(s.Y)-p:], scale))
	}
	return f, nil
}

func scaleBy(v []float64, factor float64) []float64 {
	out := make([]float64, len(v))
	for i, x := range v {
		out[i] = x * factor
	}
	return out
}

type stlFitted struct {
	smooth *etsFitted
	season []float64   // sum of the seasonal components at each observation
	last   [][]float64 // last cycle of each, oldest first
	note   string
}

// Forecast implements engine.Fitted: the distribution of the smoothed series, moved by the season. The season's own
// uncertainty is left out, as in R's stlf.
func (f *stlFitted) Forecast(ctx context.Context, dst *engine.Forecast, future [][]float64) error {
	if err := f.smooth.Forecast(ctx, dst, future); err != nil {
		return err
	}
	for h := range dst.Mean {
		season := 0.0
		for _, cycle := range f.last {
			season += cycle[h%len(cycle)]
		}
		dst.Mean[h] += season
		for p := range dst.Quantiles {
			dst.Quantiles[p][h] += season
		}
	}
	return nil
}

// FittedValues implements engine.Fitted. The seasonal components are those of the whole series.
func (f *stlFitted) FittedValues(dst []float64) []float64 {
	dst = f.smooth.FittedValues(dst)
	for t := range dst {
		dst[t] += f.season[t]
	}
	return dst
}

// Describe implements engine.Fitted. Likelihood and criteria are those of the adjusted series and only comparable with
// other forms on the same decomposition; they are left out.
func (f *stlFitted) Describe() engine.Description {
	d := f.smooth.Describe()
	nan := math.NaN()
	d.LogLik, d.AIC, d.AICc, d.BIC = nan, nan, nan, nan
	d.Model = "STL(" + d.Model + ")"
	d.Note = f.note
	return d
}
