package decompose

import (
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
)

func lengths(found []Period) (out []int) {
	for _, p := range found {
		out = append(out, p.Length)
	}
	return out
}

func TestPeriodsOfClassics(t *testing.T) {
	for _, k := range []struct {
		name     string
		natural  []int
		low, top int
	}{
		{"AirPassengers", []int{12}, 12, 12},
		{"AirPassengers", nil, 12, 12},
		{"nottem", []int{12}, 12, 12},
		{"nottem", nil, 12, 12},
		{"co2", []int{12}, 12, 12},
		{"co2", nil, 12, 12},
		{"USAccDeaths", []int{12}, 12, 12},
		{"ldeaths", nil, 12, 12},
		{"UKgas", []int{4}, 4, 4},
		{"UKDriverDeaths", nil, 12, 12},
		{"lynx", nil, 9, 10},
		{"sunspot.year", nil, 10, 12},
	} {
		found := DetectPeriods(classic(t, k.name), DetectOptions{Natural: k.natural})
		t.Logf("%s %v: %+v", k.name, k.natural, found)
		if len(found) == 0 || found[0].Length < k.low || found[0].Length > k.top {
			t.Errorf("%s %v: found %+v, want %d to %d", k.name, k.natural, found, k.low, k.top)
		}
	}
	for _, name := range []string{"Nile", "LakeHuron", "nhtemp", "discoveries", "BJsales", "WWWusage", "uspop"} {
		if found := DetectPeriods(classic(t, name), DetectOptions{}); len(found) > 0 {
			t.Errorf("%s: found %+v", name, found)
		}
	}
}

// noises are series without any season.
var noises = map[string]func(*rand.Rand, []float64){
	"white": func(r *rand.Rand, y []float64) {
		for t := range y {
			y[t] = r.NormFloat64()
		}
	},
	"walk": func(r *rand.Rand, y []float64) {
		v := 0.0
		for t := range y {
			v += r.NormFloat64()
			y[t] = v
		}
	},
	"ar1": func(r *rand.Rand, y []float64) {
		v := r.NormFloat64() / math.Sqrt(1-0.49)
		for t := range y {
			v = 0.7*v + r.NormFloat64()
			y[t] = v
		}
	},
	"walk+noise": func(r *rand.Rand, y []float64) {
		v := 0.0
		for t := range y {
			v += 0.3 * r.NormFloat64()
			y[t] = v + r.NormFloat64()
		}
	},
	"trend": func(r *rand.Rand, y []float64) {
		for t := range y {
			y[t] = 0.1*float64(t) + 0.5*r.NormFloat64()
		}
	},
	"intermittent": func(r *rand.Rand, y []float64) {
		for t := range y {
			y[t] = 0
			if r.Float64() < 0.15 {
				y[t] = 1 + float64(r.IntN(5))
			}
		}
	},
	"outliers": func(r *rand.Rand, y []float64) {
		for t := range y {
			y[t] = r.NormFloat64()
		}
		for range 3 {
			y[r.IntN(len(y))] += 40
		}
	},
}

func TestFalsePeriods(t *testing.T) {
	repetitions := 90
	if os.Getenv("ALMANAC_LONG_TESTS") != "" {
		repetitions = 1500
	}
	var d Detector
	for name, make1 := range noises {
		for _, k := range []struct {
			n       int
			natural []int
		}{{36, []int{12}}, {120, []int{12}}, {120, nil}, {400, []int{7}}, {800, []int{7, 365}}} {
			random := rand.New(rand.NewPCG(uint64(k.n), 77))
			y := make([]float64, k.n)
			runs := repetitions
			if k.n >= 400 {
				runs /= 3
			}
			wrong := 0
			for range runs {
				make1(random, y)
				if len(d.Detect(y, DetectOptions{Natural: k.natural})) > 0 {
					wrong++
				}
			}
			rate := float64(wrong) / float64(runs)
			t.Logf("%-12s n=%d natural %v: %.1f %% false of %d", name, k.n, k.natural, 100*rate, runs)
			// Two searches at 0.01 each, and the binomial error of the simulation. Three outliers among 120 values that happen to
			// be equally spaced do make a period.
			nominal := 0.02
			if name == "outliers" {
				nominal = 0.04
			}
			if limit := nominal + 3*math.Sqrt(nominal*(1-nominal)/float64(runs)); rate > limit {
				t.Errorf("%s n=%d natural %v: %.1f %% false periods, above %.1f %%", name, k.n, k.natural, 100*rate, 100*limit)
			}
		}
	}
}

func TestPlantedPeriods(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 4))
	var d Detector
	for _, k := range []struct {
		name    string
		n       int
		natural []int
		want    []int
		make    func(t int) float64
		noise   string
	}{
		{"sine 12 in white noise", 120, nil, []int{12}, func(t int) float64 { return 1.5 * math.Sin(2*math.Pi*float64(t)/12) }, "white"},
		{"sine 12 in three years", 36, []int{12}, []int{12}, func(t int) float64 { return 2.5 * math.Sin(2*math.Pi*float64(t)/12) }, "white"},
		{"sine 12 in two years", 24, []int{12}, []int{12}, func(t int) float64 { return 5 * math.Sin(2*math.Pi*float64(t)/12) }, "white"},
		{"weekend in a walk", 400, []int{7}, []int{7}, func(t int) float64 { return 3 * boolean(t%7 >= 5) }, "walk"},
		{"weekend unnamed", 400, nil, []int{7}, func(t int) float64 { return 3 * boolean(t%7 >= 5) }, "walk+noise"},
		{"one day in 10", 300, nil, []int{10}, func(t int) float64 { return 4 * boolean(t%10 == 3) }, "white"},
		{"day and week of hours", 24 * 7 * 6, []int{24, 168}, []int{24, 168}, func(t int) float64 {
			return 3*math.Sin(2*math.Pi*float64(t)/24) + 2*boolean(t%168 >= 120)
		}, "ar1"},
		{"week and year of days", 1500, []int{7, 365}, []int{7, 365}, func(t int) float64 {
			return 1.5*boolean(t%7 == 5) + 1.2*math.Cos(2*math.Pi*float64(t)/365)
		}, "white"},
		{"alternating", 100, []int{2}, []int{2}, func(t int) float64 { return 1.5 * float64(t%2) }, "white"},
		{"quarter with a trend", 60, []int{4}, []int{4}, func(t int) float64 { return float64(t) + 3*boolean(t%4 == 1) }, "white"},
		{"intermittent weekly", 700, []int{7}, []int{7}, func(t int) float64 { return 4 * boolean(t%7 == 2) }, "intermittent"},
	} {
		hit := 0
		const runs = 20
		var last []Period
		y := make([]float64, k.n)
		for range runs {
			noises[k.noise](random, y)
			for t := range y {
				y[t] += k.make(t)
			}
			last = d.Detect(y, DetectOptions{Natural: k.natural})
			got := lengths(last)
			slices.Sort(got)
			if slices.Equal(got, k.want) {
				hit++
			}
		}
		t.Logf("%s: %d of %d exact; last %+v", k.name, hit, runs, last)
		if hit < runs*9/10 {
			t.Errorf("%s: %d of %d exact; last %+v", k.name, hit, runs, last)
		}
	}
}

func boolean(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func TestDetectIgnoresLevelScaleAndMissing(t *testing.T) {
	y := classic(t, "nottem")
	want := DetectPeriods(y, DetectOptions{})
	scaled := slices.Clone(y)
	for t := range scaled {
		scaled[t] = 1e6 - 1e3*scaled[t] + 50*float64(t)
	}
	got := DetectPeriods(scaled, DetectOptions{})
	if !slices.Equal(lengths(got), lengths(want)) || math.Abs(got[0].Strength-want[0].Strength) > 1e-6 {
		t.Errorf("scaled: %+v, want %+v", got, want)
	}
	holes := append([]float64{math.NaN(), math.NaN()}, y...)
	random := rand.New(rand.NewPCG(1, 1))
	for t := range holes {
		if random.Float64() < 0.1 {
			holes[t] = math.NaN()
		}
	}
	if got := DetectPeriods(holes, DetectOptions{}); !slices.Equal(lengths(got), []int{12}) {
		t.Errorf("with holes: %+v", got)
	}
	nan := math.NaN()
	for name, y := range map[string][]float64{
		"empty": nil, "short": {1, 2, 1, 2, 1, 2}, "constant": slices.Repeat([]float64{3}, 50), "missing": slices.Repeat([]float64{nan}, 50),
		"mostly missing": slices.Repeat([]float64{1, nan, nan, nan}, 20), "line": {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12},
		"infinite": append(slices.Repeat([]float64{1, 2}, 10), math.Inf(1)), "one sale": append(make([]float64, 60), 1, 0, 0, 0),
	} {
		if got := DetectPeriods(y, DetectOptions{Natural: []int{2, 7}}); len(got) > 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func BenchmarkDetect(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 5))
	y := make([]float64, 1900)
	noises["walk+noise"](random, y)
	for t := range y {
		y[t] += 2 * boolean(t%7 >= 5)
	}
	var d Detector
	b.ReportAllocs()
	for b.Loop() {
		d.Detect(y, DetectOptions{Natural: []int{7, 365}})
	}
}
