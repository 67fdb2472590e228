package series

import (
	"math"
	"slices"
)

// layout writes the rows of series after series into the panel's periods. Its scratch grows to the longest series.
type layout struct {
	panel *Panel
	rows  *rows
	opts  Options
	state []state
}

// state says what is known of a period.
type state uint8

const (
	absent state = iota // no row
	null                // rows with NULL values only
	valued
)

// series lays out series i and counts what it did.
func (l *layout) series(i int, e extent) error {
	p, report := l.panel, &l.panel.reports[i]
	a := l.rows.offsets[i]
	b := l.rows.offsets[i+1]
	y := p.y[p.offsets[i]:p.offsets[i+1]]
	report.Rows = e.observed
	report.Trailing = max(b-a-e.observed-l.later(a+e.observed, b), 0)
	if report.After > 0 && len(l.rows.x) > 0 || e.observed == 0 && report.Before+report.After > 0 {
		report.Trailing = 0 // they stand for rows left out
	}
	report.Future = e.all - e.periods
	if l.panel.missing == MissingForbid && report.Trailing > 0 && len(l.rows.x) == 0 {
		return &MissingError{Key: p.KeyString(i), Time: p.axis.Format(p.grid(i).Time(p.grid(i).Index(l.rows.times[a+e.observed]))), Null: true}
	}
	if len(l.rows.x) > 0 {
		l.regressors(i, e)
	}
	if e.dense {
		if len(y) > 0 && &y[0] != &l.rows.y[a] {
			copy(y, l.rows.y[a:])
		}
		if !slices.ContainsFunc(y, math.IsNaN) {
			return nil
		}
		l.state = slices.Grow(l.state[:0], len(y))[:len(y)]
		for k, v := range y {
			l.state[k] = valued
			if math.IsNaN(v) {
				l.state[k] = null
			}
		}
		return l.treat(i, y)
	}
	l.state = slices.Grow(l.state[:0], len(y))[:len(y)]
	clear(l.state)
	g, first := p.grid(i), e.first
	step, fixed := g.Frequency().Length()
	period, start := 0, l.rows.times[a]
	inPeriod := g.Contains(start) && g.Index(start) == first
	for from := a; from < a+e.observed; {
		if t := l.rows.times[from]; fixed && inPeriod {
			period = int((t - start) / step) // start begins a period
		} else {
			period = int(g.Index(t) - first)
		}
		to := from + 1
		for to < a+e.observed && (l.rows.times[to] == l.rows.times[from] || g.Index(l.rows.times[to])-first == int64(period)) {
			to++
		}
		if to-from > 1 {
			if l.opts.Agg == AggForbid {
				return &DuplicateError{Key: p.KeyString(i), Time: p.axis.Format(p.Time(i, period)), Rows: to - from}
			}
			report.Duplicates += to - from - 1
		}
		v := aggregate(l.opts.Agg, l.rows.y[from:to])
		y[period], l.state[period] = v, valued
		if math.IsNaN(v) {
			l.state[period] = null
		}
		from = to
	}
	return l.treat(i, y)
}

// later counts the rows after the cutoff among rows a to b; they stand at the end.
func (l *layout) later(a, b int) int {
	n := 0
	for l.opts.Cutoff != nil && b > a && l.rows.times[b-1] > *l.opts.Cutoff {
		b--
		n++
	}
	return n
}

// treat gives the periods that are absent or NULL their value.
func (l *layout) treat(i int, y []float64) error {
	report := &l.panel.reports[i]
	missing := l.panel.missing
	// Only when asked for by name do these fill what the source says is unknown.
	fillNulls := l.opts.Missing == MissingForward || l.opts.Missing == MissingInterpolate
	before := -1 // the last period with a value
	for k := 0; k < len(y); k++ {
		if l.state[k] == valued {
			before = k
			continue
		}
		if missing == MissingForbid {
			return &MissingError{Key: l.panel.KeyString(i), Time: l.panel.axis.Format(l.panel.Time(i, k)), Null: l.state[k] == null}
		}
		// The last period has a value, so a stretch without one ends before it; but for zeros towards a period left out.
		after := k
		for after < len(y) && l.state[after] != valued {
			after++
		}
		for ; k < after; k++ {
			isNull := l.state[k] == null
			filled := &report.Unknown
			v := math.NaN()
			switch {
			case isNull && !fillNulls:
				filled = &report.Nulls
			case missing == MissingZero:
				v, filled = 0, &report.Zeros
			case missing == MissingForward && before >= 0:
				v, filled = y[before], &report.Carried
			case missing == MissingInterpolate && before >= 0:
				share := float64(k-before) / float64(after-before)
				v, filled = y[before]*(1-share)+y[after]*share, &report.Interpolated
			case isNull:
				filled = &report.Nulls
			}
			if isNull && !math.IsNaN(v) {
				filled = &report.NullsFilled
			}
			*filled++
			y[k] = v
		}
		k--
	}
	return nil
}

// regressors lays out the regressors of series i, also over its future rows. Absent periods are NaN. Duplicates are averaged, unless agg
// chooses one of them: two lines of a promotion's price do not add up.
func (l *layout) regressors(i int, e extent) {
	p := l.panel
	a, b := l.rows.offsets[i], l.rows.offsets[i+1]
	agg := l.opts.Agg
	if agg == AggAuto || agg == AggSum || agg == AggForbid {
		agg = AggMean
	}
	g := p.grid(i)
	for r, column := range l.rows.x {
		x := p.x[r][p.xOffsets[i]:p.xOffsets[i+1]]
		for k := range x {
			x[k] = math.NaN()
		}
		for from := a; from < b; {
			period := g.Index(l.rows.times[from])
			to := from + 1
			for to < b && g.Index(l.rows.times[to]) == period {
				to++
			}
			x[period-e.first] = aggregate(agg, column[from:to])
			from = to
		}
	}
}

// aggregate makes one value of several; NaN takes no part.
func aggregate(agg Agg, values []float64) float64 {
	if len(values) == 1 {
		return values[0]
	}
	result, n := math.NaN(), 0
	for _, v := range values {
		if math.IsNaN(v) {
			continue
		}
		n++
		switch {
		case n == 1, agg == AggLast:
			result = v
		case agg == AggFirst:
		case agg == AggMin:
			result = min(result, v)
		case agg == AggMax:
			result = max(result, v)
		default:
			result += v
		}
	}
	if agg == AggMean && n > 0 {
		return result / float64(n)
	}
	return result
}
