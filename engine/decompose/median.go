package decompose

import "slices"

// medianTwice is twice the median of x, which it reorders.
//
// Like the program of STL's authors, and R's stl, it asks a partial quicksort for the middle positions n/2+1 and n/2 in this
// order. That procedure expects them ascending, so with an even number of values one of the two may come from a nearby
// rank, and the weights differ from those of the exact median by some hundredths. The outcome is the same on every run; we
// keep it because decompositions are compared with R's. exact asks for the true median.
func medianTwice(x []float64, exact bool) float64 {
	n := len(x)
	if exact || n < 2 {
		slices.Sort(x)
	} else {
		partialSort(x, 0, n-1, []int{n / 2, (n - 1) / 2})
	}
	return x[n/2] + x[(n-1)/2]
}

// partialSort puts the values of the wanted positions in place within x[lo..hi] (R. C. Singleton 1969, CACM algorithm 347,
// cut down to wanted positions by J. M. Chambers 1971, CACM algorithm 410). It is exact for ascending positions.
func partialSort(x []float64, lo, hi int, wanted []int) {
	for lo < hi && len(wanted) > 0 {
		if hi-lo <= 10 && lo > 0 {
			slices.Sort(x[lo : hi+1])
			return
		}
		left, right := split(x, lo, hi)
		if left-lo <= hi-right {
			k := len(wanted)
			for k > 0 && wanted[k-1] > left {
				k--
			}
			partialSort(x, lo, left, wanted[:k])
			lo, wanted = right, wanted[k:]
		} else {
			k := 0
			for k < len(wanted) && wanted[k] < right {
				k++
			}
			partialSort(x, right, hi, wanted[k:])
			hi, wanted = left, wanted[:k]
		}
	}
}

// split partitions x[lo..hi] about the median of its first, middle and last value, returning the end of the lower and the
// start of the upper part.
func split(x []float64, lo, hi int) (left, right int) {
	mid := (lo + hi) / 2
	if x[lo] > x[mid] {
		x[lo], x[mid] = x[mid], x[lo]
	}
	if x[hi] < x[mid] {
		x[hi], x[mid] = x[mid], x[hi]
		if x[lo] > x[mid] {
			x[lo], x[mid] = x[mid], x[lo]
		}
	}
	pivot := x[mid]
	left, right = hi, lo
	for {
		for left--; x[left] > pivot; left-- {
		}
		for right++; x[right] < pivot; right++ {
		}
		if right > left {
			return left, right
		}
		x[left], x[right] = x[right], x[left]
	}
}
