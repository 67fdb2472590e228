package cluster

import (
	"context"
	"math"
)

// MaxExactSilhouette is the largest number of points whose silhouettes are computed from all pairs; above it they are
// simplified: distances to the centres stand for mean distances to the members (Hruschka, de Castro & Campello 2004).
const MaxExactSilhouette = 5000

// Silhouette is each point's silhouette (Rousseeuw 1987): with a the mean distance to the other members of its cluster and b the
// least mean distance to the members of another, (b-a)/max(a,b); 0 for the only member of a cluster. It needs 2 clusters at
// least; labels count from 0. All pairs of points are measured. It polls ctx at every point.
func Silhouette(ctx context.Context, x Points, labels []int32, distance Distance, band float64, workers int) ([]float64, error) {
	out, err := silhouettes(ctx, x, [][]int32{labels}, distance, band, workers, nil)
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// silhouettes does it for several partitions, measuring each pair once. Known distances may be given.
func silhouettes(ctx context.Context, x Points, labels [][]int32, kind Distance, band float64, workers int, known *matrix) ([][]float64, error) {
	out := make([][]float64, len(labels))
	sizes := make([][]int, len(labels))
	for p, label := range labels {
		out[p] = make([]float64, x.N)
		for _, c := range label {
			for int(c) >= len(sizes[p]) {
				sizes[p] = append(sizes[p], 0)
			}
			sizes[p][c]++
		}
	}
	measures := newMeasures(x, kind, band, workers)
	rows := make([][]float64, len(measures))
	err := forEach(ctx, workers, x.N, func(worker, i int) {
		if rows[worker] == nil {
			rows[worker] = make([]float64, x.N)
		}
		d := rows[worker]
		for j := range d {
			switch {
			case known != nil:
				d[j] = float64(known.row(i)[j])
			case j == i:
				d[j] = 0
			default:
				d[j] = measures[worker].pair(i, j)
			}
		}
		var sums [64]float64
		for p, label := range labels {
			sum := sums[:0]
			if len(sizes[p]) > len(sums) {
				sum = make([]float64, 0, len(sizes[p]))
			}
			sum = sum[:len(sizes[p])]
			clear(sum)
			for j, v := range d {
				sum[label[j]] += v
			}
			out[p][i] = width(sum, sizes[p], int(label[i]))
		}
	})
	return out, err
}

// width is a silhouette from the sums of distances to the clusters' members.
func width(sums []float64, sizes []int, own int) float64 {
	if sizes[own] <= 1 {
		return 0
	}
	a := sums[own] / float64(sizes[own]-1)
	b := math.Inf(1)
	for c, s := range sums {
		if c != own && sizes[c] > 0 {
			b = min(b, s/float64(sizes[c]))
		}
	}
	return ratio(a, b)
}

func ratio(a, b float64) float64 {
	if m := max(a, b); m > 0 && !math.IsInf(m, 0) {
		return (b - a) / m
	}
	return 0
}

// simplified is the silhouette of every point from its distances to the centres.
func simplified(ctx context.Context, x Points, p *Partition, kind Distance, band float64, workers int) ([]float64, error) {
	out := make([]float64, x.N)
	sizes := make([]int, p.K)
	for _, c := range p.Label {
		sizes[c]++
	}
	measures := newMeasures(x, kind, band, workers)
	err := forEach(ctx, workers, x.N, func(worker, i int) {
		if sizes[p.Label[i]] > 1 {
			out[i] = measures[worker].simplified(x.Row(i), p.Centres, int(p.Label[i]))
		}
	})
	return out, err
}

func (m *measure) simplified(row []float64, centres Points, own int) float64 {
	a, b := 0.0, math.Inf(1)
	for c := range centres.N {
		if d := m.between(row, centres.Row(c), math.Inf(1)); c == own {
			a = d
		} else {
			b = min(b, d)
		}
	}
	return ratio(a, b)
}

func mean(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum / float64(len(v))
}
