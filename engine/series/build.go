package series

import (
	"context"
	"errors"
	"math"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/engine/calendar"
)

// Limits beyond which a span of time is taken for a mistake.
const (
	// maxPeriods is the longest series: 570 years of hours.
	maxPeriods = 5_000_000
	// maxTotal is the most periods of a panel (8 bytes each) that are not backed by rows at a rate of 1 in sparse.
	maxTotal = 500_000_000
	sparse   = 100
	// maxYears is the longest span of calendar time with fewer than 1 in sparse of its periods backed by rows: the "never" of
	// 9999-12-31 and years with a digit wrong.
	maxYears = 300
)

// FromArrow reads all batches of source and makes a panel of them. Rows may come in any order; sorted by key and time is fastest.
// It keeps nothing of the batches, polls ctx for each, and leaves the release of source to the caller. The panel is the
// caller's to release.
//
// A series runs from its first row to its last row with a value. NULL values within are NaN; NULL values behind the last value are
// future rows, not observations: with regressors they carry the regressors' future values. Values that are NaN count as
// NULL, infinite ones are an error.
//
// Keys may be text, binary, integers, decimals, floats, booleans, dates and times, each also behind a dictionary. NULL is a key of its
// own and sorts first; text is ordered bytewise. The result depends on the rows' order only where rows share key and time.
//
// Errors: ErrNoRows, *ColumnError, *ValueError, *NullTimeError, *FrequencyError, *DuplicateError, *MissingError, *SpanError,
// calendar.ErrTimeRange, and those of ctx and source, wrapped.
func FromArrow(ctx context.Context, source array.RecordReader, opts Options) (*Panel, error) {
	if opts.Allocator == nil {
		opts.Allocator = memory.DefaultAllocator
	}
	r, err := newReader(source.Schema(), opts)
	if err != nil {
		return nil, err
	}
	if err := suits(r.axis, opts); err != nil {
		return nil, err
	}
	if err := r.readAll(ctx, source); err != nil {
		return nil, err
	}
	known, afterCutoff := r.known, r.afterCutoff
	rows, groups, err := r.sorted(ctx)
	if err != nil {
		return nil, err
	}
	p := &Panel{
		time:    source.Schema().Field(r.timeAt),
		axis:    r.axis,
		freq:    opts.Freq,
		reports: make([]Report, len(groups)),
		missing: opts.Missing,
	}
	for g, n := range afterCutoff {
		if n > 0 && known[g] == 0 {
			p.later++
		}
	}
	for i, g := range groups {
		p.reports[i].AfterCutoff = afterCutoff[g]
	}
	if p.freq.IsZero() {
		p.freq, err = calendar.Detect(r.axis, rows.times, rows.offsets)
		if none := (*FrequencyError)(nil); errors.As(err, &none) {
			none.Column = opts.Time
		}
		if err != nil {
			return nil, err
		}
	}
	p.periods = p.freq.SeasonalPeriods()
	p.grids = calendar.Align(p.freq, rows.times, rows.offsets)
	if !opts.Freq.IsZero() && len(p.grids) == 1 {
		until := int64(math.MinInt64)
		if opts.Cutoff != nil && slices.ContainsFunc(afterCutoff, func(n int) bool { return n > 0 }) {
			until = *opts.Cutoff // rows behind it show that the source goes on
		}
		p.trim(rows, until)
	}
	p.keys = r.groups.keys(opts.Allocator, groups)
	if err := p.fill(ctx, rows, opts); err != nil {
		p.Release()
		return nil, err
	}
	return p, nil
}

// suits reports whether a frequency asked for makes sense on the axis.
func suits(axis calendar.Axis, opts Options) error {
	f := opts.Freq
	reason := ""
	switch {
	case f.IsZero():
	case f.N < 1:
		reason = "a frequency needs a positive count"
	case axis.IsInteger() && f.Unit != calendar.Integer:
		reason = "freq=" + f.String() + " needs dates, but the column holds whole numbers; make dates of them in a SELECT as the source, or give the step as a number (freq=1)"
	case !axis.IsInteger() && f.Unit == calendar.Integer:
		reason = "freq=" + f.String() + " is for whole numbers, but the column holds times; add a unit (freq=" + f.String() + "D)"
	case f.Unit < calendar.Day && f.Unit != calendar.Integer && (axis.Type().ID() == arrow.DATE32 || axis.Type().ID() == arrow.DATE64):
		reason = "freq=" + f.String() + " is finer than the column, which holds dates"
	}
	if reason == "" {
		return nil
	}
	return &FrequencyError{Column: opts.Time, Reason: reason}
}

// trim leaves the incomplete first and last periods out.
func (p *Panel) trim(rows *rows, until int64) {
	p.edges = findEdges(p.axis, p.grids[0], rows, until)
	g := p.grids[0]
	p.from, p.to = math.MinInt64, math.MaxInt64
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	for _, e := range p.edges {
		switch {
		case !e.LeftOut:
		case e.Last:
			p.to, to = g.Index(e.Time), e.Time
		default:
			p.from = g.Index(e.Time) + 1
			from = g.Time(p.from)
		}
	}
	if p.from == math.MinInt64 && p.to == math.MaxInt64 {
		return
	}
	before, after := rows.leaveOut(from, to)
	for i := range p.reports {
		p.reports[i].Before, p.reports[i].After = before[i], after[i]
	}
}

// extent is the place of one series in its rows and on its grid.
type extent struct {
	first    int64 // number of its first period
	observed int   // rows that are observations; rows of the same period as the last known value belong to them
	periods  int   // from the first row to the last known value
	all      int   // with the future rows, where there are regressors
	dense    bool  // one row for each period
}

// fill measures every series, then lays its rows out period by period.
func (p *Panel) fill(ctx context.Context, rows *rows, opts Options) error {
	n := len(rows.offsets) - 1
	regressors := len(opts.Regressors) > 0
	extents := make([]extent, n)
	p.first = make([]int64, n)
	p.offsets = make([]int, n+1)
	if regressors {
		p.xOffsets = make([]int, n+1)
	}
	if p.missing == MissingAuto {
		p.missing = MissingInterpolate
		if areCounts(rows.y) {
			p.missing = MissingZero
		}
	}
	complete := true
	for i := range n {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		e, err := p.measure(i, rows, regressors)
		if err != nil {
			return err
		}
		extents[i], p.first[i] = e, e.first
		p.offsets[i+1] = p.offsets[i] + e.periods
		if regressors {
			p.xOffsets[i+1] = p.xOffsets[i] + e.all
		}
		if p.offsets[i+1] > maxTotal && p.offsets[i+1]/sparse > rows.offsets[i+1] {
			return p.spanError(i, rows, uint64(p.offsets[i+1]))
		}
		complete = complete && e.dense && e.periods == rows.offsets[i+1]-rows.offsets[i]
	}
	if complete {
		p.y = rows.y // every row is the period: nothing to lay out
	} else {
		p.y = make([]float64, p.offsets[n])
	}
	if regressors {
		for range rows.x {
			p.x = append(p.x, make([]float64, p.xOffsets[n]))
		}
	}
	l := layout{panel: p, rows: rows, opts: opts}
	for i, e := range extents {
		if i%1024 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		if err := l.series(i, e); err != nil {
			return err
		}
	}
	return nil
}

// measure finds where series i begins and ends, and whether it is absurdly long.
func (p *Panel) measure(i int, rows *rows, regressors bool) (extent, error) {
	a, b := rows.offsets[i], rows.offsets[i+1]
	times, y := rows.times[a:b], rows.y[a:b]
	g := p.grid(i)
	last := len(y) - 1
	for last >= 0 && math.IsNaN(y[last]) {
		last--
	}
	e := extent{first: g.Index(times[0]), observed: last + 1}
	if last >= 0 {
		end := g.Index(times[last])
		for e.observed < len(times) && g.Index(times[e.observed]) == end {
			e.observed++
		}
		if p.missing == MissingZero {
			// Rows left out at an edge tell that the series had begun, or went on: the periods up to there are absent.
			if p.reports[i].Before > 0 {
				e.first = min(e.first, p.from)
			}
			if p.reports[i].After > 0 && last == len(y)-1 {
				end = max(end, p.to-1)
			}
		}
		periods, err := p.checkedSpan(i, rows, e.first, end)
		if err != nil {
			return e, err
		}
		e.periods = periods
	}
	e.all = e.periods
	if regressors {
		all, err := p.checkedSpan(i, rows, e.first, g.Index(times[len(times)-1]))
		if err != nil {
			return e, err
		}
		e.all = max(all, e.periods)
	}
	// As many rows as periods are one row each unless a duplicate makes up for a gap.
	e.dense = e.observed == e.periods
	for k := 1; e.dense && k < e.observed; k++ {
		e.dense = times[k] > times[k-1]
	}
	if e.dense && e.observed > 1 && !p.exact(g, times[:e.observed]) {
		e.dense = false
	}
	return e, nil
}

// exact reports whether each time is in the period after the one before; times ascend strictly and span as many periods as there
// are times. Where all are starts of periods nothing is left to look at.
func (p *Panel) exact(g calendar.Grid, times []int64) bool {
	if step, fixed := g.Frequency().Length(); fixed {
		regular := true
		for k := 1; k < len(times); k++ {
			regular = regular && times[k]-times[k-1] == step
		}
		if regular {
			return true
		}
	}
	previous := g.Index(times[0])
	for _, t := range times[1:] {
		k := g.Index(t)
		if k != previous+1 {
			return false
		}
		previous = k
	}
	return true
}

// checkedSpan is the number of periods from first to end, or a *SpanError.
func (p *Panel) checkedSpan(i int, rows *rows, first, end int64) (int, error) {
	periods := uint64(end) - uint64(first) + 1
	n := uint64(rows.offsets[i+1] - rows.offsets[i])
	if periods > maxPeriods || periods == 0 {
		if periods > n*10 || periods == 0 { // else there are rows enough: a long series, not a wrong date
			return 0, p.spanError(i, rows, periods)
		}
	}
	if !p.axis.IsInteger() && periods > n*sparse {
		const year = 365.2425 * float64(calendar.MicrosPerDay)
		if span := float64(rows.times[rows.offsets[i+1]-1]) - float64(rows.times[rows.offsets[i]]); span > maxYears*year {
			return 0, p.spanError(i, rows, periods)
		}
	}
	return int(periods), nil
}

func (p *Panel) spanError(i int, rows *rows, periods uint64) error {
	a, b := rows.offsets[i], rows.offsets[i+1]
	return &SpanError{
		Key: p.KeyString(i), First: p.axis.Format(rows.times[a]), Last: p.axis.Format(rows.times[b-1]),
		Rows: b - a, Periods: periods, Freq: p.freq,
	}
}

// areCounts reports whether all known values are non-negative whole numbers.
func areCounts(y []float64) bool {
	for _, v := range y {
		if v < 0 || v != math.Trunc(v) && !math.IsNaN(v) {
			return false
		}
	}
	return true
}
