package cluster

import (
	"encoding/binary"
	"math"
)

// Points is a table of N points with P coordinates, row by row. No coordinate is NaN.
type Points struct {
	N, P   int
	Values []float64
}

// NewPoints makes a table of zeros.
func NewPoints(n, p int) Points { return Points{n, p, make([]float64, n*p)} }

// Row is point i; it shares the table's memory.
func (x Points) Row(i int) []float64 { return x.Values[i*x.P : (i+1)*x.P : (i+1)*x.P] }

// distinct counts the different points, up to limit.
func (x Points) distinct(limit int) int {
	seen := map[string]bool{}
	var key []byte
	for i := 0; i < x.N && len(seen) < limit; i++ {
		key = key[:0]
		for _, v := range x.Row(i) {
			key = binary.LittleEndian.AppendUint64(key, math.Float64bits(v+0)) // +0 makes -0 equal 0
		}
		seen[string(key)] = true
	}
	return len(seen)
}

// squared is the squared Euclidean distance.
func squared(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(a); i += 4 {
		d0, d1, d2, d3 := a[i]-b[i], a[i+1]-b[i+1], a[i+2]-b[i+2], a[i+3]-b[i+3]
		s0 += d0 * d0
		s1 += d1 * d1
		s2 += d2 * d2
		s3 += d3 * d3
	}
	for ; i < len(a); i++ {
		d := a[i] - b[i]
		s0 += d * d
	}
	return (s0 + s1) + (s2 + s3)
}

// dot is the inner product.
func dot(a, b []float64) float64 {
	b = b[:len(a)]
	var s0, s1, s2, s3 float64
	i := 0
	for ; i+4 <= len(a); i += 4 {
		s0 += a[i] * b[i]
		s1 += a[i+1] * b[i+1]
		s2 += a[i+2] * b[i+2]
		s3 += a[i+3] * b[i+3]
	}
	for ; i < len(a); i++ {
		s0 += a[i] * b[i]
	}
	return (s0 + s1) + (s2 + s3)
}

// standardise scales v to mean 0 and standard deviation 1 (over n), in place. It reports false, and makes v zero, if v is
// constant up to rounding.
func standardise(v []float64) bool {
	var mean, size float64
	for _, x := range v {
		mean += x
		size = max(size, math.Abs(x))
	}
	mean /= float64(len(v))
	ss := 0.0
	for i := range v {
		v[i] -= mean
		ss += v[i] * v[i]
	}
	sd := math.Sqrt(ss / float64(len(v)))
	if !(sd > 1e-12*size) || math.IsInf(sd, 0) {
		clear(v)
		return false
	}
	for i := range v {
		v[i] /= sd
	}
	return true
}
