package models

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// ARIMA is the autoregressive integrated moving average model with seasons: of given orders, or of those that the
// stepwise search of Hyndman & Khandakar finds. Signs and names are those of R: y is differenced d times and D times at the
// seasonal lag, and
//
//	(1 − ar(B)) (1 − sar(B^m)) w_t = (1 + ma(B)) (1 + sma(B^m)) ε_t
//
// holds for the result w less its mean (no differencing) or drift (one difference). Regressors of the series, if any,
// enter linearly, with ARIMA errors. Parameters maximise the exact Gaussian likelihood.
func ARIMA() engine.ModelSpec {
	return engine.ModelSpec{
		Name:   "arima",
		Doc:    "ARIMA model with seasonal terms; orders found by the search of Hyndman and Khandakar unless given. For series whose values depend on recent ones and on those a season ago.",
		Syntax: "arima(p,d,q)(P,D,Q)[m] with drift: the seasonal part, [m] and the last words may be left out; they are: with drift, with non-zero mean, with zero mean. Such as arima(0,1,1)(0,1,1)[12]",
		References: []string{
			"Box & Jenkins (1970), Time Series Analysis: Forecasting and Control",
			"Hyndman & Khandakar (2008), Automatic time series forecasting: the forecast package for R, Journal of Statistical Software 27(3)",
			"Pearlman (1980), An algorithm for the exact likelihood of a high-order autoregressive-moving average process, Biometrika 67",
			"Durbin & Koopman (2012), Time Series Analysis by State Space Methods",
			"Hyndman & Athanasopoulos (2021), Forecasting: Principles and Practice, chapter 9",
		},
		Caps: engine.Caps{Seasonal: true, Missing: true, Exogenous: true},
		New: func(args string) (engine.Model, error) {
			if strings.TrimSpace(args) == "" {
				return arimaAuto{stepwise: true}, nil
			}
			o, err := parseARIMA(args)
			if err != nil {
				return nil, err
			}
			return arimaFixed{order: o}, nil
		},
	}
}

// arimaOrder is the form of an ARIMA model. m is 1 without a season; in a request, 0 with seasonal orders means the
// period of the series.
type arimaOrder struct {
	p, d, q int
	P, D, Q int // the textbook's letters: capitals are the seasonal orders
	m       int
	mean    bool // a mean is estimated; only without differencing
	drift   bool // a linear trend is estimated
}

// coefficients counts the ARMA coefficients.
func (o arimaOrder) coefficients() int { return o.p + o.q + o.P + o.Q }

// lost counts the observations that differencing takes.
func (o arimaOrder) lost() int { return o.d + o.m*o.D }

// String is the form in R's notation.
func (o arimaOrder) String() string {
	s := fmt.Sprintf("ARIMA(%d,%d,%d)", o.p, o.d, o.q)
	if o.P+o.D+o.Q > 0 {
		s += fmt.Sprintf("(%d,%d,%d)", o.P, o.D, o.Q)
		if o.m > 1 {
			s += fmt.Sprintf("[%d]", o.m)
		}
	}
	switch {
	case o.drift:
		s += " with drift"
	case o.mean:
		s += " with non-zero mean"
	case o.d+o.D == 0:
		s += " with zero mean"
	}
	return s
}

// names lists the names of the ARMA coefficients in the order of the parameters.
func (o arimaOrder) names() []string {
	var names []string
	for _, part := range []struct {
		name string
		n    int
	}{{"ar", o.p}, {"ma", o.q}, {"sar", o.P}, {"sma", o.Q}} {
		for i := range part.n {
			names = append(names, part.name+strconv.Itoa(i+1))
		}
	}
	return names
}

// Limits of the orders that can be asked for. They are wide; a series must be long enough for what is asked.
const (
	maxARIMAOrder       = 60
	maxARIMADifferences = 3
	maxARIMAPeriod      = 400 // of a fixed form: the exact filter needs the square of it in memory
)

var arimaPattern = regexp.MustCompile(`^(?:arima)?\s*\(\s*(\d{1,4})\s*,\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\)` +
	`(?:\s*\(\s*(\d{1,4})\s*,\s*(\d{1,4})\s*,\s*(\d{1,4})\s*\)(?:\s*\[\s*(\d{1,6})\s*\])?)?` +
	`\s*(with\s+drift|with\s+non-zero\s+mean|with\s+mean|with\s+zero\s+mean)?(?:\s*(?:and|with)\s+regressors)?$`)

// parseARIMA reads a form as String writes it. Without words on the constant a mean is estimated if nothing is differenced.
func parseARIMA(args string) (arimaOrder, error) {
	var o arimaOrder
	match := arimaPattern.FindStringSubmatch(strings.ToLower(strings.TrimSpace(args)))
	if match == nil {
		return o, fmt.Errorf("%w: arima%s; write arima(p,d,q)(P,D,Q)[m] with drift, such as arima(0,1,1)(0,1,1)[12]", engine.ErrSyntax, args)
	}
	for i, field := range []*int{&o.p, &o.d, &o.q, &o.P, &o.D, &o.Q, &o.m} {
		if text := match[i+1]; text != "" {
			*field, _ = strconv.Atoi(text) // digits by the pattern
		}
	}
	seasonal := o.P+o.D+o.Q > 0
	switch {
	case max(o.p, o.q, o.P, o.Q) > maxARIMAOrder:
		return o, fmt.Errorf("%w: arima%s: orders go up to %d", engine.ErrSyntax, args, maxARIMAOrder)
	case o.d+o.D > maxARIMADifferences:
		return o, fmt.Errorf("%w: arima%s: at most %d differences in all", engine.ErrSyntax, args, maxARIMADifferences)
	case seasonal && match[7] != "" && (o.m < 2 || o.m > maxARIMAPeriod):
		return o, fmt.Errorf("%w: arima%s: the seasonal period is between 2 and %d", engine.ErrSyntax, args, maxARIMAPeriod)
	}
	if !seasonal {
		o.m = 1
	}
	switch constant := strings.Join(strings.Fields(match[8]), " "); constant {
	case "with drift":
		o.drift, o.mean = true, o.d+o.D == 0
		if o.d+o.D > 1 {
			return o, fmt.Errorf("%w: arima%s: a drift needs at most one difference", engine.ErrSyntax, args)
		}
	case "with mean", "with non-zero mean":
		o.mean = true
		if o.d+o.D > 0 {
			return o, fmt.Errorf("%w: arima%s: differencing removes the mean; say with drift", engine.ErrSyntax, args)
		}
	case "":
		o.mean = o.d+o.D == 0
	}
	return o, nil
}

// arimaFixed is an ARIMA model of given orders.
type arimaFixed struct {
	order  arimaOrder
	method arimaMethod
}

// Fit implements engine.Model.
func (m arimaFixed) Fit(ctx context.Context, s series.Series) (engine.Fitted, error) {
	o := m.order
	if o.m == 0 {
		if o.m = s.Period(); o.m < 2 {
			return nil, fmt.Errorf("%w: %s needs a seasonal period, the series has none; write [m] behind it", engine.ErrSyntax, o)
		}
		if o.m > maxARIMAPeriod {
			return nil, fmt.Errorf("%w: %s takes seasonal periods up to %d, not %d", engine.ErrNoFit, o, maxARIMAPeriod, o.m)
		}
	}
	data, err := prepareARIMA(s)
	if err != nil {
		return nil, err
	}
	if need := o.lost() + o.coefficients() + data.regressors(o) + 1; data.observed < need {
		return nil, fmt.Errorf("%w: %d observations, %s needs %d", engine.ErrTooShort, data.observed, o, need)
	}
	w := arimaPool.Get().(*arimaWork)
	defer arimaPool.Put(w)
	e, err := w.estimate(ctx, data.problem(o), o, m.method, thorough)
	if err != nil {
		return nil, err
	}
	return w.finish(data, e, len(s.Y), "")
}
