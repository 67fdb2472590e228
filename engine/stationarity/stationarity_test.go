package stationarity

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// reference is a file of testdata/reference: R's ndiffs, nsdiffs, acf and pacf of a classic series.
type reference struct {
	ID      string     `json:"id"`
	X       []*float64 `json:"x"`
	M       float64    `json:"seasonal_period"`
	NDiffs  *int       `json:"ndiffs_kpss"`
	NSDiffs *int       `json:"nsdiffs_seas"`
	ACF     []float64  `json:"acf"`
	PACF    []float64  `json:"pacf"`
}

func (r *reference) y() []float64 {
	y := make([]float64, len(r.X))
	for i, v := range r.X {
		y[i] = math.NaN()
		if v != nil {
			y[i] = *v
		}
	}
	return y
}

func references(t *testing.T, dir string) []*reference {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no reference files in %s: %v", dir, err)
	}
	var out []*reference
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r := new(reference)
		if json.Unmarshal(data, r) == nil && r.NDiffs != nil && len(r.X) > 0 {
			out = append(out, r)
		}
	}
	return out
}

func compare(t *testing.T, dir string) {
	seasonal := 0
	for _, r := range references(t, dir) {
		y := r.y()
		if got := NDiffs(y, 2); got != *r.NDiffs {
			t.Errorf("%s: NDiffs = %d, R says %d", r.ID, got, *r.NDiffs)
		}
		if r.NSDiffs != nil && r.M > 1 {
			seasonal++
			if got := NSDiffs(y, int(r.M), 1); got != *r.NSDiffs {
				t.Errorf("%s: NSDiffs = %d, R says %d (strength %.4f)", r.ID, got, *r.NSDiffs, SeasonalStrength(y, int(r.M)))
			}
		}
		// The same formulas: only rounding differs.
		for i, v := range ACF(nil, y, len(r.ACF)) {
			if math.Abs(v-r.ACF[i]) > 1e-10 {
				t.Errorf("%s: autocorrelation %d is %v, R says %v", r.ID, i+1, v, r.ACF[i])
			}
		}
		for i, v := range PACF(nil, y, len(r.PACF)) {
			if math.Abs(v-r.PACF[i]) > 1e-9 {
				t.Errorf("%s: partial autocorrelation %d is %v, R says %v", r.ID, i+1, v, r.PACF[i])
			}
		}
	}
	if seasonal < 5 {
		t.Errorf("only %d seasonal series", seasonal)
	}
}

func root() string { return filepath.Join("..", "..") }

func TestClassics(t *testing.T) { compare(t, filepath.Join(root(), "testdata", "reference")) }

func TestCompetitions(t *testing.T) {
	dir := os.Getenv("ALMANAC_SHARED")
	if dir == "" {
		dir = filepath.Join(root(), "..", "shared")
	}
	dir = filepath.Join(dir, "reference")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no reference results of competition series: %v (set ALMANAC_SHARED)", err)
	}
	compare(t, dir)
}

// TestKPSS compares with ur.kpss(x, type = "mu", use.lag = trunc(3*sqrt(n)/13)) of R's urca 1.3.
func TestKPSS(t *testing.T) {
	want := map[string]float64{
		"Nile": 1.31522646318, "LakeHuron": 1.22121856939, "lynx": 0.0694650820944, "sunspot.year": 0.465334901319, "AirPassengers": 4.34228679711,
	}
	found := 0
	for _, r := range references(t, filepath.Join(root(), "testdata", "reference")) {
		w, ok := want[r.ID]
		if !ok {
			continue
		}
		found++
		if got := KPSS(r.y(), -1); math.Abs(got/w-1) > 1e-10 {
			t.Errorf("%s: %v, R says %v", r.ID, got, w)
		}
	}
	if found != len(want) {
		t.Errorf("%d of %d series found", found, len(want))
	}
	for _, c := range []struct{ statistic, p float64 }{{0.1, 0.1}, {0.347, 0.1}, {0.463, 0.05}, {0.5185, 0.0375}, {0.739, 0.01}, {9, 0.01}} {
		if got := KPSSProbability(c.statistic); math.Abs(got-c.p) > 1e-12 {
			t.Errorf("probability of %v is %v, want %v", c.statistic, got, c.p)
		}
	}
	if !math.IsNaN(KPSS([]float64{2, 2, 2}, -1)) || !math.IsNaN(KPSS(nil, -1)) {
		t.Error("the statistic of a constant or empty series is not NaN")
	}
}

// TestKPSSSize: stationary noise is rejected in about 5 % of samples, random walks nearly always.
func TestKPSSSize(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	noise, walks := 0, 0
	const runs, n = 1000, 200
	y := make([]float64, n)
	for range runs {
		for i := range y {
			y[i] = rng.NormFloat64()
		}
		noise += NDiffs(y, 1)
		for i := 1; i < n; i++ {
			y[i] += y[i-1]
		}
		walks += NDiffs(y, 1)
	}
	if share := float64(noise) / runs; share < 0.025 || share > 0.075 { // three standard errors
		t.Errorf("noise is differenced in a share of %v", share)
	}
	if share := float64(walks) / runs; share < 0.95 {
		t.Errorf("random walks are differenced in a share of %v", share)
	}
}

func TestEdges(t *testing.T) {
	nan := math.NaN()
	for _, y := range [][]float64{nil, {1}, {nan, nan}, {3, 3, 3, 3}, {nan, 2, nan}} {
		if NDiffs(y, 2) != 0 || NSDiffs(y, 4, 1) != 0 || !Constant(y) {
			t.Errorf("%v is differenced or not constant", y)
		}
	}
	if Constant([]float64{1, 1.001}) {
		t.Error("1 and 1.001 are not the same")
	}
	line := make([]float64, 40)
	for i := range line {
		line[i] = float64(i)
	}
	if got := NDiffs(line, 2); got != 1 {
		t.Errorf("a line needs %d differences", got)
	}
	season := make([]float64, 48)
	for i := range season {
		season[i] = float64(i%12) + 0.01*float64(i%5)
	}
	if NSDiffs(season, 12, 1) != 1 || NSDiffs(season[:20], 12, 1) != 0 {
		t.Error("an exact season is differenced, one of less than two cycles is not")
	}
	// A gap must not change what the rest of a strong season says.
	season[17], season[30] = nan, nan
	if NSDiffs(season, 12, 1) != 1 {
		t.Error("two gaps hide a season")
	}
	if got := ACF(nil, season, 12); !(got[11] > 0.5) {
		t.Errorf("autocorrelation at the period with gaps is %v", got[11])
	}
}
