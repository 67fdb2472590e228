package cluster

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"
)

// planted makes series of four shapes in random order, with noise, random level and scale.
func planted(n, length int, noise float64, seed uint64) (series []Series, group []int) {
	random := rand.New(rand.NewPCG(seed, 9))
	for range n {
		g := random.IntN(4)
		level, scale := 1000*random.Float64(), math.Exp(3*random.NormFloat64())
		y := make([]float64, length)
		for t := range y {
			u := float64(t) / float64(length-1)
			v := 0.0
			switch g {
			case 0:
				v = 3.4 * u
			case 1:
				v = -3.4 * u
			case 2:
				v = 1.4 * math.Sin(2*math.Pi*float64(t)/12)
			case 3:
				v = 3 * math.Exp(-40*(u-0.3)*(u-0.3))
			}
			y[t] = level + scale*(v+noise*random.NormFloat64())
		}
		series, group = append(series, Series{Y: y}), append(group, g)
	}
	return series, group
}

// rand index adjusted for chance (Hubert & Arabie 1985).
func adjustedRand(a, b []int) float64 {
	pairs := func(n int) float64 { return float64(n) * float64(n-1) / 2 }
	both, left, right := map[[2]int]int{}, map[int]int{}, map[int]int{}
	for i := range a {
		both[[2]int{a[i], b[i]}]++
		left[a[i]]++
		right[b[i]]++
	}
	var index, rows, columns float64
	for _, n := range both {
		index += pairs(n)
	}
	for _, n := range left {
		rows += pairs(n)
	}
	for _, n := range right {
		columns += pairs(n)
	}
	expected := rows * columns / pairs(len(a))
	return (index - expected) / ((rows+columns)/2 - expected)
}

func labels(r *Result) []int {
	out := make([]int, len(r.Members))
	for i, m := range r.Members {
		out[i] = m.Cluster
	}
	return out
}

func TestPlantedClustersAreFound(t *testing.T) {
	for _, o := range []Options{
		{},
		{K: 4},
		{Distance: Correlation},
		{Algorithm: KMedoidsAlgorithm},
		{Algorithm: KMedoidsAlgorithm, Distance: DTW, K: 4},
		{Algorithm: KMedoidsAlgorithm, Distance: Correlation},
		{Align: Stretch},
	} {
		o.Periods = []int{12}
		series, group := planted(150, 96, 0.4, 1)
		r, err := Trends(t.Context(), series, o)
		if err != nil {
			t.Fatal(err)
		}
		if ari := adjustedRand(group, labels(r)); ari < 0.95 || r.K != 4 {
			t.Errorf("%v %v k=%d: found %d clusters, adjusted Rand index %.3f", o.Algorithm, o.Distance, o.K, r.K, ari)
		}
		checkResult(t, r)
		words := map[int]string{0: "rising", 1: "falling", 2: "seasonal"}
		if o.Align == Stretch {
			delete(words, 2) // positions have no calendar
		}
		for i, g := range group {
			if w, ok := words[g]; ok && r.Clusters[r.Members[i].Cluster-1].Trend != w {
				t.Errorf("%v %v: series %d of group %d is %q", o.Algorithm, o.Distance, i, g, r.Clusters[r.Members[i].Cluster-1].Trend)
				break
			}
		}
	}
}

// checkResult verifies what every result promises.
func checkResult(t *testing.T, r *Result) {
	t.Helper()
	sizes, medoids := make([]int, r.K), make([]int, r.K)
	first := make([]int, r.K)
	for i := len(r.Members) - 1; i >= 0; i-- {
		m := r.Members[i]
		if m.Cluster == 0 {
			if m.Status != TooShort && m.Status != AllMissing && m.Status != Outside || !math.IsNaN(m.Distance) || !math.IsNaN(m.Silhouette) {
				t.Errorf("series %d without cluster: %+v", i, m)
			}
			continue
		}
		sizes[m.Cluster-1]++
		first[m.Cluster-1] = i
		if m.Medoid {
			medoids[m.Cluster-1]++
			if r.Clusters[m.Cluster-1].Medoid != i {
				t.Errorf("series %d marked medoid of %d", i, m.Cluster)
			}
		}
		if !(m.Distance >= 0) || (r.K > 1) != (m.Silhouette >= -1 && m.Silhouette <= 1) {
			t.Errorf("series %d: %+v", i, m)
		}
	}
	for c := range r.K {
		if sizes[c] != r.Clusters[c].Size || medoids[c] != 1 {
			t.Errorf("cluster %d: size %d, counted %d, %d medoids", c+1, r.Clusters[c].Size, sizes[c], medoids[c])
		}
		if c > 0 && (sizes[c] > sizes[c-1] || sizes[c] == sizes[c-1] && first[c] < first[c-1]) {
			t.Errorf("clusters not in order: %v, first members %v", sizes, first)
		}
	}
}

func TestSameBitsForAnyNumberOfWorkers(t *testing.T) {
	series, _ := planted(120, 90, 1, 2)
	for _, o := range []Options{{Seed: 5}, {Algorithm: KMedoidsAlgorithm, Distance: DTW}, {Distance: Correlation, K: 6}} {
		var first *Result
		for _, workers := range []int{1, 2, 7} {
			o.Workers = workers
			r, err := Trends(t.Context(), series, o)
			if err != nil {
				t.Fatal(err)
			}
			if first == nil {
				first = r
			} else if !reflect.DeepEqual(r, first) {
				t.Errorf("%v %v: %d workers give another result", o.Algorithm, o.Distance, workers)
			}
		}
	}
}

func TestLevelScaleAndOrderDoNotMatter(t *testing.T) {
	series, _ := planted(100, 72, 0.4, 3)
	for _, o := range []Options{{K: 4}, {K: 4, Algorithm: KMedoidsAlgorithm, Distance: DTW}} {
		a, err := Trends(t.Context(), series, o)
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(8, 8))
		perm := random.Perm(len(series))
		other := make([]Series, len(series))
		for i, j := range perm {
			y := slices.Clone(series[j].Y)
			for t := range y {
				y[t] = 7 + 0.001*y[t]
			}
			other[i] = Series{Y: y}
		}
		b, err := Trends(t.Context(), other, o)
		if err != nil {
			t.Fatal(err)
		}
		la, lb := labels(a), make([]int, len(series))
		for i, j := range perm {
			lb[j] = b.Members[i].Cluster
		}
		if ari := adjustedRand(la, lb); ari < 1 {
			t.Errorf("%v: permuted and rescaled series give another clustering, adjusted Rand index %v", o.Algorithm, ari)
		}
	}
}

func TestDifferentSpans(t *testing.T) {
	series, group := planted(100, 120, 0.3, 4)
	// 10 series begin late, 2 very late, the second too late to compare; 3 end early, 1 before the window. All lie on the same
	// calendar.
	for i := range 10 {
		series[i] = Series{Y: series[i].Y[40:], Offset: 40}
	}
	series[10] = Series{Y: series[10].Y[100:], Offset: 100}
	for i := 11; i < 14; i++ {
		series[i].Y = series[i].Y[:100]
	}
	series[14].Y = slices.Repeat([]float64{math.NaN()}, 120)
	series[15].Y = slices.Clone(series[15].Y)
	for _, gap := range []int{3, 4, 5, 60} {
		series[15].Y[gap] = math.NaN()
	}
	series[16].Y = slices.Repeat([]float64{5}, 120)
	series[17].Y = nil
	series[18] = Series{Y: series[18].Y[115:], Offset: 115}
	series[19] = Series{Y: series[19].Y[:20], Offset: -20}
	r, err := Trends(t.Context(), series, Options{K: 4, CoverShare: 0.85})
	if err != nil {
		t.Fatal(err)
	}
	checkResult(t, r)
	if r.First != 0 || r.Segment != 1 || len(r.Clusters[0].Centre) != 120 {
		t.Errorf("window from %d, segment %d, %d positions", r.First, r.Segment, len(r.Clusters[0].Centre))
	}
	right, judged := labels(r), 0
	for i := range series {
		want := OK
		switch {
		case i < 14:
			want = Partial
		case i == 18:
			want = TooShort
		case i == 19:
			want = Outside
		case i == 14 || i == 17:
			want = AllMissing
		case i == 16:
			want = Constant
		}
		if r.Members[i].Status != want {
			t.Errorf("series %d: %v, want %v", i, r.Members[i].Status, want)
		}
	}
	var a, b []int
	for i := range series {
		// A hump cut off before its top is not to be told from a falling line, nor a line of 20 points from many things.
		if s := r.Members[i].Status; s == OK || (s == Partial && group[i] != 3 && i != 10) {
			a, b = append(a, group[i]), append(b, right[i])
			judged++
		}
	}
	if ari := adjustedRand(a, b); ari < 0.95 {
		t.Errorf("adjusted Rand index %.3f over %d series", ari, judged)
	}
}

func TestDailySeriesAreComparedByWeeks(t *testing.T) {
	random := rand.New(rand.NewPCG(4, 4))
	var series []Series
	var group []int
	for i := range 60 {
		y := make([]float64, 7*80+3)
		for d := range y {
			y[d] = 10*math.Sin(2*math.Pi*float64(d+3*(i%2))/7) + float64(d)/100*float64(1-2*(i%3%2)) + random.NormFloat64()
		}
		series, group = append(series, Series{Y: y, Offset: 100}), append(group, i%3%2)
	}
	r, err := Trends(t.Context(), series, Options{K: 2, Periods: []int{7, 365}})
	if err != nil {
		t.Fatal(err)
	}
	if r.Segment != 7 || r.First != 103 || len(r.Clusters[0].Centre) != 80 {
		t.Errorf("segment %d from %d, %d positions", r.Segment, r.First, len(r.Clusters[0].Centre))
	}
	if ari := adjustedRand(group, labels(r)); ari < 0.95 {
		t.Errorf("adjusted Rand index %.3f", ari)
	}
	if r.Clusters[0].Trend != "rising" || r.Clusters[1].Trend != "falling" {
		t.Errorf("trends %q, %q", r.Clusters[0].Trend, r.Clusters[1].Trend)
	}
}

func TestDegenerateInput(t *testing.T) {
	one := Series{Y: []float64{1, 2, 4, 3}}
	constant := Series{Y: []float64{2, 2, 2, 2}}
	missing := Series{Y: []float64{math.NaN(), math.NaN(), math.NaN(), math.NaN()}}
	var count *CountError
	for name, k := range map[string]struct {
		series []Series
		o      Options
		is     error
		count  bool
	}{
		"none":                {nil, Options{}, ErrNoSeries, false},
		"all missing":         {[]Series{missing, missing}, Options{}, ErrNoSeries, false},
		"k above n":           {[]Series{one, constant}, Options{K: 3}, nil, true},
		"duplicates":          {[]Series{one, one, one}, Options{K: 2}, nil, true},
		"duplicates, medoids": {[]Series{one, one, one}, Options{K: 2, Algorithm: KMedoidsAlgorithm}, nil, true},
		"no common time":      {[]Series{one, {Y: one.Y, Offset: 100}}, Options{CoverShare: 1}, ErrNoSeries, false},
		"negative k":          {[]Series{one}, Options{K: -1}, ErrOption, false},
		"dtw means":           {[]Series{one}, Options{Distance: DTW}, ErrDistance, false},
		"band":                {[]Series{one}, Options{Band: 2}, ErrOption, false},
	} {
		r, err := Trends(t.Context(), k.series, k.o)
		if k.is != nil && !errors.Is(err, k.is) || k.count && !errors.As(err, &count) {
			t.Errorf("%s: %v, %v", name, r, err)
		}
	}
	for name, series := range map[string][]Series{
		"single":            {one},
		"two":               {one, constant},
		"all constant":      {constant, constant, constant},
		"same":              {one, one, one},
		"one of few values": {one, {Y: []float64{3}}, missing},
	} {
		for _, o := range []Options{{}, {Algorithm: KMedoidsAlgorithm, Distance: DTW}, {Distance: Correlation}, {Align: Stretch}} {
			r, err := Trends(t.Context(), series, o)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			checkResult(t, r)
			if r.K != 1 {
				t.Errorf("%s: %d clusters", name, r.K)
			}
		}
	}
}

func TestConstantsGroupTogether(t *testing.T) {
	series, _ := planted(40, 60, 0.2, 6)
	for i := range 20 {
		series = append(series, Series{Y: slices.Repeat([]float64{float64(i)}, 60)})
	}
	r, err := Trends(t.Context(), series, Options{K: 5})
	if err != nil {
		t.Fatal(err)
	}
	at := r.Members[40].Cluster
	for i := 40; i < 60; i++ {
		if r.Members[i].Cluster != at || r.Members[i].Status != Constant {
			t.Errorf("constant series %d: %+v", i, r.Members[i])
		}
	}
	if w := r.Clusters[at-1].Trend; w != "flat" {
		t.Errorf("constants are %q", w)
	}
}

func TestCancelled(t *testing.T) {
	series, _ := planted(200, 128, 1, 7)
	for _, o := range []Options{{}, {Algorithm: KMedoidsAlgorithm, Distance: DTW}} {
		ctx, cancel := context.WithCancel(t.Context())
		calls := 0
		o.Progress = func(done, total int) {
			if calls++; calls == 3 {
				cancel()
			}
			if done > total {
				t.Errorf("%d of %d steps done", done, total)
			}
		}
		if _, err := Trends(ctx, series, o); !errors.Is(err, context.Canceled) {
			t.Errorf("%v: %v", o.Algorithm, err)
		}
		cancel()
	}
}

// noise is autoregressive with coefficient phi, of unit innovations.
func noise(random *rand.Rand, n int, phi float64) []float64 {
	v := make([]float64, n)
	x := random.NormFloat64() / math.Sqrt(1-phi*phi)
	for i := range v {
		v[i] = x
		x = phi*x + random.NormFloat64()
	}
	return v
}

// TestDescribeSimulated counts the words for simulated centres: of noise without movement, and with movements that a person
// sees.
func TestDescribeSimulated(t *testing.T) {
	const runs = 200
	for _, k := range []struct {
		name   string
		n      int
		phi    float64
		scale  float64 // of the noise
		signal func(t int) float64
		period int
		word   string
		least  float64 // share of runs
	}{
		{name: "white noise", n: 78, scale: 1, period: 26, word: "flat", least: 0.97},
		{name: "white noise, short", n: 12, scale: 1, period: 4, word: "flat", least: 0.95},
		{name: "white noise of many series", n: 128, scale: 0.15, period: 52, word: "flat", least: 0.97},
		{name: "noise with memory", n: 78, phi: 0.6, scale: 1, period: 26, word: "flat", least: 0.95},
		{name: "noise with long memory", n: 128, phi: 0.8, scale: 0.3, period: 26, word: "flat", least: 0.9},
		{name: "rising", n: 78, scale: 0.2, signal: func(t int) float64 { return 0.01 * float64(t) }, period: 26, word: "rising", least: 0.97},
		{name: "falling", n: 36, scale: 0.3, signal: func(t int) float64 { return -0.04 * float64(t) }, period: 12, word: "falling", least: 0.95},
		{name: "rising and saturating", n: 78, scale: 0.2, signal: func(t int) float64 { return 2 / (1 + math.Exp(-float64(t-30)/6)) }, period: 26, word: "rising", least: 0.97},
		{name: "a hair's breadth", n: 78, scale: 0.01, signal: func(t int) float64 { return 0.002 * float64(t) }, period: 26, word: "flat", least: 0.97},
		{name: "three summers", n: 78, scale: 0.3, signal: func(t int) float64 { return 0.5 * math.Sin(2*math.Pi*float64(t)/26.07) }, period: 26, word: "seasonal", least: 0.97},
		{name: "three Christmases", n: 78, phi: 0.3, scale: 0.2, signal: func(t int) float64 {
			if t%26 == 25 {
				return 2
			}
			return 0
		}, period: 26, word: "seasonal", least: 0.9},
		{name: "two summers on a slope", n: 104, scale: 0.2, signal: func(t int) float64 { return 0.004*float64(t) + 0.6*math.Cos(2*math.Pi*float64(t)/52) }, period: 52, word: "seasonal", least: 0.95},
		{name: "a slope with a ripple", n: 72, scale: 0.1, signal: func(t int) float64 { return 0.03*float64(t) + 0.15*math.Sin(2*math.Pi*float64(t)/12) }, period: 12, word: "rising", least: 0.97},
		{name: "a cycle of its own", n: 100, scale: 0.4, signal: func(t int) float64 { return 0.6 * math.Sin(2*math.Pi*float64(t)/9) }, word: "seasonal", least: 0.95},
	} {
		random := rand.New(rand.NewPCG(3, uint64(k.n)))
		var periods []int
		if k.period > 0 {
			periods = []int{k.period}
		}
		words := map[string]int{}
		for range runs {
			v := noise(random, k.n, k.phi)
			for i := range v {
				v[i] *= k.scale
				if k.signal != nil {
					v[i] += k.signal(i)
				}
			}
			words[Describe(v, periods)]++
		}
		t.Logf("%s: %v", k.name, words)
		if float64(words[k.word]) < k.least*runs {
			t.Errorf("%s: %v, want %.0f %% %s", k.name, words, 100*k.least, k.word)
		}
	}
}

func TestDescribe(t *testing.T) {
	for word, curve := range map[string][]float64{
		"flat":   make([]float64, 20),
		"rising": {-1.5, -1.2, -0.9, -0.5, 0, 0.1, 0.4, 0.9, 1.2, 1.6},
	} {
		if w := Describe(curve, nil); w != word {
			t.Errorf("%v is %q, want %q", curve, w, word)
		}
	}
	// Kendall's S of 1..10 is 45, its variance 125: z = 44/sqrt(125).
	line := []float64{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	if p, want := mannKendall(line), math.Erfc(44/math.Sqrt(125)/math.Sqrt2); math.Abs(p-want) > 1e-15 {
		t.Errorf("p = %v, want %v", p, want)
	}
	if s := senSlope([]float64{0, 2, 4, 100, 8, 10}); s != 2 {
		t.Errorf("slope %v", s)
	}
}

func TestParse(t *testing.T) {
	for _, n := range DistanceNames() {
		if d, err := ParseDistance(n); err != nil || d.String() != n {
			t.Errorf("%q: %v, %v", n, d, err)
		}
	}
	for _, n := range AlgorithmNames() {
		if a, err := ParseAlgorithm(n); err != nil || a.String() != n {
			t.Errorf("%q: %v, %v", n, a, err)
		}
	}
	for _, n := range AlignNames() {
		if a, err := ParseAlign(n); err != nil || a.String() != n {
			t.Errorf("%q: %v, %v", n, a, err)
		}
	}
	if _, err := ParseDistance("manhattan"); err == nil {
		t.Error("manhattan accepted")
	}
}
