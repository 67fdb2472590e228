package accuracy_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/almanacdb/almanac/engine/accuracy"
)

var nan = math.NaN()

func near(a, b float64) bool {
	return math.IsNaN(a) && math.IsNaN(b) || math.Abs(a-b) <= 1e-12*math.Max(1, math.Abs(b))
}

// Values worked out by hand.
func TestMeasures(t *testing.T) {
	y := []float64{10, 20, 0, 30}
	f := []float64{12, 16, 0, 33} // errors -2, 4, 0, -3
	train := []float64{0, 0, 4, 8, 2, 6, 4, 10}
	// |differences| at lag 1: 0 4 4 6 4 2 6, at lag 2: 4 8 2 2 2 4
	for _, tc := range []struct {
		name      string
		got, want float64
	}{
		{"WAPE", accuracy.WAPE(y, f), 9.0 / 60},
		{"Bias", accuracy.Bias(y, f), 1.0 / 60},
		{"MAE", accuracy.MAE(y, f), 9.0 / 4},
		{"MSE", accuracy.MSE(y, f), 29.0 / 4},
		{"RMSE", accuracy.RMSE(y, f), math.Sqrt(29.0 / 4)},
		{"SMAPE", accuracy.SMAPE(y, f), (400.0/22 + 800.0/36 + 0 + 600.0/63) / 4},
		{"SMAPE of opposite signs", accuracy.SMAPE([]float64{1}, []float64{-1}), 200},
		{"SeasonalMAE 1", accuracy.SeasonalMAE(train, 1), 26.0 / 7},
		{"SeasonalMAE 2", accuracy.SeasonalMAE(train, 2), 22.0 / 6},
		{"SeasonalMSE 1", accuracy.SeasonalMSE(train, 1), (0 + 16 + 16 + 36 + 16 + 4 + 36) / 7.0},
		{"SeasonalMSE of the active part", accuracy.SeasonalMSE(accuracy.Active(train), 1), (16 + 36 + 16 + 4 + 36) / 5.0},
		{"MASE", accuracy.MASE(y, f, 4.5), 0.5},
		{"RMSSE", accuracy.RMSSE(y, f, 29), 0.5},
		{"OWA", accuracy.OWA(12, 0.9, 15, 1), 0.85},
		{"Pinball 0.9", accuracy.Pinball(y, f, 0.9), (0.1*2 + 0.9*4 + 0 + 0.1*3) / 4},
		{"Pinball 0.5 is half of MAE", accuracy.Pinball(y, f, 0.5), 9.0 / 8},
		{"ScaledPinball", accuracy.ScaledPinball(y, f, 0.5, 2.25), 0.5},
		{"Coverage", accuracy.Coverage(y, []float64{10, 21, -1, 0}, []float64{11, 25, 1, 29}), 0.5},
		{"Skill", accuracy.Skill(0.8, 1), 0.2},
		{"Count", float64(accuracy.Count(y, f)), 4},
	} {
		if !near(tc.got, tc.want) {
			t.Errorf("%s = %v, want %v", tc.name, tc.got, tc.want)
		}
	}
}

// Unknown positions take no part; what is not defined is NaN.
func TestNaN(t *testing.T) {
	y, f := []float64{10, nan, 5, 7}, []float64{8, 3, nan, 8}
	if got := accuracy.MAE(y, f); got != 1.5 {
		t.Errorf("MAE %v", got)
	}
	if got := accuracy.WAPE(y, f); !near(got, 3.0/17) {
		t.Errorf("WAPE %v", got)
	}
	if got := accuracy.Count(y, f); got != 2 {
		t.Errorf("Count %d", got)
	}
	if got := accuracy.Coverage(y, []float64{0, 0, 0, nan}, []float64{20, 20, 20, 20}); got != 1 {
		t.Errorf("Coverage %v", got)
	}
	if got := accuracy.SeasonalMAE([]float64{1, nan, 4, 6}, 1); got != 2 {
		t.Errorf("SeasonalMAE %v", got)
	}
	for name, got := range map[string]float64{
		"WAPE of no sales":        accuracy.WAPE([]float64{0, 0}, []float64{1, 2}),
		"Bias of no sales":        accuracy.Bias([]float64{0, 0}, []float64{1, 2}),
		"MAE of nothing":          accuracy.MAE(nil, nil),
		"RMSE of the unknown":     accuracy.RMSE([]float64{nan}, []float64{1}),
		"SMAPE of nothing":        accuracy.SMAPE(nil, nil),
		"MASE of a constant":      accuracy.MASE(y, f, accuracy.SeasonalMAE([]float64{3, 3, 3}, 1)),
		"RMSSE of a constant":     accuracy.RMSSE(y, f, 0),
		"OWA":                     accuracy.OWA(1, 1, 0, 1),
		"SeasonalMAE too short":   accuracy.SeasonalMAE([]float64{1, 2, 3}, 3),
		"SeasonalMAE without lag": accuracy.SeasonalMAE([]float64{1, 2, 3}, 0),
		"SeasonalMSE of no sales": accuracy.SeasonalMSE(accuracy.Active([]float64{0, nan, 0}), 1),
		"Pinball of level 1":      accuracy.Pinball(y, f, 1),
		"Coverage of nothing":     accuracy.Coverage(nil, nil, nil),
		"Skill":                   accuracy.Skill(1, nan),
	} {
		if !math.IsNaN(got) {
			t.Errorf("%s = %v, want NaN", name, got)
		}
	}
}

func TestDifferentLengths(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	accuracy.MAE([]float64{1, 2}, []float64{1})
}

// Scaling data and forecast changes nothing relative, and everything absolute in proportion.
func TestScaleProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(2, 3))
	for range 200 {
		n := 1 + rng.IntN(30)
		y, f, train := make([]float64, n), make([]float64, n), make([]float64, n+20)
		for i := range y {
			y[i], f[i] = rng.NormFloat64()*10+5, rng.NormFloat64()*10+5
		}
		for i := range train {
			train[i] = rng.NormFloat64() * 10
		}
		k := math.Exp(rng.NormFloat64())
		times := func(v []float64) []float64 {
			out := make([]float64, len(v))
			for i := range v {
				out[i] = k * v[i]
			}
			return out
		}
		ky, kf, kt := times(y), times(f), times(train)
		close := func(a, b float64) bool { return math.Abs(a-b) <= 1e-9*math.Max(1, math.Abs(b)) }
		if !close(accuracy.WAPE(ky, kf), accuracy.WAPE(y, f)) || !close(accuracy.Bias(ky, kf), accuracy.Bias(y, f)) || !close(accuracy.SMAPE(ky, kf), accuracy.SMAPE(y, f)) ||
			!close(accuracy.MASE(ky, kf, accuracy.SeasonalMAE(kt, 7)), accuracy.MASE(y, f, accuracy.SeasonalMAE(train, 7))) ||
			!close(accuracy.RMSSE(ky, kf, accuracy.SeasonalMSE(kt, 1)), accuracy.RMSSE(y, f, accuracy.SeasonalMSE(train, 1))) {
			t.Fatal("a relative measure depends on the unit")
		}
		if !close(accuracy.MAE(ky, kf), k*accuracy.MAE(y, f)) || !close(accuracy.RMSE(ky, kf), k*accuracy.RMSE(y, f)) {
			t.Fatal("an absolute measure does not follow the unit")
		}
		if math.Abs(accuracy.Bias(y, f)) > accuracy.WAPE(y, f)+1e-12 || accuracy.MAE(y, f) > accuracy.RMSE(y, f)+1e-12 || accuracy.SMAPE(y, f) > 200 {
			t.Fatal("|bias| <= WAPE, MAE <= RMSE, sMAPE <= 200")
		}
	}
}
