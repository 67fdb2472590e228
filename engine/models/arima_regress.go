package models

// regress replaces the first column by what remains of it after regression on the others, from the given step on, and
// leaves the coefficients in beta: generalised least squares, for the columns hold innovations. It is the modified
// Gram–Schmidt process; a column that depends on those before it gets the coefficient zero. The others are overwritten.
func (w *arimaWork) regress(columns [][]float64, from int) {
	k := len(columns) - 1
	if k == 0 {
		return
	}
	r := w.upper
	y := columns[0]
	for i := range k {
		xi := columns[i+1][from:]
		before := 0.0
		for _, v := range xi {
			before += v * v
		}
		after := before
		if i > 0 {
			for j := range i {
				xj := columns[j+1][from:]
				if r[j*k+j] == 0 {
					continue
				}
				s := 0.0
				for t, v := range xj {
					s += v * xi[t]
				}
				r[j*k+i] = s / r[j*k+j]
				for t, v := range xj {
					xi[t] -= r[j*k+i] * v
				}
			}
			after = 0
			for _, v := range xi {
				after += v * v
			}
		}
		r[i*k+i] = after
		if !(after > 1e-18*before) {
			r[i*k+i] = 0
			w.beta[i] = 0
			continue
		}
		s := 0.0
		for t, v := range xi {
			s += v * y[from+t]
		}
		s /= after
		w.beta[i] = s
		for t, v := range xi {
			y[from+t] -= s * v
		}
	}
	for i := k - 1; i >= 0; i-- {
		if r[i*k+i] == 0 {
			continue
		}
		for j := i + 1; j < k; j++ {
			if r[j*k+j] != 0 {
				w.beta[i] -= r[i*k+j] * w.beta[j]
			}
		}
	}
}
