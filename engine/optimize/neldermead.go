package optimize

import (
	"context"
	"math"
)

// NelderMead is the simplex search of Nelder & Mead (1965), with the dimension-dependent coefficients of Gao & Han
// (2012, "Implementing the Nelder–Mead simplex algorithm with adaptive parameters"), which keep it moving in more than
// five dimensions. The zero value is ready; it keeps its memory and is not safe for concurrent use.
type NelderMead struct {
	vertex   []float64 // n+1 rows of n
	f        []float64
	order    []int // vertices from best to worst
	centroid []float64
	trial    []float64
	second   []float64
}

// Minimize searches from x, building the first simplex by step[i] along each axis (a nil step means 0.1·max(|x_i|, 1)
// each), and leaves the best point found in x. The error is ErrStart or the context's; x holds the best point even then.
func (s *NelderMead) Minimize(ctx context.Context, f Func, x, step []float64, set Settings) (Result, error) {
	n := len(x)
	if set.MaxIterations == 0 {
		set.MaxIterations = 200 * n
	}
	if set.FTol == 0 {
		set.FTol = 1e-8
	}
	f0 := clean(f(x))
	res := Result{F: f0, Evaluations: 1}
	if math.IsInf(f0, 0) {
		return res, ErrStart
	}
	if n == 0 {
		res.Converged = true
		return res, nil
	}
	s.start(f, x, step, f0)
	res.Evaluations += n

	dim := math.Max(float64(n), 2)
	reflect, expand, contract, shrink := 1.0, 1+2/dim, 0.75-1/(2*dim), 1-1/dim
	for ; res.Iterations < set.MaxIterations; res.Iterations++ {
		if err := ctx.Err(); err != nil {
			s.best(x, &res)
			return res, err
		}
		best, worst, next := s.order[0], s.order[n], s.order[n-1]
		fb, fw := s.f[best], s.f[worst]
		if fw-fb <= set.FTol*(math.Abs(fb)+1e-3) && s.small(x, set.FTol) {
			res.Converged = true
			break
		}
		s.middle(worst)
		fr := s.at(f, s.trial, worst, reflect, &res)
		switch {
		case fr < fb:
			if fe := s.at(f, s.second, worst, reflect*expand, &res); fe < fr {
				s.replace(s.second, fe)
			} else {
				s.replace(s.trial, fr)
			}
		case fr < s.f[next]:
			s.replace(s.trial, fr)
		default:
			side := -contract // inside
			if fr < fw {
				side = contract // outside
			}
			if fc := s.at(f, s.second, worst, side, &res); fc < math.Min(fr, fw) {
				s.replace(s.second, fc)
			} else {
				s.shrink(f, shrink, &res)
			}
		}
	}
	s.best(x, &res)
	return res, nil
}

func (s *NelderMead) row(i int) []float64 {
	n := len(s.trial)
	return s.vertex[i*n : (i+1)*n]
}

func (s *NelderMead) start(f Func, x, step []float64, f0 float64) {
	n := len(x)
	s.vertex, s.f = grow(s.vertex, (n+1)*n), grow(s.f, n+1)
	s.centroid, s.trial, s.second = grow(s.centroid, n), grow(s.trial, n), grow(s.second, n)
	if cap(s.order) < n+1 {
		s.order = make([]int, n+1)
	}
	s.order = s.order[:n+1]
	for i := range n + 1 {
		v := s.row(i)
		copy(v, x)
		s.order[i] = i
		s.f[i] = f0
		if i == 0 {
			continue
		}
		h := 0.1 * math.Max(math.Abs(x[i-1]), 1)
		if step != nil {
			h = step[i-1]
		}
		v[i-1] += h
		s.f[i] = clean(f(v))
	}
	s.sort()
}

// sort orders the vertices by insertion: they are nearly sorted after each replacement.
func (s *NelderMead) sort() {
	for i := 1; i < len(s.order); i++ {
		k := s.order[i]
		j := i
		for ; j > 0 && s.f[s.order[j-1]] > s.f[k]; j-- {
			s.order[j] = s.order[j-1]
		}
		s.order[j] = k
	}
}

// middle sets the centroid of all vertices but the worst.
func (s *NelderMead) middle(worst int) {
	clear(s.centroid)
	n := len(s.trial)
	for i := range n + 1 {
		if i == worst {
			continue
		}
		for j, v := range s.row(i) {
			s.centroid[j] += v / float64(n)
		}
	}
}

// at evaluates centroid + c·(centroid − worst) into dst.
func (s *NelderMead) at(f Func, dst []float64, worst int, c float64, res *Result) float64 {
	w := s.row(worst)
	for j, m := range s.centroid {
		dst[j] = m + c*(m-w[j])
	}
	res.Evaluations++
	return clean(f(dst))
}

func (s *NelderMead) replace(v []float64, fv float64) {
	worst := s.order[len(s.order)-1]
	copy(s.row(worst), v)
	s.f[worst] = fv
	s.sort()
}

func (s *NelderMead) shrink(f Func, c float64, res *Result) {
	best := s.row(s.order[0])
	for _, i := range s.order[1:] {
		v := s.row(i)
		for j := range v {
			v[j] = best[j] + c*(v[j]-best[j])
		}
		s.f[i] = clean(f(v))
		res.Evaluations++
	}
	s.sort()
}

// small reports whether the simplex has no edge from its best vertex longer than the square root of tol, relatively: a
// flat spread alone also occurs when the simplex straddles a minimum.
func (s *NelderMead) small(x []float64, tol float64) bool {
	best := s.row(s.order[0])
	limit := math.Sqrt(tol)
	for i := range len(x) + 1 {
		for j, v := range s.row(i) {
			if math.Abs(v-best[j]) > limit*math.Max(math.Abs(best[j]), 1) {
				return false
			}
		}
	}
	return true
}

func (s *NelderMead) best(x []float64, res *Result) {
	copy(x, s.row(s.order[0]))
	res.F = s.f[s.order[0]]
}
