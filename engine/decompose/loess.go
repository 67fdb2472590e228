package decompose

import "math"

// loess smooths equally spaced values locally by a constant or a line, with tricube weights over the nearest window
// observations (Cleveland et al. 1990, section 2), times the robustness weights if there are any.
type loess struct {
	window, degree int
	// jump evaluates at every jump-th position (and the last) only and draws lines between (section 5.4 there).
	jump int
	// weights and tricube are scratch of at least the length of the longest series; tricube caches the distance weights of
	// an interior position, which are the same for all of them.
	weights, tricube []float64
	cachedHalf       int
}

// smooth writes the smoothed y to dst, both of length n. robust has length n or is nil.
func (l *loess) smooth(dst, y, robust []float64) {
	n := len(y)
	if n < 2 {
		copy(dst, y)
		return
	}
	jump := min(l.jump, n-1)
	half := (l.window - 1) / 2
	l.cachedHalf = -1
	evaluate := func(i int) {
		left, right := 0, n-1
		if l.window < n {
			left = min(max(i-half, 0), n-l.window)
			right = left + l.window - 1
		}
		v, ok := 0.0, false
		if l.window < n && left == i-half {
			v, ok = l.interior(y, i, half, robust)
		} else {
			v, ok = l.at(y, float64(i), left, right, robust)
		}
		if !ok {
			v = y[i]
		}
		dst[i] = v
	}
	last := 0
	for i := 0; i < n; i += jump {
		evaluate(i)
		connect(dst, last, i)
		last = i
	}
	if last < n-1 {
		evaluate(n - 1)
		connect(dst, last, n-1)
	}
}

func connect(v []float64, from, to int) {
	step := (v[to] - v[from]) / float64(to-from)
	for i := from + 1; i < to; i++ {
		v[i] = v[from] + step*float64(i-from)
	}
}

// at is the local fit at position x, which may lie beside the series, from the observations left..right. It is not ok if
// they all have weight zero.
func (l *loess) at(y []float64, x float64, left, right int, robust []float64) (v float64, ok bool) {
	n := len(y)
	h := max(x-float64(left), float64(right)-x)
	if l.window > n {
		h += float64((l.window - n) / 2)
	}
	w := l.weights[:right-left+1]
	sum := 0.0
	for j := range w {
		w[j] = tricube(math.Abs(float64(left+j)-x), h)
		if robust != nil {
			w[j] *= robust[left+j]
		}
		sum += w[j]
	}
	return l.solve(y[left:right+1], w, sum, x-float64(left), h, n)
}

// interior is at(i) with a whole window around i.
func (l *loess) interior(y []float64, i, half int, robust []float64) (v float64, ok bool) {
	width := 2*half + 1
	if l.cachedHalf != half {
		sum := 0.0
		for j := range width {
			l.tricube[j] = tricube(math.Abs(float64(j-half)), float64(half))
			sum += l.tricube[j]
		}
		for j := range width {
			l.tricube[j] /= sum
		}
		l.cachedHalf = half
	}
	left := i - half
	segment := y[left : left+width]
	t := l.tricube[:len(segment)]
	if robust == nil {
		// The weights are symmetric about i: the slope does not matter at i.
		for j, u := range t {
			v += u * segment[j]
		}
		return v, true
	}
	w := l.weights[:len(segment)]
	r := robust[left : left+width]
	sum := 0.0
	for j, u := range t {
		w[j] = u * r[j]
		sum += w[j]
	}
	return l.solve(segment, w, sum, float64(half), float64(half), len(y))
}

// solve is the weighted local fit at x, measured from the first value of the segment.
func (l *loess) solve(y, w []float64, sum, x, h float64, n int) (v float64, ok bool) {
	if sum <= 0 {
		return 0, false
	}
	if l.degree == 0 || h <= 0 {
		for j, u := range w {
			v += u * y[j]
		}
		return v / sum, true
	}
	var meanX, meanY float64
	for j, u := range w {
		meanX += u * float64(j)
		meanY += u * y[j]
	}
	meanX /= sum
	meanY /= sum
	var spread, slope float64
	for j, u := range w {
		d := float64(j) - meanX
		spread += u * d * d
		slope += u * d * y[j]
	}
	// Where the weight lies on points too close together for a slope, the constant remains.
	if math.Sqrt(spread/sum) > 0.001*float64(n-1) {
		meanY += slope / spread * (x - meanX)
	}
	return meanY, true
}

// tricube is (1-(d/h)^3)^3, with the ends of its domain cut as in the authors' program: 1 within h/1000, 0 from 0.999 h on.
func tricube(d, h float64) float64 {
	switch {
	case d <= 0.001*h:
		return 1
	case d > 0.999*h:
		return 0
	}
	u := d / h
	u = 1 - u*u*u
	return u * u * u
}
