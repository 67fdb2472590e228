package cluster

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
)

// MaxMatrix is the largest number of points of which KMedoids keeps all distances: 5,000 x 5,000 float32, 100 MB.
const MaxMatrix = 5000

// KMedoidsOptions choose how KMedoids works.
type KMedoidsOptions struct {
	// K is the number of clusters, 1 to the number of points.
	K int
	// Distance is the dissimilarity of points: Euclidean here is the root mean squared difference; Correlation expects points
	// of mean 0.
	Distance Distance
	// Band is the warping band of DTW as a share of the length.
	Band    float64
	Seed    uint64
	Workers int

	sample  int // of CLARA; 0 means the default
	maximum int // in place of MaxMatrix; 0 means that
	steps   *meter
}

// KMedoids groups x around K of its points, so that the sum of distances to them is least: greedy start (BUILD of Kaufman &
// Rousseeuw 1990), then the eager swaps of FasterPAM (Schubert & Rousseeuw 2021, "Fast and eager k-medoids clustering",
// Information Systems 101) until none helps. Above MaxMatrix points it runs on five random samples (Kaufman & Rousseeuw's CLARA,
// each sample after the first holding the best medoids so far) and keeps the medoids with the least sum over all points.
//
// Errors: *CountError for K > N, ErrOption for K < 1, and ctx's, which is polled every row of distances and every candidate.
func KMedoids(ctx context.Context, x Points, o KMedoidsOptions) (*Partition, error) {
	ps, _, err := kMedoids(ctx, x, []int{o.K}, o)
	if err != nil {
		return nil, err
	}
	return ps[0], nil
}

// kMedoids does it for several k, sharing the distances, which it returns unless they were too many.
func kMedoids(ctx context.Context, x Points, ks []int, o KMedoidsOptions) ([]*Partition, *matrix, error) {
	for _, k := range ks {
		if k < 1 {
			return nil, nil, fmt.Errorf("%w: k = %d", ErrOption, k)
		}
		if k > x.N {
			return nil, nil, &CountError{K: k, Series: x.N, Distinct: x.N}
		}
	}
	maximum := o.maximum
	if maximum <= 0 {
		maximum = MaxMatrix
	}
	out := make([]*Partition, len(ks))
	if x.N > maximum {
		for i, k := range ks {
			p, err := clara(ctx, x, k, o)
			if err != nil {
				return nil, nil, err
			}
			out[i] = p
		}
		return out, nil, nil
	}
	d, err := newMatrix(ctx, x, o)
	if err != nil {
		return nil, nil, err
	}
	// BUILD adds one medoid after another, so the start for a smaller k is part of the one for a larger.
	start, err := d.build(ctx, slices.Max(ks), o.Workers)
	if err != nil {
		return nil, nil, err
	}
	err = forEach(ctx, o.Workers, len(ks), func(_, i int) {
		k := ks[i]
		medoids, passes := d.fasterPAM(ctx, slices.Clone(start[:k]))
		if medoids == nil {
			return // cancelled
		}
		slices.Sort(medoids)
		p := &Partition{K: k, Label: make([]int32, x.N), Medoids: medoids, Centres: NewPoints(k, x.P), Iterations: passes}
		for c, m := range medoids {
			copy(p.Centres.Row(c), x.Row(m))
		}
		for j := range x.N {
			best := float32(math.Inf(1))
			for c, m := range medoids {
				if v := d.row(m)[j]; v < best || m == j {
					best, p.Label[j] = v, int32(c)
					if m == j {
						break
					}
				}
			}
			p.Cost += float64(best)
		}
		out[i] = p
		o.steps.step()
	})
	if err != nil {
		return nil, nil, err
	}
	return out, d, nil
}

// matrix holds all distances between n points.
type matrix struct {
	n      int
	values []float32
}

func (d *matrix) row(i int) []float32 { return d.values[i*d.n : (i+1)*d.n] }

// newMatrix computes all distances, row by row in parallel.
func newMatrix(ctx context.Context, x Points, o KMedoidsOptions) (*matrix, error) {
	d := &matrix{x.N, make([]float32, x.N*x.N)}
	measures := newMeasures(x, o.Distance, o.Band, o.Workers)
	// Each element above the diagonal is computed once, by the worker that has its row, and mirrored.
	err := forEach(ctx, o.Workers, x.N, func(worker, i int) {
		measure := measures[worker]
		for j := i + 1; j < x.N; j++ {
			if j%1024 == 0 && ctx.Err() != nil {
				return
			}
			v := float32(measure.pair(i, j))
			d.values[i*x.N+j], d.values[j*x.N+i] = v, v
		}
		o.steps.step()
	})
	return d, err
}

// build picks k medoids greedily: each time the point that lowers the sum of distances most, the first of equals.
func (d *matrix) build(ctx context.Context, k, workers int) ([]int, error) {
	nearest := make([]float32, d.n)
	for i := range nearest {
		nearest[i] = float32(math.Inf(1))
	}
	sums := make([]float64, d.n)
	var medoids []int
	for len(medoids) < k {
		err := forEach(ctx, workers, d.n, func(_, c int) {
			sum := 0.0
			for j, v := range d.row(c) {
				if near := nearest[j]; near < v {
					v = near
				}
				sum += float64(v)
			}
			sums[c] = sum
		})
		if err != nil {
			return nil, err
		}
		at := -1
		for c, sum := range sums {
			if (at < 0 || sum < sums[at]) && !slices.Contains(medoids, c) {
				at = c
			}
		}
		medoids = append(medoids, at)
		for j, v := range d.row(at) {
			nearest[j] = min(nearest[j], v)
		}
	}
	return medoids, nil
}

// fasterPAM swaps a medoid for another point, whenever that lowers the sum of distances, until a whole pass finds none. For each
// candidate one run over the points gives the change for all medoids it could replace: a part they share, and for each medoid
// the loss of removing it (section 3 of the paper). It returns nil when ctx ends.
func (d *matrix) fasterPAM(ctx context.Context, medoids []int) ([]int, int) {
	k := len(medoids)
	if k == 1 { // BUILD's first medoid is the best one
		return medoids, 1
	}
	first := make([]int32, d.n)
	nearest, second := make([]float32, d.n), make([]float32, d.n)
	loss, change := make([]float64, k), make([]float64, k)
	isMedoid := make([]bool, d.n)
	for _, m := range medoids {
		isMedoid[m] = true
	}
	update := func() (total float64) {
		clear(loss)
		for j := range d.n {
			n1, n2, at := float32(math.Inf(1)), float32(math.Inf(1)), int32(0)
			for c, m := range medoids {
				switch v := d.values[m*d.n+j]; {
				case v < n1:
					n1, n2, at = v, n1, int32(c)
				case v < n2:
					n2 = v
				}
			}
			first[j], nearest[j], second[j] = at, n1, n2
			loss[at] += float64(n2) - float64(n1)
			total += float64(n1)
		}
		return total
	}
	total := update()
	passes := 0
	for since, c := 0, 0; since < d.n; c++ {
		if c == d.n {
			c = 0
		}
		if c == 0 {
			passes++
		}
		since++
		if isMedoid[c] {
			continue
		}
		if ctx.Err() != nil {
			return nil, 0
		}
		copy(change, loss)
		shared := 0.0
		for j, v := range d.row(c) {
			if v < nearest[j] {
				shared += float64(v) - float64(nearest[j])
				change[first[j]] += float64(nearest[j]) - float64(second[j])
			} else if v < second[j] {
				change[first[j]] += float64(v) - float64(second[j])
			}
		}
		at := 0
		for m := range change {
			if change[m] < change[at] {
				at = m
			}
		}
		// A gain below rounding error would make equal solutions alternate.
		if shared+change[at] >= -1e-9*(1+total) {
			continue
		}
		isMedoid[medoids[at]], isMedoid[c] = false, true
		medoids[at] = c
		total = update()
		since = 0
	}
	return medoids, passes
}

// clara finds medoids on samples and judges them on all points.
func clara(ctx context.Context, x Points, k int, o KMedoidsOptions) (*Partition, error) {
	size := o.sample
	if size <= 0 {
		size = max(2000, 80+4*k)
	}
	size = max(min(size, x.N), k)
	var best *Partition
	for run := range 5 {
		random := rand.New(rand.NewPCG(o.Seed, uint64(k)<<32|uint64(run)))
		chosen := random.Perm(x.N)[:size]
		if best != nil {
			chosen = append(chosen, best.Medoids...)
		}
		slices.Sort(chosen)
		chosen = slices.Compact(chosen)
		sample := NewPoints(len(chosen), x.P)
		for i, c := range chosen {
			copy(sample.Row(i), x.Row(c))
		}
		so := o
		so.steps = nil
		d, err := newMatrix(ctx, sample, so)
		if err != nil {
			return nil, err
		}
		start, err := d.build(ctx, k, o.Workers)
		if err != nil {
			return nil, err
		}
		medoids, passes := d.fasterPAM(ctx, start)
		if medoids == nil {
			return nil, ctx.Err()
		}
		for i := range medoids {
			medoids[i] = chosen[medoids[i]]
		}
		slices.Sort(medoids)
		p, err := assignMedoids(ctx, x, medoids, o)
		if err != nil {
			return nil, err
		}
		p.Iterations = passes
		if best == nil || p.Cost < best.Cost {
			best = p
		}
		o.steps.step()
	}
	return best, nil
}

// assignMedoids puts every point to its nearest medoid.
func assignMedoids(ctx context.Context, x Points, medoids []int, o KMedoidsOptions) (*Partition, error) {
	p := &Partition{K: len(medoids), Label: make([]int32, x.N), Medoids: medoids, Centres: NewPoints(len(medoids), x.P)}
	for c, m := range medoids {
		copy(p.Centres.Row(c), x.Row(m))
	}
	measures := newMeasures(x, o.Distance, o.Band, o.Workers)
	for _, m := range measures {
		m.setCentres(p.Centres)
	}
	distance := make([]float64, x.N)
	err := forEach(ctx, o.Workers, x.N, func(worker, i int) {
		c, d := measures[worker].nearest(x.Row(i))
		p.Label[i], distance[i] = int32(c), d
	})
	if err != nil {
		return nil, err
	}
	for c, m := range medoids {
		p.Label[m], distance[m] = int32(c), 0
	}
	for _, d := range distance {
		p.Cost += d
	}
	return p, nil
}
