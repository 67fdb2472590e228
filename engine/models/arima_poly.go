package models

import (
	"math"
	"math/cmplx"
)

// arma is a multiplicative seasonal ARMA filter with its polynomials multiplied out,
//
//	w_t = Σ φ_j w_{t−j} + ε_t + Σ θ_j ε_{t−j},
//
// from (1 − ar(B)) (1 − sar(B^m)) and (1 + ma(B)) (1 + sma(B^m)). Seasonal polynomials are sparse, so the lags with a
// coefficient are listed beside the dense form.
type arma struct {
	phi, theta     []float64 // coefficient of lag j at j−1
	arLag, maLag   []int
	arCoef, maCoef []float64

	ar, ma, sar, sma []float64 // the factors
	m                int
	work             []float64
}

// set multiplies the polynomials of order o out; params holds ar, ma, sar, sma in that order.
func (a *arma) set(o arimaOrder, params []float64) {
	a.m = o.m
	a.ar, params = append(a.ar[:0], params[:o.p]...), params[o.p:]
	a.ma, params = append(a.ma[:0], params[:o.q]...), params[o.q:]
	a.sar, params = append(a.sar[:0], params[:o.P]...), params[o.P:]
	a.sma = append(a.sma[:0], params[:o.Q]...)
	a.phi = multiplyOut(a.phi, a.ar, a.sar, o.m, -1)
	a.theta = multiplyOut(a.theta, a.ma, a.sma, o.m, 1)
	a.arLag, a.arCoef = terms(a.arLag[:0], a.arCoef[:0], a.phi)
	a.maLag, a.maCoef = terms(a.maLag[:0], a.maCoef[:0], a.theta)
}

// multiplyOut gives the coefficients of (1 + s·c(B)) (1 + s·seasonal(B^m)) divided by s, without the leading 1.
func multiplyOut(dst, c, seasonal []float64, m int, s float64) []float64 {
	dst = growTo(dst, len(c)+m*len(seasonal))
	clear(dst)
	copy(dst, c)
	for k, b := range seasonal {
		lag := (k + 1) * m
		dst[lag-1] += b
		for j, v := range c {
			dst[lag+j] += s * b * v
		}
	}
	return dst
}

func terms(lags []int, coefs, dense []float64) ([]int, []float64) {
	for j, v := range dense {
		if v != 0 {
			lags, coefs = append(lags, j+1), append(coefs, v)
		}
	}
	return lags, coefs
}

// maxPartial keeps partial autocorrelations off ±1, where the stationary variance overflows.
const maxPartial = 1 - 1e-12

// partialToAR maps unrestricted x to the coefficients of a stationary autoregression, in place: tanh makes partial
// autocorrelations of x, the Durbin–Levinson recursion makes coefficients of those (Monahan 1984; Jones 1980).
func partialToAR(x, work []float64) {
	for i, v := range x {
		x[i] = max(-maxPartial, min(maxPartial, math.Tanh(v)))
	}
	for k := 1; k < len(x); k++ {
		a := x[k]
		copy(work, x[:k])
		for j := range k {
			x[j] = work[j] - a*work[k-1-j]
		}
	}
}

// arToPartial is the inverse of partialToAR; it reports false, leaving x undefined, if the autoregression is not stationary.
func arToPartial(x, work []float64) bool {
	for k := len(x) - 1; k >= 0; k-- {
		a := x[k]
		if !(math.Abs(a) < 1) {
			return false
		}
		copy(work, x[:k])
		for j := range k {
			x[j] = (work[j] + a*work[k-1-j]) / (1 - a*a)
		}
	}
	for i, v := range x {
		x[i] = math.Atanh(max(-maxPartial, min(maxPartial, v)))
	}
	return true
}

// stationary reports whether 1 − c(B) has all roots outside the unit circle.
func stationary(c []float64) bool {
	x, work := append([]float64(nil), c...), make([]float64, len(c))
	return arToPartial(x, work)
}

// polynomialRoots finds the roots of 1 + c_1 z + … + c_n z^n with the simultaneous iteration of Aberth (1973); trailing zeros
// of c lower the degree.
func polynomialRoots(c []float64) []complex128 {
	n := len(c)
	for n > 0 && math.Abs(c[n-1]) < 1e-10 {
		n--
	}
	if n == 0 {
		return nil
	}
	// In u = 1/z the polynomial is monic: u^n + c_1 u^(n−1) + … + c_n.
	radius := 0.0 // Fujiwara's bound of the roots
	for j := range n {
		radius = max(radius, 2*math.Pow(math.Abs(c[j]), 1/float64(j+1)))
	}
	u := make([]complex128, n)
	for i := range u {
		u[i] = cmplx.Rect(radius/2, 2*math.Pi*float64(i)/float64(n)+0.4)
	}
	for range 200 {
		moved := 0.0
		for i, ui := range u {
			value, slope := complex(1, 0), complex(0, 0)
			for _, cj := range c[:n] {
				slope = slope*ui + value
				value = value*ui + complex(cj, 0)
			}
			if value == 0 {
				continue
			}
			newton := value / slope
			repel := complex(0, 0)
			for k, uk := range u {
				if k != i {
					repel += 1 / (ui - uk)
				}
			}
			step := newton / (1 - newton*repel)
			if slope == 0 || cmplx.IsNaN(step) || cmplx.IsInf(step) {
				step = complex(radius*1e-3, radius*1e-3) // leave the stationary point or the coincidence
			}
			u[i] -= step
			moved = max(moved, cmplx.Abs(step))
		}
		if moved <= 1e-14*radius {
			break
		}
	}
	for i := range u {
		u[i] = 1 / u[i]
	}
	return u
}

// flipMA replaces the roots of 1 + θ(B) inside the unit circle by their inverses, in place. The autocorrelations, and so the
// exact likelihood at its own innovation variance, stay the same (Brockwell & Davis 1991, section 4.4).
func flipMA(theta []float64) {
	negative := make([]float64, len(theta))
	for j, v := range theta {
		negative[j] = -v
	}
	if stationary(negative) {
		return
	}
	roots := polynomialRoots(theta)
	p := make([]complex128, 1, len(theta)+1)
	p[0] = 1
	for _, z := range roots {
		if cmplx.Abs(z) < 1 {
			z = 1 / cmplx.Conj(z)
		}
		p = append(p, 0)
		for j := len(p) - 1; j > 0; j-- { // times (1 − B/z)
			p[j] -= p[j-1] / z
		}
	}
	clear(theta)
	for j := range p[1:] {
		theta[j] = real(p[j+1])
	}
}

// nearestRoot is the least modulus among the roots of the AR and MA polynomials, +Inf if there are none. The roots of a
// seasonal factor are m-th roots.
func nearestRoot(o arimaOrder, params []float64) float64 {
	least := math.Inf(1)
	at := 0
	for i, n := range [...]int{o.p, o.q, o.P, o.Q} {
		c := append([]float64(nil), params[at:at+n]...)
		at += n
		power := 1.0
		if i >= 2 {
			power = 1 / float64(o.m)
		}
		if i%2 == 0 {
			for j := range c {
				c[j] = -c[j]
			}
		}
		for _, z := range polynomialRoots(c) {
			least = min(least, math.Pow(cmplx.Abs(z), power))
		}
	}
	return least
}
