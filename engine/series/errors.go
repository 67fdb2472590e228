package series

import (
	"errors"
	"fmt"

	"github.com/almanacdb/almanac/engine/calendar"
)

// ErrNoRows means that there was no row to make a series of: the source is empty, or all of it lies after the cutoff.
var ErrNoRows = errors.New("no rows")

// FrequencyError means that the spacing of the times could not be found, or does not suit the time column.
type FrequencyError = calendar.FrequencyError

// ColumnError is a column that is absent or of a type that cannot serve its purpose.
type ColumnError struct {
	// Column is the name asked for, Role what for: "time", "value", "key" or "regressor".
	Column, Role string
	// Reason says what is wrong with it.
	Reason string
	// Suggestion is a column of the source with a similar name; empty if there is none, or the column exists.
	Suggestion string
}

// Error names the column, the reason and the suggestion.
func (e *ColumnError) Error() string {
	s := fmt.Sprintf("%s column %q: %s", e.Role, e.Column, e.Reason)
	if e.Suggestion != "" {
		s += fmt.Sprintf("; did you mean %q?", e.Suggestion)
	}
	return s
}

// ValueError is a value that is not a finite number where one is needed.
type ValueError struct {
	// Column is the value or regressor column.
	Column string
	// Row counts the rows as they were read, from 1.
	Row int
	// Key is the row's key as Panel.KeyString writes it, "" without key columns.
	Key string
	// Value is the offending value as text.
	Value string
	// Reason says what is wrong with it and how to mend it.
	Reason string
}

// Error names the column, the row, the key and the value.
func (e *ValueError) Error() string {
	return fmt.Sprintf("column %q: value %q in row %d%s: %s", e.Column, e.Value, e.Row, ofSeries(e.Key), e.Reason)
}

// NullTimeError means that rows have no time.
type NullTimeError struct {
	Column string
	// Rows of Total rows have NULL in the time column.
	Rows, Total int
}

// Error says how many rows are concerned and how to leave them out.
func (e *NullTimeError) Error() string {
	return fmt.Sprintf("time column %q is NULL in %d of %d rows; leave them out with WHERE %s IS NOT NULL", e.Column, e.Rows, e.Total, e.Column)
}

// DuplicateError means that a series has several rows in one period and option agg forbids it.
type DuplicateError struct {
	// Key is the series, Time the period, Rows the number of rows in it.
	Key, Time string
	Rows      int
}

// Error names the series and the time.
func (e *DuplicateError) Error() string {
	return fmt.Sprintf("%d rows%s for %s, and agg=error allows one; agg=sum, mean, last, first, min or max makes one of them, or a key column is missing in by", e.Rows, ofSeries(e.Key), e.Time)
}

// MissingError means that a period of a series has no row, or a NULL value, and option missing forbids it.
type MissingError struct {
	Key, Time string
	// Null tells a NULL value from an absent row.
	Null bool
}

// Error names the series and the time.
func (e *MissingError) Error() string {
	what := "no row"
	if e.Null {
		what = "a NULL value"
	}
	return fmt.Sprintf("%s%s for %s, and missing=error allows none; missing=zero, null, ffill or interpolate fills it", what, ofSeries(e.Key), e.Time)
}

// SpanError means that a series would be absurdly long, mostly because a time is mistyped or stands for "never".
type SpanError struct {
	// Key is the series; First and Last are its first and last times.
	Key, First, Last string
	// Rows would be spread over Periods periods of Freq.
	Rows    int
	Periods uint64
	Freq    calendar.Frequency
}

// Error names the series with its first and last time.
func (e *SpanError) Error() string {
	return fmt.Sprintf("%d rows%s run from %s to %s: %d periods of freq=%s; look for a wrong date and leave it out with WHERE or cutoff, or set a coarser freq",
		e.Rows, ofSeries(e.Key), e.First, e.Last, e.Periods, e.Freq)
}

func ofSeries(key string) string {
	if key == "" {
		return ""
	}
	return " of series " + key
}
