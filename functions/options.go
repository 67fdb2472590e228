package functions

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/almanacdb/almanac/engine/calendar"
)

// Options are the values of all options of a call, defaults filled in. Each function reads those that its Spec lists.
type Options struct {
	// By are the names of the key columns as the source spells them.
	By []string
	// Freq is the spacing of the time column; the zero value means to find it.
	Freq calendar.Frequency
	// Periods are the seasonal periods in observations, ascending. PeriodsGiven tells "none" (empty) from auto.
	Periods      []int
	PeriodsGiven bool
	// Missing is auto, zero, null, ffill, interpolate or error.
	Missing string
	// Agg is sum, mean, last, first, min, max or error.
	Agg string
	// Cutoff is the last time known, on the panel's axis (microseconds, or the number of an integer time column).
	Cutoff      int64
	CutoffGiven bool
	// Seed makes random choices repeatable.
	Seed uint64
	// Device is auto, cpu or gpu.
	Device string
	// OnError is report or fail.
	OnError string

	// Model is the text of the model, such as "auto" or "arima(0,1,1)".
	Model string
	// Level is the coverage of the prediction interval, in (0,1).
	Level float64
	// History is the number of past rows: 0 none, -1 all.
	History int
	// Quantiles are the probabilities wanted, ascending.
	Quantiles []float64
	// NonNegative is auto, yes or no.
	NonNegative string

	// Method is the way to decompose: auto, stl, mstl, additive or multiplicative.
	Method string
	// Robust asks for the robust variant of STL.
	Robust bool

	// Algorithm is auto, kmeans or kmedoids.
	Algorithm string
	// Distance is euclidean, correlation or dtw.
	Distance string
	// Align is calendar or stretch.
	Align string
	// Band is the half-width of the DTW band as a share of the length; 0 means the default.
	Band float64
	// MaxK bounds k = 'auto'; 0 means the default.
	MaxK int
}

func defaultOptions() Options {
	return Options{
		Missing: "auto", Agg: "sum", Seed: 1, Device: "auto", OnError: "report",
		Model: "auto", Level: 0.95, NonNegative: "auto",
		Quantiles: []float64{0.1, 0.5, 0.9},
		Method:    "auto",
		Algorithm: "auto", Distance: "euclidean", Align: "calendar",
	}
}

// sharedOptions are taken by every function.
func sharedOptions() []Option {
	return []Option{
		{
			Name: "by", Values: "column, column, …", Default: "none: the whole source is one series",
			Doc: "Key columns: one series for each combination of their values. They come first in the result, with their own names and types. Quote a name with commas or blanks in backticks.",
			set: setBy,
		},
		{
			Name: "freq", Values: "auto | hourly | daily | business | weekly | monthly | quarterly | yearly | a count with a unit, such as 15min or 2 weeks | a whole number for integer time columns", Default: "auto",
			Doc: "The spacing of the time column. `auto` finds it from the distances between the times. Rows finer than it are aggregated by `agg`; the first and the last period of the source, if the rows cover them only in part (December up to the 9th), are left out, and status says so. Weekends, other days without trade and holidays at the edge are no gap. A whole-number time column takes a whole number, the step; its seasons are found in the data or given by `period`.",
			set: setFreq,
		},
		{
			Name: "period", Values: "auto | none | whole numbers, such as 7 or 7,365", Default: "auto",
			Doc: "Seasonal periods in observations. `auto` takes those natural to the frequency (hours 24 and 168, days 7, business days 5, weeks 52, months 12, quarters 4) as far as a series has two full cycles, none for years, and looks for one in the data where the spacing says nothing of seasons (whole numbers). Models that choose their form test whether the season is there.",
			set: setPeriod,
		},
		words("missing", "auto", "How to fill a period without a row between the first and the last of a series. `auto` means zero where all values of the source are whole and not negative (sales), else interpolate. A NULL in the value column is unknown, never zero: `auto` and `zero` leave it to the model (or interpolate it where the model cannot).",
			func(o *Options) *string { return &o.Missing }, "auto", "zero", "null", "ffill", "interpolate", "error"),
		words("agg", "sum", "What to make of several rows of a series at one time (or within one period).",
			func(o *Options) *string { return &o.Agg }, "sum", "mean", "last", "first", "min", "max", "error"),
		{
			Name: "cutoff", Values: "a date, a date and time, or a whole number for integer time columns", Default: "the last time in the source",
			Doc: "Pretend that nothing after this time is known: rows behind it are left out.",
			set: setCutoff,
		},
		{
			Name: "seed", Values: "a whole number from 0", Default: "1",
			Doc: "Makes every random choice repeatable: the same data, arguments and seed give the same bits. It moves the starts of clustering; what uses no chance, and the simulated intervals of models, which have a seed of their own, are the same for every seed.",
			set: setSeed,
		},
		{
			Name: "device", Values: "auto | cpu | gpu", Default: "auto", OneOf: []string{"auto", "cpu", "gpu"},
			Doc: "Where to compute. This build computes on the CPU: `gpu` is refused.",
			set: setDevice,
		},
		words("on_error", "report", "`report`: a series that cannot be done yields one row whose status says why, and the statement gets a warning. `fail`: the statement fails and names the series. A source without rows gives an empty result and a warning under `report`, error FC0201 under `fail`: programs that do not read warnings should set `fail`.",
			func(o *Options) *string { return &o.OnError }, "report", "fail"),
	}
}

// words declares an option that takes one of a few words.
func words(name, def, doc string, field func(*Options) *string, oneOf ...string) Option {
	return Option{
		Name: name, Doc: doc, Default: def, OneOf: oneOf, Values: strings.Join(oneOf, " | "),
		set: func(c *call, s setting) error {
			word, err := oneWord(s, oneOf)
			if err != nil {
				return err
			}
			*field(&c.bound.Options) = word
			return nil
		},
	}
}

// flag declares an option that is yes or no.
func flag(name, def, doc string, field func(*Options) *bool) Option {
	return Option{
		Name: name, Doc: doc, Default: def, OneOf: []string{"yes", "no"}, Values: "yes | no",
		set: func(c *call, s setting) error {
			switch strings.ToLower(s.text) {
			case "true", "1", "on":
				*field(&c.bound.Options) = true
				return nil
			case "false", "0", "off":
				*field(&c.bound.Options) = false
				return nil
			}
			word, err := oneWord(s, []string{"yes", "no"})
			if err != nil {
				return err
			}
			*field(&c.bound.Options) = word == "yes"
			return nil
		},
	}
}

// badValue is an option's value that cannot be used; bindOptions completes it with the function and the option's name.
type badValue struct {
	code Code
	what string
	fix  string
}

func (e *badValue) Error() string { return e.what }

func reject(fix, format string, args ...any) error {
	return &badValue{code: codeOptionValue, what: fmt.Sprintf(format, args...), fix: fix}
}

func oneWord(s setting, oneOf []string) (string, error) {
	text := strings.ToLower(unquote(s.text))
	for _, w := range oneOf {
		if text == w || normalise(text) == normalise(w) {
			return w, nil
		}
	}
	fix := "write one of " + strings.Join(oneOf, ", ") + "."
	if near := nearest(text, oneOf); len(near) > 0 {
		fix = "did you mean " + s.key + "=" + near[0] + "?"
	}
	return "", reject(fix, "option '%s' is '%s', but takes %s", s.key, s.text, alternatives(oneOf))
}

// alternatives joins words as in a sentence: a, b or c.
func alternatives(list []string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " or " + list[len(list)-1]
}

func setBy(c *call, s setting) error {
	names, err := s.list()
	if err != nil {
		return reject("list the key columns, such as by=store,sku.", "option 'by': %v", err)
	}
	for _, name := range names {
		if key, _, isSetting := strings.Cut(name, "="); isSetting && c.option(strings.ToLower(strings.TrimSpace(key))) != nil {
			if _, err := c.findColumn(name); err != nil {
				return reject("separate options by ';', as in 'by=store; "+strings.TrimSpace(name)+"'.",
					"option 'by' lists '%s', which looks like the next option", name)
			}
		}
		col, err := c.column(name, "by")
		if err != nil {
			return err
		}
		if slices.ContainsFunc(c.bound.Keys, func(k Column) bool { return k.Index == col.Index }) {
			return &badValue{codeColumnTwice, fmt.Sprintf("option 'by' lists column '%s' twice", col.Field.Name), "name each key column once."}
		}
		c.bound.Keys = append(c.bound.Keys, col)
		c.bound.Options.By = append(c.bound.Options.By, col.Field.Name)
	}
	return nil
}

func setFreq(c *call, s setting) error {
	text := unquote(s.text)
	if normalise(text) == "businessday" || normalise(text) == "businessdays" {
		text = "business"
	}
	const fix = "write one of auto, hourly, daily, business, weekly, monthly, quarterly, yearly, or a count with a unit such as 15min."
	freq, err := calendar.Parse(text)
	if bad := (*calendar.SyntaxError)(nil); errors.As(err, &bad) {
		reason := bad.Reason
		if reason == "" {
			reason = "it names no frequency"
		}
		if bad.Suggestion != "" {
			return reject("did you mean freq="+bad.Suggestion+"?", "option 'freq' is '%s': %s", s.text, reason)
		}
		return reject(fix, "option 'freq' is '%s': %s", s.text, reason)
	}
	if err != nil {
		return reject(fix, "option 'freq' is '%s'", s.text)
	}
	column := c.bound.Time.Field
	if freq.Unit == calendar.Integer && !isInteger(column.Type) {
		return reject("add the unit, such as freq="+text+" days.", "option 'freq' is '%s' without a unit", s.text)
	}
	if freq.Unit != calendar.Integer && !freq.IsZero() && isInteger(column.Type) {
		fix := "leave freq out, or give the step as a number such as freq=1; for dates, make them in a SELECT as the source."
		if periods := freq.SeasonalPeriods(); len(periods) > 0 {
			fix = fmt.Sprintf("leave freq out and set period=%d for the season; for dates, make them in a SELECT as the source.", periods[0])
		}
		return reject(fix, "option 'freq' is '%s', but time column '%s' holds whole numbers, not dates", s.text, column.Name)
	}
	c.bound.Options.Freq = freq
	return nil
}

// maxPeriod bounds seasonal periods: a year of hours, with room.
const maxPeriod = 100_000

func setPeriod(c *call, s setting) error {
	o := &c.bound.Options
	switch text := strings.ToLower(unquote(s.text)); text {
	case "auto":
		return nil
	case "none":
		o.PeriodsGiven = true
		return nil
	}
	const fix = "give whole numbers of observations, such as period=7 or period=7,365; period=none for no seasonality."
	list, err := s.list()
	if err != nil || len(list) == 0 {
		return reject(fix, "option 'period' is '%s'", s.text)
	}
	for _, text := range list {
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || n < 1 || n > maxPeriod {
			return reject(fix, "option 'period' has '%s'; a period is a whole number from 1 to %d", text, maxPeriod)
		}
		if n > 1 { // a period of 1 means non-seasonal
			o.Periods = append(o.Periods, n)
		}
	}
	slices.Sort(o.Periods)
	o.Periods = slices.Compact(o.Periods)
	o.PeriodsGiven = true
	return nil
}

func setCutoff(c *call, s setting) error {
	column := c.bound.Time.Field
	axis, err := calendar.NewAxis(column.Type)
	if err != nil {
		return err
	}
	cutoff, err := axis.ParseCutoff(unquote(s.text))
	if err != nil {
		if axis.IsInteger() {
			return reject("give a whole number, such as cutoff=2015.", "option 'cutoff' is '%s', but time column '%s' holds whole numbers", s.text, column.Name)
		}
		return reject("write a date such as cutoff=2024-12-31, or a time such as cutoff=2024-12-31 18:00:00.", "option 'cutoff' is '%s', which is no date", s.text)
	}
	c.bound.Options.Cutoff, c.bound.Options.CutoffGiven = cutoff, true
	return nil
}

func setSeed(c *call, s setting) error {
	n, err := strconv.ParseUint(unquote(s.text), 10, 63)
	if err != nil {
		return reject("give a whole number from 0, such as seed=1.", "option 'seed' is '%s'", s.text)
	}
	c.bound.Options.Seed = n
	return nil
}

func setDevice(c *call, s setting) error {
	word, err := oneWord(s, []string{"auto", "cpu", "gpu"})
	if err != nil {
		return err
	}
	if word == "gpu" {
		return &badValue{codeNoDevice, "option 'device' is 'gpu', but there is no GPU support in this build", "leave device out, or write device=cpu."}
	}
	c.bound.Options.Device = word
	return nil
}

func levelOption() Option {
	return Option{
		Name: "level", Values: "a fraction between 0 and 1", Default: "0.95",
		Doc: "The coverage of the prediction interval between lower_bound and upper_bound.",
		set: func(c *call, s setting) error {
			f, err := fraction(s.key, s.text)
			if err != nil {
				return err
			}
			c.bound.Options.Level = f
			return nil
		},
	}
}

// fraction reads a number in (0,1) and proposes 0.95 for 95.
func fraction(key, text string) (float64, error) {
	trimmed := strings.TrimSpace(strings.TrimSuffix(unquote(text), "%"))
	f, err := strconv.ParseFloat(trimmed, 64)
	switch {
	case err != nil || math.IsNaN(f):
		return 0, reject("write "+key+"=0.95.", "option '%s' is '%s', which is no number", key, text)
	case f > 0 && f < 1 && !strings.HasSuffix(unquote(text), "%"):
		return f, nil
	case f > 0 && f < 100:
		return 0, reject("write "+key+"="+strconv.FormatFloat(f/100, 'g', 12, 64)+".", "option '%s' is '%s'; it is a fraction between 0 and 1", key, text)
	}
	return 0, reject("write "+key+"=0.95.", "option '%s' is '%s'; it lies strictly between 0 and 1", key, text)
}

func quantilesOption() Option {
	return Option{
		Name: "q", Values: "fractions between 0 and 1, such as 0.1,0.5,0.9", Default: "0.1,0.5,0.9",
		Doc: "The probabilities of the quantiles wanted. They come back in ascending order, each once.",
		set: func(c *call, s setting) error {
			list, err := s.list()
			if err != nil || len(list) == 0 {
				return reject("write q=0.1,0.5,0.9.", "option 'q' is '%s'", s.text)
			}
			const most = 999
			if len(list) > most {
				return reject("ask for fewer quantiles.", "option 'q' lists %d quantiles; at most %d are computed", len(list), most)
			}
			probs := make([]float64, 0, len(list))
			for _, text := range list {
				p, err := fraction(s.key, text)
				if err != nil {
					return err
				}
				probs = append(probs, p)
			}
			slices.Sort(probs)
			c.bound.Options.Quantiles = slices.Compact(probs)
			return nil
		},
	}
}

func historyOption() Option {
	return Option{
		Name: "history", Values: "none | all | a whole number", Default: "none",
		Doc: "How many past observations of each series to put before the forecast. On those rows forecast is the fitted value (the one-step-ahead expectation) and the bounds come from the one-step innovations.",
		set: func(c *call, s setting) error {
			o := &c.bound.Options
			switch text := strings.ToLower(unquote(s.text)); text {
			case "none", "no", "false", "0":
				o.History = 0
			case "all", "yes", "true":
				o.History = -1
			default:
				n, err := strconv.Atoi(text)
				if err != nil || n < 0 {
					return reject("write history=all, history=none or a number such as history=90.", "option 'history' is '%s'", s.text)
				}
				o.History = n
			}
			return nil
		},
	}
}

func nonNegativeOption() Option {
	o := words("nonneg", "auto", "Whether results are kept at or above zero. `auto` does it for a series whose values are all zero or more. Where this changed the point forecast itself, status says so.",
		func(o *Options) *string { return &o.NonNegative }, "auto", "yes", "no")
	return o
}

func modelOption() Option {
	return Option{
		Name: "model", Values: "auto | a model's name | a model with its orders, such as arima(0,1,1)(0,1,1)[12]", Default: "auto",
		Doc: "The forecasting model. `auto` chooses for each series; the column model says what was used, in a form that this option takes back.",
		set: func(c *call, s setting) error {
			c.bound.Options.Model = unquote(s.text)
			return nil // looked up once all options are known
		},
	}
}
