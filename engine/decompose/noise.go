package decompose

import "math"

// redNoise is ARMA(1,1) noise, x[t] = phi x[t-1] + e[t] + theta e[t-1]. Its spectrum falls or rises without a peak between:
// it accounts for white noise, autocorrelation, random walks and walks under noise, but never for a cycle.
type redNoise struct{ phi, theta float64 }

// Bounds that keep the model stationary and invertible; a phi of 0.999 is a random walk for any series of practical length.
const maxPhi, minPhi, maxTheta = 0.999, -0.95, 0.95

// sumOfSquares is the conditional sum of squares of the innovations of x.
func (r redNoise) sumOfSquares(x []float64) float64 {
	e := x[0] * math.Sqrt(1-r.phi*r.phi)
	sum, last := e*e, x[0]
	for _, v := range x[1:] {
		e = v - r.phi*last - r.theta*e
		last = v
		sum += e * e
	}
	return sum
}

// innovations writes the innovations of x to dst, of equal length.
func (r redNoise) innovations(dst, x []float64) {
	e := x[0] * math.Sqrt(1-r.phi*r.phi)
	last := x[0]
	dst[0] = e
	for t, v := range x[1:] {
		e = v - r.phi*last - r.theta*e
		last = v
		dst[t+1] = e
	}
}

var (
	gridPhi   = [...]float64{-0.6, -0.3, 0, 0.3, 0.6, 0.8, 0.9, 0.97, 0.995}
	gridTheta = [...]float64{-0.85, -0.6, -0.3, 0, 0.3, 0.6}
)

// fitRedNoise finds the noise model with the least conditional sum of squares: the best of a grid, or start, then pattern
// search (Hooke & Jeeves 1961).
func fitRedNoise(x []float64, start *redNoise) redNoise {
	var best redNoise
	least := math.Inf(1)
	try := func(r redNoise) bool {
		r.phi = min(max(r.phi, minPhi), maxPhi)
		r.theta = min(max(r.theta, -maxTheta), maxTheta)
		s := r.sumOfSquares(x)
		if s < least {
			best, least = r, s
			return true
		}
		return false
	}
	if start != nil {
		try(*start)
		try(redNoise{})
	} else {
		for _, phi := range gridPhi {
			for _, theta := range gridTheta {
				try(redNoise{phi, theta})
			}
		}
	}
	for step := 0.16; step > 0.01; {
		c := best
		if !try(redNoise{c.phi + step, c.theta}) && !try(redNoise{c.phi - step, c.theta}) &&
			!try(redNoise{c.phi, c.theta + step}) && !try(redNoise{c.phi, c.theta - step}) &&
			!try(redNoise{c.phi + step, c.theta - step}) && !try(redNoise{c.phi - step, c.theta + step}) {
			step /= 2
		}
	}
	return best
}
