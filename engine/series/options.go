package series

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/engine/calendar"
)

// Missing says what becomes of a period without a row between the first and the last observation of a series.
type Missing uint8

// The treatments of missing periods. A NULL value is not a missing period: it is unknown, and only MissingForward and
// MissingInterpolate, asked for by name, put a number in its place.
const (
	// MissingAuto takes the period as zero where all values of the panel are non-negative whole numbers, as sales are, and
	// interpolates otherwise.
	MissingAuto Missing = iota
	// MissingZero takes the period as zero.
	MissingZero
	// MissingNull leaves the period unknown.
	MissingNull
	// MissingForward repeats the last known value, also for NULL values. Ahead of the first known value there is nothing to
	// repeat: it stays unknown.
	MissingForward
	// MissingInterpolate draws a line between the known values beside it, also for NULL values.
	MissingInterpolate
	// MissingForbid refuses: the first period without a row, or NULL value, is a *MissingError; so are NULL values at the end, unless
	// there are regressors, whose future they carry.
	MissingForbid
)

var missingNames = []string{"auto", "zero", "null", "ffill", "interpolate", "error"}

// String is the name that option missing takes.
func (m Missing) String() string { return nameOf(missingNames, int(m)) }

// MissingNames are the names that ParseMissing takes.
func MissingNames() []string { return append([]string(nil), missingNames...) }

// ParseMissing reads a name of MissingNames.
func ParseMissing(name string) (Missing, error) {
	i, err := indexOf(missingNames, "missing", name)
	return Missing(i), err
}

// Agg says what becomes of several rows of one series in the same period. NULL values do not take part; a period of only
// NULL values is unknown.
type Agg uint8

// The aggregates of duplicate rows.
const (
	// AggAuto is the sum, right for sales and other totals.
	AggAuto Agg = iota
	// AggSum adds them.
	AggSum
	// AggMean averages them.
	AggMean
	// AggLast takes the latest; of rows with equal time the one read last.
	AggLast
	// AggFirst takes the earliest; of rows with equal time the one read first.
	AggFirst
	// AggMin takes the smallest.
	AggMin
	// AggMax takes the largest.
	AggMax
	// AggForbid refuses: the first period with two rows is a *DuplicateError.
	AggForbid
)

var aggNames = []string{"auto", "sum", "mean", "last", "first", "min", "max", "error"}

// String is the name that option agg takes.
func (a Agg) String() string { return nameOf(aggNames, int(a)) }

// AggNames are the names that ParseAgg takes.
func AggNames() []string { return append([]string(nil), aggNames...) }

// ParseAgg reads a name of AggNames.
func ParseAgg(name string) (Agg, error) {
	i, err := indexOf(aggNames, "agg", name)
	return Agg(i), err
}

func nameOf(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("unknown(%d)", i)
}

func indexOf(names []string, option, name string) (int, error) {
	for i, n := range names {
		if n == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%s: %q is not one of %v", option, name, names)
}

// Options tell FromArrow which columns to read and how to make a series of them.
type Options struct {
	// Time names the time column: date, timestamp or any integer.
	Time string
	// Value names the value column: any number type. Decimals and integers become float64.
	Value string
	// Keys name the columns whose combinations are the series; empty makes all rows one series.
	Keys []string
	// Regressors name numeric columns that are carried along as Series.X.
	Regressors []string
	// Freq is the spacing; the zero value finds it from the data. With rows finer than Freq the rows of a period are
	// aggregated by Agg, and the panel's first and last periods are left out where the rows cover them in part (Edge). An integer time column takes only integer spacings, a date column none finer than days.
	Freq calendar.Frequency
	// Missing treats periods without a row.
	Missing Missing
	// Agg treats several rows of a series in one period.
	Agg Agg
	// Cutoff is the last axis value that counts as known (calendar.Axis.ParseCutoff makes it from text); nil means no
	// cutoff. Later rows are ignored; with regressors, they still give the regressors' future values. A series that begins
	// after the cutoff is not part of the panel.
	Cutoff *int64
	// Allocator allocates the Arrow memory of Panel.Keys; nil means Go's.
	Allocator memory.Allocator
}
