package decompose

import (
	"cmp"
	"math"
	"math/cmplx"
	"slices"

	"gonum.org/v1/gonum/dsp/fourier"
	"gonum.org/v1/gonum/mathext"
)

// Period is a seasonal period found in a series.
type Period struct {
	// Length is the period in observations.
	Length int
	// Strength is the share in [0,1] of the variance of the series around its moving average of one cycle (around its trend
	// line, with less than three cycles) that the season explains, adjusted for the number of harmonics fitted.
	Strength float64
	// PValue is the probability of so clear a season in noise without one, for this period alone.
	PValue float64
	// Natural marks a period that the caller named.
	Natural bool
}

// DetectOptions choose what Detect looks for. The zero value searches all periods.
type DetectOptions struct {
	// Natural are periods that the frequency suggests, such as 7 and 365 for days. They are tested first hand, from two cycles of
	// data on, and preferred to neighbours found in the data.
	Natural []int
	// NaturalOnly looks for nothing else.
	NaturalOnly bool
	// Max is the greatest number of periods returned; 3 by default.
	Max int
	// Significance is the probability of finding anything in noise that each of the two searches, for natural and for other
	// periods, allows itself; 0.01 by default.
	Significance float64
}

// Limits of the search.
const (
	// shortest series that is looked at.
	leastObservations = 8
	// cycles that a period found in the data alone must have.
	leastCycles = 4
	// harmonics that stand for a seasonal pattern; a whole pattern up to period 13.
	mostHarmonics = 6
	// peaks of the periodogram that are followed up, and multiples of each (it may be a harmonic).
	mostPeaks, mostMultiples = 4, 4
	// residuals are cut at so many standard deviations, so that two outliers do not make a period.
	mostDeviation = 4
	// parameters of line and noise, which a test on the innovations has spent.
	fittedParameters = 4
	// share of variance below which a season, however significant, is of no use.
	leastStrength = 0.02
)

// Detector finds seasonal periods; it holds scratch, so that it allocates little when reused. It serves one goroutine at a
// time. The zero value is ready.
type Detector struct {
	filled, x, rest, white, fit, smooth []float64
	power                               []float64
	coefficients                        []complex128
	scratch                             []float64
	fft                                 *fourier.FFT
}

// DetectPeriods is Detect of a new Detector.
func DetectPeriods(y []float64, o DetectOptions) []Period { return new(Detector).Detect(y, o) }

// Detect returns the seasonal periods of y, the strongest first; none if no period is significant. NaN is a missing value:
// ends are cut, gaps interpolated; with less than half of the values known nothing is found.
//
// A trend line is removed. A period is tested by the F-test of its harmonics (1, 2, 3 or up to 6 of them, whichever number has the best BIC) on the innovations of ARMA(1,1) noise, fitted
// to what the season leaves (generalised least squares), which are cut at four robust standard deviations. Candidates are
// the natural periods and peaks of the periodogram of the innovations that pass Fisher's test against the median level,
// and multiples of these. A candidate must also show as a positive autocorrelation of the innovations at that lag. The one
// with the largest gain in BIC is taken (one that is not natural must have a gain), its season removed, and the search repeated. Significance levels are divided by the
// number of candidates (Bonferroni), by that of all frequencies for those from the periodogram.
func (d *Detector) Detect(y []float64, o DetectOptions) []Period {
	if o.Max <= 0 {
		o.Max = 3
	}
	if o.Significance <= 0 {
		o.Significance = 0.01
	}
	if !d.prepare(y) {
		return nil
	}
	n := len(d.x)
	d.rest, d.white, d.fit = sized(d.rest, n), sized(d.white, n), sized(d.fit, n)
	var found []Period
	var noise *redNoise
	var natural []int
	for _, m := range o.Natural {
		if m >= 2 && n >= 2*m && !slices.Contains(natural, m) {
			natural = append(natural, m)
		}
	}
	named := len(natural)
	for len(found) < o.Max {
		started := fitRedNoise(d.x, noise)
		noise = &started
		best, gain := Period{}, math.Inf(-1)
		try := func(m, multiple int, level float64, natural bool) bool {
			for _, f := range found {
				if f.Length == m {
					return false
				}
			}
			p, g := d.test(m, multiple, *noise)
			if p.PValue >= level || p.Strength < leastStrength || (g <= 0 && !natural) {
				return false
			}
			if p.Natural = natural; g > gain {
				best, gain = p, g
			}
			return true
		}
		var accepted []int
		for _, m := range natural {
			if try(m, 1, o.Significance/float64(named), true) {
				accepted = append(accepted, m)
			}
		}
		if !o.NaturalOnly {
			noise.innovations(d.white, d.x)
			d.cut(d.white)
			for _, c := range d.peaks(o.Significance) {
				if !slices.ContainsFunc(accepted, c.neighbours) && !slices.Contains(natural, c.length) &&
					!slices.ContainsFunc(found, func(f Period) bool { return c.repeats(f.Length) }) {
					try(c.length, c.multiple, o.Significance/float64(n/2), false)
				}
			}
		}
		if best.Length == 0 {
			break
		}
		found = append(found, best)
		d.season(d.fit, d.x, best.Length, harmonics(best.Length))
		for t := range d.x {
			d.x[t] -= d.fit[t]
		}
	}
	slices.SortStableFunc(found, func(a, b Period) int { return cmp.Compare(b.Strength, a.Strength) })
	return found
}

// prepare fills d.x with the series without ends of missing values, gaps and trend line; false if there is nothing to find.
func (d *Detector) prepare(y []float64) bool {
	from, to := 0, len(y)
	for from < to && math.IsNaN(y[from]) {
		from++
	}
	for to > from && math.IsNaN(y[to-1]) {
		to--
	}
	y = y[from:to]
	n := len(y)
	if n < leastObservations {
		return false
	}
	d.filled, d.x = sized(d.filled, n), sized(d.x, n)
	if 2*fillLinear(d.filled, y) < n {
		return false
	}
	size := 0.0
	for _, v := range d.filled {
		if math.IsInf(v, 0) {
			return false
		}
		size = max(size, math.Abs(v))
	}
	level, slope := line(d.filled)
	var left moments
	for t, v := range d.filled {
		d.x[t] = v - level - slope*float64(t)
		left.add(d.x[t])
	}
	if left.variance() <= 1e-20*size*size {
		return false
	}
	// Unit variance keeps the sums below within range.
	scale := 1 / math.Sqrt(left.variance())
	for t := range d.x {
		d.x[t] *= scale
	}
	return true
}

// line is the least-squares line level + slope t through x.
func line(x []float64) (level, slope float64) {
	centre := float64(len(x)-1) / 2
	spread := 0.0
	var mean moments
	for t, v := range x {
		mean.add(v)
		slope += (float64(t) - centre) * v
		spread += (float64(t) - centre) * (float64(t) - centre)
	}
	slope /= spread
	return mean.mean - slope*centre, slope
}

// candidate is a period to test: multiple times one that stands out of the periodogram.
type candidate struct{ length, multiple int }

// neighbours reports whether c is next to the period m, and so the same period measured badly.
func (c candidate) neighbours(m int) bool {
	return math.Abs(float64(c.length-m)) <= max(1, 0.04*float64(m))
}

// repeats reports whether c is near a multiple of the period m, which has been found before and removed. What is left of a cycle
// whose length varies shows there.
func (c candidate) repeats(m int) bool {
	ratio := float64(c.length) / float64(m)
	whole := max(1, math.Round(ratio))
	return math.Abs(ratio-whole) <= 0.2
}

func harmonics(m int) int { return min(m/2, mostHarmonics) }

// freedom is the number of parameters of so many harmonics; the one at period 2 has no sine.
func freedom(m, h int) int {
	if 2*h == m {
		return 2*h - 1
	}
	return 2 * h
}

// test is the F-test of period m on d.x, with the gain in BIC over no season.
//
// If it is multiple times a period that stands out by itself, it must be more than a repetition of that one: the harmonics
// that the shorter period does not have must hold a fifth of the variance that all of them explain.
func (d *Detector) test(m, multiple int, noise redNoise) (Period, float64) {
	h := harmonics(m)
	d.season(d.fit, d.x, m, h)
	for t, v := range d.x {
		d.rest[t] = v - d.fit[t]
	}
	// A few cycles of a season have a slope of their own: let season and line share the series (backfitting).
	x := d.x
	if len(x) < 8*m {
		d.smooth = sized(d.smooth, len(x))
		x = d.smooth
		for range 3 {
			level, slope := line(d.rest)
			for t, v := range d.x {
				x[t] = v - level - slope*float64(t)
			}
			d.season(d.fit, x, m, h)
			for t, v := range d.x {
				d.rest[t] = v - d.fit[t]
			}
		}
		for t, v := range x {
			d.rest[t] = v - d.fit[t]
		}
	}
	noise = fitRedNoise(d.rest, &noise)
	// The line and the harmonics take low frequencies out of what is left, so that a walk looks as if it returned to its mean.
	if noise.phi > 0.9 {
		noise.phi = min(maxPhi, noise.phi+float64(freedom(m, h)+fittedParameters)/float64(len(x)))
	}
	noise.innovations(d.white, x)
	d.cut(d.white)
	n := len(d.white) / m * m
	part := d.white[len(d.white)-n:]
	all := d.explained(part, m, h, 1)
	if multiple > 1 && all-d.explained(part, m, h, multiple) < all/5 {
		return Period{Length: m, PValue: 1}, 0
	}
	p, gain := Period{Length: m, PValue: 1}, math.Inf(-1)
	// A smooth season is clearer in its first harmonics alone; trying several numbers of them costs as many tests.
	numbers := [...]int{1, 2, 3, h}
	tests := min(h, len(numbers))
	for i := range tests {
		k := numbers[i]
		if i == tests-1 {
			k = h
		}
		share := min(d.explained(part, m, k, 1), 1-1e-15)
		nu1 := float64(freedom(m, k))
		nu2 := float64(n-1-fittedParameters) - nu1
		if nu2 < 1 || !(share > 0) {
			continue
		}
		if g := -float64(n)*math.Log1p(-share) - nu1*math.Log(float64(n)); g > gain {
			gain = g
			p.PValue = min(1, float64(tests)*mathext.RegIncBeta(nu2/2, nu1/2, 1-share))
		}
	}
	if p.PValue == 1 || !d.repeats(m) {
		return Period{Length: m, PValue: 1}, 0
	}
	p.Strength = d.strength(m, h)
	return p, gain
}

// repeats confirms a period: the autocorrelation of d.white at lag m is positive at one-sided level 0.05. Cycles of more
// values than the harmonics can tell apart are summed to as many blocks as that takes, so that noise averages out.
func (d *Detector) repeats(m int) bool {
	blocks := min(m, 2*mostHarmonics+1)
	cycles := len(d.white) / m
	part := d.white[len(d.white)-cycles*m:]
	sums := sized(d.scratch, cycles*blocks)
	d.scratch = sums
	clear(sums)
	for t, v := range part {
		sums[t/m*blocks+t%m*blocks/m] += v
	}
	// The variance of an autocorrelation of noise is about (n-lag)/n^2.
	n := float64(len(sums))
	return autocorrelation(sums, blocks)*n > 1.645*math.Sqrt(n-float64(blocks))
}

func autocorrelation(x []float64, lag int) float64 {
	if lag >= len(x) {
		return 0
	}
	var mean, ss, product float64
	for _, v := range x {
		mean += v
	}
	mean /= float64(len(x))
	for t, v := range x {
		ss += (v - mean) * (v - mean)
		if t >= lag {
			product += (v - mean) * (x[t-lag] - mean)
		}
	}
	if ss <= 0 {
		return 0
	}
	return product / ss
}

// strength is Period.Strength of period m in d.x.
func (d *Detector) strength(m, h int) float64 {
	x := d.x
	if len(x) >= 3*m {
		d.smooth = sized(d.smooth, len(x))
		centredAverage(d.smooth, x, m)
		half := m / 2
		d.scratch = sized(d.scratch, len(x)-2*half)
		for t := range d.scratch {
			d.scratch[t] = x[t+half] - d.smooth[t+half]
		}
		x = d.scratch
	}
	n := len(x) / m * m
	x = x[len(x)-n:]
	nu := float64(freedom(m, h))
	if float64(n-1) <= nu {
		return 0
	}
	adjusted := 1 - (1-d.explained(x, m, h, 1))*float64(n-1)/(float64(n-1)-nu)
	return min(1, max(0, adjusted))
}

// explained is the share of the variance of x, a whole number of cycles, in every step-th of the first h harmonics of period m.
func (d *Detector) explained(x []float64, m, h, step int) float64 {
	n := len(x)
	if n == 0 {
		return 0
	}
	mean, ss := 0.0, 0.0
	for _, v := range x {
		mean += v
	}
	mean /= float64(n)
	for _, v := range x {
		ss += (v - mean) * (v - mean)
	}
	if ss <= 0 {
		return 0
	}
	sum := 0.0
	cycle := d.cycle(x, m)
	for k := step; k <= h; k += step {
		c := harmonic(cycle, k)
		square := real(c)*real(c) + imag(c)*imag(c)
		if 2*k == m {
			sum += square / float64(n)
		} else {
			sum += 2 * square / float64(n)
		}
	}
	return sum / ss
}

// cycle sums x by position in the cycle: the harmonics of the period are those of the sums.
func (d *Detector) cycle(x []float64, m int) []float64 {
	d.power = sized(d.power, m)
	clear(d.power)
	for from := 0; from < len(x); from += m {
		for s, v := range x[from:min(from+m, len(x))] {
			d.power[s] += v
		}
	}
	return d.power
}

// harmonic is the k-th Fourier coefficient of v.
func harmonic(v []float64, k int) complex128 {
	turn := cmplx.Rect(1, -2*math.Pi*float64(k)/float64(len(v)))
	at, sum := complex(1, 0), complex(0, 0)
	for _, x := range v {
		sum += complex(x, 0) * at
		at *= turn
	}
	return sum
}

// season writes the first h harmonics of period m in x to dst, fitted to the last whole cycles.
func (d *Detector) season(dst, x []float64, m, h int) {
	n := len(x) / m * m
	offset := len(x) - n
	cycle := d.cycle(x[offset:], m)
	pattern := sized(d.scratch, m)
	d.scratch = pattern
	clear(pattern)
	for k := 1; k <= h; k++ {
		c := harmonic(cycle, k) / complex(float64(n), 0)
		if 2*k != m {
			c *= 2
		}
		turn := cmplx.Rect(1, 2*math.Pi*float64(k)/float64(m))
		for s := range pattern {
			pattern[s] += real(c)
			c *= turn
		}
	}
	for t := range dst {
		dst[t] = pattern[((t-offset)%m+m)%m]
	}
}

// cut limits x to four robust standard deviations around its median.
func (d *Detector) cut(x []float64) {
	d.smooth = append(d.smooth[:0], x...)
	s := d.smooth
	slices.Sort(s)
	n := len(s)
	median := (s[n/2] + s[(n-1)/2]) / 2
	var all moments
	for i, v := range s {
		all.add(v)
		s[i] = math.Abs(v - median)
	}
	slices.Sort(s)
	deviation := 1.4826 * (s[n/2] + s[(n-1)/2]) / 2
	if deviation <= 1e-6*math.Sqrt(all.variance()) { // more than half of the values are equal
		deviation = math.Sqrt(all.variance())
	}
	low, high := median-mostDeviation*deviation, median+mostDeviation*deviation
	for t, v := range x {
		x[t] = min(max(v, low), high)
	}
}

// peaks are the periods that stand out of the periodogram of d.white, and small multiples of them.
func (d *Detector) peaks(significance float64) []candidate {
	n := smooth5(len(d.white))
	x := d.white[len(d.white)-n:]
	if d.fft == nil {
		d.fft = fourier.NewFFT(n)
	} else if d.fft.Len() != n {
		d.fft.Reset(n)
	}
	if cap(d.coefficients) < n/2+1 {
		d.coefficients = make([]complex128, n/2+1)
	}
	d.coefficients = d.fft.Coefficients(d.coefficients[:n/2+1], x)
	last := (n - 1) / 2
	power := sized(d.power, last+1)
	d.power = power
	for k := range power {
		c := d.coefficients[k]
		power[k] = real(c)*real(c) + imag(c)*imag(c)
	}
	power[0] = 0
	d.smooth = append(d.smooth[:0], power[1:]...)
	slices.Sort(d.smooth)
	// The median of an exponential distribution is ln 2 times its mean.
	level := d.smooth[len(d.smooth)/2] / math.Ln2
	threshold := level * math.Log(float64(last)/significance)
	var tops []int
	for k := leastCycles; k <= last; k++ {
		if power[k] > threshold && power[k] >= power[k-1] && (k == last || power[k] >= power[k+1]) {
			tops = append(tops, k)
		}
	}
	slices.SortStableFunc(tops, func(a, b int) int { return cmp.Compare(power[b], power[a]) })
	if len(tops) > mostPeaks {
		tops = tops[:mostPeaks]
	}
	var periods []candidate
	add := func(m, multiple int) {
		if !slices.ContainsFunc(periods, func(c candidate) bool { return c.length == m }) {
			periods = append(periods, candidate{m, multiple})
		}
	}
	for _, k := range tops {
		for j := 1; j <= mostMultiples; j++ {
			lo := int(math.Ceil(float64(j*n) / (float64(k) + 0.6)))
			hi := int(math.Floor(float64(j*n) / (float64(k) - 0.6)))
			near := int(math.Round(float64(j*n) / float64(k)))
			lo, hi = max(2, min(lo, near)), max(hi, near)
			if leastCycles*near <= len(d.white) {
				add(near, j)
			}
			best, most := 0, math.Inf(-1)
			for m := lo; m <= hi && leastCycles*m <= len(d.white); m++ {
				if r := autocorrelation(d.white, m); r > most {
					best, most = m, r
				}
			}
			if best > 0 {
				add(best, j)
			}
		}
	}
	return periods
}

// smooth5 is the largest number up to n without prime factors above 5, a fast length for the transform.
func smooth5(n int) int {
	for ; ; n-- {
		r := n
		for _, f := range [...]int{2, 3, 5} {
			for r%f == 0 {
				r /= f
			}
		}
		if r == 1 {
			return n
		}
	}
}
