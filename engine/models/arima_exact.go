package models

import "math"

// exactARMA evaluates the exact Gaussian likelihood of a stationary ARMA process without missing values.
//
// The Kalman filter of Harvey's state space form needs O(r²) operations a step, r = max(p, q+1) with the seasonal lags
// multiplied out. Here the covariance P_t itself is never formed: its increments have rank one,
//
//	P_{t+1} − P_t = −L_t L_t′ / F_t,
//
// so that L, the gain and the innovation variance F follow in O(r) a step (Morf, Sidhu & Kailath 1974; Pearlman 1980, "An
// algorithm for the exact likelihood of a high-order autoregressive-moving average process", Biometrika 67; Mélard 1984,
// AS 197). Only cov(state, w) at the start is needed, which comes from the autocovariances. Once F is one to rounding the
// filter has forgotten the start and the conditional recursion goes on.
//
// Everything is in units of the innovation variance. It keeps its memory and is not safe for concurrent use.
type exactARMA struct {
	gain, incr []float64 // F·K_t and L_t
	state      []float64 // one state of length r after the other, one per column
	innovation []float64 // variance F_t of each step before the switch
	durbin     []float64 // triangle of the Durbin–Levinson coefficients
	gammaU     []float64 // autocovariances of the pure AR process
	cross      []float64
	gamma      []float64 // autocovariances of the process
	psi        []float64
}

// steadyExcess is how close to one the innovation variance must be for the filter to count as steady: its square root
// is the relative error of the gain.
const steadyExcess = 1e-13

// start computes F_1 and the first gain; it reports false if the autoregression is not stationary.
func (k *exactARMA) start(a *arma) (f float64, ok bool) {
	p, q := len(a.phi), len(a.theta)
	r := max(p, q+1)
	k.gain, k.incr = growTo(k.gain, r+1), growTo(k.incr, r+1)
	if f, ok = k.autocovariance(a); !ok {
		return 0, false
	}
	k.weights(a, q)
	clear(k.gain)
	for i, lag := range a.arLag { // cov(state_{t+1}[i], w_t) = Σ_k φ_{i+1+k} γ_k + Σ_{k≥1} θ_{i+k} ψ_{k−1}
		c := a.arCoef[i]
		for j := range lag {
			k.gain[j] += c * k.gamma[lag-1-j]
		}
	}
	for i, lag := range a.maLag {
		c := a.maCoef[i]
		for j := range lag {
			k.gain[j] += c * k.psi[lag-1-j]
		}
	}
	copy(k.incr, k.gain)
	return f, true
}

// weights sets psi to the first n weights of the infinite moving average.
func (k *exactARMA) weights(a *arma, n int) {
	k.psi = psiWeights(k.psi, a, n)
}

// psiWeights fills dst with ψ_0 … ψ_{n−1}, the response of w to a unit innovation (Brockwell & Davis 1991, eq. 3.3.3).
func psiWeights(dst []float64, a *arma, n int) []float64 {
	dst = growTo(dst, n)
	for j := range dst {
		v := 0.0
		if j == 0 {
			v = 1
		} else if j <= len(a.theta) {
			v = a.theta[j-1]
		}
		for i, lag := range a.arLag {
			if lag > j {
				break
			}
			v += a.arCoef[i] * dst[j-lag]
		}
		dst[j] = v
	}
	return dst
}

// autocovariance sets gamma to lags 0 … max(p, 1)−1 of the process and returns lag 0. The AR part's own autocovariances come
// from its partial autocorrelations by the Durbin–Levinson recursion run backwards; the moving average is applied to them.
func (k *exactARMA) autocovariance(a *arma) (variance float64, ok bool) {
	p, q := len(a.phi), len(a.theta)
	n := max(p, 1)
	k.gamma = growTo(k.gamma, n)
	if p == 0 {
		variance = 1
		for _, c := range a.maCoef {
			variance += c * c
		}
		k.gamma[0] = variance
		return variance, true
	}
	// Row j−1 of the triangle holds the coefficients of the best predictor from j past values.
	k.durbin = growTo(k.durbin, p*(p+1)/2)
	row := k.durbin[p*(p-1)/2:]
	copy(row, a.phi)
	g0 := 1.0
	for j := p; j >= 1; j-- {
		row := k.durbin[j*(j-1)/2 : j*(j+1)/2]
		c := row[j-1]
		rest := 1 - c*c
		if !(rest > 0) {
			return 0, false
		}
		g0 /= rest
		if j > 1 {
			shorter := k.durbin[(j-1)*(j-2)/2 : j*(j-1)/2]
			for i := range shorter {
				shorter[i] = (row[i] + c*row[j-2-i]) / rest
			}
		}
	}
	if math.IsInf(g0, 0) {
		return 0, false
	}
	k.gammaU = growTo(k.gammaU, n+q)
	u := k.gammaU
	u[0] = g0
	for j := 1; j < len(u); j++ {
		v := 0.0
		if j <= p {
			for i, c := range k.durbin[j*(j-1)/2 : j*(j+1)/2] {
				v += c * u[j-1-i]
			}
		} else {
			for i, lag := range a.arLag {
				v += a.arCoef[i] * u[j-lag]
			}
		}
		u[j] = v
	}
	if q == 0 {
		copy(k.gamma, u[:n])
		return k.gamma[0], true
	}
	k.cross = growTo(k.cross, n+q) // cov(w_{t+j}, u_t)
	for j := range k.cross {
		v := u[j]
		for i, lag := range a.maLag {
			d := j - lag
			if d < 0 {
				d = -d
			}
			v += a.maCoef[i] * u[d]
		}
		k.cross[j] = v
	}
	for j := range k.gamma {
		v := k.cross[j]
		for i, lag := range a.maLag {
			v += a.maCoef[i] * k.cross[j+lag]
		}
		k.gamma[j] = v
	}
	return k.gamma[0], k.gamma[0] > 0
}

// innovations filters each column of w and writes its one-step prediction errors divided by the square root of their
// variance. It returns Σ log F_t and the step from which the filter was steady. steady < 0 finds that step; otherwise the
// filter switches there, so that evaluations at neighbouring parameters do not differ by when they switched.
func (k *exactARMA) innovations(a *arma, w, out [][]float64, steady int) (sumLog float64, switched int, ok bool) {
	f, ok := k.start(a)
	if !ok {
		return 0, 0, false
	}
	n, p := len(w[0]), len(a.phi)
	r := len(k.gain) - 1
	k.state = growTo(k.state, len(w)*(r+1))
	clear(k.state)
	k.innovation = growTo(k.innovation, n)
	settled := max(p, len(a.theta)) // the conditional recursion looks back so far
	gain, incr := k.gain[:r+1], k.incr[:r+1]
	phi := a.phi
	product := 1.0 // of the F_t: one logarithm for many steps
	t := 0
	for ; t < n; t++ {
		if t >= settled && (t == steady || steady < 0 && f-1 < steadyExcess) {
			break
		}
		k.innovation[t] = f
		product *= f
		if product > 1e100 {
			sumLog += math.Log(product)
			product = 1
		}
		for c := range w {
			s := k.state[c*(r+1) : (c+1)*(r+1)]
			s0 := s[0]
			v := w[c][t] - s0
			out[c][t] = v
			v /= f
			now, next, g := s[:len(phi)], s[1:][:len(phi)], gain[:len(phi)]
			for i, ph := range phi {
				now[i] = next[i] + ph*s0 + v*g[i]
			}
			now, next, g = s[p:r], s[p+1:r+1], gain[p:r]
			next, g = next[:len(now)], g[:len(now)]
			for i := range now {
				now[i] = next[i] + v*g[i]
			}
		}
		l := incr[0]
		c := l / f
		f -= l * c
		now, next, gains := incr[:len(phi)], incr[1:][:len(phi)], gain[:len(phi)]
		for i, ph := range phi {
			x, g := next[i]+ph*l, gains[i]
			gains[i] = g - c*x
			now[i] = x - c*g
		}
		now, next, gains = incr[p:r], incr[p+1:r+1], gain[p:r]
		next, gains = next[:len(now)], gains[:len(now)]
		for i := range now {
			x, g := next[i], gains[i]
			gains[i] = g - c*x
			now[i] = x - c*g
		}
		if !(f > 0.5) { // below one only by rounding; far below: the recursion has broken down
			return 0, 0, false
		}
	}
	sumLog += math.Log(product)
	for c := range w {
		if t < n {
			a.recurse(w[c], out[c], t)
		}
		for i, fi := range k.innovation[:t] {
			if fi != 1 {
				out[c][i] /= math.Sqrt(fi)
			}
		}
	}
	if steady < 0 {
		switched = t
	} else {
		switched = steady
	}
	return sumLog, switched, true
}
