// Package calendar knows how time columns step: hours, days, business days, weeks, calendar months, quarters, years and plain
// integers.
package calendar

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

// Frequency is the spacing of a time series: N units. The zero value means "find it from the data".
type Frequency struct {
	Unit Unit
	N    int
}
