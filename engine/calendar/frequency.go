// Package calendar knows how time columns step: hours, days, business days, weeks, calendar months, quarters, years and plain
// integers.
//
// A Frequency is the spacing of a series, an Axis turns an Arrow time column into int64 values and back, a Grid numbers
// the periods of a frequency from a series' own phase (its weekday, its day of the month, its time of day), and
// Detect finds the frequency of a panel. All types are immutable values, safe for concurrent use.
//
// Calendar times are microseconds since 1970-01-01 00:00:00 without a time zone, as MySQL's DATE and DATETIME have
// none: a day always has 24 hours.
package calendar

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Unit is the calendar unit of a Frequency.
type Unit uint8

// The units, from the finest. Quarters are three months, years twelve.
const (
	Unknown     Unit = iota
	Integer          // the time column is a whole number
	Second           // fixed length
	Minute           // fixed length
	Hour             // fixed length
	Day              // calendar day
	BusinessDay      // Monday to Friday
	Week             // seven days, on the weekday of the series' start
	Month            // calendar months; the day of the month (or its end) is kept
)

// Microseconds per unit of fixed length.
const (
	MicrosPerSecond int64 = 1_000_000
	MicrosPerMinute       = 60 * MicrosPerSecond
	MicrosPerHour         = 60 * MicrosPerMinute
	MicrosPerDay          = 24 * MicrosPerHour
	MicrosPerWeek         = 7 * MicrosPerDay
)

// Frequency is the spacing of a time series: N units. The zero value means "find it from the data".
type Frequency struct {
	Unit Unit
	N    int
}

// IsZero reports whether f is still to be found from the data.
func (f Frequency) IsZero() bool { return f.Unit == Unknown }

// String is the short form that Parse reads back: "H", "D", "B", "W", "M", "Q", "Y" with a count before it where it is not one
// ("15min", "2W"), the bare step of an integer axis ("1"), and "auto" for the zero value.
func (f Frequency) String() string {
	count := ""
	if f.N != 1 {
		count = strconv.Itoa(f.N)
	}
	switch f.Unit {
	case Integer:
		return strconv.Itoa(f.N)
	case Second:
		return count + "s"
	case Minute:
		return count + "min"
	case Hour:
		return count + "H"
	case Day:
		return count + "D"
	case BusinessDay:
		return count + "B"
	case Week:
		return count + "W"
	case Month:
		switch f.N {
		case 3:
			return "Q"
		case 12:
			return "Y"
		}
		return count + "M"
	}
	return "auto"
}

// Words is the frequency as a message says it: "daily", "every 15 minutes", "every 2 weeks", "quarterly".
func (f Frequency) Words() string {
	if f.N == 1 {
		switch f.Unit {
		case Integer:
			return "every whole number"
		case Second:
			return "every second"
		case Minute:
			return "every minute"
		case Hour:
			return "hourly"
		case Day:
			return "daily"
		case BusinessDay:
			return "every business day"
		case Week:
			return "weekly"
		case Month:
			return "monthly"
		}
	}
	switch f.Unit {
	case Integer:
		return fmt.Sprintf("every %d", f.N)
	case Second:
		return fmt.Sprintf("every %d seconds", f.N)
	case Minute:
		return fmt.Sprintf("every %d minutes", f.N)
	case Hour:
		return fmt.Sprintf("every %d hours", f.N)
	case Day:
		return fmt.Sprintf("every %d days", f.N)
	case BusinessDay:
		return fmt.Sprintf("every %d business days", f.N)
	case Week:
		return fmt.Sprintf("every %d weeks", f.N)
	case Month:
		switch {
		case f.N == 3:
			return "quarterly"
		case f.N == 12:
			return "yearly"
		case f.N%12 == 0:
			return fmt.Sprintf("every %d years", f.N/12)
		}
		return fmt.Sprintf("every %d months", f.N)
	}
	return "auto"
}

// SeasonalPeriods returns the usual seasonal periods of the frequency in observations, shortest first: the day and the week
// for anything within a day (H: 24, 168; 15min: 96, 672), the week for days (D: 7, B: 5), the year from weeks on (W: 52, M: 12,
// Q: 4). It is empty where there is none (Y, integers, 3W). The yearly period of daily data is left to detection: it needs
// two years of data and costs most models dearly.
func (f Frequency) SeasonalPeriods() []int {
	switch f.Unit {
	case Second:
		return cycles(int64(f.N)*MicrosPerSecond, MicrosPerHour, MicrosPerDay)
	case Minute:
		return cycles(int64(f.N)*MicrosPerMinute, MicrosPerDay, MicrosPerWeek)
	case Hour:
		return cycles(int64(f.N)*MicrosPerHour, MicrosPerDay, MicrosPerWeek)
	case Day:
		return cycles(int64(f.N), 7)
	case BusinessDay:
		return cycles(int64(f.N), 5)
	case Week:
		return cycles(int64(f.N), 52)
	case Month:
		return cycles(int64(f.N), 12)
	}
	return nil
}

// cycles are the lengths in steps of those cycles that hold a whole number of steps, two at least.
func cycles(step int64, lengths ...int64) []int {
	var periods []int
	for _, length := range lengths {
		if step > 0 && length%step == 0 && length > step {
			periods = append(periods, int(length/step))
		}
	}
	return periods
}

// normal gives one spelling to equal spacings: 60 minutes are an hour, 24 hours a day, 7 days a week.
func (f Frequency) normal() Frequency {
	if f.Unit == Second && f.N%60 == 0 {
		f = Frequency{Minute, f.N / 60}
	}
	if f.Unit == Minute && f.N%60 == 0 {
		f = Frequency{Hour, f.N / 60}
	}
	if f.Unit == Hour && f.N%24 == 0 {
		f = Frequency{Day, f.N / 24}
	}
	if f.Unit == Day && f.N%7 == 0 {
		f = Frequency{Week, f.N / 7}
	}
	return f
}

// names are the spellings that Parse takes, lower case, with what one of them means. Month start and month end are both months: the
// day is taken from the data.
var names = map[string]Frequency{
	"s": {Second, 1}, "sec": {Second, 1}, "second": {Second, 1}, "seconds": {Second, 1}, "secondly": {Second, 1},
	"min": {Minute, 1}, "t": {Minute, 1}, "minute": {Minute, 1}, "minutes": {Minute, 1}, "minutely": {Minute, 1},
	"h": {Hour, 1}, "hour": {Hour, 1}, "hours": {Hour, 1}, "hourly": {Hour, 1},
	"d": {Day, 1}, "day": {Day, 1}, "days": {Day, 1}, "daily": {Day, 1},
	"b": {BusinessDay, 1}, "business": {BusinessDay, 1}, "business day": {BusinessDay, 1}, "business days": {BusinessDay, 1}, "businessday": {BusinessDay, 1}, "businessdays": {BusinessDay, 1}, "weekdays": {BusinessDay, 1},
	"w": {Week, 1}, "week": {Week, 1}, "weeks": {Week, 1}, "weekly": {Week, 1},
	"m": {Month, 1}, "ms": {Month, 1}, "me": {Month, 1}, "month": {Month, 1}, "months": {Month, 1}, "monthly": {Month, 1},
	"q": {Month, 3}, "qs": {Month, 3}, "qe": {Month, 3}, "quarter": {Month, 3}, "quarters": {Month, 3}, "quarterly": {Month, 3},
	"y": {Month, 12}, "ys": {Month, 12}, "ye": {Month, 12}, "a": {Month, 12}, "year": {Month, 12}, "years": {Month, 12},
	"yearly": {Month, 12}, "annual": {Month, 12}, "annually": {Month, 12},
}

// suggestions are the names offered for one that is not known, best known first.
var suggestions = []string{
	"hourly", "daily", "weekly", "monthly", "quarterly", "yearly", "business", "minute", "second", "annual", "H", "D", "B", "W", "M", "Q", "Y", "min",
}

// maxCount bounds the N of a frequency, so that no multiple of a unit overflows.
const maxCount = 1_000_000

// Parse reads a frequency as String writes it or as a word ("hourly", "daily", "business", "weekly", "monthly", "quarterly", "yearly"),
// with an optional count before it ("15min", "2 weeks"); case does not matter. A bare whole number is the step of an
// integer time column. "auto" and "" give the zero Frequency. Errors are *SyntaxError and suggest the nearest name.
func Parse(text string) (Frequency, error) {
	s := strings.TrimSpace(text)
	if s == "" || strings.EqualFold(s, "auto") {
		return Frequency{}, nil
	}
	digits := 0
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		digits++
	}
	count := 1
	if digits > 0 {
		n, err := strconv.Atoi(s[:digits])
		if err != nil || n < 1 || n > maxCount {
			return Frequency{}, &SyntaxError{Text: text, Reason: fmt.Sprintf("the count must be 1 to %d", maxCount)}
		}
		count = n
	}
	name := strings.TrimSpace(s[digits:])
	if name == "" {
		return Frequency{Integer, count}, nil
	}
	if digits > 0 && name == "m" {
		return Frequency{}, &SyntaxError{
			Text: text, Reason: "m may be minutes or months",
			Suggestion: fmt.Sprintf("%dmin or %dM", count, count),
		}
	}
	f, ok := names[strings.ToLower(name)]
	if !ok {
		prefix := ""
		if digits > 0 {
			prefix = s[:digits]
		}
		return Frequency{}, &SyntaxError{Text: text, Suggestion: prefix + nearest(name)}
	}
	if f.Unit == BusinessDay && count != 1 {
		return Frequency{}, &SyntaxError{Text: text, Reason: "business days cannot be counted", Suggestion: "B"}
	}
	if f.N *= count; f.N > maxCount {
		return Frequency{}, &SyntaxError{Text: text, Reason: "the count is too large"}
	}
	return f.normal(), nil
}

// nearest is the suggestion with the smallest edit distance to name.
func nearest(name string) string {
	name = strings.ToLower(name)
	best, distance := "", len(name)+len("quarterly")
	for _, s := range suggestions {
		if d := levenshtein.ComputeDistance(name, strings.ToLower(s)); d < distance {
			best, distance = s, d
		}
	}
	return best
}

// SyntaxError is a frequency that Parse could not read.
type SyntaxError struct {
	// Text is what was given.
	Text string
	// Reason says why it is refused; empty for an unknown name.
	Reason string
	// Suggestion is the nearest thing that would be accepted; may be empty.
	Suggestion string
}

// Error says what is wrong and suggests the nearest valid frequency.
func (e *SyntaxError) Error() string {
	reason := e.Reason
	if reason == "" {
		reason = "known are H, D, B, W, M, Q, Y, min and their words, with a count before them such as 15min"
	}
	s := fmt.Sprintf("frequency %q not understood: %s", e.Text, reason)
	if e.Suggestion != "" {
		s += fmt.Sprintf("; did you mean %s?", e.Suggestion)
	}
	return s
}
