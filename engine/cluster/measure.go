package cluster

import "math"

// measure computes distances between shapes. It is scratch of one goroutine.
type measure struct {
	kind      Distance
	warp      *warper
	centres   Points
	envelopes []envelope
}

func newMeasures(x Points, kind Distance, band float64, workers int) []*measure {
	if band <= 0 {
		band = 0.1
	}
	ms := make([]*measure, workerCount(workers))
	for i := range ms {
		ms[i] = &measure{kind: kind, warp: newWarper(x.P, band)}
	}
	return ms
}

// between is the distance of the package comment, or +Inf if it is DTW and must exceed limit.
func (m *measure) between(a, b []float64, limit float64) float64 {
	p := float64(len(a))
	switch m.kind {
	case Correlation:
		aa, bb := dot(a, a), dot(b, b)
		if aa <= 0 || bb <= 0 {
			return 1
		}
		return min(2, max(0, 1-dot(a, b)/math.Sqrt(aa*bb)))
	case DTW:
		return math.Sqrt(m.warp.cost(a, b, limit*limit*p) / p)
	}
	return math.Sqrt(squared(a, b) / p)
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
		if m.kind == DTW {
			limit := distance * distance * float64(len(a))
			if m.envelopes[c].bound(a, limit) >= limit && c > 0 {
				continue
			}
		}
		if d := m.between(a, m.centres.Row(c), distance); d < distance {
			at, distance = c, d
		}
	}
	return at, distance
}
