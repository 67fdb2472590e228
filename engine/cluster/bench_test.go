package cluster

import (
	"math/rand/v2"
	"testing"
)

// store is like a shop's panel: 3,049 daily series of 1,900 days, a part of which begins late.
func store() []Series {
	random := rand.New(rand.NewPCG(1, 2))
	series := make([]Series, 3049)
	for i := range series {
		begin := 0
		if i%4 == 0 {
			begin = random.IntN(1200)
		}
		y := make([]float64, 1900-begin)
		level, slope := 5.0, random.NormFloat64()/500
		for t := range y {
			level += 0.05 * random.NormFloat64()
			y[t] = max(0, level+slope*float64(t)+float64(t%7)+2*random.NormFloat64())
		}
		series[i] = Series{Y: y, Offset: begin}
	}
	return series
}

func BenchmarkTrends(b *testing.B) {
	series := store()
	for _, k := range []struct {
		name string
		o    Options
	}{
		{"kmeans k=6", Options{K: 6}},
		{"kmeans auto", Options{}},
		{"kmedoids k=6", Options{K: 6, Algorithm: KMedoidsAlgorithm}},
		{"kmedoids dtw k=6", Options{K: 6, Algorithm: KMedoidsAlgorithm, Distance: DTW}},
		{"kmedoids dtw auto", Options{Algorithm: KMedoidsAlgorithm, Distance: DTW}},
		{"kmedoids dtw k=6 128 points", Options{K: 6, Algorithm: KMedoidsAlgorithm, Distance: DTW, Periods: []int{}}},
	} {
		if k.o.Periods == nil {
			k.o.Periods = []int{7, 365}
		}
		b.Run(k.name, func(b *testing.B) {
			for b.Loop() {
				r, err := Trends(b.Context(), series, k.o)
				if err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(float64(r.K), "clusters")
			}
		})
	}
}
