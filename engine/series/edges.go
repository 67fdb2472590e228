package series

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/almanacdb/almanac/engine/calendar"
)

// Edge is the first or last period of a panel whose rows are finer than its frequency and cover the period only in part: taken as a
// whole it would be too low. It is judged by the time that the panel as a whole spans, so that a series which merely sold nothing
// at the end is not cut.
type Edge struct {
	// Time is the start of the period on the panel's axis.
	Time int64
	// Last tells the last period from the first.
	Last bool
	// LeftOut is false where the panel has no complete period to stand on; its rows count then as they are.
	LeftOut bool

	text string
}

// String says what is there of the period: "December 2011 covers 9 of 31 days".
func (e Edge) String() string { return e.text }

// The judgements on which coverage rests.
const (
	// sameShare is the share of steps that stay within a period, above which rows count as finer than the frequency.
	sameShare = 0.1
	// usualShare is the share of gaps that are no longer than the usual gap.
	usualShare = 0.95
	// rareWeekday is the share of the commonest weekday's rows, below which a weekday is one without trade.
	rareWeekday = 0.1
	// maxSpan bounds the scratch in days or periods; a longer panel has a wrong date in it and is not judged.
	maxSpan = 4_000_000
)

// edges finds the incomplete first and last periods of a panel with one grid. rows are ascending within each series. until is the last
// time known of, which may lie behind the last row.
type edges struct {
	axis       calendar.Axis
	grid       calendar.Grid
	rows       *rows
	first      int64 // times of the panel's first and last row
	last       int64
	until      int64
	start, end int64 // the first period's start, and the end of the last
}

// findEdges gives none where the rows are not finer than the frequency.
func findEdges(axis calendar.Axis, grid calendar.Grid, rows *rows, until int64) []Edge {
	e := edges{axis: axis, grid: grid, rows: rows, first: math.MaxInt64, last: math.MinInt64}
	if !e.finer() {
		return nil
	}
	for i, t := range rows.times {
		if !math.IsNaN(rows.y[i]) { // a NULL, as in rows prepared for the future, covers nothing
			e.first, e.last = min(e.first, t), max(e.last, t)
		}
	}
	if e.first > e.last {
		return nil
	}
	e.until = max(e.last, until)
	from, to := grid.Index(e.first), grid.Index(e.last)
	e.start, e.end = grid.Time(from), grid.Time(to+1)
	if f := grid.Frequency(); f.Unit == calendar.BusinessDay {
		e.end = grid.Time(to) + calendar.MicrosPerDay // the weekend is no part of Friday here
	}
	var found []Edge
	if length, fixed := grid.Frequency().Length(); axis.IsInteger() || fixed && length <= calendar.MicrosPerDay || grid.Frequency().Unit == calendar.BusinessDay {
		found = e.withinDay(from, to)
	} else {
		found = e.byDays()
	}
	complete := uint64(to) - uint64(from) + 1 - uint64(len(found))
	for i := range found {
		found[i].LeftOut = complete > 0 && !(from == to)
	}
	return found
}

// finer reports whether a fair share of the rows follow another row of their series in the same period.
func (e *edges) finer() bool {
	same, all := 0, 0
	e.eachStep(func(a, b int64) bool {
		all++
		if e.grid.Index(a) == e.grid.Index(b) {
			same++
		}
		return all < 100_000
	})
	return all > 0 && float64(same) >= sameShare*float64(all)
}

// eachStep calls f with the ends of every step between two different times of a series until it returns false.
func (e *edges) eachStep(f func(a, b int64) bool) {
	for s := range len(e.rows.offsets) - 1 {
		own := e.rows.times[e.rows.offsets[s]:e.rows.offsets[s+1]]
		for i := 1; i < len(own); i++ {
			if own[i] != own[i-1] && !f(own[i-1], own[i]) {
				return
			}
		}
	}
}

// withinDay judges periods of a day and less, and of whole numbers. A period is covered if the next row is not expected before its
// end, by the median step within periods, or if other periods commonly end as early: shops close at night.
func (e *edges) withinDay(from, to int64) []Edge {
	if uint64(to)-uint64(from) > maxSpan {
		return nil
	}
	var steps []int64
	e.eachStep(func(a, b int64) bool {
		if e.grid.Index(a) == e.grid.Index(b) {
			steps = append(steps, b-a)
		}
		return len(steps) < 100_000
	})
	slices.Sort(steps)
	step := steps[len(steps)/2]
	// leads and tails are what the periods between the first and the last leave open at their ends.
	n := to - from + 1
	low, high := make([]int64, n), make([]int64, n)
	for i := range low {
		low[i], high[i] = math.MaxInt64, math.MinInt64
	}
	for i, t := range e.rows.times {
		if k := e.grid.Index(t) - from; !math.IsNaN(e.rows.y[i]) {
			low[k], high[k] = min(low[k], t), max(high[k], t)
		}
	}
	var leads, tails []int64
	for k := int64(1); k < n-1; k++ {
		if low[k] <= high[k] {
			leads = append(leads, low[k]-e.grid.Time(from+k))
			tails = append(tails, e.grid.Time(from+k+1)-high[k])
		}
	}
	if e.grid.Frequency().Unit == calendar.BusinessDay {
		for i := range tails { // of Fridays too
			tails[i] %= calendar.MicrosPerDay
		}
	}
	var found []Edge
	lead, tail := e.first-e.start, e.end-e.until
	if lead >= step && !usualAmong(leads, lead) {
		found = append(found, Edge{Time: e.start, text: e.name(e.start) + " has rows from " + e.clock(e.first) + " only"})
	}
	if tail > step && !usualAmong(tails, tail) {
		t := e.grid.Time(to)
		found = append(found, Edge{Time: t, Last: true, text: e.name(t) + " has rows up to " + e.clock(e.until) + " only"})
	}
	return found
}

// usualAmong reports whether v is no longer than nearly all of at least three others.
func usualAmong(others []int64, v int64) bool {
	if len(others) < 3 {
		return false
	}
	slices.Sort(others)
	return v <= others[usualIndex(len(others))]
}

func usualIndex(n int) int { return int(math.Ceil(usualShare*float64(n))) - 1 }

// days are the days of the panel that have rows.
type days struct {
	first  int64 // days since 1970-01-01
	seen   []bool
	weekly [7]int // days seen by weekday, Thursday first
	trade  [7]bool
}

func day(t int64) int64 { return floorDay(t) / calendar.MicrosPerDay }

func floorDay(t int64) int64 {
	r := t % calendar.MicrosPerDay
	if r < 0 {
		r += calendar.MicrosPerDay
	}
	return t - r
}

func weekdayOf(d int64) int { return int((d%7 + 7) % 7) }

func newDays(rows *rows, first, last int64) *days {
	d := &days{first: day(first)}
	d.seen = make([]bool, day(last)-d.first+1)
	for i, t := range rows.times {
		if !math.IsNaN(rows.y[i]) {
			d.seen[day(t)-d.first] = true
		}
	}
	most := 0
	for i, seen := range d.seen {
		if seen {
			w := weekdayOf(d.first + int64(i))
			d.weekly[w]++
			most = max(most, d.weekly[w])
		}
	}
	for w, n := range d.weekly {
		d.trade[w] = float64(n) >= rareWeekday*float64(most)
	}
	return d
}

func (d *days) has(n int64) bool {
	return n >= d.first && n-d.first < int64(len(d.seen)) && d.seen[n-d.first]
}

// expected reports whether a row would be looked for on day n: it is a weekday with trade, and no holiday, which is a date without
// rows in the other years too (or the next trading day, where it is a weekend). New Year's Day and Christmas are holidays as long as no year contradicts.
func (d *days) expected(n int64) bool {
	if !d.trade[weekdayOf(n)] {
		return false
	}
	t := time.UnixMicro(n * calendar.MicrosPerDay).UTC()
	known := false
	first := time.UnixMicro(d.first * calendar.MicrosPerDay).UTC().Year()
	last := time.UnixMicro((d.first + int64(len(d.seen)) - 1) * calendar.MicrosPerDay).UTC().Year()
	for y := first; y <= last; y++ {
		other := time.Date(y, t.Month(), t.Day(), 0, 0, 0, 0, time.UTC).UnixMicro() / calendar.MicrosPerDay
		for !d.trade[weekdayOf(other)] {
			other++
		}
		if y == t.Year() || other <= d.first || other >= d.first+int64(len(d.seen))-1 {
			continue
		}
		if d.has(other) {
			return true
		}
		known = true
	}
	if known {
		return false
	}
	newYear, christmas := t.Month() == time.January && t.Day() == 1, t.Month() == time.December && t.Day() == 25
	return !newYear && !christmas
}

// usualGap is the number of trading days from one day with rows to the next that nearly all gaps keep: 1 unless the rows are sparse.
func (d *days) usualGap() int {
	var gaps []int
	gap := 0
	for i, seen := range d.seen {
		if d.trade[weekdayOf(d.first+int64(i))] {
			gap++
		}
		if seen {
			if i > 0 {
				gaps = append(gaps, max(gap, 1))
			}
			gap = 0
		}
	}
	if len(gaps) == 0 {
		return 1
	}
	slices.Sort(gaps)
	return gaps[usualIndex(len(gaps))]
}

// byDays judges weeks, months and longer periods by their days, or by weeks and months where the rows are so.
func (e *edges) byDays() []Edge {
	if uint64(e.last)-uint64(e.first) > maxSpan*uint64(calendar.MicrosPerDay) {
		return nil
	}
	d := newDays(e.rows, e.first, e.last)
	var times []int64
	for i, seen := range d.seen {
		if seen {
			times = append(times, (d.first+int64(i))*calendar.MicrosPerDay)
		}
	}
	start, end := floorDay(e.start), floorDay(e.end)
	first, last := floorDay(e.first), floorDay(e.until)
	before, after := first, last+calendar.MicrosPerDay // what the rows cover runs from before to after
	var startsWhole, endsWhole bool
	months := false
	fine, err := calendar.Detect(e.axis, times, []int{0, len(times)})
	switch {
	case err == nil && (fine.Unit == calendar.Month || fine.Unit == calendar.Week):
		g := calendar.Align(fine, times, []int{0, len(times)})[0]
		startsWhole = g.Step(first, -1) < start
		if last == floorDay(e.last) {
			after = g.Step(last, 1)
		}
		endsWhole = after >= end
		months = fine.Unit == calendar.Month
	default:
		gap := d.usualGap()
		// A gap longer than usual tells that the data begin, or end, here.
		n := day(first)
		for k := 0; k < gap && n*calendar.MicrosPerDay >= start; {
			if n--; d.expected(n) {
				k++
			}
		}
		startsWhole = n*calendar.MicrosPerDay < start
		n = day(last)
		for k := 0; k < gap && n*calendar.MicrosPerDay < end; {
			if n++; d.expected(n) {
				k++
			}
		}
		endsWhole = n*calendar.MicrosPerDay >= end
	}
	covers := func(from, to, start, end int64) string {
		if months {
			whole := monthOf(end) - monthOf(start)
			return fmt.Sprintf("covers %d of %d months", min(max(monthOf(to)-monthOf(from), 1), whole), whole)
		}
		return fmt.Sprintf("covers %d of %d days", (min(to, end)-max(from, start))/calendar.MicrosPerDay, (end-start)/calendar.MicrosPerDay)
	}
	var found []Edge
	firstEnd, lastStart := floorDay(e.grid.Time(e.grid.Index(e.first)+1)), floorDay(e.grid.Time(e.grid.Index(e.last)))
	if firstEnd == end && !startsWhole && !endsWhole { // one period with both ends open
		return []Edge{{Time: e.start, Last: true, text: e.name(e.start) + " " + covers(before, after, start, end)}}
	}
	if !startsWhole {
		found = append(found, Edge{Time: e.start, text: e.name(e.start) + " " + covers(before, firstEnd, start, firstEnd)})
	}
	if !endsWhole {
		found = append(found, Edge{Time: e.grid.Time(e.grid.Index(e.last)), Last: true, text: e.name(lastStart) + " " + covers(lastStart, after, lastStart, end)})
	}
	return found
}

func monthOf(t int64) int64 {
	year, month, _ := time.UnixMicro(t).UTC().Date()
	return int64(year)*12 + int64(month)
}

// name is that of the period that starts at t: "December 2011", "2017", "the week from 2011-12-05".
func (e *edges) name(t int64) string {
	f := e.grid.Frequency()
	if e.axis.IsInteger() {
		return fmt.Sprintf("the period from %d", t)
	}
	at := time.UnixMicro(t).UTC()
	calendarMonth := f.Unit == calendar.Month && at.Day() == 1
	switch {
	case calendarMonth && f.N == 1:
		return at.Format("January 2006")
	case calendarMonth && f.N == 3 && at.Month()%3 == 1:
		return fmt.Sprintf("quarter %d of %d", (at.Month()+2)/3, at.Year())
	case calendarMonth && f.N == 12 && at.Month() == time.January:
		return at.Format("2006")
	case f.Unit == calendar.Week && f.N == 1:
		return "the week from " + at.Format(time.DateOnly)
	case (f.Unit == calendar.Day || f.Unit == calendar.BusinessDay) && f.N == 1 && t == floorDay(t):
		return at.Format(time.DateOnly)
	}
	return "the period from " + e.axis.Format(t)
}

// clock is t as a time of day, or as a number.
func (e *edges) clock(t int64) string {
	if e.axis.IsInteger() {
		return e.axis.Format(t)
	}
	return time.UnixMicro(t).UTC().Format("15:04:05")
}

func known(y float64) int {
	if math.IsNaN(y) {
		return 0
	}
	return 1
}

// leaveOut takes the rows before from and from to on out of every series, and counts them per series. A series that would be left
// without a row keeps its last one, with an unknown value. With regressors the rows from to on lose their value only: they carry the
// regressors' future. Rows that have no value are not counted.
func (out *rows) leaveOut(from, to int64) (before, after []int) {
	n := len(out.offsets) - 1
	before, after = make([]int, n), make([]int, n)
	kept := 0
	for s := range n {
		a, b := out.offsets[s], out.offsets[s+1]
		out.offsets[s] = kept
		lo, hi := a, b
		for ; lo < b && out.times[lo] < from; lo++ {
			before[s] += known(out.y[lo])
		}
		for ; hi > lo && out.times[hi-1] >= to; hi-- {
			after[s] += known(out.y[hi-1])
			if len(out.x) > 0 {
				out.y[hi-1] = math.NaN()
			}
		}
		if len(out.x) > 0 {
			hi = b
		}
		if lo == hi {
			lo, hi = b-1, b
			out.y[lo] = math.NaN()
		}
		copy(out.times[kept:], out.times[lo:hi])
		copy(out.y[kept:], out.y[lo:hi])
		for _, x := range out.x {
			copy(x[kept:], x[lo:hi])
		}
		kept += hi - lo
	}
	out.offsets[n] = kept
	out.times, out.y = out.times[:kept], out.y[:kept]
	for i := range out.x {
		out.x[i] = out.x[i][:kept]
	}
	return before, after
}
