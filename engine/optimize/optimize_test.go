package optimize

import (
	"context"
	"errors"
	"math"
	"testing"
)

// rosenbrock is the extended Rosenbrock function: minimum 0 at (1, …, 1).
func rosenbrock(x []float64) float64 {
	f := 0.0
	for i := 0; i+1 < len(x); i++ {
		f += 100*(x[i+1]-x[i]*x[i])*(x[i+1]-x[i]*x[i]) + (1-x[i])*(1-x[i])
	}
	return f
}

func rosenbrockGrad(x, g []float64) float64 {
	clear(g)
	for i := 0; i+1 < len(x); i++ {
		d := x[i+1] - x[i]*x[i]
		g[i] += -400*d*x[i] - 2*(1-x[i])
		g[i+1] += 200 * d
	}
	return rosenbrock(x)
}

func near(t *testing.T, got []float64, want, tol float64) {
	t.Helper()
	for i, v := range got {
		if math.Abs(v-want) > tol {
			t.Errorf("x[%d] = %v, want %v ± %v", i, v, want, tol)
		}
	}
}

func TestBFGSRosenbrock(t *testing.T) {
	for _, n := range []int{2, 5, 18} {
		x := make([]float64, n)
		for i := range x {
			x[i] = -1.2
		}
		var b BFGS
		res, err := b.Minimize(context.Background(), rosenbrockGrad, x, Settings{MaxIterations: 2000, FTol: 1e-14})
		if err != nil || !res.Converged {
			t.Fatalf("n=%d: %+v %v", n, res, err)
		}
		if x[0] > 0 { // the extended function has a second minimum near (−1, 1, …, 1)
			near(t, x, 1, 1e-4)
		}
	}
}

func TestBFGSNumericGradient(t *testing.T) {
	for _, central := range []bool{false, true} {
		g := NumericGradient{F: rosenbrock, Central: central}
		x := []float64{-1.2, 1}
		var b BFGS
		if _, err := b.Minimize(context.Background(), g.Eval, x, Settings{FTol: 1e-14}); err != nil {
			t.Fatal(err)
		}
		near(t, x, 1, 1e-3)
	}
}

// TestBFGSBorder puts the start next to a region of +Inf that a full step would enter.
func TestBFGSBorder(t *testing.T) {
	f := func(x, g []float64) float64 {
		if x[0] <= 0 {
			return math.Inf(1)
		}
		g[0] = 1 - 1/x[0]
		return x[0] - math.Log(x[0])
	}
	x := []float64{30}
	var b BFGS
	if _, err := b.Minimize(context.Background(), f, x, Settings{FirstStep: 100}); err != nil {
		t.Fatal(err)
	}
	near(t, x, 1, 1e-4)
}

func TestNelderMead(t *testing.T) {
	for _, n := range []int{1, 2, 4, 8} {
		x := make([]float64, n)
		f := func(x []float64) float64 {
			s := 0.0
			for i, v := range x {
				s += float64(i+1) * (v - 1) * (v - 1)
			}
			return s + math.Pow(x[0]-1, 4)
		}
		var s NelderMead
		res, err := s.Minimize(context.Background(), f, x, nil, Settings{MaxIterations: 10000, FTol: 1e-12})
		if err != nil || !res.Converged {
			t.Fatalf("n=%d: %+v %v", n, res, err)
		}
		near(t, x, 1, 1e-4)
	}
	x := []float64{-1.2, 1}
	var s NelderMead
	if _, err := s.Minimize(context.Background(), rosenbrock, x, nil, Settings{MaxIterations: 2000, FTol: 1e-12}); err != nil {
		t.Fatal(err)
	}
	near(t, x, 1, 1e-4)
}

func TestStartAndCancel(t *testing.T) {
	bad := func(x []float64) float64 { return math.NaN() }
	var s NelderMead
	if _, err := s.Minimize(context.Background(), bad, []float64{0}, nil, Settings{}); !errors.Is(err, ErrStart) {
		t.Errorf("NaN start: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	var b BFGS
	if _, err := b.Minimize(ctx, rosenbrockGrad, []float64{-1, 1}, Settings{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled BFGS: %v", err)
	}
	if _, err := s.Minimize(ctx, rosenbrock, []float64{-1, 1}, nil, Settings{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled Nelder–Mead: %v", err)
	}
}

func TestNoAllocations(t *testing.T) {
	var b BFGS
	var s NelderMead
	x := make([]float64, 6)
	g := NumericGradient{F: rosenbrock}
	grad := g.Eval
	run := func() {
		for i := range x {
			x[i] = -0.5
		}
		_, _ = b.Minimize(context.Background(), grad, x, Settings{})
		_, _ = s.Minimize(context.Background(), rosenbrock, x, nil, Settings{})
	}
	run()
	if n := testing.AllocsPerRun(5, run); n > 0 {
		t.Errorf("%v allocations per search", n)
	}
}
