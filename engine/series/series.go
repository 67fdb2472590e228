// Package series turns Arrow batches of sales rows into a Panel: one contiguous, calendar-aligned time series per key.
package series

import "github.com/almanacdb/almanac/engine/calendar"

// Series is a view of one time series of a Panel, equally spaced in its calendar. Views share the Panel's memory: they
// are read-only and valid as long as the Panel.
type Series struct {
	// Y holds the observations in time order; NaN is a missing value.
	Y []float64
	// X holds one regressor per row, each of length len(Y) plus the future rows known; nil without regressors. NaN is a
	// value that is not known.
	X [][]float64
	// Start is the time of Y[0] on the panel's axis (calendar.Axis: microseconds for dates and datetimes, the number itself for
	// integer time columns).
	Start int64
	// Freq is the spacing of the observations.
	Freq calendar.Frequency
	// Periods are the seasonal periods in observations, shortest first; empty means non-seasonal. Models that know
	// one period use Period().
	Periods []int

	grid calendar.Grid
}

// Period is the first seasonal period, or 1 for a non-seasonal series.
func (s Series) Period() int {
	if len(s.Periods) == 0 {
		return 1
	}
	return s.Periods[0]
}

// Time is the time of Y[step] on the panel's axis; steps from len(Y) on are future ones. It needs Freq to be set. It saturates
// at the ends of int64.
func (s Series) Time(step int) int64 {
	g := s.grid
	if g.Frequency() != s.Freq {
		g = calendar.NewGrid(s.Freq, s.Start) // a series built by hand
	}
	return g.Step(s.Start, step)
}
