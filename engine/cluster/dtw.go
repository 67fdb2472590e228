package cluster

import "math"

// warper computes dynamic time warping between curves of equal length within a Sakoe-Chiba band (Sakoe & Chiba 1978): the
// least sum of squared differences along a path that steps by one in either or both curves and never leaves |i-j| <= band.
// It is scratch of one goroutine.
type warper struct {
	band int
	row  []float64
}

func newWarper(length int, share float64) *warper {
	return &warper{band: bandWidth(length, share)}
}

func bandWidth(length int, share float64) int {
	return min(max(length-1, 0), max(1, int(math.Ceil(share*float64(length)))))
}

// cost is the squared warping cost, or +Inf as soon as it must exceed limit.
func (w *warper) cost(a, b []float64, limit float64) float64 {
	n, r := len(a), min(w.band, len(a)-1)
	// row[c] holds the cost up to (i, j) with j = i-r+c, updated in place from the row above: there row[c] is the diagonal step,
	// row[c+1] the step in a alone; left, just written, the step in b alone.
	width := 2*r + 1
	if cap(w.row) < width+1 {
		w.row = make([]float64, width+1)
	}
	row := w.row[:width+1]
	inf := math.Inf(1)
	for c := range row {
		row[c] = inf
	}
	row[r] = 0 // the corner before the first step
	for i := range n {
		x := a[i]
		from, to := max(0, r-i), min(width, n+r-i) // c of the first j and behind the last
		left, least := inf, inf
		segment := b[i-r+from : i-r+to]
		cells := row[from : to+1]
		if i == 0 {
			// The first row has no row above it: the corner opens (0,0) alone, the rest comes from the left.
			total := 0.0
			for c, y := range segment {
				total += (x - y) * (x - y)
				cells[c] = total
			}
			least = cells[0]
		} else {
			above := cells[0]
			for c, y := range segment {
				next := cells[c+1]
				step := min(above, next, left)
				above = next
				left = step + (x-y)*(x-y)
				cells[c] = left
				least = min(least, left)
			}
		}
		if least > limit {
			return inf
		}
		if to < width {
			row[to] = inf // beyond the end of b
		}
	}
	return row[r]
}

// envelope is the range that a curve takes within the band around each position (Keogh & Ratanamahatana 2005).
type envelope struct{ low, high []float64 }

func (w *warper) envelope(v []float64) envelope {
	e := envelope{make([]float64, len(v)), make([]float64, len(v))}
	for i := range v {
		lo, hi := v[i], v[i]
		for j := max(0, i-w.band); j < min(len(v), i+w.band+1); j++ {
			lo, hi = min(lo, v[j]), max(hi, v[j])
		}
		e.low[i], e.high[i] = lo, hi
	}
	return e
}

// bound is LB_Keogh: a lower bound of the warping cost between v and the envelope's curve, at least limit if it stops early.
func (e envelope) bound(v []float64, limit float64) float64 {
	sum := 0.0
	for i, x := range v {
		switch {
		case x > e.high[i]:
			sum += (x - e.high[i]) * (x - e.high[i])
		case x < e.low[i]:
			sum += (e.low[i] - x) * (e.low[i] - x)
		default:
			continue
		}
		if sum >= limit {
			break
		}
	}
	return sum
}
