package cluster

import "math"

// measure computes distances between shapes. It is scratch of one goroutine.
type measure struct {
	kind      Distance
	warp      *warper
	points    Points
	grid      []int32   // points on the warper's grid, for DTW
	lengths   []float64 // of the points, for Correlation
	centres   Points
	envelopes []envelope
}

// newMeasures makes one measure per worker for the points x, and for centres and parts of curves that are no greater than
// standardised ones.
func newMeasures(x Points, kind Distance, band float64, workers int) []*measure {
	if band <= 0 {
		band = 0.1
	}
	greatest := math.Sqrt(float64(x.P))
	var grid []int32
	var lengths []float64
	switch kind {
	case DTW:
		for _, v := range x.Values {
			greatest = max(greatest, math.Abs(v))
		}
		grid = newWarper(x.P, band, greatest).grid(make([]int32, 0, len(x.Values)), x.Values)
	case Correlation:
		lengths = make([]float64, x.N)
		for i := range lengths {
			lengths[i] = math.Sqrt(dot(x.Row(i), x.Row(i)))
		}
	}
	ms := make([]*measure, workerCount(workers))
	for i := range ms {
		ms[i] = &measure{kind: kind, warp: newWarper(x.P, band, greatest), points: x, grid: grid, lengths: lengths}
	}
	return ms
}

// pair is the distance between points i and j.
func (m *measure) pair(i, j int) float64 {
	p := m.points.P
	switch m.kind {
	case Correlation:
		return correlationDistance(dot(m.points.Row(i), m.points.Row(j)), m.lengths[i]*m.lengths[j])
	case DTW:
		return math.Sqrt(m.warp.gridCost(m.grid[i*p:(i+1)*p], m.grid[j*p:(j+1)*p], math.Inf(1)) / float64(p))
	}
	return math.Sqrt(squared(m.points.Row(i), m.points.Row(j)) / float64(p))
}

// between is the distance of the package comment, or +Inf if it is DTW and must exceed limit.
func (m *measure) between(a, b []float64, limit float64) float64 {
	p := float64(len(a))
	switch m.kind {
	case Correlation:
		return correlationDistance(dot(a, b), math.Sqrt(dot(a, a))*math.Sqrt(dot(b, b)))
	case DTW:
		return math.Sqrt(m.warp.cost(a, b, limit*limit*p) / p)
	}
	return math.Sqrt(squared(a, b) / p)
}

func correlationDistance(product, lengths float64) float64 {
	if lengths <= 0 {
		return 1
	}
	return min(2, max(0, 1-product/lengths))
}

// setCentres prepares for nearest.
func (m *measure) setCentres(centres Points) {
	m.centres = centres
	m.envelopes = m.envelopes[:0]
	if m.kind == DTW {
		for c := range centres.N {
			m.envelopes = append(m.envelopes, m.warp.envelope(centres.Row(c)))
		}
	}
}

// nearest is the centre nearest to a, the first of equals. With DTW most centres are ruled out by their lower bound.
func (m *measure) nearest(a []float64) (at int, distance float64) {
	distance = math.Inf(1)
	for c := range m.centres.N {
		if m.kind == DTW && c > 0 {
			limit := distance * distance * float64(len(a))
			if m.envelopes[c].bound(a, limit) >= limit {
				continue
			}
		}
		if d := m.between(a, m.centres.Row(c), distance); d < distance {
			at, distance = c, d
		}
	}
	return at, distance
}
