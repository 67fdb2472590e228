package cluster

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type arrests struct {
	N, P int
	X    []float64
	Runs []struct {
		K                          int
		Start, Cluster, Medoids    []int
		Withinss, Best, Silhouette []float64
		PamCost                    []float64 `json:"pam_cost"`
	}
}

func readArrests(t *testing.T) (a arrests, x Points) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "reference.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &a); err != nil {
		t.Fatal(err)
	}
	return a, Points{a.N, a.P, a.X}
}

// Centres are means of the same points in another order of summation.
const tolerance = 1e-10

// R's best of many starts is by Hartigan & Wong's exchanges, whose optima are a subset of Lloyd's.
const lloydTolerance = 0.01

func TestKMeansEqualsR(t *testing.T) {
	a, x := readArrests(t)
	for _, r := range a.Runs {
		p, err := KMeans(t.Context(), x, KMeansOptions{K: r.K, Start: r.Start})
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range r.Cluster {
			if int(p.Label[i]) != c {
				t.Fatalf("k=%d: point %d in cluster %d, want %d", r.K, i, p.Label[i], c)
			}
		}
		if math.Abs(p.Cost/r.Withinss[0]-1) > tolerance {
			t.Errorf("k=%d: cost %v, want %v", r.K, p.Cost, r.Withinss[0])
		}
		best, err := KMeans(t.Context(), x, KMeansOptions{K: r.K, Restarts: 50, Seed: 3})
		if err != nil {
			t.Fatal(err)
		}
		if best.Cost > r.Best[0]*(1+lloydTolerance) || best.Cost < r.Best[0]*(1-tolerance) {
			t.Errorf("k=%d: best cost %v, R finds %v in 500 starts", r.K, best.Cost, r.Best[0])
		}
		s, err := Silhouette(t.Context(), x, p.Label, Euclidean, 0, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range r.Silhouette {
			if math.Abs(s[i]-v) > tolerance {
				t.Fatalf("k=%d: silhouette[%d] = %v, want %v", r.K, i, s[i], v)
			}
		}
	}
}

func TestKMedoidsEqualsR(t *testing.T) {
	a, x := readArrests(t)
	for _, r := range a.Runs {
		p, err := KMedoids(t.Context(), x, KMedoidsOptions{K: r.K})
		if err != nil {
			t.Fatal(err)
		}
		cost := p.Cost * math.Sqrt(float64(a.P)) // R's distance is not divided by the number of coordinates
		// Both are local optima, PAM's of steepest and FasterPAM's of first descent; float32 distances.
		if cost > r.PamCost[0]*(1+1e-6) {
			t.Errorf("k=%d: cost %v with medoids %v, R has %v with %v", r.K, cost, p.Medoids, r.PamCost[0], r.Medoids)
		}
		if math.Abs(cost/r.PamCost[0]-1) < 1e-6 && !slices.Equal(p.Medoids, r.Medoids) {
			t.Errorf("k=%d: medoids %v, R has %v", r.K, p.Medoids, r.Medoids)
		}
	}
}

// The runs on features of competition series, with fixed starts, where they lie beside the repository.
func TestKMeansEqualsROnFeatures(t *testing.T) {
	shared := os.Getenv("ALMANAC_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "..", "shared")
	}
	text, err := os.ReadFile(filepath.Join(shared, "reference", "kmeans.json"))
	if err != nil {
		t.Skipf("needs reference/kmeans.json in the folder that ALMANAC_SHARED names: %v", err)
	}
	var r struct {
		Features [][]float64 `json:"scaled_features"`
		Runs     []struct {
			K         int
			Algorithm string
			Start     []int `json:"init_rows_0based"`
			Cluster   []int
			Cost      float64 `json:"tot_withinss"`
		}
		Best []struct {
			K    int
			Cost float64 `json:"best_tot_withinss_nstart200"`
		}
	}
	if err := json.Unmarshal(text, &r); err != nil {
		t.Fatal(err)
	}
	x := NewPoints(len(r.Features), len(r.Features[0]))
	for i, f := range r.Features {
		copy(x.Row(i), f)
	}
	compared := 0
	for _, run := range r.Runs {
		if run.Algorithm != "Lloyd" {
			continue
		}
		p, err := KMeans(t.Context(), x, KMeansOptions{K: run.K, Start: run.Start})
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(p.Cost/run.Cost-1) > 1e-9 {
			t.Errorf("k=%d: cost %v, want %v", run.K, p.Cost, run.Cost)
		}
		for i, c := range run.Cluster {
			if int(p.Label[i]) != c-1 {
				t.Fatalf("k=%d: point %d in cluster %d, want %d", run.K, i, p.Label[i], c-1)
			}
		}
		compared++
	}
	for _, b := range r.Best {
		p, err := KMeans(t.Context(), x, KMeansOptions{K: b.K, Restarts: 100})
		if err != nil {
			t.Fatal(err)
		}
		if p.Cost > b.Cost*(1+lloydTolerance) {
			t.Errorf("k=%d: best cost %v, R finds %v in 200 starts", b.K, p.Cost, b.Cost)
		}
	}
	if compared != 4 {
		t.Errorf("%d runs compared", compared)
	}
}

// naiveWarping is dynamic time warping from its definition, by the whole table.
func naiveWarping(a, b []float64, band int) float64 {
	n := len(a)
	d := make([][]float64, n)
	for i := range d {
		d[i] = make([]float64, n)
		for j := range d[i] {
			d[i][j] = math.Inf(1)
			if i-j > band || j-i > band {
				continue
			}
			before := math.Inf(1)
			if i == 0 && j == 0 {
				before = 0
			}
			if i > 0 {
				before = min(before, d[i-1][j])
			}
			if j > 0 {
				before = min(before, d[i][j-1])
			}
			if i > 0 && j > 0 {
				before = min(before, d[i-1][j-1])
			}
			d[i][j] = before + (a[i]-b[j])*(a[i]-b[j])
		}
	}
	return d[n-1][n-1]
}

func TestWarpingCostAndBounds(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 1))
	const grid = 1e-6 // rounding to the grid, summed along a path
	for n := 1; n <= 40; n++ {
		for _, share := range []float64{0.05, 0.1, 0.5, 1} {
			w := newWarper(n, share, 8)
			a, b := make([]float64, n), make([]float64, n)
			for i := range n {
				a[i], b[i] = random.NormFloat64(), random.NormFloat64()
			}
			want := naiveWarping(a, b, w.band)
			got := w.cost(a, b, math.Inf(1))
			if math.Abs(got-want) > grid*(1+want) {
				t.Fatalf("n=%d band=%d: cost %v, want %v", n, w.band, got, want)
			}
			if back := w.cost(b, a, math.Inf(1)); back != got {
				t.Fatalf("not symmetric: %v, %v", got, back)
			}
			if lower := w.envelope(b).bound(a, math.Inf(1)); lower > got*(1+grid)+grid {
				t.Fatalf("n=%d: bound %v above cost %v", n, lower, got)
			}
			if v := w.cost(a, b, got*0.999); n > 1 && v < got*(1-1e-12) {
				t.Fatalf("abandoned cost %v below %v", v, got)
			}
			if v := w.cost(a, b, got*(1+1e-12)); v != got {
				t.Fatalf("n=%d: abandoned at %v although within the limit: %v", n, got, v)
			}
			if v := w.cost(a, a, math.Inf(1)); v != 0 {
				t.Fatalf("distance to itself %v", v)
			}
		}
	}
}

func TestNearestMedoidWithBoundsIsNearest(t *testing.T) {
	random := rand.New(rand.NewPCG(2, 1))
	x := NewPoints(60, 50)
	for i := range x.N {
		v := 0.0
		for j := range x.P {
			v += random.NormFloat64()
			x.Row(i)[j] = v
		}
		standardise(x.Row(i))
	}
	m := newMeasures(x, DTW, 0.1, 1)[0]
	m.setCentres(Points{10, x.P, x.Values[:10*x.P]})
	for i := range x.N {
		at, best := 0, math.Inf(1)
		for c := range 10 {
			if d := m.between(x.Row(i), x.Row(c), math.Inf(1)); d < best {
				at, best = c, d
			}
		}
		if got, d := m.nearest(x.Row(i)); got != at || d != best {
			t.Fatalf("point %d: nearest %d at %v, want %d at %v", i, got, d, at, best)
		}
	}
}

func TestSwapsReachPAMOptimum(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 5))
	x := NewPoints(80, 3)
	for i := range x.Values {
		x.Values[i] = random.NormFloat64()
	}
	p, err := KMedoids(t.Context(), x, KMedoidsOptions{K: 4})
	if err != nil {
		t.Fatal(err)
	}
	cost := func(medoids []int) (total float64) {
		for i := range x.N {
			best := math.Inf(1)
			for _, m := range medoids {
				best = min(best, math.Sqrt(squared(x.Row(i), x.Row(m))/3))
			}
			total += best
		}
		return total
	}
	own := cost(p.Medoids)
	if math.Abs(own-p.Cost) > 1e-4 {
		t.Errorf("cost %v, recomputed %v", p.Cost, own)
	}
	for m := range p.Medoids {
		for c := range x.N {
			other := slices.Clone(p.Medoids)
			other[m] = c
			if cost(other) < own-1e-4 {
				t.Fatalf("swapping %d for %d lowers the cost from %v to %v", p.Medoids[m], c, own, cost(other))
			}
		}
	}
	sampled, err := KMedoids(t.Context(), x, KMedoidsOptions{K: 4, maximum: 50, sample: 40, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	if sampled.Cost > own*1.1 || math.Abs(cost(sampled.Medoids)-sampled.Cost) > 1e-9 {
		t.Errorf("sampled cost %v (recomputed %v), whole %v", sampled.Cost, cost(sampled.Medoids), own)
	}
}
