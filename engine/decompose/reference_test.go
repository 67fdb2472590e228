package decompose

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// reference is what R answers on one series.
type reference struct {
	name   string
	X      []*float64 `json:"x"`
	Period float64    `json:"seasonal_period"`

	Periodic *stlReference `json:"stl_periodic"`
	Fixed    *stlReference `json:"stl_13"`
	Robust   *stlReference `json:"stl_13_robust"`
	MSTL     *struct {
		Columns []string    `json:"columns"`
		Values  [][]float64 `json:"values"`
	} `json:"mstl"`
	Multiplicative *struct {
		Figure []float64  `json:"figure"`
		Trend  []*float64 `json:"trend"`
	} `json:"decompose_mult"`
}

type stlReference struct {
	Seasonal, Trend, Remainder []float64
	Win                        struct{ S, T, L int }
	Error                      string
}

func (r *reference) y() []float64 {
	y := make([]float64, len(r.X))
	for t, v := range r.X {
		y[t] = math.NaN()
		if v != nil {
			y[t] = *v
		}
	}
	return y
}

// references are the series of R's own data sets, and those of the forecasting competitions where they lie beside the
// repository.
func references(t testing.TB) []*reference {
	t.Helper()
	if len(loaded) > 0 {
		return loaded
	}
	root := filepath.Join("..", "..")
	paths, err := filepath.Glob(filepath.Join(root, "testdata", "reference", "*.json"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no reference results in testdata/reference: %v", err)
	}
	shared := os.Getenv("ALMANAC_SHARED")
	if shared == "" {
		shared = filepath.Join(root, "..", "shared")
	}
	more, _ := filepath.Glob(filepath.Join(shared, "reference", "*.json"))
	if len(more) == 0 {
		t.Logf("no competition series: set ALMANAC_SHARED to the folder that has reference/*.json")
	}
	seen := map[string]bool{}
	var all []*reference
	for _, p := range append(paths, more...) {
		name := strings.TrimSuffix(filepath.Base(p), ".json")
		if seen[name] {
			continue
		}
		text, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		r := &reference{name: name}
		if json.Unmarshal(text, r) != nil || len(r.X) == 0 {
			continue // not a series file
		}
		seen[name] = true
		all = append(all, r)
	}
	loaded = all
	return all
}

var loaded []*reference

func classic(t testing.TB, name string) []float64 {
	t.Helper()
	for _, r := range references(t) {
		if r.name == name {
			return r.y()
		}
	}
	t.Fatalf("no series %s", name)
	return nil
}

// near fails unless got equals want to a share tol of the largest value of want, NaN for NaN.
func near(t *testing.T, what string, got, want []float64, tol float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d values, want %d", what, len(got), len(want))
	}
	scale := 0.0
	for _, v := range want {
		if !math.IsNaN(v) {
			scale = max(scale, math.Abs(v))
		}
	}
	for i := range want {
		if math.IsNaN(got[i]) != math.IsNaN(want[i]) || math.Abs(got[i]-want[i]) > tol*max(1e-300, scale) {
			t.Fatalf("%s[%d] = %v, want %v", what, i, got[i], want[i])
		}
	}
}

// R's stl is the authors' program in double precision: only rounding separates the two.
const tolerance = 1e-8

func TestSTLEqualsR(t *testing.T) {
	n := 0
	var c Components
	for _, r := range references(t) {
		if r.Periodic == nil {
			continue
		}
		y, m := r.y(), int(r.Period)
		for _, k := range []struct {
			name string
			want *stlReference
			o    STLOptions
		}{
			{"periodic", r.Periodic, STLOptions{Period: m}},
			{"13", r.Fixed, STLOptions{Period: m, SeasonalWindow: 13}},
			{"13 robust", r.Robust, STLOptions{Period: m, SeasonalWindow: 13, Robust: true}},
		} {
			if k.want == nil || len(k.want.Trend) == 0 {
				continue
			}
			if err := STL(&c, y, k.o); err != nil {
				t.Fatalf("%s %s: %v", r.name, k.name, err)
			}
			scale := 0.0
			for _, v := range y {
				scale = max(scale, math.Abs(v))
			}
			near(t, r.name+" "+k.name+" trend", c.Trend, k.want.Trend, tolerance)
			near(t, r.name+" "+k.name+" seasonal", c.Seasonal[0], k.want.Seasonal, tolerance)
			for i, v := range k.want.Remainder {
				if math.Abs(c.Remainder[i]-v) > tolerance*scale {
					t.Fatalf("%s %s remainder[%d] = %v, want %v", r.name, k.name, i, c.Remainder[i], v)
				}
			}
			resolved, _ := k.o.resolved(len(y))
			if resolved.TrendWindow != k.want.Win.T || resolved.LowPassWindow != k.want.Win.L || resolved.SeasonalWindow != k.want.Win.S {
				t.Errorf("%s %s: windows %+v, want %+v", r.name, k.name, resolved, k.want.Win)
			}
			n++
		}
	}
	t.Logf("%d decompositions equal R's stl", n)
	if n < 25 {
		t.Errorf("only %d decompositions compared", n)
	}
}

func TestMSTLOfOnePeriodEqualsR(t *testing.T) {
	n := 0
	var c Components
	for _, r := range references(t) {
		if r.MSTL == nil || len(r.MSTL.Values) == 0 {
			continue
		}
		if err := MSTL(&c, r.y(), MSTLOptions{Periods: []int{int(r.Period)}}); err != nil {
			t.Fatal(err)
		}
		if len(r.MSTL.Columns) != 4 || len(r.MSTL.Values) != 4 {
			t.Fatalf("%s: columns %v", r.name, r.MSTL.Columns)
		}
		near(t, r.name+" trend", c.Trend, r.MSTL.Values[1], tolerance)
		near(t, r.name+" seasonal", c.Seasonal[0], r.MSTL.Values[2], tolerance)
		n++
	}
	if n < 8 {
		t.Errorf("only %d decompositions compared", n)
	}
}

type localReference struct {
	Supsmu map[string]struct{ X, Y []float64 }
	MSTL   struct {
		X               []float64
		Default, Robust struct{ Trend, S1, S2, Remainder []float64 }
	}
}

func readLocal(t *testing.T) (r localReference) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "reference.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	return r
}

func TestMSTLOfTwoPeriodsEqualsR(t *testing.T) {
	r := readLocal(t).MSTL
	var c Components
	if err := MSTL(&c, r.X, MSTLOptions{Periods: []int{30, 7}}); err != nil {
		t.Fatal(err)
	}
	near(t, "trend", c.Trend, r.Default.Trend, tolerance)
	near(t, "season 7", c.Seasonal[0], r.Default.S1, tolerance)
	near(t, "season 30", c.Seasonal[1], r.Default.S2, tolerance)
	near(t, "remainder", c.Remainder, r.Default.Remainder, tolerance)
	if err := MSTL(&c, r.X, MSTLOptions{Periods: []int{7, 30, 200}, SeasonalWindows: []int{9, 21}, STL: STLOptions{Robust: true}}); err != nil {
		t.Fatal(err)
	}
	if len(c.Periods) != 2 {
		t.Errorf("periods %v: 200 of 400 observations should be left out", c.Periods)
	}
	near(t, "robust trend", c.Trend, r.Robust.Trend, tolerance)
	near(t, "robust season 30", c.Seasonal[1], r.Robust.S2, tolerance)
}

func TestSuperSmootherEqualsR(t *testing.T) {
	var c Components
	for name, r := range readLocal(t).Supsmu {
		if err := Decompose(&c, r.X, Options{}); err != nil {
			t.Fatal(err)
		}
		if c.Method != Smooth {
			t.Errorf("%s: method %v", name, c.Method)
		}
		near(t, name, c.Trend, r.Y, 1e-8)
	}
}

func TestClassicalEqualsR(t *testing.T) {
	n := 0
	var c Components
	for _, r := range references(t) {
		if r.Multiplicative == nil || len(r.Multiplicative.Figure) == 0 {
			continue
		}
		m := int(r.Period)
		if err := Classical(&c, r.y(), m, true); err != nil {
			t.Fatal(err)
		}
		trend := (&reference{X: r.Multiplicative.Trend}).y()
		near(t, r.name+" trend", c.Trend, trend, 1e-12)
		near(t, r.name+" figure", c.Seasonal[0][:m], r.Multiplicative.Figure, 1e-12)
		n++
	}
	if n < 8 {
		t.Errorf("only %d decompositions compared", n)
	}
}
