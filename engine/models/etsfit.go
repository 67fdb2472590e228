package models

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/almanacdb/almanac/engine/optimize"
)

// Bounds of the smoothing parameters, those that forecasters are used to from R's ets: alpha in [lower, upper], beta in [lower,
// alpha], gamma in [lower, 1−alpha] ("usual" region, Hyndman et al. 2008, section 2.5) and phi where damping is neither
// absent nor extreme. Seasonal forms must moreover be admissible (chapter 10).
const (
	etsLower    = 1e-4
	etsUpper    = 1 - 1e-4
	etsPhiLower = 0.8
	etsPhiUpper = 0.98
)

// etsWork is the memory of one worker fitting exponential smoothing.
type etsWork struct {
	sweep   etsSweep
	bfgs    optimize.BFGS
	eval    optimize.FuncGrad
	scaled  []float64
	scratch []float64
	origin  []float64 // seasonal states of base
	jury    []float64
	x       []float64
	start   [9]etsStartPoint
	nstart  int
	p, g    etsParams
	heur    [2]etsGuess // heuristic starts: additive and multiplicative season
	flat    etsGuess    // and without season

	// the problem in hand
	form     etsForm
	y        []float64
	m        int
	observed int
	floor    float64
	base     etsParams // origin of the states in x
	unit     [3]float64
}

type etsGuess struct {
	level, slope float64
	season       []float64
}

var etsPool = sync.Pool{New: func() any {
	w := new(etsWork)
	w.eval = w.evaluate
	return w
}}

// prepare scales y by a power of two so that its mean size is about one (exact, hence fits of a series and of its
// multiples by powers of two agree bit for bit) and guesses the initial states. m is 1 for non-seasonal fitting.
func (w *etsWork) prepare(y []float64, m int) (scale float64) {
	sum, n := 0.0, 0
	for _, v := range y {
		if v == v {
			sum, n = sum+math.Abs(v)*0x1p-500, n+1 // 2⁻⁵⁰⁰: the sum must not overflow
		}
	}
	scale = 1
	if sum > 0 {
		_, exp := math.Frexp(sum / float64(n))
		scale = math.Ldexp(1, max(-1022, min(1022, exp+500)))
	}
	w.scaled = growTo(w.scaled, len(y))
	for t, v := range y {
		w.scaled[t] = v / scale
	}
	w.scratch = growTo(w.scratch, len(y)+m)
	w.y, w.m, w.observed = w.scaled, m, n
	square := 0.0
	for _, v := range w.scaled {
		if v == v {
			square += v * v
		}
	}
	// 2⁻¹⁰⁰ of the mean square per observation is far below the rounding of any real residual.
	w.floor = math.Max(square*0x1p-100, 0x1p-1000)
	w.flat.season = w.flat.season[:0]
	w.flat.level, w.flat.slope = etsStart(w.y, 1, false, w.flat.season, w.scratch)
	if m > 1 {
		for i := range w.heur {
			h := &w.heur[i]
			h.season = growTo(h.season, m)
			h.level, h.slope = etsStart(w.y, m, i == 1, h.season, w.scratch)
		}
	}
	return scale
}

// unpack maps the optimiser's unbounded x onto w.p. Smoothing parameters move along a sine between their bounds: unlike a
// logistic curve it reaches the bounds, where many optima lie, at a finite x and with finite curvature. States are offsets
// from w.base in w.unit; the seasonal ones are projected onto their fixed sum.
func (w *etsWork) unpack(x []float64) {
	p, k := &w.p, 1
	p.alpha = etsLower + (etsUpper-etsLower)*half(x[0])
	p.beta, p.gamma, p.phi, p.trend = 0, 0, 1, 0
	if w.form.trend != 'N' {
		p.beta = etsLower + (p.alpha-etsLower)*half(x[k])
		k++
	}
	if w.form.season != 'N' {
		p.gamma = etsLower + (1-p.alpha-etsLower)*half(x[k])
		k++
	}
	if w.form.damped {
		p.phi = etsPhiLower + (etsPhiUpper-etsPhiLower)*half(x[k])
		k++
	}
	p.level = w.base.level + w.unit[0]*x[k]
	k++
	if w.form.trend != 'N' {
		p.trend = w.base.trend + w.unit[1]*x[k]
		k++
	}
	if w.form.season == 'N' {
		p.season = p.season[:0]
		return
	}
	p.season = growTo(p.season, w.m)
	mean := 0.0
	for _, v := range x[k:] {
		mean += v
	}
	mean /= float64(w.m)
	for i, v := range x[k:] {
		p.season[i] = w.base.season[i] + w.unit[2]*(v-mean)
	}
}

func half(x float64) float64 { return (1 + math.Sin(x)) / 2 }

// evaluate is the criterion and, by the chain rule through unpack, its gradient.
func (w *etsWork) evaluate(x, grad []float64) float64 {
	w.unpack(x)
	p, g := &w.p, &w.g
	if !w.admissible() || !w.sweep.forward(w.form, p, w.y, w.m) {
		return math.Inf(1)
	}
	c := w.sweep.criterion(w.form, w.y, w.observed, w.floor, grad != nil)
	if grad == nil || math.IsInf(c, 1) || c != c {
		return c
	}
	g.season = growTo(g.season, w.m)
	w.sweep.backward(w.form, p, g, w.y, w.m)
	k := 1
	dAlpha := g.alpha
	if w.form.trend != 'N' {
		dAlpha += g.beta * half(x[k])
		grad[k] = g.beta * (p.alpha - etsLower) * math.Cos(x[k]) / 2
		k++
	}
	if w.form.season != 'N' {
		dAlpha -= g.gamma * half(x[k])
		grad[k] = g.gamma * (1 - p.alpha - etsLower) * math.Cos(x[k]) / 2
		k++
	}
	if w.form.damped {
		grad[k] = g.phi * (etsPhiUpper - etsPhiLower) * math.Cos(x[k]) / 2
		k++
	}
	grad[0] = dAlpha * (etsUpper - etsLower) * math.Cos(x[0]) / 2
	grad[k] = w.unit[0] * g.level
	k++
	if w.form.trend != 'N' {
		grad[k] = w.unit[1] * g.trend
		k++
	}
	if w.form.season != 'N' {
		mean := 0.0
		for _, v := range g.season {
			mean += v
		}
		mean /= float64(w.m)
		for i, v := range g.season {
			grad[k+i] = w.unit[2] * (v - mean)
		}
	}
	return c
}

// admissible reports whether old observations lose their influence on the forecasts. Without seasons the usual region
// guarantees it; with seasons the roots of the characteristic polynomial must lie inside the unit circle (Hyndman et al.
// 2008, section 10.2), which the Schur–Cohn recursion decides without finding them. A multiplicative season must start
// positive.
func (w *etsWork) admissible() bool {
	p, m := &w.p, w.m
	if w.form.season == 'N' {
		return true
	}
	if w.form.season == 'M' {
		for _, s := range p.season {
			if s <= 0 {
				return false
			}
		}
	}
	a, b, g, phi := p.alpha, p.beta, p.gamma, p.phi
	var c []float64 // λ^d + c[0]·λ^(d−1) + … + c[d−1]
	if w.form.trend == 'N' {
		// the factor λ − 1 taken out, which belongs to the normalised seasons
		w.jury = growTo(w.jury, m)
		c = w.jury
		for i := range c {
			c[i] = a
		}
		c[m-1] = a + g - 1
	} else {
		w.jury = growTo(w.jury, m+1)
		c = w.jury
		for i := range c {
			c[i] = a + b - a*phi
		}
		c[0] = a + b - phi
		c[m-1] = a + b - a*phi + g - 1
		c[m] = phi * (1 - a - g)
	}
	return schurCohn(c)
}

// schurCohn reports whether all roots of λ^d + c[0]λ^(d−1) + … + c[d−1] lie inside the unit circle. It destroys c.
func schurCohn(c []float64) bool {
	for d := len(c); d > 0; d-- {
		k := c[d-1]
		if !(math.Abs(k) < 1) {
			return false
		}
		inv := 1 / (1 - k*k)
		for i, j := 0, d-2; i <= j; i, j = i+1, j-1 {
			ci, cj := c[i], c[j]
			c[i] = (ci - k*cj) * inv
			c[j] = (cj - k*ci) * inv
		}
	}
	return true
}

// etsOptimum is a fitted form on the scaled data.
type etsOptimum struct {
	form      etsForm
	params    etsParams
	criterion float64
}

// The grid of smoothing parameters from whose best point the search starts: slow and fast levels, trends and seasons. The
// likelihood often has one optimum with a fast level and one with a slow level.
var (
	gridAlpha = []float64{0.05, 0.2, 0.5, 0.9}
	gridBeta  = []float64{0.02, 0.3}  // as fractions of alpha
	gridGamma = []float64{0.003, 0.2} // as fractions of 1 − alpha
)

// fit maximises the likelihood of the form from the best points of a grid and from near. The search is given up, with errHopeless, when after its first
// iterations the criterion still exceeds give by more than etsMargin.
func (w *etsWork) fit(ctx context.Context, f etsForm, near *etsOptimum, give float64) (etsOptimum, error) {
	w.form = f
	guess := &w.flat
	switch f.season {
	case 'A':
		guess = &w.heur[0]
	case 'M':
		guess = &w.heur[1]
	}
	w.base = etsParams{level: guess.level, trend: guess.slope, season: guess.season}
	if f.trend == 'N' {
		// without a trend the level starts in the middle of the line's stretch
		w.base.level += guess.slope * float64(min(len(w.y), max(10, 2*w.m))+1) / 2
	}
	if f.positive() && w.base.level <= 0.01 {
		w.base.level = 1 // the mean size of the scaled data
	}
	if f.trend == 'M' {
		w.base.trend = math.Min(math.Max(1+guess.slope/w.base.level, 0.8), 1.2)
	}
	w.unit = [3]float64{1, 1, 1}

	n := f.smoothing() + 1
	if f.trend != 'N' {
		n++
	}
	if f.season != 'N' {
		n += w.m
	}
	w.x = growTo(w.x, n)
	if err := w.starts(n, near); err != nil {
		return etsOptimum{}, err
	}
	base, unit := w.base, w.unit
	best, at := math.Inf(1), -1
	for i := range w.start[:w.nstart] {
		s := &w.start[i]
		w.base, w.unit = base, unit
		copy(w.x, s.x)
		w.rescale(w.x)
		res, err := w.bfgs.Minimize(ctx, w.eval, w.x, optimize.Settings{MaxIterations: etsScout, FTol: 1e-7, GTol: 1e-4})
		if err != nil && !errors.Is(err, optimize.ErrStart) {
			return etsOptimum{}, err
		}
		if err == nil && res.F < best {
			best, at = res.F, i
			w.unpack(w.x)
			s.keep(w.x, w)
		}
	}
	if at < 0 {
		return etsOptimum{}, errNoStart
	}
	if best > give+etsMargin {
		return etsOptimum{}, errHopeless
	}
	s := &w.start[at]
	w.base, w.unit = s.base, s.unit
	copy(w.x, s.x)
	res, err := w.bfgs.Minimize(ctx, w.eval, w.x, optimize.Settings{MaxIterations: 500, FTol: 1e-9, GTol: 1e-5})
	if err != nil {
		return etsOptimum{}, err
	}
	w.unpack(w.x)
	o := etsOptimum{form: f, params: w.p, criterion: res.F}
	o.params.season = append([]float64(nil), w.p.season...)
	return o, nil
}

var errHopeless = errors.New("far from the best form")

var errNoStart = errors.New("no admissible starting point")

// etsScout is how many iterations every start gets before only the best one goes on.
const etsScout = 12

// etsMargin is what a form may lag behind the best one's criterion after scouting and still be searched to the end; gains from
// there are mostly below 5.
const etsMargin = 25

// etsScouts is how many starts are tried.
const etsScouts = 6

// etsStartPoint is a point that the search may start from, with the origin and units of its coordinates.
type etsStartPoint struct {
	x         []float64
	criterion float64
	base      etsParams
	season    []float64
	unit      [3]float64
}

func (s *etsStartPoint) keep(x []float64, w *etsWork) {
	s.x = append(s.x[:0], x...)
	s.season = append(s.season[:0], w.base.season...)
	s.base, s.unit = w.base, w.unit
	s.base.season = s.season
}

// starts fills w.start with the best point of the grid for a slow and for a fast level, each with a slow and a fast trend, and with
// near, best first. Points much worse than the best are dropped.
func (w *etsWork) starts(n int, near *etsOptimum) error {
	betas, gammas := gridBeta, gridGamma
	if w.form.trend == 'N' {
		betas = betas[:1]
	}
	if w.form.season == 'N' {
		gammas = gammas[:1]
	}
	kinds := w.start[:]
	for i := range kinds {
		kinds[i].criterion = math.Inf(1)
	}
	try := func(s *etsStartPoint) {
		if c := w.evaluate(w.x, nil); c < s.criterion {
			s.criterion = c
			s.x = append(s.x[:0], w.x...)
		}
	}
	clear(w.x)
	for i, a := range gridAlpha {
		for j, b := range betas {
			for k, g := range gammas {
				w.pack(w.x, a, b, g, 0.9)
				try(&kinds[4*(i/2)+2*min(j, 1)+k])
			}
		}
	}
	if near != nil {
		w.packNear(w.x, near)
		try(&kinds[8])
	}
	slices.SortFunc(kinds, func(a, b etsStartPoint) int { return cmp.Compare(a.criterion, b.criterion) })
	w.nstart = 0
	for i := range kinds[:etsScouts] {
		if kinds[i].criterion < math.Inf(1) {
			w.nstart++
		}
	}
	if w.nstart == 0 {
		return errNoStart
	}
	return nil
}

// pack sets the smoothing part of x; b and g are fractions of the widths of their intervals, phi is itself.
func (w *etsWork) pack(x []float64, a, b, g, phi float64) {
	x[0] = unhalf((a - etsLower) / (etsUpper - etsLower))
	k := 1
	if w.form.trend != 'N' {
		x[k] = unhalf(b)
		k++
	}
	if w.form.season != 'N' {
		x[k] = unhalf(g)
		k++
	}
	if w.form.damped {
		x[k] = unhalf((phi - etsPhiLower) / (etsPhiUpper - etsPhiLower))
	}
}

// unhalf inverts half, staying a little off the bounds, where the sine's derivative would vanish and hold the search.
func unhalf(v float64) float64 {
	return math.Asin(2*math.Min(math.Max(v, 0.002), 0.998) - 1)
}

// packNear starts from the optimum of a related form.
func (w *etsWork) packNear(x []float64, o *etsOptimum) {
	p := &o.params
	b, g, phi := gridBeta[0], gridGamma[0], 0.97
	if o.form.trend != 'N' {
		b = (p.beta - etsLower) / math.Max(p.alpha-etsLower, 1e-12)
	}
	if o.form.season != 'N' {
		g = (p.gamma - etsLower) / math.Max(1-p.alpha-etsLower, 1e-12)
	}
	if o.form.damped {
		phi = p.phi
	}
	w.pack(x, p.alpha, b, g, phi)
	k := w.form.smoothing()
	x[k] = (p.level - w.base.level) / w.unit[0]
	k++
	if w.form.trend != 'N' {
		x[k] = 0
		if o.form.trend == w.form.trend {
			x[k] = (p.trend - w.base.trend) / w.unit[1]
		}
		k++
	}
	if w.form.season != 'N' {
		for i := range w.m {
			x[k+i] = 0
			if o.form.season == w.form.season {
				x[k+i] = (p.season[i] - w.base.season[i]) / w.unit[2]
			}
		}
	}
}

// rescale moves the origin of the states to x and chooses their units by the size of the one-step errors there, so that
// all of the optimiser's coordinates matter about equally.
func (w *etsWork) rescale(x []float64) {
	w.evaluate(x, nil)
	sum := 0.0
	for _, e := range w.sweep.e[:len(w.y)] {
		sum += e * e
	}
	sd := math.Max(math.Sqrt(sum/float64(w.observed)), 1e-8)
	p := &w.p
	w.base.level, w.base.trend = p.level, p.trend
	w.origin = append(w.origin[:0], p.season...)
	w.base.season = w.origin
	w.unit = [3]float64{sd, sd / 5, sd}
	if w.form.season == 'M' {
		w.unit[2] = sd / math.Max(p.level, 0.1)
	}
	if w.form.trend == 'M' {
		w.unit[1] = sd / 5 / math.Max(p.level, 0.1)
	}
	clear(x[w.form.smoothing():])
}
