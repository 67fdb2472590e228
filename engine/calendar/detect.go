package calendar

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
)

// FrequencyError means that the spacing of the times could not be found, or does not suit the time column.
type FrequencyError struct {
	// Column is the time column, if the caller filled it in.
	Column string
	// Reason says why.
	Reason string
	// Examples show some steps between successive times, "2024-01-01 08:26:00 → 2024-01-01 08:28:00".
	Examples []string
	// Suggestion is a frequency to set instead, as in freq=D; empty if there is none to name.
	Suggestion string
}

// Error says what was seen and how to mend it.
func (e *FrequencyError) Error() string {
	var b strings.Builder
	b.WriteString("no frequency found")
	if e.Column != "" {
		fmt.Fprintf(&b, " in time column %q", e.Column)
	}
	b.WriteString(": ")
	b.WriteString(e.Reason)
	if len(e.Examples) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(e.Examples, ", "))
	}
	if e.Suggestion != "" {
		fmt.Fprintf(&b, "; set freq=%s, or another", e.Suggestion)
	}
	return b.String()
}

// The shares of steps on which detection rests. They are judgements, not estimates; TestDetect pins what they mean.
const (
	// halfOfSteps is the share of steps that must be exactly one period before an unusual period (3 days, 7 minutes, one
	// second) is believed.
	halfOfSteps = 0.5
	// mostSteps is the share of steps that must fit a period when the others are taken for dirt.
	mostSteps = 0.95
	// minInexact is the number of steps below which only exact spacings are believed.
	minInexact = 6
	// minWeekdays is the number of rows without one on a weekend that makes business days: by chance (5/7)^15 = 0.6 %.
	minWeekdays = 15
)

// Detect finds the frequency of a panel. times holds the times of all series, series s in times[offsets[s]:offsets[s+1]],
// ascending within each (equal times count once). The steps of all series count together, so many short series serve as
// well as a long one, and absent periods do no harm.
//
// On an integer axis the frequency is the greatest common divisor of the steps. On a calendar axis, in this order: months and their multiples if
// every series keeps its day of the month or month's end; weeks; business days if no row is on a weekend; days; divisors
// of the day from hours to minutes and seconds. Months, quarters, years and weeks are also found when their day wanders (the
// last business day, a report shifted by a holiday) as long as no two rows share a period, and hours or days when a few rows are
// off. Times that are merely irregular, such as those of invoices, give a *FrequencyError.
func Detect(axis Axis, times []int64, offsets []int) (Frequency, error) {
	p := steps{axis: axis, times: times, offsets: offsets}
	p.measure()
	if p.count == 0 {
		if axis.IsInteger() {
			return Frequency{Integer, 1}, nil
		}
		return Frequency{}, &FrequencyError{Reason: "no series has two different times", Suggestion: "D"}
	}
	if axis.IsInteger() {
		return p.integer()
	}
	if p.divisor%uint64(MicrosPerDay) == 0 {
		return p.days(), nil
	}
	if f, ok := p.withinDay(); ok {
		return f, nil
	}
	if f, ok := p.wandering(Month, Week, Day, Hour, Minute); ok {
		return f, nil
	}
	if f, ok := p.dirty(); ok {
		return f, nil
	}
	return Frequency{}, p.irregular()
}

// steps are the positive differences of successive times within each series.
type steps struct {
	axis    Axis
	times   []int64
	offsets []int

	count     int    // number of steps
	divisor   uint64 // their greatest common divisor
	smallest  uint64
	smallests int // number of steps equal to smallest
}

func (p *steps) measure() {
	p.smallest = math.MaxUint64
	p.each(func(a, b int64) bool {
		d := uint64(b) - uint64(a)
		p.count++
		switch {
		case d < p.smallest:
			p.smallest, p.smallests = d, 1
		case d == p.smallest:
			p.smallests++
		}
		if p.divisor == 0 {
			p.divisor = d
		} else if d != p.divisor && d%p.divisor != 0 {
			p.divisor = gcd(p.divisor, d)
		}
		return true
	})
}

// each calls f with the two ends of every step until f returns false; it reports whether f never did.
func (p *steps) each(f func(a, b int64) bool) bool {
	for s := range len(p.offsets) - 1 {
		own := p.times[p.offsets[s]:p.offsets[s+1]]
		for i := 1; i < len(own); i++ {
			if own[i] != own[i-1] && !f(own[i-1], own[i]) {
				return false
			}
		}
	}
	return true
}

func gcd(a, b uint64) uint64 {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// usual reports whether at least half of the steps are exactly the divisor.
func (p *steps) usual() bool {
	return p.smallest == p.divisor && float64(p.smallests) >= halfOfSteps*float64(p.count)
}

func (p *steps) integer() (Frequency, error) {
	if form := p.dateNumbers(); form != "" {
		return Frequency{}, &FrequencyError{
			Reason:     "the whole numbers are dates written as " + form + "; make dates of them with STR_TO_DATE in a SELECT as the source, or take them as plain numbers",
			Examples:   p.examples(),
			Suggestion: "1",
		}
	}
	if p.divisor > maxCount {
		return Frequency{}, &FrequencyError{
			Reason:   fmt.Sprintf("the smallest common step of the numbers is %d; seconds since 1970 become times with FROM_UNIXTIME in a SELECT as the source", p.divisor),
			Examples: p.examples(),
		}
	}
	return Frequency{Integer, int(p.divisor)}, nil
}

// dateNumbers recognises 202401 and 20240131: all numbers are valid as such and one step leads into another year.
func (p *steps) dateNumbers() string {
	months, days := true, true
	for _, v := range p.times {
		months = months && v >= 190001 && v <= 219912 && v%100 >= 1 && v%100 <= 12
		days = days && v >= 19000101 && v <= 21991231 && v/100%100 >= 1 && v/100%100 <= 12 && v%100 >= 1 && v%100 <= 31
		if !months && !days {
			return ""
		}
	}
	perYear, form := int64(100), "YYYYMM"
	if days {
		perYear, form = 10000, "YYYYMMDD"
	}
	if p.each(func(a, b int64) bool { return a/perYear == b/perYear }) {
		return ""
	}
	return form
}

// days finds the frequency of times that all keep their time of day.
func (p *steps) days() Frequency {
	if n, ok := p.months(); ok {
		return Frequency{Month, n}
	}
	days := int(min(p.divisor/uint64(MicrosPerDay), maxCount))
	if days%7 == 0 {
		weeks := days / 7
		if weeks == 1 || weeks == 2 || weeks == 4 || p.usual() {
			return Frequency{Week, weeks}
		}
		return Frequency{Week, 1}
	}
	if f, ok := p.wandering(Month, Week); ok {
		return f
	}
	if days == 1 && p.business() {
		return Frequency{BusinessDay, 1}
	}
	if p.usual() {
		return Frequency{Day, days}
	}
	return Frequency{Day, 1}
}

// months reports whether every series keeps its day of the month, and the greatest common divisor of the steps in months.
func (p *steps) months() (n int, ok bool) {
	ends := allMonthEnds(p.times)
	var divisor uint64
	for s := range len(p.offsets) - 1 {
		own := p.times[p.offsets[s]:p.offsets[s+1]]
		if len(own) == 0 {
			continue
		}
		g := NewGrid(Frequency{Month, 1}, own[0])
		if !sameMonthDay(own) {
			return 0, false // the usual way out of daily and weekly data, before all rows are looked at
		}
		g.day = monthDay(own, ends)
		previous := g.Index(own[0])
		for _, t := range own {
			k := g.Index(t)
			if g.Time(k) != t {
				return 0, false
			}
			divisor = gcd(divisor, uint64(k-previous))
			previous = k
		}
	}
	return int(divisor), divisor > 0
}

// sameMonthDay looks at the first step only: it must lead into another month, onto the same day or both near the month's end.
func sameMonthDay(times []int64) bool {
	for _, t := range times {
		if t != times[0] {
			month, day := civil(times[0])
			nextMonth, nextDay := civil(t)
			return month != nextMonth && (day == nextDay || day >= 28 && nextDay >= 28)
		}
	}
	return true
}

// business reports whether no row falls on a weekend, and that not by chance: there are many rows over several weekends, or
// the only days left out are weekends.
func (p *steps) business() bool {
	first, last := p.times[0], p.times[0]
	for _, t := range p.times {
		if !weekday(t) {
			return false
		}
		first, last = min(first, t), max(last, t)
	}
	if len(p.times) >= minWeekdays && last-first >= 2*MicrosPerWeek {
		return true
	}
	g := canonical(Frequency{BusinessDay, 1})
	weekends := 0
	complete := p.each(func(a, b int64) bool {
		if b-a == 3*MicrosPerDay {
			weekends++
		}
		return g.Index(b)-g.Index(a) == 1
	})
	return complete && weekends > 0
}

func weekday(t int64) bool { return floorMod(floorDiv(t, MicrosPerDay)+3, 7) < 5 }

// Divisors of the day that are believed without most steps being one: all rows lie on them, which irregular times do not.
var (
	naturalHours   = []int{12, 8, 6, 4, 3, 2, 1}
	naturalMinutes = []int{30, 20, 15, 12, 10, 6, 5}
)

// withinDay finds a frequency finer than days that all rows keep exactly.
func (p *steps) withinDay() (Frequency, bool) {
	for _, unit := range []struct {
		Unit
		length  int64
		natural []int
	}{{Hour, MicrosPerHour, naturalHours}, {Minute, MicrosPerMinute, naturalMinutes}, {Second, MicrosPerSecond, nil}} {
		if p.divisor%uint64(unit.length) != 0 {
			continue
		}
		n := p.divisor / uint64(unit.length)
		if p.usual() && n <= maxCount {
			return Frequency{unit.Unit, int(n)}.normal(), true
		}
		for _, natural := range unit.natural {
			if n%uint64(natural) == 0 {
				return Frequency{unit.Unit, natural}, true
			}
		}
	}
	return Frequency{}, false
}

// wandering looks for a frequency whose rows are not quite equally spaced: no two rows share a period, most steps lead into the
// next period, and nearly all are within a fifth of a period of a whole number of them. The units are tried in turn, Month
// for years, quarters and months.
func (p *steps) wandering(units ...Unit) (Frequency, bool) {
	if p.count < minInexact {
		return Frequency{}, false
	}
	for _, unit := range units {
		counts := []int{1}
		switch unit {
		case Month:
			counts = []int{12, 3, 1}
		case Minute:
			counts = []int{30, 15, 10, 5, 1}
		}
		for _, n := range counts {
			f := Frequency{unit, n}
			if p.wandersBy(f) {
				return f, true
			}
		}
	}
	return Frequency{}, false
}

func (p *steps) wandersBy(f Frequency) bool {
	g := canonical(f)
	var length float64
	if f.Unit == Month {
		length = 365.2425 / 12 * float64(f.N) * float64(MicrosPerDay)
	} else {
		length = float64(f.length())
	}
	next, near := 0, 0
	apart := p.each(func(a, b int64) bool {
		k := g.Index(b) - g.Index(a)
		if k == 1 {
			next++
		}
		if math.Abs(float64(b-a)-float64(k)*length) <= length/5 {
			near++
		}
		return k > 0
	})
	return apart && float64(next) >= halfOfSteps*float64(p.count) && float64(near) >= mostSteps*float64(p.count)
}

// dirty looks for a frequency that nearly all steps keep exactly, the coarsest first: a few rows are off and will be taken
// into their period.
func (p *steps) dirty() (Frequency, bool) {
	if p.count < minInexact {
		return Frequency{}, false
	}
	for _, f := range []Frequency{{Day, 1}, {Hour, 1}, {Minute, 30}, {Minute, 15}, {Minute, 10}, {Minute, 5}, {Minute, 1}} {
		length := uint64(f.length())
		exact, one := 0, 0
		p.each(func(a, b int64) bool {
			d := uint64(b) - uint64(a)
			if d == length {
				one++
			}
			if d%length == 0 {
				exact++
			}
			return true
		})
		if float64(one) >= halfOfSteps*float64(p.count) && float64(exact) >= mostSteps*float64(p.count) {
			return f, true
		}
	}
	return Frequency{}, false
}

// irregular explains that nothing fits; it suggests a frequency coarse enough to gather several rows.
func (p *steps) irregular() *FrequencyError {
	lengths := make([]uint64, 0, p.count)
	p.each(func(a, b int64) bool {
		lengths = append(lengths, uint64(b)-uint64(a))
		return len(lengths) < 100_000
	})
	slices.Sort(lengths)
	median := lengths[len(lengths)/2]
	suggestion := "D"
	switch {
	case median < uint64(MicrosPerMinute):
		suggestion = "H"
	case median > uint64(10*MicrosPerDay):
		suggestion = "M"
	case median > uint64(2*MicrosPerDay):
		suggestion = "W"
	}
	return &FrequencyError{
		Reason:     "the times are not equally spaced; a set frequency gathers the rows of each period by option agg",
		Examples:   p.examples(),
		Suggestion: suggestion,
	}
}

// examples shows up to three steps of different length.
func (p *steps) examples() []string {
	var shown []string
	var lengths []uint64
	p.each(func(a, b int64) bool {
		d := uint64(b) - uint64(a)
		if !slices.Contains(lengths, d) {
			lengths = append(lengths, d)
			shown = append(shown, p.axis.Format(a)+" → "+p.axis.Format(b))
		}
		return len(shown) < 3
	})
	return shown
}

// Distance is the number of periods from the period of a to that of b; ok is false if it does not fit an int.
func (g Grid) Distance(a, b int64) (n int, ok bool) {
	d, borrow := bits.Sub64(uint64(g.Index(b))^1<<63, uint64(g.Index(a))^1<<63, 0)
	if borrow == 0 && d <= math.MaxInt {
		return int(d), true
	}
	if borrow == 1 && -d <= math.MaxInt {
		return -int(-d), true
	}
	return 0, false
}
