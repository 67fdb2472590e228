package decompose

import "math"

// fillLinear copies y to dst (of equal length), with each gap replaced by the line between the known values beside it and
// gaps at the ends by the nearest known value. It returns the number of known values; with none dst is undefined.
func fillLinear(dst, y []float64) int {
	known, last := 0, -1
	for t, v := range y {
		if math.IsNaN(v) {
			continue
		}
		known++
		dst[t] = v
		switch {
		case last < 0:
			for s := range t {
				dst[s] = v
			}
		case last < t-1:
			step := (v - dst[last]) / float64(t-last)
			for s := last + 1; s < t; s++ {
				dst[s] = dst[last] + step*float64(s-last)
			}
		}
		last = t
	}
	if last >= 0 {
		for s := last + 1; s < len(y); s++ {
			dst[s] = dst[last]
		}
	}
	return known
}

// refill replaces the gaps of y in filled by the interpolated seasonally adjusted series plus the season of c's first fit.
func (c *Components) refill(filled, y []float64) {
	adjusted := sized(c.ws.deseasonal, len(y))
	c.ws.deseasonal = adjusted
	for t, v := range y {
		adjusted[t] = v - c.SeasonalFit(t)
	}
	fillLinear(adjusted, adjusted)
	for t, v := range y {
		if math.IsNaN(v) {
			filled[t] = adjusted[t] + c.SeasonalFit(t)
		}
	}
}
