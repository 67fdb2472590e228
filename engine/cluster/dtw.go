package cluster

import "math"

// warper computes dynamic time warping between curves of equal length within a Sakoe-Chiba band (Sakoe & Chiba 1978): the
// least sum of squared differences along a path that steps by one in either or both curves and never leaves |i-j| <= band.
// It is scratch of one goroutine.
//
// It counts in whole numbers: values are rounded to a grid so fine that the sum of squares along the longest path just fits
// 63 bits (for 128 positions 2^-26 of the greatest value, finer than the float32 in which distances are kept). The least of three
// whole numbers costs a processor three steps without a jump; of floating-point numbers, several times that.
type warper struct {
	band  int
	scale float64 // grid steps per unit
	row   []int64
	a, b  []int32
}

// newWarper is for curves of the given length with values up to greatest in size.
func newWarper(length int, share, greatest float64) *warper {
	// Differences have one bit more than values, squares twice as many, and a path has less than 2*length steps.
	bits := (61 - int(math.Ceil(math.Log2(float64(2*max(1, length)))))) / 2
	return &warper{band: bandWidth(length, share), scale: math.Ldexp(1, min(30, bits-1)) / max(greatest, 1e-300)}
}

func bandWidth(length int, share float64) int {
	return min(max(length-1, 0), max(1, int(math.Ceil(share*float64(length)))))
}

// grid appends v on the warper's grid to dst[:0].
func (w *warper) grid(dst []int32, v []float64) []int32 {
	dst = dst[:0]
	for _, x := range v {
		dst = append(dst, int32(math.RoundToEven(x*w.scale)))
	}
	return dst
}

// cost is the squared warping cost, or +Inf as soon as it must exceed limit.
func (w *warper) cost(a, b []float64, limit float64) float64 {
	w.a, w.b = w.grid(w.a, a), w.grid(w.b, b)
	return w.gridCost(w.a, w.b, limit)
}

const never = math.MaxInt64 / 2

// gridCost is cost for curves already on the grid.
func (w *warper) gridCost(a, b []int32, limit float64) float64 {
	n, r := len(a), min(w.band, len(a)-1)
	most := int64(never - 1)
	if l := limit * w.scale * w.scale * (1 + 1e-12); l < never/2 {
		most = int64(l) + 1
	}
	// row[c] holds the cost up to (i, j) with j = i-r+c, updated in place from the row above: there row[c] is the diagonal step,
	// row[c+1] the step in a alone; left, just written, the step in b alone.
	width := 2*r + 1
	if cap(w.row) < width+1 {
		w.row = make([]int64, width+1)
	}
	row := w.row[:width+1]
	for c := range row {
		row[c] = never
	}
	// The first row has nothing above it: all comes from the left.
	total := int64(0)
	for j := range min(r+1, n) {
		d := int64(a[0]) - int64(b[j])
		total += d * d
		row[r+j] = total
	}
	for i := 1; i < n; i++ {
		x := int64(a[i])
		from, to := max(0, r-i), min(width, n+r-i) // c of the first j and behind the last
		segment := b[i-r+from : i-r+to]
		cells := row[from : from+len(segment)]
		above := row[from+1 : from+1+len(segment)]
		left, least, diagonal := int64(never), int64(never), cells[0]
		for c, y := range segment {
			next := above[c]
			step := min(diagonal, next)
			diagonal = next
			d := x - int64(y)
			left = min(step, left) + d*d
			cells[c] = left
			least = min(least, left)
		}
		if least > most {
			return math.Inf(1)
		}
		if to < width {
			row[to] = never // beyond the end of b
		}
	}
	return float64(row[r]) / (w.scale * w.scale)
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
