package models

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/almanacdb/almanac/engine"
)

// etsPaths is how many sample paths stand for a forecast distribution that has no formula, as in R.
const etsPaths = 5000

// Forecast implements engine.Fitted. The distribution is that of Hyndman et al. (2008), chapter 6: Gaussian with the
// analytic variance where one is known (classes 1 to 3), otherwise 5000 simulated paths of a fixed seed, for which Mean is the
// point forecast with all future errors zero.
func (f *etsFitted) Forecast(ctx context.Context, dst *engine.Forecast, _ [][]float64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	steps := dst.H + f.ahead // trailing missing values are steps, too
	mean, variance := make([]float64, steps), make([]float64, steps)
	etsPoint(f.form, f.params.phi, f.level, f.trend, f.season, mean)
	class := f.class()
	switch class {
	case 1:
		f.variance1(variance)
	case 2:
		f.variance2(mean, variance)
	case 3:
		f.moments3(mean, variance)
	}
	for h := range dst.H {
		dst.Mean[h] = mean[f.ahead+h] * f.scale
	}
	if class > 0 {
		fillNormal(dst, func(h int) float64 { return f.scale * math.Sqrt(variance[f.ahead+h]) })
		return nil
	}
	if len(dst.Probs) == 0 {
		return nil
	}
	return f.simulate(ctx, dst)
}

// class is the class of section 6.1 whose variance formula applies, 0 where there is none.
func (f *etsFitted) class() int {
	switch {
	case f.form.trend == 'M':
		return 0
	case f.form.err == 'A' && f.form.season != 'M':
		return 1
	case f.form.err == 'M' && f.form.season != 'M':
		return 2
	case f.form.err == 'M':
		return 3
	}
	return 0
}

// weight is c_j, by which an error moves the point forecast j steps later (table 6.1).
func (f *etsFitted) weight(j int, damped float64) float64 {
	c := f.params.alpha + f.params.beta*damped
	if f.m > 1 && j%f.m == 0 {
		c += f.params.gamma
	}
	return c
}

// variance1 is eq. 6.1: v_h = σ²(1 + Σ c_j²), j < h.
func (f *etsFitted) variance1(v []float64) {
	sum, damp, damped := 1.0, 1.0, 0.0
	for h := range v {
		v[h] = f.sigma2 * sum
		damp *= f.params.phi
		damped += damp // φ + φ² + … + φ^j for j = h+1
		c := f.weight(h+1, damped)
		sum += c * c
	}
}

// variance2 is eqs. 6.2 and 6.3: θ_h = μ_h² + σ² Σ c_j² θ_{h−j}, v_h = (1+σ²)θ_h − μ_h².
func (f *etsFitted) variance2(mean, v []float64) {
	theta, c2 := make([]float64, len(v)), make([]float64, len(v)+1)
	damp, damped := 1.0, 0.0
	for j := 1; j <= len(v); j++ {
		damp *= f.params.phi
		damped += damp
		c := f.weight(j, damped)
		c2[j] = c * c
	}
	for h := range v {
		theta[h] = mean[h] * mean[h]
		for j := 1; j <= h; j++ {
			theta[h] += f.sigma2 * c2[j] * theta[h-j]
		}
		v[h] = (1+f.sigma2)*theta[h] - mean[h]*mean[h]
	}
}

// moments3 gives the exact mean and variance of the forms with multiplicative error and season and additive trend
// (class 3). With x = (level, trend)', x_t = (F + g·w'·ε_t)·x_{t−1} and the season s_t = s_{t−m}(1 + γε_t),
//
//	y_h = w'x_{h−1} · s · Π(1 + γε_{h−im}) · (1 + ε_h)
//
// where s is the last known season of that kind and i counts the cycles since. Season and level share past errors, so the
// moments of x are carried forward weighted by the season's factor at the steps h−m, h−2m, …; with Gaussian ε (E ε⁴ = 3σ⁴)
// each step is a 2×2 recursion. It equals the matrix formulas of section 6.3 at a fraction of the work.
func (f *etsFitted) moments3(mean, v []float64) {
	p, s2 := &f.params, f.sigma2
	phi, a, b, g := p.phi, p.alpha, p.beta, p.gamma
	for h := range v {
		// first moment (m1, m2) and second moments (s11, s12, s22) of x
		m1, m2 := f.level, f.trend
		s11, s12, s22 := m1*m1, m1*m2, m2*m2
		for t := 1; t <= h; t++ {
			w := 0.0 // γ where this step's error moves the season of step h+1
			if (h+1-t)%f.m == 0 {
				w = g
			}
			r := m1 + phi*m2
			m1, m2 = r+w*s2*a*r, phi*m2+w*s2*b*r
			r1, r2 := s11+phi*s12, s12+phi*s22 // S·w
			rr := r1 + phi*r2                  // w'Sw
			u1, u2 := rr, phi*r2               // F·S·w
			c0, c1, c2 := 1+w*w*s2, 2*w*s2, s2+3*w*w*s2*s2
			n11 := c0*rr + 2*c1*a*u1 + c2*a*a*rr
			n12 := c0*phi*r2 + c1*(a*u2+b*u1) + c2*a*b*rr
			n22 := c0*phi*phi*s22 + 2*c1*b*u2 + c2*b*b*rr
			s11, s12, s22 = n11, n12, n22
		}
		s := f.season[h%f.m]
		mu := (m1 + phi*m2) * s
		second := (s11 + 2*phi*s12 + phi*phi*s22) * s * s
		mean[h] = mu
		v[h] = math.Max(0, (1+s2)*second-mu*mu)
	}
}

// simulate draws paths of Gaussian innovations and takes their sample quantiles step by step.
func (f *etsFitted) simulate(ctx context.Context, dst *engine.Forecast) error {
	rng := rand.New(rand.NewPCG(20081027, uint64(f.used))) // fixed: the same fit always gives the same quantiles
	steps, sd := f.ahead+dst.H, math.Sqrt(f.sigma2)
	values := make([]float64, dst.H*etsPaths)
	season := make([]float64, max(1, f.m))
	for path := range etsPaths {
		if path&63 == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		l, b := f.level, f.trend
		copy(season, f.season)
		for h := range steps {
			pb := 0.0
			q := l
			switch f.form.trend {
			case 'A':
				pb = f.params.phi * b
				q = l + pb
			case 'M':
				pb = math.Pow(math.Max(b, etsTiny), f.params.phi)
				q = l * pb
			}
			i := h % len(season)
			mu := q
			switch f.form.season {
			case 'A':
				mu += season[i]
			case 'M':
				mu *= season[i]
			}
			e := sd * rng.NormFloat64()
			if f.form.err == 'M' {
				e = mu * math.Max(e, -1) // a positive form stays so
			}
			if h >= f.ahead {
				values[(h-f.ahead)*etsPaths+path] = mu + e
			}
			d := e
			switch f.form.season {
			case 'M':
				d = e / awayFromZero(season[i])
				season[i] += f.params.gamma * e / awayFromZero(q)
			case 'A':
				season[i] += f.params.gamma * e
			}
			if f.form.trend == 'M' {
				b = pb + f.params.beta*d/awayFromZero(l)
			} else {
				b = pb + f.params.beta*d
			}
			l = q + f.params.alpha*d
		}
	}
	for h := range dst.H {
		row := values[h*etsPaths : (h+1)*etsPaths]
		slices.Sort(row)
		for i, p := range dst.Probs {
			dst.Quantiles[i][h] = f.scale * sampleQuantile(row, p)
		}
	}
	return nil
}

// awayFromZero keeps a divisor at least etsTiny from zero, with its sign.
func awayFromZero(v float64) float64 {
	if math.Abs(v) >= etsTiny {
		return v
	}
	return math.Copysign(etsTiny, v)
}
