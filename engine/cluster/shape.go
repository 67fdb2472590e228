package cluster

import (
	"fmt"
	"math"
	"slices"
)

// minPoints is the shortest shape that can be compared. minPart is the shortest part of one, unless it is half of the shape: fewer
// points, scaled to themselves, resemble every centre.
const (
	minPoints = 3
	minPart   = 6
)

// shapes are the comparable curves of a panel.
type shapes struct {
	// points has one standardised row per entry of whole; series[i] is the series of row i.
	points Points
	series []int
	// partial has a row for each series of partialSeries, NaN where it has no data, standardised over the rest.
	partial       Points
	partialSeries []int
	// first is the offset of the window's first position; segment the observations per position (0 if stretched).
	first, segment int
}

// span is the stretch of a series between its first and last known value, as positions in Y.
type span struct{ first, end int }

func known(y []float64) (s span) {
	s.first = slices.IndexFunc(y, func(v float64) bool { return !math.IsNaN(v) })
	if s.first < 0 {
		return span{}
	}
	for i, v := range y {
		if !math.IsNaN(v) {
			s.end = i + 1
		}
	}
	return s
}

// makeShapes builds the shapes and writes the status and cover of every series.
func makeShapes(series []Series, o Options, members []Member) (*shapes, error) {
	spans := make([]span, len(series))
	for i, s := range series {
		spans[i] = known(s.Y)
		members[i].Covered = 1
		switch length := spans[i].end - spans[i].first; {
		case length == 0:
			members[i].Status, members[i].Covered = AllMissing, 0
		case length < minPoints:
			members[i].Status, members[i].Covered = TooShort, 0
		}
	}
	if o.Align == Stretch {
		return stretched(series, spans, o, members)
	}
	return aligned(series, spans, o, members)
}

// stretched brings every series to the median length, or Points if that is less.
func stretched(series []Series, spans []span, o Options, members []Member) (*shapes, error) {
	var lengths []int
	out := &shapes{}
	for i, s := range spans {
		if members[i].Status == OK {
			lengths = append(lengths, s.end-s.first)
			out.series = append(out.series, i)
		}
	}
	if len(lengths) == 0 {
		return nil, fmt.Errorf("%w: none has %d values", ErrNoSeries, minPoints)
	}
	slices.Sort(lengths)
	p := min(lengths[len(lengths)/2], o.Points)
	out.points = NewPoints(len(out.series), p)
	var filled []float64
	for r, i := range out.series {
		filled = interpolate(filled[:0], series[i].Y[spans[i].first:spans[i].end])
		resample(out.points.Row(r), filled)
		if !standardise(out.points.Row(r)) {
			members[i].Status = Constant
		}
	}
	return out, nil
}

// resample averages v over len(dst) stretches of equal length, values at a border shared in proportion; a shorter v is drawn as
// a line between its values.
func resample(dst, v []float64) {
	n, p := len(v), len(dst)
	if n < p {
		for i := range dst {
			at := float64(i) * float64(n-1) / float64(p-1)
			j := min(int(at), n-2)
			dst[i] = v[j] + (at-float64(j))*(v[j+1]-v[j])
		}
		return
	}
	step := float64(n) / float64(p)
	for i := range dst {
		from, to := float64(i)*step, float64(i+1)*step
		sum := 0.0
		for j := int(from); j < n && float64(j) < to; j++ {
			sum += v[j] * (min(to, float64(j+1)) - max(from, float64(j)))
		}
		dst[i] = sum / step
	}
}

// aligned cuts all series to one calendar window.
func aligned(series []Series, spans []span, o Options, members []Member) (*shapes, error) {
	var ends []int
	for i, s := range spans {
		if members[i].Status == OK {
			ends = append(ends, series[i].Offset+s.end)
		}
	}
	if len(ends) == 0 {
		return nil, fmt.Errorf("%w: none has %d values", ErrNoSeries, minPoints)
	}
	slices.Sort(ends)
	// share of the series reach rank len-need from below; share of those have begun at rank need-1.
	need := func(n int) int { return min(n, max(1, int(math.Ceil(o.CoverShare*float64(n)-1e-9)))) }
	end := ends[len(ends)-need(len(ends))]
	var starts []int
	for i, s := range spans {
		if members[i].Status == OK && series[i].Offset+s.end >= end {
			starts = append(starts, series[i].Offset+s.first)
		}
	}
	slices.Sort(starts)
	start := starts[need(len(starts))-1]
	length := end - start
	if length < minPoints {
		return nil, fmt.Errorf("%w: they have no %d periods in common; set align=stretch to compare whole series", ErrNoSeries, minPoints)
	}
	out := &shapes{segment: segmentLength(length, o)}
	p := length / out.segment
	out.first = end - p*out.segment
	for i, s := range spans {
		if members[i].Status != OK {
			continue
		}
		from, to := max(out.first, series[i].Offset+s.first), min(end, series[i].Offset+s.end)
		covered := float64(max(0, to-from)) / float64(end-out.first)
		members[i].Covered = covered
		switch {
		case covered >= 1:
			out.series = append(out.series, i)
		case to > from:
			members[i].Status = Partial
			out.partialSeries = append(out.partialSeries, i)
		default:
			members[i].Status = Outside
		}
	}
	out.points, out.partial = NewPoints(len(out.series), p), NewPoints(len(out.partialSeries), p)
	var filled []float64
	for r, i := range out.series {
		filled = interpolate(filled[:0], series[i].Y[spans[i].first:spans[i].end])
		skip := out.first - series[i].Offset - spans[i].first
		segmentMeans(out.points.Row(r), filled[skip:], out.segment)
		if !standardise(out.points.Row(r)) {
			members[i].Status = Constant
		}
	}
	for r, i := range out.partialSeries {
		filled = interpolate(filled[:0], series[i].Y[spans[i].first:spans[i].end])
		partialMeans(out.partial.Row(r), filled, series[i].Offset+spans[i].first-out.first, out.segment)
		from, to := covered(out.partial.Row(r))
		members[i].Points = to - from
		if members[i].Points < max(minPoints, min(minPart, (p+1)/2)) {
			members[i].Status = TooShort
			continue
		}
		standardise(out.partial.Row(r)[from:to])
	}
	return out, nil
}

// segmentLength is the number of observations averaged to one point.
func segmentLength(length int, o Options) int {
	segment := (length + o.Points - 1) / o.Points
	for _, m := range o.Periods {
		if m >= 2 && m <= 31 && length/m >= 26 {
			return (segment + m - 1) / m * m
		}
	}
	return segment
}

func segmentMeans(dst, v []float64, segment int) {
	for i := range dst {
		dst[i] = mean(v[i*segment : (i+1)*segment])
	}
}

// partialMeans is segmentMeans of values that begin shift observations after the window's start; NaN where a segment is not
// covered whole.
func partialMeans(dst, v []float64, shift, segment int) {
	for i := range dst {
		from, to := i*segment-shift, (i+1)*segment-shift
		dst[i] = math.NaN()
		if from >= 0 && to <= len(v) {
			dst[i] = mean(v[from:to])
		}
	}
}

// covered is the range of positions that are not NaN.
func covered(row []float64) (from, to int) {
	s := known(row)
	return s.first, s.end
}

// interpolate appends y to dst with its inner gaps filled by lines. Its first and last values are known.
func interpolate(dst, y []float64) []float64 {
	last := -1
	for t, v := range y {
		dst = append(dst, v)
		if math.IsNaN(v) {
			continue
		}
		if last >= 0 {
			for s := last + 1; s < t; s++ {
				dst[s] = y[last] + (v-y[last])*float64(s-last)/float64(t-last)
			}
		}
		last = t
	}
	return dst
}
