package functions

import (
	"context"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/almanacdb/almanac/engine/series"
)

func forecastSpec() *Spec {
	return &Spec{
		Name:    "FORECAST",
		Summary: "Forecasts each series a number of steps ahead, with a prediction interval.",
		Doc: `
One row for each series and step, with option ` + "`history`" + ` also the past. The forecast is the mean of the model's distribution of that
step; lower_bound and upper_bound are the quantiles (1 − level)/2 and (1 + level)/2. Where the distribution is so skewed that its mean lies beyond one
of them, that bound is the mean: lower_bound ≤ forecast ≤ upper_bound always holds, and the interval covers at least its level. A series of fewer than 4
observations shows no spread to go by, nor does one with fewer than 3 errors of the model, as a seasonal method has none in its first cycle: the bounds are
NULL then, those of history too, and status says so (` + "`1 observation: no interval`" + `).

` + periodDoc + ` status then says so. The models that choose their form (auto, ets, arima,
theta) test whether the season is there; the others use the first period as it is.

Rows begin with the period after the last known one of each series: a series that ends before the others says so in status ("ends 395 days before the
panel's last day"), and its forecast starts there. Sums over the result would count what such a series was once expected to sell; keep the rows of
the future alone, ` + "`WHERE sold_on >= '2026-01-01'`" + ` or, for any table, ` + "`WHERE sold_on > (SELECT MAX(sold_on) FROM sales)`" + `, with a horizon that reaches there. Such a series
has then no rows; to forecast it as one that sells nothing now, let the source add a row of 0 for it on the last day. The forecast of whole numbers is a mean, with a fraction.

A row of history has the fitted value, the one-step-ahead expectation made from the observations before it, as forecast. Its bounds are that
value plus and minus the normal quantile times the standard deviation of the model's innovation there: the same at all times for additive errors,
in proportion to the fitted value for multiplicative ones. A model has no fitted values for its first observations: they are NULL.
`,
		Args:    []Arg{timeArg(), valueArg(), horizonArg()},
		Options: append(sharedOptions(), modelOption(), levelOption(), historyOption(), nonNegativeOption()),
		columns: []OutputColumn{
			{"step", whole, "1 for the first period after the last known; on history rows 0 for the last known period, −1 for the one before"},
			{"row_type", text, "`history` or `forecast`"},
			{"actual", real, "the observation on history rows, after filling gaps; NULL where unknown and on forecast rows"},
			{"forecast", real, "the point forecast, on history rows the fitted value; NULL where there is none"},
			{"lower_bound", real, "lower end of the prediction interval; NULL where no spread is known"},
			{"upper_bound", real, "upper end of the prediction interval; NULL where no spread is known"},
			{"level", real, "coverage of the interval, as a fraction"},
			{"model", text, "the fitted model"},
			{"status", text, statusDoc},
		},
		timeColumn: true,
		Output:     outputSchema,
		Examples: []Example{
			{
				Title: "The next half year of airline passengers",
				SQL:   "SELECT month, forecast, lower_bound, upper_bound, status FROM FORECAST('demo.airline', 'month', 'passengers', 6)",
			},
			{
				Title: "Four weeks for every product of every store, from the sales table",
				SQL:   "SELECT store, sku, SUM(forecast) AS units FROM FORECAST('demo.sales', 'sold_on', 'units', 28, 'by=store,sku; model=ets') GROUP BY store, sku ORDER BY units DESC LIMIT 10",
			},
			{
				Title: "History and forecast in one result, for a chart",
				SQL:   "SELECT month, step, row_type, actual, forecast, lower_bound, upper_bound FROM FORECAST('demo.airline', 'month', 'passengers', 3, 'model=arima(0,1,1)(0,1,1)[12]; history=3; level=0.8')",
			},
			{
				Title: "What to know of the products of a store: which have ended, and where zeros were filled in",
				SQL:   "SELECT sku, MIN(sold_on) AS starts, model, status FROM FORECAST('demo.sales', 'sold_on', 'units', 7, 'by=store,sku; model=ets') WHERE store = 'Bristol' AND sku IN ('DRINKS-01', 'DRINKS-02', 'STAPLES-07') GROUP BY sku, model, status ORDER BY sku",
			},
			{
				Title: "A SELECT as the source: revenue of the whole chain, by month",
				SQL:   "SELECT sold_on, forecast, lower_bound, upper_bound, model, status FROM FORECAST('SELECT sold_on, SUM(units*price) AS revenue FROM demo.sales GROUP BY sold_on', 'sold_on', 'revenue', 3, 'freq=monthly')",
			},
		},
		Run: runForecast,
	}
}

func forecastQuantilesSpec() *Spec {
	return &Spec{
		Name:    "FORECAST_QUANTILES",
		Summary: "Forecasts quantiles of each step: the whole distribution, for stock and risk decisions.",
		Doc: `
One row for each series, step and quantile. The value is one that the observation stays at or below with the probability in column
quantile. Quantiles of one step never cross. Fewer than 4 observations, or 3 errors of the model, show no spread: all values are NULL then but that of quantile
0.5, which is the point forecast, and status says ` + "`1 observation: no interval`" + `. Seasonal periods and models are as for FORECAST.
`,
		Args:    []Arg{timeArg(), valueArg(), horizonArg()},
		Options: append(sharedOptions(), modelOption(), quantilesOption(), nonNegativeOption()),
		columns: []OutputColumn{
			{"step", whole, "1 for the first period after the last known"},
			{"quantile", real, "the probability, as a fraction"},
			{"value", real, "the quantile; NULL where there is no forecast or no spread is known"},
			{"model", text, "the fitted model"},
			{"status", text, statusDoc},
		},
		timeColumn: true,
		check:      checkQuantiles,
		Output:     outputSchema,
		Examples: []Example{
			{
				Title: "How many units cover demand on nine days of ten",
				SQL:   "SELECT sold_on, store, value AS units FROM FORECAST_QUANTILES('demo.sales', 'sold_on', 'units', 7, 'by=store,sku; q=0.9; model=ets') WHERE sku = 'DRINKS-01' AND step = 7",
			},
			{
				Title: "A fan of quantiles",
				SQL:   "SELECT * FROM FORECAST_QUANTILES('demo.airline', 'month', 'passengers', 2, 'q=0.05,0.25,0.5,0.75,0.95; model=ets')",
			},
		},
		Run: runForecastQuantiles,
	}
}

// maxRowsPerSeries bounds what is held in memory for one series.
const maxRowsPerSeries = 5_000_000

func checkQuantiles(c *call) error {
	if n := c.bound.Horizon * len(c.bound.Options.Quantiles); n > maxRowsPerSeries {
		return &badValue{codeTooMany, fmt.Sprintf("%d steps of %d quantiles are %d rows for each series; at most %d are computed", c.bound.Horizon, len(c.bound.Options.Quantiles), n, maxRowsPerSeries), "lower the horizon or ask for fewer quantiles."}
	}
	return nil
}

func runForecast(ctx context.Context, env *Env, b *Bound) (array.RecordReader, error) {
	o := b.Options
	perSeries := b.Horizon + max(0, o.History)
	return runPanel(ctx, env, b, perSeries, func(out *rows) seriesWorker {
		return &forecastRows{
			out: out, bound: b,
			forecaster: forecaster{
				model: b.model, horizon: b.Horizon, probs: []float64{(1 - o.Level) / 2, (1 + o.Level) / 2},
				level: o.Level, history: o.History, nonNeg: o.NonNegative, widen: true,
			},
		}
	})
}

func runForecastQuantiles(ctx context.Context, env *Env, b *Bound) (array.RecordReader, error) {
	return runPanel(ctx, env, b, b.Horizon*len(b.Options.Quantiles), func(out *rows) seriesWorker {
		return &quantileRows{
			out: out, bound: b,
			forecaster: forecaster{model: b.model, horizon: b.Horizon, probs: b.Options.Quantiles, nonNeg: b.Options.NonNegative},
		}
	})
}

// forecastRows writes the rows of FORECAST.
type forecastRows struct {
	forecaster
	out   *rows
	bound *Bound
}

// Positions of FORECAST's columns behind keys and time.
const (
	fcStep = iota
	fcRowType
	fcActual
	fcForecast
	fcLower
	fcUpper
	fcLevel
	fcModel
	fcStatus
)

func (w *forecastRows) one(ctx context.Context, s series.Series, at timeline, notes string) error {
	if err := at.check(len(s.Y) + w.horizon - 1); err != nil {
		return err
	}
	if err := w.run(ctx, s); err != nil {
		return err
	}
	out, level, status := w.out, w.bound.Options.Level, w.status(notes)
	n := len(s.Y)
	first := n
	switch {
	case w.history < 0:
		first = 0
	case w.history > 0:
		first = max(0, n-w.history)
	}
	for t := first; t < n; t++ {
		out.begin(at.time(t))
		out.whole(fcStep, int64(t-n+1))
		out.text(fcRowType, "history")
		out.real(fcActual, s.Y[t])
		fit, lower, upper := math.NaN(), math.NaN(), math.NaN()
		if t < len(w.fitted) {
			fit, lower, upper = w.fitted[t], w.lower[t], w.upper[t]
		}
		out.real(fcForecast, fit)
		out.real(fcLower, lower)
		out.real(fcUpper, upper)
		out.real(fcLevel, level)
		out.text(fcModel, w.fittedModel)
		out.text(fcStatus, status)
	}
	for h := range w.horizon {
		out.begin(at.time(n + h))
		out.whole(fcStep, int64(h+1))
		out.text(fcRowType, "forecast")
		out.null(fcActual)
		out.real(fcForecast, w.forecast.Mean[h])
		out.real(fcLower, w.forecast.Quantiles[0][h])
		out.real(fcUpper, w.forecast.Quantiles[1][h])
		out.real(fcLevel, level)
		out.text(fcModel, w.fittedModel)
		out.text(fcStatus, status)
	}
	return nil
}

func (w *forecastRows) failed(s series.Series, at timeline, why string) {
	out := w.out
	out.begin(at.time(len(s.Y)))
	out.whole(fcStep, 1)
	out.text(fcRowType, "forecast")
	for _, c := range []int{fcActual, fcForecast, fcLower, fcUpper} {
		out.null(c)
	}
	out.real(fcLevel, w.bound.Options.Level)
	out.null(fcModel)
	out.text(fcStatus, why)
}

// quantileRows writes the rows of FORECAST_QUANTILES.
type quantileRows struct {
	forecaster
	out   *rows
	bound *Bound
}

// Positions of FORECAST_QUANTILES' columns behind keys and time.
const (
	fqStep = iota
	fqQuantile
	fqValue
	fqModel
	fqStatus
)

func (w *quantileRows) one(ctx context.Context, s series.Series, at timeline, notes string) error {
	n := len(s.Y)
	if err := at.check(n + w.horizon - 1); err != nil {
		return err
	}
	if err := w.run(ctx, s); err != nil {
		return err
	}
	status := w.status(notes)
	for h := range w.horizon {
		for p, prob := range w.forecast.Probs {
			w.out.begin(at.time(n + h))
			w.out.whole(fqStep, int64(h+1))
			w.out.real(fqQuantile, prob)
			w.out.real(fqValue, w.forecast.Quantiles[p][h])
			w.out.text(fqModel, w.fittedModel)
			w.out.text(fqStatus, status)
		}
	}
	return nil
}

func (w *quantileRows) failed(s series.Series, at timeline, why string) {
	w.out.begin(at.time(len(s.Y)))
	w.out.whole(fqStep, 1)
	w.out.null(fqQuantile)
	w.out.null(fqValue)
	w.out.null(fqModel)
	w.out.text(fqStatus, why)
}
