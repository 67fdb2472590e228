package calendar

import (
	"math"
	"math/bits"
	"time"
)

// Grid numbers the periods of a frequency along an axis. Beside the spacing it knows the phase: the weekday on which
// weeks start, the day of the month (31 is the month's end), the time of day, the remainder of integers. Period k covers
// [Time(k), Time(k+1)). The zero value is not valid.
type Grid struct {
	freq  Frequency
	phase int64 // fixed units: start of a period modulo its length; months and business days: time of day
	month int64 // months: months since 1970-01 modulo N of a period's start
	day   int   // months: day of the month, cut to the month's length
}

// NewGrid returns the grid of f on which anchor starts a period. Months keep anchor's day of the month, so an anchor on
// the 31st means the month's end; for a month's end seen in a shorter month use Align, which looks at all times.
func NewGrid(f Frequency, anchor int64) Grid {
	g := Grid{freq: f}
	switch f.Unit {
	case BusinessDay:
		g.phase = floorMod(anchor, MicrosPerDay)
	case Month:
		g.phase = floorMod(anchor, MicrosPerDay)
		months, day := civil(anchor)
		g.month, g.day = floorMod(months, int64(f.N)), day
	default:
		g.phase = floorMod(anchor, f.length())
	}
	return g
}

// canonical is the grid whose periods start where a calendar's do: at midnight, on Monday, on the first of the month, with
// quarters and years from January; integers at multiples of N.
func canonical(f Frequency) Grid {
	g := Grid{freq: f}
	switch f.Unit {
	case Week:
		g.phase = 4 * MicrosPerDay // 1970-01-05 was a Monday
	case Month:
		g.day = 1
	}
	return g
}

// Frequency is the spacing of the grid.
func (g Grid) Frequency() Frequency { return g.freq }

// length is the length of a period of fixed length in axis units.
func (f Frequency) length() int64 {
	n := int64(f.N)
	switch f.Unit {
	case Integer:
		return n
	case Second:
		return n * MicrosPerSecond
	case Minute:
		return n * MicrosPerMinute
	case Hour:
		return n * MicrosPerHour
	case Day:
		return n * MicrosPerDay
	case Week:
		return n * MicrosPerWeek
	}
	panic("calendar: no fixed length: " + f.String())
}

// Length is the length of a period in axis units, if all periods have the same: not so months and business days.
func (f Frequency) Length() (length int64, fixed bool) {
	if f.Unit == Month || f.Unit == BusinessDay {
		return 0, false
	}
	return f.length(), true
}

// Index is the number of the period that t falls in. Numbers of successive periods differ by one, so the ordinal distance of
// two times is the difference of their indices. Saturday and Sunday belong to Friday in a grid of business days.
func (g Grid) Index(t int64) int64 {
	switch g.freq.Unit {
	case BusinessDay:
		monday := floorDiv(t, MicrosPerDay) + 3 // days since Monday 1969-12-29
		if floorMod(t, MicrosPerDay) < g.phase {
			monday--
		}
		return floorDiv(monday, 7)*5 + min(floorMod(monday, 7), 4)
	case Month:
		months, day := civil(t - g.phase)
		if day < min(g.day, daysIn(months)) {
			months--
		}
		return floorDiv(months-g.month, int64(g.freq.N))
	}
	length := g.freq.length()
	k := floorDiv(t, length)
	if floorMod(t, length) < g.phase {
		k--
	}
	return k
}

// Time is the start of period k. Beyond the range of int64 it saturates at math.MinInt64 and math.MaxInt64, which no Axis accepts.
func (g Grid) Time(k int64) int64 {
	switch g.freq.Unit {
	case BusinessDay:
		if k > 1<<40 || k < -1<<40 {
			return saturated(k)
		}
		week := floorDiv(k, 5)
		return (week*7+k-week*5-3)*MicrosPerDay + g.phase
	case Month:
		const limit = 1 << 20 // 87,000 years: no axis reaches it
		if limit := limit / int64(g.freq.N); k > limit || k < -limit {
			return saturated(k)
		}
		months := k*int64(g.freq.N) + g.month
		day := min(g.day, daysIn(months))
		return time.Date(1970, time.Month(months+1), day, 0, 0, 0, 0, time.UTC).UnixMicro() + g.phase
	}
	length := g.freq.length()
	high, low := bits.Mul64(magnitude(k), uint64(length))
	if high != 0 || low > math.MaxInt64-uint64(length) {
		return saturated(k)
	}
	return k*length + g.phase
}

func saturated(k int64) int64 {
	if k < 0 {
		return math.MinInt64
	}
	return math.MaxInt64
}

func magnitude(k int64) uint64 {
	if k < 0 {
		return -uint64(k)
	}
	return uint64(k)
}

// Step moves t by n periods and keeps its place within the period: Step(31 January, 1) of months is the end of February, of
// a grid whose day is the 31st. t should be a time of the grid; otherwise it counts as the start of its period.
func (g Grid) Step(t int64, n int) int64 { return g.Time(g.Index(t) + int64(n)) }

// Contains reports whether t is exactly the start of a period.
func (g Grid) Contains(t int64) bool { return g.Time(g.Index(t)) == t }

// civil gives the months since 1970-01 and the day of the month of t.
func civil(t int64) (months int64, day int) {
	year, month, day := time.UnixMicro(t).UTC().Date()
	return int64(year-1970)*12 + int64(month) - 1, day
}

// daysIn is the length in days of the month that many months after 1970-01.
func daysIn(months int64) int {
	return time.Date(1970, time.Month(months+2), 0, 0, 0, 0, 0, time.UTC).Day()
}

// Align returns the grids on which the series of a panel lie: one grid for all where they share it, else one for each
// series. times holds the times of all series, series s in times[offsets[s]:offsets[s+1]], ascending within each.
//
// Where every series keeps a phase of its own (a weekday, a day of the month, a time of day) that phase is kept, so that the times of
// the data are found again. Where some rows lie off (daily rows taken as weeks, invoices taken as days), all series
// share one grid: the phase of more than half of the rows if there is such a one, else the calendar's own (midnight, Monday, the
// first of the month). Index then tells the period that each row falls in.
func Align(f Frequency, times []int64, offsets []int) []Grid {
	series := len(offsets) - 1
	if len(times) == 0 {
		return []Grid{canonical(f)}
	}
	grids := make([]Grid, series)
	monthEnds := f.Unit == Month && allMonthEnds(times)
	shared, first, moves := true, -1, 0
	for s := range series {
		own := times[offsets[s]:offsets[s+1]]
		if len(own) == 0 {
			continue
		}
		g := NewGrid(f, own[0])
		if f.Unit == Month {
			g.day = monthDay(own, monthEnds)
		}
		n, ok := fits(g, own)
		if !ok {
			return []Grid{common(f, times, monthEnds)}
		}
		if first < 0 {
			first = s
		}
		shared = shared && g == grids[first] || first == s
		moves += n
		grids[s] = g
	}
	if shared {
		return grids[first : first+1]
	}
	if moves < series {
		// Mostly single rows: each fits a phase of its own by necessity, which says nothing.
		return []Grid{common(f, times, monthEnds)}
	}
	for s := range grids {
		if grids[s].freq.IsZero() {
			grids[s] = canonical(f)
		}
	}
	return grids
}

// fits reports whether all times are periods of g, and how many times differ from their predecessor.
func fits(g Grid, times []int64) (moves int, ok bool) {
	length, isFixed := g.freq.Length()
	previous := times[0]
	if !g.Contains(previous) {
		return 0, false
	}
	for _, t := range times[1:] {
		if t == previous {
			continue
		}
		moves++
		if isFixed {
			if d := uint64(t) - uint64(previous); d != uint64(length) && d%uint64(length) != 0 {
				return moves, false
			}
		} else if !g.Contains(t) {
			return moves, false
		}
		previous = t
	}
	return moves, true
}

// common is the grid of more than half of the rows, or the calendar's own. One candidate survives the majority vote of
// Boyer and Moore (1981); a second pass counts it.
func common(f Frequency, times []int64, monthEnds bool) Grid {
	anchored := func(t int64) Grid {
		g := NewGrid(f, t)
		if monthEnds {
			g.day = 31
		}
		return g
	}
	var candidate Grid
	votes := 0
	for _, t := range times {
		g := anchored(t)
		switch {
		case votes == 0:
			candidate, votes = g, 1
		case g == candidate:
			votes++
		default:
			votes--
		}
	}
	if f.Unit == BusinessDay {
		candidate = Grid{freq: f, phase: candidate.phase}
	}
	count := 0
	for _, t := range times {
		if candidate.Contains(t) {
			count++
		}
	}
	if votes > 0 && 2*count > len(times) {
		return candidate
	}
	return canonical(f)
}

// allMonthEnds reports whether every time falls on the last day of its month.
func allMonthEnds(times []int64) bool {
	for _, t := range times {
		if months, day := civil(t); day != daysIn(months) {
			return false
		}
	}
	return true
}

// monthDay is the day of the month on which a series lies: the latest day seen, as shorter months cut it; 31 if the whole panel
// lies on months' ends.
func monthDay(times []int64, monthEnds bool) int {
	if monthEnds {
		return 31
	}
	latest := 1
	for _, t := range times {
		if _, day := civil(t); day > latest {
			latest = day
		}
	}
	return latest
}
