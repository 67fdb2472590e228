package models

import (
	"context"
	"fmt"
	"math"

	"github.com/almanacdb/almanac/engine"
)

// lagWalk is the random walk at a lag, y_t = y_{t−lag} + drift + ε_t, behind naive (lag 1), seasonal naive (lag m) and
// drift. A missing value is predicted by the last one known at the same place in the cycle.
type lagWalk struct {
	name    string
	y       []float64
	lag     int
	drift   float64
	driftSE float64
	last    []float64 // the values that the next lag steps repeat, oldest first
	age     []int     // cycles since each of them was observed
	sigma2  float64
	note    string
	params  []engine.Param
}

// newLagWalk fits the walk. sigma2 is the mean square of the one-cycle differences, as in R's forecast package; with a
// drift it loses one degree of freedom. Differences over a gap count once, divided by the cycles they span.
func newLagWalk(name string, y []float64, lag int, withDrift bool) (*lagWalk, error) {
	w := &lagWalk{name: name, y: y, lag: lag, last: make([]float64, lag), age: make([]int, lag)}
	for i := range w.last {
		w.last[i] = math.NaN()
	}
	observed, differences, cycles, total := 0, 0, 0.0, 0.0
	visit := func(use func(difference, span float64)) {
		for i := range w.last {
			w.last[i], w.age[i] = math.NaN(), 0
		}
		for t, v := range y {
			i := t % lag
			w.age[i]++
			if v != v {
				continue
			}
			if old := w.last[i]; old == old {
				use(v-old, float64(w.age[i]))
			}
			w.last[i], w.age[i] = v, 0
		}
	}
	visit(func(d, span float64) {
		differences++
		total, cycles = total+d, cycles+span
	})
	for _, v := range y {
		if math.IsInf(v, 0) {
			return nil, fmt.Errorf("%w: infinite value", engine.ErrNoFit)
		}
		if v == v {
			observed++
		}
	}
	if observed == 0 {
		return nil, fmt.Errorf("%w: no observation", engine.ErrTooShort)
	}
	if withDrift {
		if differences < 1 {
			return nil, fmt.Errorf("%w: %d observations, drift needs 2", engine.ErrTooShort, observed)
		}
		w.drift = total / cycles
	}
	sse := 0.0
	visit(func(d, span float64) {
		e := d - w.drift*span
		sse += e * e / span
	})
	if differences > 0 {
		w.sigma2 = sse / float64(differences)
	}
	if withDrift {
		w.sigma2 = sse / float64(max(1, differences-1))
		w.driftSE = math.Sqrt(w.sigma2 / cycles)
		w.params = []engine.Param{{Name: "drift", Value: w.drift}}
	}
	// Put the cycle in the order of the steps to come; places never observed take the nearest earlier value.
	n := len(y)
	last, age := make([]float64, lag), make([]int, lag)
	for h := range lag {
		last[h], age[h] = w.last[(n+h)%lag], w.age[(n+h)%lag]
	}
	w.last, w.age = last, age
	w.fillHoles()
	return w, nil
}

// fillHoles gives places of the cycle without any observation the last observation before them.
func (w *lagWalk) fillHoles() {
	known := math.NaN()
	for i := range 2 * w.lag {
		h := i % w.lag
		if v := w.last[h]; v == v {
			known = v
		} else if known == known {
			w.last[h] = known
		}
	}
}

// Forecast implements engine.Fitted: y_{T+h} ~ N(last + k·drift, k·σ² + (k·se(drift))²) with k the cycles since the value
// repeated was observed (Hyndman & Athanasopoulos 2021, table 5.2).
func (w *lagWalk) Forecast(ctx context.Context, dst *engine.Forecast, _ [][]float64) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	for h := range dst.Mean {
		dst.Mean[h] = w.last[h%w.lag] + w.drift*w.cycles(h)
	}
	fillNormal(dst, func(h int) float64 {
		k := w.cycles(h)
		return math.Sqrt(k*w.sigma2 + k*k*w.driftSE*w.driftSE)
	})
	return nil
}

func (w *lagWalk) cycles(h int) float64 { return float64(h/w.lag + 1 + w.age[h%w.lag]) }

// FittedValues implements engine.Fitted.
func (w *lagWalk) FittedValues(dst []float64) []float64 {
	dst = dst[:0]
	last, age := make([]float64, w.lag), make([]float64, w.lag)
	for i := range last {
		last[i] = math.NaN()
	}
	for t, v := range w.y {
		i := t % w.lag
		age[i]++
		dst = append(dst, last[i]+w.drift*age[i])
		if v == v {
			last[i], age[i] = v, 0
		}
	}
	return dst
}

// Describe implements engine.Fitted. A random walk has no likelihood to compare with other models'.
func (w *lagWalk) Describe() engine.Description {
	nan := math.NaN()
	return engine.Description{Model: w.name, Params: w.params, Sigma2: w.sigma2, LogLik: nan, AIC: nan, AICc: nan, BIC: nan, Note: w.note}
}
