package cluster

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
)

// KMeansOptions choose how KMeans works.
type KMeansOptions struct {
	// K is the number of clusters, 1 to the number of different points.
	K int
	// Restarts is the number of k-means++ starts, of which the one with the least cost counts (the first of equals); 10 by
	// default.
	Restarts int
	// Start, if not nil, gives K points to start from instead.
	Start []int
	// Spherical keeps centres on the unit sphere, for points of length 1 (or 0): k-means by correlation (Dhillon & Modha 2001).
	Spherical bool
	// MaxIterations stops Lloyd's iteration; 300 by default.
	MaxIterations int
	Seed          uint64
	// Workers is the number of goroutines; 0 means GOMAXPROCS.
	Workers int

	steps *meter
}

// Partition is a grouping of points.
type Partition struct {
	K int
	// Label is the cluster of each point, 0 to K-1.
	Label []int32
	// Centres are the means, or the medoids' coordinates.
	Centres Points
	// Medoids are the medoid points of KMedoids, nil of KMeans.
	Medoids []int
	// Cost is what the algorithm minimises: the sum of squared distances to the centres, or of distances to the medoids.
	Cost float64
	// Iterations is the number of passes of the run that counts.
	Iterations int
}

// KMeans groups x around K means: Lloyd's iteration from starts drawn by k-means++ (Arthur & Vassilvitskii 2007, "k-means++:
// The Advantages of Careful Seeding"). A cluster that loses all its points takes the point farthest from its centre. Every
// restart has random numbers of its own, derived from Seed, K and its number, and the restarts run in parallel.
//
// Errors: *CountError if x has fewer than K different points, ErrOption for K < 1, and ctx's, which is polled every iteration.
func KMeans(ctx context.Context, x Points, o KMeansOptions) (*Partition, error) {
	if o.K < 1 || (o.Start != nil && len(o.Start) != o.K) {
		return nil, fmt.Errorf("%w: k = %d", ErrOption, o.K)
	}
	if distinct := x.distinct(o.K); distinct < o.K {
		return nil, &CountError{K: o.K, Series: x.N, Distinct: x.distinct(x.N)}
	}
	restarts := o.Restarts
	if restarts <= 0 {
		restarts = 10
	}
	if o.K == 1 || o.Start != nil {
		restarts = 1
	}
	var mu sync.Mutex
	var best *Partition
	bestRun := 0
	err := forEach(ctx, o.Workers, restarts, func(_, run int) {
		start := o.Start
		if start == nil {
			start = plusPlus(x, o.K, rand.New(rand.NewPCG(o.Seed, uint64(o.K)<<32|uint64(run))))
		}
		p := lloyd(ctx, x, start, o)
		mu.Lock()
		defer mu.Unlock()
		if best == nil || p.Cost < best.Cost || (p.Cost == best.Cost && run < bestRun) {
			best, bestRun = p, run
		}
		o.steps.step()
	})
	if err != nil {
		return nil, err
	}
	return best, nil
}

// plusPlus draws k starting points, each with probability proportional to the squared distance to those drawn before.
func plusPlus(x Points, k int, random *rand.Rand) []int {
	start := []int{random.IntN(x.N)}
	nearest := make([]float64, x.N)
	for i := range nearest {
		nearest[i] = math.Inf(1)
	}
	for {
		total := 0.0
		last := x.Row(start[len(start)-1])
		for i := range nearest {
			nearest[i] = min(nearest[i], squared(x.Row(i), last))
			total += nearest[i]
		}
		if len(start) == k {
			return start
		}
		at := random.Float64() * total
		chosen := -1
		for i, d := range nearest {
			if d <= 0 {
				continue
			}
			chosen = i // rounding may leave at > 0 at the end: then the last candidate
			if at -= d; at < 0 {
				break
			}
		}
		if chosen < 0 { // only points a rounding error apart are left
			chosen = random.IntN(x.N)
		}
		start = append(start, chosen)
	}
}

// lloyd iterates from the starting points until no point changes its cluster. It finds the nearest centres with the bounds of
// Hamerly (2010, "Making k-means even faster"), which spare most distances and change no result.
func lloyd(ctx context.Context, x Points, start []int, o KMeansOptions) *Partition {
	limit := o.MaxIterations
	if limit <= 0 {
		limit = 300
	}
	k := len(start)
	p := &Partition{K: k, Label: make([]int32, x.N), Centres: NewPoints(k, x.P)}
	for c, i := range start {
		copy(p.Centres.Row(c), x.Row(i))
	}
	for i := range p.Label {
		p.Label[i] = -1
	}
	b := &bounds{own: make([]float64, x.N), other: make([]float64, x.N), half: make([]float64, k), moved: make([]float64, k)}
	size := make([]int, k)
	before := NewPoints(k, x.P)
	for p.Iterations = 1; ; p.Iterations++ {
		changed := p.assign(x, b, size)
		if slices.Contains(size, 0) {
			distance := p.distances(x)
			changed = p.fillEmpty(distance, size) || changed
			b.forget()
		}
		if !changed || p.Iterations > limit || ctx.Err() != nil {
			break
		}
		copy(before.Values, p.Centres.Values)
		p.moveCentres(x, size, o.Spherical)
		b.move(before, p.Centres, p.Label)
	}
	p.Cost = 0
	for _, d := range p.distances(x) {
		p.Cost += d
	}
	return p
}

// distances is the squared distance of every point to its centre.
func (p *Partition) distances(x Points) []float64 {
	out := make([]float64, x.N)
	for i, c := range p.Label {
		out[i] = squared(x.Row(i), p.Centres.Row(int(c)))
	}
	return out
}

// bounds are what is known of distances without computing them: own is at least the distance of a point to its centre, other
// at most its distance to any other one, half half the distance of a centre to the nearest other centre.
type bounds struct{ own, other, half, moved []float64 }

// forget makes the bounds of all points useless, so that the next pass computes all distances.
func (b *bounds) forget() {
	for i := range b.own {
		b.own[i], b.other[i] = math.Inf(1), 0
	}
}

// move widens the bounds by how far the centres moved.
func (b *bounds) move(before, after Points, label []int32) {
	far := 0.0
	for c := range b.moved {
		b.moved[c] = math.Sqrt(squared(before.Row(c), after.Row(c)))
		far = max(far, b.moved[c])
	}
	for i, c := range label {
		b.own[i] += b.moved[c]
		b.other[i] -= far
	}
	for c := range b.half {
		b.half[c] = math.Inf(1)
		for d := range b.half {
			if c != d {
				b.half[c] = min(b.half[c], math.Sqrt(squared(after.Row(c), after.Row(d)))/2)
			}
		}
	}
}

// assign puts every point to its nearest centre, of equals to its present one or else the first.
func (p *Partition) assign(x Points, b *bounds, size []int) (changed bool) {
	clear(size)
	for i, at := range p.Label {
		if at >= 0 {
			safe := max(b.other[i], b.half[at])
			if b.own[i] < safe {
				size[at]++
				continue
			}
			b.own[i] = math.Sqrt(squared(x.Row(i), p.Centres.Row(int(at))))
			if b.own[i] < safe {
				size[at]++
				continue
			}
		}
		row := x.Row(i)
		best, next, was := math.Inf(1), math.Inf(1), at
		if at >= 0 {
			best = squared(row, p.Centres.Row(int(at)))
		}
		for c := range p.K {
			if int32(c) == was {
				continue
			}
			switch d := squared(row, p.Centres.Row(c)); {
			case d < best:
				best, next, at = d, best, int32(c)
			case d < next:
				next = d
			}
		}
		b.own[i], b.other[i] = math.Sqrt(best), math.Sqrt(next)
		if at != was {
			p.Label[i], changed = at, true
		}
		size[at]++
	}
	return changed
}

// fillEmpty gives each empty cluster the point farthest from its centre, among clusters with several.
func (p *Partition) fillEmpty(distance []float64, size []int) (changed bool) {
	for c := range p.K {
		if size[c] > 0 {
			continue
		}
		far := -1
		for i, d := range distance {
			if size[p.Label[i]] > 1 && (far < 0 || d > distance[far]) {
				far = i
			}
		}
		if far < 0 {
			continue
		}
		size[p.Label[far]]--
		p.Label[far], distance[far], size[c] = int32(c), 0, 1
		changed = true
	}
	return changed
}

func (p *Partition) moveCentres(x Points, size []int, spherical bool) {
	clear(p.Centres.Values)
	for i, c := range p.Label {
		centre := p.Centres.Row(int(c))
		for j, v := range x.Row(i) {
			centre[j] += v
		}
	}
	for c := range p.K {
		centre := p.Centres.Row(c)
		scale := 1 / float64(size[c])
		if spherical {
			scale = 0
			if length := math.Sqrt(dot(centre, centre)); length > 1e-12*float64(size[c]) {
				scale = 1 / length
			}
		}
		for j := range centre {
			centre[j] *= scale
		}
	}
}
