package stationarity

// ACF appends the sample autocorrelations of lags 1 … lags to dst[:0] and returns it (Brockwell & Davis 1991, definition
// 1.4.4). With missing values the autocovariance of lag k is the sum over its known pairs divided by their number plus k, which
// for a complete series is n, as in R. It is NaN for a constant series.
func ACF(dst, y []float64, lags int) []float64 {
	n, mean := 0, 0.0
	for _, v := range y {
		if v == v {
			n++
			mean += v
		}
	}
	mean /= float64(n)
	variance := 0.0
	for _, v := range y {
		if v == v {
			variance += (v - mean) * (v - mean)
		}
	}
	dst = dst[:0]
	for k := 1; k <= lags; k++ {
		s, pairs := 0.0, 0
		for t := k; t < len(y); t++ {
			if p := (y[t] - mean) * (y[t-k] - mean); p == p {
				s += p
				pairs++
			}
		}
		if pairs > 0 { // n for a complete series
			s *= float64(n) / float64(pairs+k)
		}
		dst = append(dst, s/variance)
	}
	return dst
}

// PACF appends the sample partial autocorrelations of lags 1 … lags to dst[:0] and returns it, by the Durbin–Levinson
// recursion on ACF (Brockwell & Davis 1991, proposition 5.2.1).
func PACF(dst, y []float64, lags int) []float64 {
	rho := ACF(nil, y, lags)
	phi, before := make([]float64, lags), make([]float64, lags)
	dst = dst[:0]
	for k := range lags {
		num, den := rho[k], 1.0
		for j := range k {
			num -= before[j] * rho[k-1-j]
			den -= before[j] * rho[j]
		}
		a := num / den
		phi[k] = a
		for j := range k {
			phi[j] = before[j] - a*before[k-1-j]
		}
		copy(before, phi[:k+1])
		dst = append(dst, a)
	}
	return dst
}
