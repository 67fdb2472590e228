package models

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// Auto chooses for each series. The character of the series names a few candidate models (candidates in
// autocandidates.go); each is judged by its errors from several forecast origins inside the series (autobacktest.go); the
// forecast is their combination, with weights that lean towards the better ones but are shrunk towards equality, because a handful of
// origins cannot tell close models apart and combinations beat winners (Bates & Granger 1969; Claeskens et al. 2016; Makridakis et al.
// 2020, the M4 competition). Intervals are the weighted averages of the members' quantiles, widened or narrowed by what the backtest
// saw. A combination that loses to the seasonal naive forecast in that backtest takes it in as a member, with growing weight;
// where even that does not help the answer is seasonal naive, and Note says so.
//
// extra are models to consider beside this package's own fast ones, such as ARIMA.
func Auto(extra ...engine.ModelSpec) engine.ModelSpec {
	specs := append([]engine.ModelSpec{Naive(), SNaive(), Drift(), Mean(), SES(), Holt(), HoltWinters(), ETS(), Theta(), STL(), Window()}, extra...)
	return engine.ModelSpec{
		Name:   "auto",
		Doc:    "The default: a combination of models chosen and weighted by their errors on the series' own past; seasonal naive where nothing beats it.",
		Syntax: "auto(weight*model + weight*model…): a fixed combination, such as auto(0.5*ETS(A,N,A) + 0.5*Theta)",
		References: []string{
			"Bates & Granger (1969), The combination of forecasts, Operational Research Quarterly 20",
			"Claeskens, Magnus, Vasnev & Wang (2016), The forecast combination puzzle: a simple theoretical explanation, International Journal of Forecasting 32",
			"Tashman (2000), Out-of-sample tests of forecasting accuracy, International Journal of Forecasting 16",
			"Lichtendahl, Grushka-Cockayne & Winkler (2013), Is it better to average probabilities or quantiles?, Management Science 59",
		},
		Caps: engine.Caps{Seasonal: true, Missing: true},
		New: func(args string) (engine.Model, error) {
			inside := strings.TrimSpace(args)
			if strings.HasPrefix(inside, "(") && strings.HasSuffix(inside, ")") {
				inside = strings.TrimSpace(inside[1 : len(inside)-1])
			}
			if inside == "" {
				return autoModel{specs: specs}, nil
			}
			parts, err := parseCombination(inside, specs)
			if err != nil {
				return nil, err
			}
			return fixedCombination{parts}, nil
		},
	}
}

// findModel finds the model that text names, such as "ETS(A,N,A)", among specs.
func findModel(text string, specs []engine.ModelSpec) (engine.Model, error) {
	text = strings.TrimSpace(text)
	end := len(text)
	if i := strings.IndexAny(text, "( "); i >= 0 {
		end = i
	}
	for _, s := range specs {
		if strings.EqualFold(s.Name, text[:end]) {
			return s.New(strings.TrimSpace(text[end:]))
		}
	}
	return nil, fmt.Errorf("%w: no model is called %q", engine.ErrSyntax, text[:end])
}

// combinationPart is one model of a fixed combination.
type combinationPart struct {
	weight float64
	model  engine.Model
}

// parseCombination reads "0.5*ETS(A,N,A) + 0.5*Theta"; a part without weight weighs 1. Weights are normalised.
func parseCombination(text string, specs []engine.ModelSpec) ([]combinationPart, error) {
	var parts []combinationPart
	depth, begin, total := 0, 0, 0.0
	for i := 0; i <= len(text); i++ {
		if i < len(text) {
			switch text[i] {
			case '(':
				depth++
			case ')':
				depth--
			}
			if text[i] != '+' || depth != 0 {
				continue
			}
		}
		part, weight := strings.TrimSpace(text[begin:i]), 1.0
		if w, name, ok := strings.Cut(part, "*"); ok {
			v, err := strconv.ParseFloat(strings.TrimSpace(w), 64)
			if err != nil || !(v > 0) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("%w: %q is no positive weight", engine.ErrSyntax, w)
			}
			weight, part = v, name
		}
		model, err := findModel(part, specs)
		if err != nil {
			return nil, fmt.Errorf("auto(%s): %w", text, err)
		}
		parts = append(parts, combinationPart{weight, model})
		total += weight
		begin = i + 1
	}
	for i := range parts {
		parts[i].weight /= total
	}
	return parts, nil
}

// fixedCombination is auto with its members and weights given.
type fixedCombination struct{ parts []combinationPart }

// Fit implements engine.Model. Every member must fit.
func (c fixedCombination) Fit(ctx context.Context, s series.Series) (engine.Fitted, error) {
	f := &autoFitted{spread: 1, nonNegative: summarise(s.Y).nonNegative}
	for _, p := range c.parts {
		m, err := p.model.Fit(ctx, s)
		if err != nil {
			return nil, err
		}
		f.members = append(f.members, m)
		f.weights = append(f.weights, p.weight)
	}
	f.describe(s.Y)
	return f, nil
}

type autoModel struct{ specs []engine.ModelSpec }

// Fit implements engine.Model.
func (a autoModel) Fit(ctx context.Context, s series.Series) (engine.Fitted, error) {
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
	given := len(s.Y)
	s = recent(s)
	st = summarise(s.Y)
	f, err := a.fit(ctx, s, st)
	if err != nil {
		return nil, err
	}
	f.cut, f.nonNegative = given-len(s.Y), st.nonNegative
	f.describe(s.Y)
	return f, nil
}

// fit is Fit on the recent part of the series.
func (a autoModel) fit(ctx context.Context, s series.Series, st summary) (*autoFitted, error) {
	plan := characterise(s, st)
	var trials []*trial
	for _, name := range plan.candidates {
		tr, err := newTrial(ctx, name, s, a.specs)
		if err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			continue // this candidate does not suit the series: others do
		}
		trials = append(trials, tr)
	}
	yardstick, err := newTrial(ctx, plan.yardstick, s, a.specs)
	if err != nil {
		return nil, err
	}
	if len(trials) == 0 {
		return yardstick.alone(fmt.Sprintf("no candidate fits this series: %s", plan.yardstick)), nil
	}
	origins := plan.origins(s, st)
	for _, origin := range origins {
		for _, tr := range append(trials, yardstick) {
			if err := tr.judge(ctx, s, origin, plan.horizon); err != nil {
				return nil, err
			}
		}
	}
	f := combine(trials)
	if len(origins) == 0 {
		f.note = "no backtest: equal weights"
		return f, nil
	}
	own, theirs := f.backtest(yardstick, s, origins, plan.squared)
	for share := 0.25; own > theirs && share < 1; share += 0.25 {
		own = f.lean(yardstick, share, s, origins, plan.squared)
	}
	if own > theirs {
		return yardstick.alone(fmt.Sprintf("fell back to %s: over %s no combination had a smaller error", plan.yardstick, counted(len(origins), "origin"))), nil
	}
	f.note = fmt.Sprintf("backtest of %s, %s: error %.2f times that of %s", counted(len(origins), "origin"), counted(plan.horizon, "step"), safeRatio(own, theirs), plan.yardstick)
	return f, nil
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func safeRatio(a, b float64) float64 {
	if b == 0 {
		return 1
	}
	return a / b
}

// autoFitted is a weighted combination.
type autoFitted struct {
	members     []engine.Fitted
	weights     []float64
	trials      []*trial // of the members, while being fitted
	spread      float64  // factor on the distance of quantiles from the mean
	nonNegative bool
	cut         int       // observations at the beginning that were left out
	y           []float64 // the others
	note        string
	description engine.Description
	scratch     engine.Forecast
}

// Forecast implements engine.Fitted. Where the data are never negative neither are the forecasts.
func (f *autoFitted) Forecast(ctx context.Context, dst *engine.Forecast, future [][]float64) error {
	for i := range dst.Mean {
		dst.Mean[i] = 0
	}
	for p := range dst.Probs {
		clear(dst.Quantiles[p])
	}
	for i, m := range f.members {
		f.scratch.Reset(dst.H, dst.Probs)
		if err := m.Forecast(ctx, &f.scratch, future); err != nil {
			return err
		}
		w := f.weights[i]
		for h, v := range f.scratch.Mean {
			dst.Mean[h] += w * v
		}
		for p := range dst.Probs {
			for h, v := range f.scratch.Quantiles[p] {
				dst.Quantiles[p][h] += w * v
			}
		}
	}
	for p := range dst.Probs {
		for h, v := range dst.Quantiles[p] {
			v = dst.Mean[h] + f.spread*(v-dst.Mean[h])
			if f.nonNegative {
				v = math.Max(v, 0)
			}
			if p > 0 { // rounding in the weighted sums must not make equal quantiles cross
				v = math.Max(v, dst.Quantiles[p-1][h])
			}
			dst.Quantiles[p][h] = v
		}
	}
	if f.nonNegative {
		for h, v := range dst.Mean {
			dst.Mean[h] = math.Max(v, 0)
		}
	}
	return nil
}

// FittedValues implements engine.Fitted: the weighted mean of the members' that have one.
func (f *autoFitted) FittedValues(dst []float64) []float64 {
	var sum, weight, buf []float64
	for i, m := range f.members {
		buf = m.FittedValues(buf)
		if sum == nil {
			sum, weight = make([]float64, len(buf)), make([]float64, len(buf))
		}
		for t, v := range buf {
			if v == v {
				sum[t] += f.weights[i] * v
				weight[t] += f.weights[i]
			}
		}
	}
	dst = dst[:0]
	for range f.cut {
		dst = append(dst, math.NaN())
	}
	for t := range sum {
		dst = append(dst, sum[t]/weight[t]) // 0/0 is NaN: no member has one
	}
	return dst
}

// Describe implements engine.Fitted.
func (f *autoFitted) Describe() engine.Description { return f.description }

func (f *autoFitted) describe(y []float64) {
	f.y = y
	var label strings.Builder
	nan := math.NaN()
	d := engine.Description{LogLik: nan, AIC: nan, AICc: nan, BIC: nan, Note: f.note}
	label.WriteString("Auto(")
	for i, m := range f.members {
		if i > 0 {
			label.WriteString(" + ")
		}
		name := m.Describe().Model
		fmt.Fprintf(&label, "%.2f*%s", f.weights[i], name)
		d.Params = append(d.Params, engine.Param{Name: "weight of " + name, Value: f.weights[i]})
	}
	label.WriteString(")")
	d.Model = label.String()
	d.Sigma2 = residualVariance(y, f.FittedValues(nil)[f.cut:])
	if len(f.members) == 1 {
		d = f.members[0].Describe()
		if f.note != "" {
			d.Note = strings.TrimSuffix(f.note+"; "+d.Note, "; ")
		}
	}
	f.description = d
}

// residualVariance is the mean squared one-step error where there is one; fitted has the length of y.
func residualVariance(y, fitted []float64) float64 {
	sum, n := 0.0, 0
	for t, v := range y {
		if e := v - fitted[t]; e == e {
			sum, n = sum+e*e, n+1
		}
	}
	return sum / float64(max(1, n))
}

var errNoForecast = errors.New("forecast is not finite")
