package models

import (
	"math"
	"testing"
)

// TestSTL compares with R's stlf (mstl, then ets without season). The decomposition agrees to rounding; the smoothing may
// find a better optimum or form, as TestETSAutomatic shows, hence the share that must agree.
func TestSTL(t *testing.T) {
	n, agree := 0, 0
	for _, r := range classics(t) {
		if r.STLF == nil || r.STLF.Mean == nil {
			continue
		}
		n++
		f, fc := fitForecast(t, mustNew(t, STL(), ""), r.series(), len(r.STLF.Mean))
		mean, bound := deviation(fc, r.STLF)
		if mean < 0.01 && bound < 0.02 {
			agree++
			continue
		}
		t.Logf("%s: %s: mean differs by %.2g, bounds by %.2g", r.ID, f.Describe().Model, mean, bound)
		// The season alone must agree even then: month-to-month movements do not depend on the smoothing.
		for h := 1; h < len(r.STLF.Mean); h++ {
			d := (fc.Mean[h] - fc.Mean[h-1]) - (r.STLF.Mean[h] - r.STLF.Mean[h-1])
			if math.Abs(d) > 0.05*math.Abs(r.STLF.Mean[h]) {
				t.Errorf("%s: step %d moves by %v more than R's", r.ID, h+1, d)
			}
		}
	}
	if n == 0 || agree*2 < n {
		t.Errorf("%d of %d forecasts agree", agree, n)
	}
}
