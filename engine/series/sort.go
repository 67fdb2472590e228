package series

import (
	"math/bits"
	"slices"
)

// sorter sorts times stably and remembers the permutation; its scratch is reused from group to group.
type sorter struct {
	rows, spare []timedRow
	order       []uint32
	values      []float64
}

type timedRow struct {
	key uint64 // time less the smallest
	row uint32
}

// digitBits is the width of a radix digit: 2048 counters fit the first-level cache.
const digitBits = 11

// smallSort is the length up to which comparing beats counting.
const smallSort = 512

// sort sorts times ascending and returns the row that each now comes from. At most 2^32 rows.
func (s *sorter) sort(times []int64) []uint32 {
	n := len(times)
	smallest := slices.Min(times)
	s.rows = slices.Grow(s.rows[:0], n)[:n]
	largest := uint64(0)
	for i, t := range times {
		key := uint64(t) - uint64(smallest)
		s.rows[i] = timedRow{key, uint32(i)}
		largest = max(largest, key)
	}
	if n <= smallSort {
		slices.SortFunc(s.rows, func(a, b timedRow) int {
			switch {
			case a.key < b.key || a.key == b.key && a.row < b.row:
				return -1
			case a == b:
				return 0
			}
			return 1
		})
	} else {
		s.radix(bits.Len64(largest))
	}
	s.order = slices.Grow(s.order[:0], n)[:n]
	for i, r := range s.rows {
		times[i] = int64(uint64(smallest) + r.key)
		s.order[i] = r.row
	}
	return s.order
}

// radix sorts rows by the low width bits of their keys, the least significant digit first. Digits that are the same in all keys,
// as the microseconds of dates are, cost one pass of counting.
func (s *sorter) radix(width int) {
	s.spare = slices.Grow(s.spare[:0], len(s.rows))[:len(s.rows)]
	for shift := 0; shift < width; shift += digitBits {
		var counts [1 << digitBits]int
		for _, r := range s.rows {
			counts[r.key>>shift&(1<<digitBits-1)]++
		}
		if counts[s.rows[0].key>>shift&(1<<digitBits-1)] == len(s.rows) {
			continue
		}
		start := 0
		for d, n := range counts {
			counts[d], start = start, start+n
		}
		for _, r := range s.rows {
			d := r.key >> shift & (1<<digitBits - 1)
			s.spare[counts[d]] = r
			counts[d]++
		}
		s.rows, s.spare = s.spare, s.rows
	}
}

// permute puts values into the order that sort returned.
func (s *sorter) permute(values []float64, order []uint32) {
	s.values = append(s.values[:0], values...)
	for i, row := range order {
		values[i] = s.values[row]
	}
}
