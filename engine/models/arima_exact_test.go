package models

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/almanacdb/almanac/engine/series"
)

// randomARMA draws stationary, invertible coefficients.
func randomARMA(rng *rand.Rand, o arimaOrder) []float64 {
	x := make([]float64, o.coefficients())
	for i := range x {
		x[i] = rng.NormFloat64() * 0.6
	}
	work := make([]float64, len(x))
	at := 0
	for i, n := range [...]int{o.p, o.q, o.P, o.Q} {
		part := x[at : at+n]
		at += n
		partialToAR(part, work)
		if i%2 == 1 {
			for j := range part {
				part[j] = -part[j]
			}
		}
	}
	return x
}

// covariance is that of n steps of the process, from its infinite moving average: slow, but with no recursion in common with
// the filters.
func covariance(a *arma, n int) [][]float64 {
	const long = 20000
	psi := psiWeights(nil, a, long)
	gamma := make([]float64, n)
	for k := range gamma {
		for j := 0; j+k < long; j++ {
			gamma[k] += psi[j] * psi[j+k]
		}
	}
	c := make([][]float64, n)
	for i := range c {
		c[i] = make([]float64, n)
		for j := range c[i] {
			c[i][j] = gamma[max(i-j, j-i)]
		}
	}
	return c
}

// gaussian is log det c and y′ c⁻¹ y.
func gaussian(c [][]float64, y []float64) (logDet, form float64) {
	n := len(y)
	l := make([][]float64, n)
	z := make([]float64, n)
	for i := range n {
		l[i] = make([]float64, i+1)
		for j := range i + 1 {
			v := c[i][j]
			for k := range j {
				v -= l[i][k] * l[j][k]
			}
			if i == j {
				l[i][i] = math.Sqrt(v)
			} else {
				l[i][j] = v / l[j][j]
			}
		}
		v := y[i]
		for k := range i {
			v -= l[i][k] * z[k]
		}
		z[i] = v / l[i][i]
		logDet += 2 * math.Log(l[i][i])
		form += z[i] * z[i]
	}
	return logDet, form
}

var likelihoodOrders = []arimaOrder{
	{p: 1, m: 1},
	{q: 1, m: 1},
	{p: 2, q: 2, m: 1},
	{p: 5, q: 1, m: 1},
	{q: 3, m: 1},
	{m: 1},
	{q: 1, Q: 1, m: 4},
	{p: 1, q: 2, P: 1, Q: 1, m: 4},
	{p: 2, P: 2, m: 6},
	{q: 1, Q: 2, m: 12},
	{p: 3, q: 3, P: 1, m: 3},
	{p: 4, Q: 1, m: 2},
}

// TestExactLikelihood compares both filters with the density of the multivariate normal distribution.
func TestExactLikelihood(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	var exact exactARMA
	var filter arimaFilter
	for _, o := range likelihoodOrders {
		for range 5 {
			x := randomARMA(rng, o)
			var a arma
			a.set(o, x)
			const n = 60
			y := make([]float64, n)
			for i := range y {
				y[i] = rng.NormFloat64()
			}
			wantLog, wantForm := gaussian(covariance(&a, n), y)
			check := func(name string, gotLog float64, e []float64) {
				form := 0.0
				for _, v := range e {
					form += v * v
				}
				if math.Abs(gotLog-wantLog) > 1e-8*(1+math.Abs(wantLog)) || math.Abs(form/wantForm-1) > 1e-8 {
					t.Errorf("%v %v %s: log det %v, form %v, want %v and %v", o, x, name, gotLog, form, wantLog, wantForm)
				}
			}
			out := [][]float64{make([]float64, n)}
			sumLog, _, ok := exact.innovations(&a, [][]float64{y}, out, -1)
			if !ok {
				t.Fatalf("%v %v: refused", o, x)
			}
			check("rank one recursion", sumLog, out[0])
			if !filter.begin(&a, nil, 1) {
				t.Fatalf("%v %v: refused", o, x)
			}
			sumLog, _ = filter.innovations([][]float64{y}, out)
			check("filter", sumLog, out[0])
		}
	}
}

// TestMissingLikelihood compares the filter and the dummies with the marginal density of the observed values, and with each
// other where the series is differenced.
func TestMissingLikelihood(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	const n = 60
	for _, o := range likelihoodOrders {
		for _, d := range []int{0, 1} {
			o := o
			o.d = d
			x := randomARMA(rng, o)
			var a arma
			a.set(o, x)
			s := series.Series{Y: make([]float64, n)}
			var seen []int
			level := 0.0
			for i := range s.Y {
				if level = level*float64(d) + rng.NormFloat64(); i > 0 && i < n-1 && rng.IntN(6) == 0 {
					s.Y[i] = math.NaN()
					continue
				}
				s.Y[i] = level
				seen = append(seen, i)
			}
			data, err := prepareARIMA(s)
			if err != nil {
				t.Fatal(err)
			}
			data.scale = 1
			w := new(arimaWork)
			evaluate := func() float64 {
				w.size(len(x), len(w.problem.differenced[0]))
				w.order = o
				e, err := w.describe(x, false)
				if err != nil {
					t.Fatal(err)
				}
				return e.loglik
			}
			w.problem = data.problem(o)
			if w.problem.levels != nil || w.problem.dummies == 0 {
				t.Fatalf("%d missing values do not make dummies", n-len(seen))
			}
			dummies := evaluate()
			w.problem = &arimaProblem{
				differenced: [][]float64{difference(data.filled, o)}, levels: [][]float64{data.y}, delta: differencing(o.d, 0, 1),
				used: w.problem.used,
			}
			filtered := evaluate()
			if math.Abs(dummies-filtered) > 1e-8*math.Abs(filtered) {
				t.Errorf("%v: %v by dummies, %v by the filter", o, dummies, filtered)
			}
			if d > 0 {
				continue
			}
			full := covariance(&a, n)
			c, y := make([][]float64, len(seen)), make([]float64, len(seen))
			for i, ti := range seen {
				y[i] = data.y[ti]
				for _, tj := range seen {
					c[i] = append(c[i], full[ti][tj])
				}
			}
			logDet, form := gaussian(c, y)
			k := float64(len(seen))
			if want := -k/2*(math.Log(2*math.Pi*form/k)+1) - logDet/2; math.Abs(want-filtered) > 1e-8*math.Abs(want) {
				t.Errorf("%v: log likelihood %v, the density says %v", o, filtered, want)
			}
		}
	}
}

// TestConditionalJacobian compares the derivatives with differences; with a regression only the gradient is exact.
func TestConditionalJacobian(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, o := range likelihoodOrders {
		for _, mean := range []bool{false, true} {
			o := o
			o.mean = mean
			data, err := prepareARIMA(simulated(90, 4, 7))
			if err != nil {
				t.Fatal(err)
			}
			x := randomARMA(rng, o)
			k := len(x)
			w := &arimaWork{problem: data.problem(o), order: o}
			n := len(w.problem.differenced[0])
			w.size(k, n)
			r, jacobian := make([]float64, n), make([]float64, n*k)
			sum, _, ok := w.conditional(x, r, -1)
			if !ok {
				continue
			}
			r0 := append([]float64(nil), r...)
			w.conditionalJacobian(r0, jacobian)
			for i := range x {
				const h = 1e-6
				at := x[i]
				x[i] = at + h
				up, _, _ := w.conditional(x, r, -1)
				plus := append([]float64(nil), r...)
				x[i] = at - h
				down, _, _ := w.conditional(x, r, -1)
				x[i] = at
				gradient := 0.0
				for j, v := range jacobian[i*n : (i+1)*n] {
					gradient += 2 * v * r0[j]
					if want := (plus[j] - r[j]) / (2 * h); !mean && math.Abs(v-want) > 1e-5*(1+math.Abs(want)) {
						t.Fatalf("%v: derivative of residual %d by %d is %v, differences say %v", o, j, i, v, want)
					}
				}
				if want := (up - down) / (2 * h); math.Abs(gradient-want) > 1e-5*(sum+math.Abs(want)) {
					t.Errorf("%v: gradient %d is %v, differences say %v", o, i, gradient, want)
				}
			}
		}
	}
}

func TestPolynomials(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 8))
	work := make([]float64, 20)
	for _, p := range []int{1, 2, 3, 5, 12} {
		x := make([]float64, p)
		for i := range x {
			x[i] = rng.NormFloat64()
		}
		c := append([]float64(nil), x...)
		partialToAR(c, work)
		back := append([]float64(nil), c...)
		if !arToPartial(back, work) {
			t.Fatalf("partial autocorrelations of %v make a model that is not stationary", x)
		}
		for i := range x {
			if math.Abs(back[i]-x[i]) > 1e-7 {
				t.Errorf("order %d: %v comes back as %v", p, x, back)
				break
			}
		}
		negative := make([]float64, p)
		for i, v := range c {
			negative[i] = -v
		}
		if least := nearestRoot(arimaOrder{p: p, m: 1}, c); !(least > 1) {
			t.Errorf("a stationary model of order %d has a root of modulus %v", p, least)
		}
		// Roots solve the polynomial.
		for _, z := range polynomialRoots(negative) {
			value, power := complex(1, 0), complex(1, 0)
			size := 1.0
			for _, v := range negative {
				power *= z
				value += complex(v, 0) * power
				size += math.Abs(v) * math.Hypot(real(power), imag(power))
			}
			if math.Hypot(real(value), imag(value)) > 1e-9*size {
				t.Errorf("order %d: %v is no root: %v", p, z, value)
			}
		}
	}
	if stationary([]float64{0.5, 0.6}) || !stationary([]float64{0.5, 0.4}) {
		t.Error("the border of stationarity of an AR(2) is phi1 + phi2 = 1")
	}
	if got := nearestRoot(arimaOrder{Q: 1, m: 12}, []float64{-0.8}); math.Abs(got-math.Pow(1.25, 1./12)) > 1e-12 {
		t.Errorf("root of a seasonal moving average: %v", got)
	}
}

// TestFlip checks that flipping keeps the autocorrelations: those of MA(1) with 2 and with 1/2 are the same.
func TestFlip(t *testing.T) {
	for _, theta := range [][]float64{{2}, {-2.5, 1}, {0.3, 4, 0.2}, {0, 0, 5}} {
		flipped := append([]float64(nil), theta...)
		flipMA(flipped)
		if nearestRoot(arimaOrder{q: len(theta), m: 1}, flipped) < 1 {
			t.Errorf("%v becomes %v, not invertible", theta, flipped)
		}
		correlation := func(c []float64, lag int) float64 {
			full := append([]float64{1}, c...)
			v, s := 0.0, 0.0
			for j, cj := range full {
				v += cj * cj
				if j+lag < len(full) {
					s += cj * full[j+lag]
				}
			}
			return s / v
		}
		for lag := 1; lag <= len(theta); lag++ {
			if a, b := correlation(theta, lag), correlation(flipped, lag); math.Abs(a-b) > 1e-10 {
				t.Errorf("%v: autocorrelation %d changes from %v to %v", theta, lag, a, b)
			}
		}
	}
}

// TestLikelihoodAllocates: an evaluation of either criterion needs no memory once it has run.
func TestLikelihoodAllocates(t *testing.T) {
	data, err := prepareARIMA(simulated(120, 12, 1))
	if err != nil {
		t.Fatal(err)
	}
	o := arimaOrder{p: 1, d: 1, q: 1, Q: 1, m: 12, drift: true}
	w := &arimaWork{problem: data.problem(o), order: o}
	n := len(w.problem.differenced[0])
	w.size(3, n)
	x, r, jacobian := []float64{0.2, -0.5, -0.3}, make([]float64, n), make([]float64, 3*n)
	run := func() {
		w.conditional(x, r, -1)
		w.conditionalJacobian(r, jacobian)
		w.likelihood(x, r, -1)
	}
	run()
	if got := testing.AllocsPerRun(10, run); got > 0 {
		t.Errorf("%v allocations per evaluation", got)
	}
}

// simulatedARIMA is an ARIMA(1,1,1) path with ar1 = 0.6, ma1 = 0.3.
func simulatedARIMA(n int, seed uint64) []float64 {
	rng := rand.New(rand.NewPCG(seed, 11))
	y := make([]float64, n)
	w, e, level := 0.0, 0.0, 100.0
	for t := range y {
		next := rng.NormFloat64()
		w = 0.6*w + next + 0.3*e
		e = next
		level += w
		y[t] = level
	}
	return y
}
