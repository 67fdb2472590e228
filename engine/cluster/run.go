package cluster

import (
	"context"
	"fmt"
	"math"
	"slices"
)

// resolved returns o with its defaults in place, or ErrOption.
func (o Options) resolved() (Options, error) {
	switch {
	case o.K < 0:
		return o, fmt.Errorf("%w: k = %d; give a number from 1, or auto", ErrOption, o.K)
	case o.Band < 0 || o.Band > 1:
		return o, fmt.Errorf("%w: band = %g is not a share from 0 to 1", ErrOption, o.Band)
	case o.CoverShare < 0 || o.CoverShare > 1:
		return o, fmt.Errorf("%w: cover share %g is not from 0 to 1", ErrOption, o.CoverShare)
	case o.MaxK < 0 || o.MaxK == 1 || o.Restarts < 0 || o.Points < 0 || (o.Points > 0 && o.Points < minPoints):
		return o, fmt.Errorf("%w: at least 2 clusters, 1 restart, %d points", ErrOption, minPoints)
	case o.Distance == DTW && o.Algorithm == KMeansAlgorithm:
		return o, ErrDistance
	}
	if o.MaxK == 0 {
		o.MaxK = 10
	}
	if o.Points == 0 {
		o.Points = 128
	}
	if o.Band == 0 {
		o.Band = 0.1
	}
	if o.CoverShare == 0 {
		o.CoverShare = 0.8
	}
	if o.Restarts == 0 {
		o.Restarts = 10
	}
	return o, nil
}

// Trends clusters series by the shape of their curve; the package comment says how shapes, distances and clusters are made.
// Series are not retained. A series that cannot be clustered has a Status that says why, and no cluster.
//
// Errors: ErrNoSeries if none can be clustered or they have no time in common, *CountError if there are fewer different shapes
// than K, ErrDistance, ErrOption, and ctx's, which is polled at least every series and every iteration.
func Trends(ctx context.Context, series []Series, o Options) (*Result, error) {
	o, err := o.resolved()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &Result{Members: make([]Member, len(series)), Silhouette: math.NaN()}
	sh, err := makeShapes(series, o, r.Members)
	if err != nil {
		return nil, err
	}
	r.First, r.Segment = sh.first, sh.segment
	if sh.points.N == 0 {
		return nil, fmt.Errorf("%w: none covers the common window; set align=stretch to compare whole series", ErrNoSeries)
	}
	p, widths, err := partition(ctx, sh, o)
	if err != nil {
		return nil, err
	}
	if widths != nil {
		r.Silhouette = mean(widths)
	}
	if err := r.place(ctx, sh, p, widths, o); err != nil {
		return nil, err
	}
	r.order()
	for c := range r.Clusters {
		r.Clusters[c].Trend = Describe(r.Clusters[c].Centre, r.positions(o.Periods))
	}
	return r, ctx.Err()
}

// positions turns seasonal periods in observations into periods in positions of a centre: those of at least four positions,
// unless every observation has its own.
func (r *Result) positions(periods []int) (out []int) {
	for _, m := range periods {
		switch {
		case r.Segment == 1:
			out = append(out, m)
		case r.Segment > 1:
			if q := int(math.Round(float64(m) / float64(r.Segment))); q >= 4 {
				out = append(out, q)
			}
		}
	}
	return out
}

// partition groups the whole shapes, choosing the number of groups if it is to be found. widths are the silhouettes, nil for
// a single cluster.
func partition(ctx context.Context, sh *shapes, o Options) (p *Partition, widths []float64, err error) {
	x := sh.points
	distinct := x.distinct(max(o.K, o.MaxK))
	ks := []int{o.K}
	if o.K == 0 {
		ks = ks[:0]
		for k := 2; k <= min(o.MaxK, x.N-1, distinct); k++ {
			ks = append(ks, k)
		}
		if len(ks) == 0 {
			ks = append(ks, 1)
		}
	} else if distinct < o.K {
		return nil, nil, &CountError{K: o.K, Series: x.N, Distinct: x.distinct(x.N)}
	}
	var ps []*Partition
	var d *matrix
	if o.Algorithm == KMedoidsAlgorithm {
		steps := newMeter(o.Progress, x.N+len(ks))
		if x.N > MaxMatrix {
			steps = newMeter(o.Progress, 5*len(ks))
		}
		ps, d, err = kMedoids(ctx, x, ks, KMedoidsOptions{Distance: o.Distance, Band: o.Band, Seed: o.Seed, Workers: o.Workers, steps: steps})
	} else {
		ps, err = kMeansTable(ctx, x, ks, o)
	}
	if err != nil {
		return nil, nil, err
	}
	if ps[0].K == 1 {
		return ps[0], nil, nil
	}
	all, err := widthsOf(ctx, x, ps, d, o)
	if err != nil {
		return nil, nil, err
	}
	best := 0
	for i := range ps {
		if mean(all[i]) > mean(all[best]) {
			best = i
		}
	}
	return ps[best], all[best], nil
}

func kMeansTable(ctx context.Context, x Points, ks []int, o Options) ([]*Partition, error) {
	steps := newMeter(o.Progress, o.Restarts*len(ks))
	if o.Distance == Correlation {
		unit := NewPoints(x.N, x.P)
		for i, v := range x.Values {
			unit.Values[i] = v / math.Sqrt(float64(x.P))
		}
		x = unit
	}
	var ps []*Partition
	for _, k := range ks {
		p, err := KMeans(ctx, x, KMeansOptions{K: k, Restarts: o.Restarts, Spherical: o.Distance == Correlation, Seed: o.Seed, Workers: o.Workers, steps: steps})
		if err != nil {
			return nil, err
		}
		if o.Distance == Correlation { // back to standard deviation 1
			for i := range p.Centres.Values {
				p.Centres.Values[i] *= math.Sqrt(float64(x.P))
			}
		}
		ps = append(ps, p)
	}
	return ps, nil
}

func widthsOf(ctx context.Context, x Points, ps []*Partition, d *matrix, o Options) ([][]float64, error) {
	if x.N <= MaxExactSilhouette {
		labels := make([][]int32, len(ps))
		for i, p := range ps {
			labels[i] = p.Label
		}
		return silhouettes(ctx, x, labels, o.Distance, o.Band, o.Workers, d)
	}
	all := make([][]float64, len(ps))
	for i, p := range ps {
		var err error
		if all[i], err = simplified(ctx, x, p, o.Distance, o.Band, o.Workers); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// place writes members and clusters, numbered as in p plus one.
func (r *Result) place(ctx context.Context, sh *shapes, p *Partition, widths []float64, o Options) error {
	r.K = p.K
	r.Clusters = make([]Cluster, p.K)
	for i := range r.Members {
		r.Members[i].Distance, r.Members[i].Silhouette = math.NaN(), math.NaN()
	}
	measures := newMeasures(sh.points, o.Distance, o.Band, o.Workers)
	err := forEach(ctx, o.Workers, sh.points.N, func(worker, i int) {
		m, c := &r.Members[sh.series[i]], int(p.Label[i])
		m.Cluster = c + 1
		m.Distance = measures[worker].between(sh.points.Row(i), p.Centres.Row(c), math.Inf(1))
		if widths != nil {
			m.Silhouette = widths[i]
		}
	})
	if err != nil {
		return err
	}
	err = forEach(ctx, o.Workers, sh.partial.N, func(worker, i int) {
		m := &r.Members[sh.partialSeries[i]]
		if m.Status != Partial {
			return
		}
		c, d, width := measures[worker].placePartial(sh.partial.Row(i), p.Centres)
		m.Cluster, m.Distance = c+1, d
		if p.K > 1 {
			m.Silhouette = width
		}
	})
	if err != nil {
		return err
	}
	for c := range r.Clusters {
		r.Clusters[c] = Cluster{Medoid: -1, Centre: p.Centres.Row(c)}
	}
	for i, m := range r.Members {
		if m.Cluster == 0 {
			continue
		}
		c := &r.Clusters[m.Cluster-1]
		c.Size++
		c.Silhouette += m.Silhouette
		if m.Status != Partial && (c.Medoid < 0 || m.Distance < r.Members[c.Medoid].Distance) {
			c.Medoid = i
		}
	}
	for c := range r.Clusters {
		if p.Medoids != nil {
			r.Clusters[c].Medoid = sh.series[p.Medoids[c]]
		}
		r.Members[r.Clusters[c].Medoid].Medoid = true
		r.Clusters[c].Silhouette /= float64(r.Clusters[c].Size)
	}
	return nil
}

// placePartial finds the centre nearest to a row over the positions that it has, with the centre scaled to these. The second
// nearest gives the silhouette.
func (m *measure) placePartial(row []float64, centres Points) (at int, distance, silhouette float64) {
	from, to := covered(row)
	part := make([]float64, to-from)
	best, next := math.Inf(1), math.Inf(1)
	for c := range centres.N {
		copy(part, centres.Row(c)[from:to])
		standardise(part)
		switch d := m.between(row[from:to], part, math.Inf(1)); {
		case d < best:
			at, best, next = c, d, best
		case d < next:
			next = d
		}
	}
	return at, best, ratio(best, next)
}

// order renumbers the clusters by size, the largest first, ties by their first series.
func (r *Result) order() {
	first := make([]int, r.K)
	for i := len(r.Members) - 1; i >= 0; i-- {
		if c := r.Members[i].Cluster; c > 0 {
			first[c-1] = i
		}
	}
	rank := make([]int, r.K)
	for c := range rank {
		rank[c] = c
	}
	slices.SortFunc(rank, func(a, b int) int {
		if r.Clusters[a].Size != r.Clusters[b].Size {
			return r.Clusters[b].Size - r.Clusters[a].Size
		}
		return first[a] - first[b]
	})
	number, clusters := make([]int, r.K), make([]Cluster, r.K)
	for n, c := range rank {
		number[c], clusters[n] = n+1, r.Clusters[c]
	}
	r.Clusters = clusters
	for i := range r.Members {
		if c := r.Members[i].Cluster; c > 0 {
			r.Members[i].Cluster = number[c-1]
		}
	}
}
