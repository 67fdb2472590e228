package functions

import (
	"context"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/decompose"
	"github.com/almanacdb/almanac/engine/series"
)

func decomposeSpec() *Spec {
	return &Spec{
		Name:    "DECOMPOSE",
		Summary: "Splits each series into trend, seasonal components and remainder.",
		Doc: `
One row for each observation. By default STL (one seasonal period) or MSTL (two): trend + seasonal + seasonal_2 + remainder is actual. With
` + "`method=additive`" + ` or ` + "`multiplicative`" + ` it is the classical decomposition by moving averages, whose trend, and with it the remainder, is NULL for half a
cycle at both ends; the multiplicative components multiply to actual. A series without a seasonal period has a trend alone, by
Friedman's super smoother, and seasonal is NULL.

` + periodDoc + ` Daily and finer data take the year (365 days) as a second period
where two years of data show it significantly. Option ` + "`period`" + ` takes one or two.

The strengths are those of *Forecasting: Principles and Practice*, section 4.3: near 0 where the component explains nothing, near 1
where it explains all but a small remainder. They are the same on all rows of a series.

A series that cannot be decomposed (` + "`on_error=report`" + `) keeps its rows with actual alone, and the statement gets a warning that says why.
`,
		Args: []Arg{timeArg(), valueArg()},
		Options: append(sharedOptions(),
			words("method", "auto", "`auto` is MSTL over all periods (STL with one, the super smoother without any); `additive` and `multiplicative` are the classical decompositions; `smooth` gives the trend alone.",
				func(o *Options) *string { return &o.Method }, decompose.MethodNames()...),
			flag("robust", "no", "Keep outliers out of trend and season (STL and MSTL): they end up in the remainder.", func(o *Options) *bool { return &o.Robust }),
		),
		columns: []OutputColumn{
			{"actual", real, "the observation, after filling gaps by option missing; NULL where unknown"},
			{"trend", real, "the trend-cycle component"},
			{"seasonal", real, "the component of the first (shortest) seasonal period; NULL without one"},
			{"seasonal_2", real, "the component of the second seasonal period; NULL without one"},
			{"remainder", real, "what is left; NULL where actual or trend is"},
			{"trend_strength", real, "strength of the trend, 0 to 1"},
			{"seasonal_strength", real, "strength of the first seasonal component, 0 to 1; NULL without one"},
		},
		timeColumn: true,
		yearly:     true,
		check:      checkDecompose,
		Output:     outputSchema,
		Examples: []Example{
			{
				Title: "The components of the airline passengers",
				SQL:   "SELECT month, actual, trend, seasonal, remainder, seasonal_strength FROM DECOMPOSE('demo.airline', 'month', 'passengers', 'method=multiplicative') WHERE month BETWEEN '1960-01-01' AND '1960-08-01'",
			},
			{
				Title: "The week and the year of the garden products of the chain; the year was found in the data",
				SQL:   "SELECT sold_on, actual, trend, seasonal, seasonal_2, remainder FROM DECOMPOSE('SELECT sold_on, SUM(units) AS units FROM demo.sales WHERE sku LIKE ''GARDEN%'' GROUP BY sold_on', 'sold_on', 'units') WHERE sold_on BETWEEN '2025-06-01' AND '2025-06-07'",
			},
			{
				Title: "The most seasonal products",
				SQL:   "SELECT sku, MAX(seasonal_strength) AS strength FROM DECOMPOSE('SELECT sold_on, sku, SUM(units) AS units FROM demo.sales GROUP BY sold_on, sku', 'sold_on', 'units', 'by=sku; robust=yes') GROUP BY sku ORDER BY strength DESC LIMIT 5",
			},
		},
		Run: runDecompose,
	}
}

// maxSeasonal is the number of seasonal columns.
const maxSeasonal = 2

func checkDecompose(c *call) error {
	o := c.bound.Options
	if len(o.Periods) > maxSeasonal {
		return &badValue{codeOptionValue, fmt.Sprintf("option 'period' lists %d periods; the result has columns for two", len(o.Periods)), "give one or two periods."}
	}
	method, err := decompose.ParseMethod(o.Method)
	if err != nil {
		return err
	}
	single := method == decompose.STLMethod || method == decompose.Additive || method == decompose.Multiplicative
	switch {
	case single && len(o.Periods) > 1:
		return &badValue{codeConflict, fmt.Sprintf("method=%s takes one seasonal period, and option 'period' lists %d", o.Method, len(o.Periods)), "write method=mstl, or one period."}
	case single && o.PeriodsGiven && len(o.Periods) == 0:
		return &badValue{codeConflict, fmt.Sprintf("method=%s needs a seasonal period, and option 'period' says there is none", o.Method), "write method=smooth, or a period."}
	case o.Robust && (method == decompose.Additive || method == decompose.Multiplicative || method == decompose.Smooth):
		return &badValue{codeConflict, fmt.Sprintf("robust=yes is for STL and MSTL, and method is %s", o.Method), "write method=stl, or leave robust out."}
	}
	return nil
}

func runDecompose(ctx context.Context, env *Env, b *Bound) (array.RecordReader, error) {
	method, err := decompose.ParseMethod(b.Options.Method)
	if err != nil {
		return nil, err
	}
	return runPanel(ctx, env, b, 0, func(out *rows) seriesWorker {
		return &decomposeRows{out: out, bound: b, method: method}
	})
}

// decomposeRows writes the rows of DECOMPOSE.
type decomposeRows struct {
	out        *rows
	bound      *Bound
	method     decompose.Method
	components decompose.Components
}

// Positions of DECOMPOSE's columns behind keys and time.
const (
	dcActual = iota
	dcTrend
	dcSeasonal
	dcSeasonal2
	dcRemainder
	dcTrendStrength
	dcSeasonalStrength
)

func (w *decomposeRows) one(_ context.Context, s series.Series, at timeline, _ string) error {
	periods := s.Periods[:min(len(s.Periods), maxSeasonal)]
	if w.bound.Options.PeriodsGiven && len(periods) > 0 && w.method != decompose.Smooth {
		if m := periods[len(periods)-1]; len(s.Y) < 2*m+1 {
			return fmt.Errorf("%w: %d observations; seasonal period %d needs %d", engine.ErrTooShort, len(s.Y), m, 2*m+1)
		}
	}
	if (w.method == decompose.Additive || w.method == decompose.Multiplicative) && len(periods) == 0 {
		return fmt.Errorf("%w: %d observations hold no seasonal period twice", engine.ErrTooShort, len(s.Y))
	}
	c := &w.components
	if err := decompose.Decompose(c, s.Y, decompose.Options{Method: w.method, Periods: periods, Robust: w.bound.Options.Robust}); err != nil {
		return err
	}
	trendStrength, seasonalStrength := c.TrendStrength(), math.NaN()
	if len(c.Seasonal) > 0 {
		seasonalStrength = c.SeasonalStrength(0)
	}
	out := w.out
	for t, y := range s.Y {
		out.begin(at.time(t))
		out.real(dcActual, y)
		out.real(dcTrend, c.Trend[t])
		for i := range maxSeasonal {
			if i < len(c.Seasonal) {
				out.real(dcSeasonal+i, c.Seasonal[i][t])
			} else {
				out.null(dcSeasonal + i)
			}
		}
		out.real(dcRemainder, c.Remainder[t])
		out.real(dcTrendStrength, trendStrength)
		out.real(dcSeasonalStrength, seasonalStrength)
	}
	return nil
}

func (w *decomposeRows) failed(s series.Series, at timeline, _ string) {
	for t, y := range s.Y {
		w.out.begin(at.time(t))
		w.out.real(dcActual, y)
		for c := dcTrend; c <= dcSeasonalStrength; c++ {
			w.out.null(c)
		}
	}
}
