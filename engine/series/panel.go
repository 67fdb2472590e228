package series

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/almanacdb/almanac/engine/calendar"
)

// Panel is a set of series that share a time axis, a frequency and key columns, ordered by key. It is immutable and safe for
// concurrent use until Release.
type Panel struct {
	keys    arrow.RecordBatch
	time    arrow.Field
	axis    calendar.Axis
	freq    calendar.Frequency
	periods []int

	y       []float64
	offsets []int // series i is y[offsets[i]:offsets[i+1]]

	x        [][]float64 // one contiguous column per regressor
	xOffsets []int       // series i is x[r][xOffsets[i]:xOffsets[i+1]]

	grids   []calendar.Grid // one for all series, or one each
	first   []int64         // number of the first period of each series in its grid
	reports []Report
	missing Missing
	later   int // series left out because they begin after the cutoff

	edges    []Edge
	from, to int64 // periods from and up to which rows are taken, where an edge is left out
}

// Len is the number of series.
func (p *Panel) Len() int { return len(p.offsets) - 1 }

// Observations is the number of periods of all series together.
func (p *Panel) Observations() int { return len(p.y) }

// Series returns a view of series i. A series that has only NULL values has an empty Y; its Start is the time of its first row.
func (p *Panel) Series(i int) Series {
	g := p.grid(i)
	s := Series{
		Y:       p.y[p.offsets[i]:p.offsets[i+1]:p.offsets[i+1]],
		Start:   g.Time(p.first[i]),
		Freq:    p.freq,
		Periods: p.periods,
		grid:    g,
	}
	if len(p.x) > 0 {
		s.X = make([][]float64, len(p.x))
		for r, column := range p.x {
			s.X[r] = column[p.xOffsets[i]:p.xOffsets[i+1]:p.xOffsets[i+1]]
		}
	}
	return s
}

func (p *Panel) grid(i int) calendar.Grid {
	if len(p.grids) == 1 {
		return p.grids[0]
	}
	return p.grids[i]
}

// Keys has one row per series and one column per key, with the source's field names, nullability and metadata; dictionaries
// become their value type. Without keys it has no columns and one row. The panel owns it: Retain to keep it beyond
// Release.
func (p *Panel) Keys() arrow.RecordBatch { return p.keys }

// KeyString writes the key of series i for messages: "store=CA_1, sku=NULL"; "" without key columns.
func (p *Panel) KeyString(i int) string {
	parts := make([]string, p.keys.NumCols())
	for c, column := range p.keys.Columns() {
		parts[c] = keyPart(p.keys.ColumnName(c), column, i)
	}
	return strings.Join(parts, ", ")
}

// TimeField is the source's time column: name, type and metadata.
func (p *Panel) TimeField() arrow.Field { return p.time }

// Axis is the time axis, of TimeField's type.
func (p *Panel) Axis() calendar.Axis { return p.axis }

// Freq is the spacing of all series, found or given; Integer for an integer time column.
func (p *Panel) Freq() calendar.Frequency { return p.freq }

// Time is the axis value of a step of series i: step 0 is its first observation, steps from len(Y) on lie in the future.
func (p *Panel) Time(i, step int) int64 { return p.grid(i).Time(p.first[i] + int64(step)) }

// AppendTime appends that time to a builder of TimeField's type. A time that the type cannot hold (a date after year 9999, a number too
// large for the integer type) gives calendar.ErrTimeRange.
func (p *Panel) AppendTime(b array.Builder, i, step int) error {
	return p.axis.Append(b, p.Time(i, step))
}

// Report tells what was done to the rows of series i.
func (p *Panel) Report(i int) Report { return p.reports[i] }

// Missing is the treatment of absent periods that was applied: MissingAuto is resolved to MissingZero or MissingInterpolate.
func (p *Panel) Missing() Missing { return p.missing }

// Edges are the incomplete first and last periods, at most one each, of a panel whose rows are finer than Options.Freq.
func (p *Panel) Edges() []Edge { return p.edges }

// AfterCutoff is the number of series left out because they begin after the cutoff.
func (p *Panel) AfterCutoff() int { return p.later }

// Release frees the Arrow memory of Keys. The panel must not be used afterwards.
func (p *Panel) Release() { p.keys.Release() }

// Report counts what was done to the rows of one series.
type Report struct {
	// Rows are the rows that became observations, duplicates included.
	Rows int
	// Duplicates are the rows merged into another row of the same period: Rows less the periods that have rows.
	Duplicates int
	// Zeros, Interpolated, Carried and Unknown are the periods without a row: taken as zero, interpolated, filled with the last
	// known value, or left NaN.
	Zeros, Interpolated, Carried, Unknown int
	// Nulls are the periods whose rows have only NULL values, and that stay NaN.
	Nulls int
	// NullsFilled are those that MissingForward or MissingInterpolate filled.
	NullsFilled int
	// AfterCutoff are the rows after the cutoff, ignored but for regressors.
	AfterCutoff int
	// Future are the periods after the last observation for which regressors are known up to the last row.
	Future int
	// Trailing are rows with NULL values after the last known value, up to the cutoff, that are no observations.
	Trailing int
	// Before and After are the rows left out because they fall in the panel's incomplete first or last period (Panel.Edges).
	Before, After int
}

// String says in words what was done, "" if nothing: "3 missing periods taken as 0; 1 NULL value". It does not speak of rows
// after the cutoff or of the future.
func (r Report) String() string {
	var parts []string
	say := func(n int, one, many string) {
		switch {
		case n == 1:
			parts = append(parts, "1 "+one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, many))
		}
	}
	say(r.Zeros, "missing period taken as 0", "missing periods taken as 0")
	say(r.Interpolated, "missing period interpolated", "missing periods interpolated")
	say(r.Carried, "missing period filled with the value before", "missing periods filled with the value before")
	say(r.Unknown, "missing period left unknown", "missing periods left unknown")
	say(r.Nulls, "NULL value left unknown", "NULL values left unknown")
	say(r.NullsFilled, "NULL value filled", "NULL values filled")
	say(r.Duplicates, "duplicate row aggregated", "duplicate rows aggregated")
	return strings.Join(parts, "; ")
}
