package decompose

import "math"

// Spans of the tweeter, midrange and woofer smoothers, as shares of the series (Friedman 1984, section 2).
var spans = [3]float64{0.05, 0.2, 0.5}

// superSmooth writes the smoothed y to dst, of equal length: J. H. Friedman (1984), "A Variable Span Scatterplot
// Smoother", Stanford LCS Technical Report 5, without bass control, at equally spaced positions. Local lines are fitted
// with three spans; at each position the span with the least cross-validated residual, itself smoothed, is taken. y has
// no NaN. R's supsmu gives the same values.
func (c *Components) superSmooth(dst, y []float64) {
	n := len(y)
	if n < 2 {
		copy(dst, y)
		return
	}
	ws := &c.ws.smooth
	for i := range ws {
		ws[i] = sized(ws[i], n)
	}
	fits, residuals := ws[0:3], ws[3:6]
	best, span, scratch := ws[6], ws[7], ws[8]
	// A window narrower than a thousandth of the interquartile range of positions has no slope.
	scale := float64(3*(n/4) - n/4)
	if n < 4 {
		scale = float64(n - 1)
	}
	flat := 1e-6 * scale * scale
	for i, s := range spans {
		runningLine(fits[i], scratch, y, s, flat)
		runningLine(residuals[i], nil, scratch, spans[1], flat)
	}
	for t := range n {
		least := 0
		for i := range spans {
			if residuals[i][t] < residuals[least][t] {
				least = i
			}
		}
		best[t] = spans[least]
	}
	runningLine(span, nil, best, spans[1], flat)
	for t := range n {
		s := min(max(span[t], spans[0]), spans[2])
		other, share := fits[2][t], (s-spans[1])/(spans[2]-spans[1])
		if s < spans[1] {
			other, share = fits[0][t], (spans[1]-s)/(spans[1]-spans[0])
		}
		best[t] = (1-share)*fits[1][t] + share*other
	}
	runningLine(dst, nil, best, spans[0], flat)
}

// runningLine fits a line around each position over a share span of the series, updating the moments from window to
// window. Near the ends the window stays whole. Unless nil, left receives the absolute residuals of the fits that leave
// the position itself out.
func runningLine(fit, left, y []float64, span, flat float64) {
	n := len(y)
	half := max(2, int(0.5*span*float64(n)+0.5))
	width := min(2*half+1, n)
	var meanX, meanY, varX, cov, count float64
	add := func(i int) {
		before := count
		count++
		x := float64(i)
		meanX, meanY = meanX+(x-meanX)/count, meanY+(y[i]-meanY)/count
		if before > 0 {
			d := count * (x - meanX) / before
			varX += d * (x - meanX)
			cov += d * (y[i] - meanY)
		}
	}
	remove := func(i int) {
		x := float64(i)
		after := count - 1
		if after > 0 {
			d := count * (x - meanX) / after
			varX -= d * (x - meanX)
			cov -= d * (y[i] - meanY)
			meanX, meanY = (count*meanX-x)/after, (count*meanY-y[i])/after
		}
		count = after
	}
	for i := range width {
		add(i)
	}
	for t := range n {
		if out, in := t-half-1, t+half; out >= 0 && in < n {
			remove(out)
			add(in)
		}
		x := float64(t)
		slope, leverage := 0.0, 1/count
		if varX > flat {
			slope = cov / varX
			leverage += (x - meanX) * (x - meanX) / varX
		}
		fit[t] = meanY + slope*(x-meanX)
		if left != nil {
			left[t] = 0
			if leverage < 1 {
				left[t] = math.Abs(y[t]-fit[t]) / (1 - leverage)
			}
		}
	}
}
