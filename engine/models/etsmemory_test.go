package models

import (
	"context"
	"slices"
	"testing"

	"github.com/almanacdb/almanac/engine/series"
)

// A fit must own its parameters: the workspace it came from serves the next series.
func TestETSFitKeepsItsMemory(t *testing.T) {
	first, second := make([]float64, 60), make([]float64, 60)
	for i := range first {
		first[i] = 100 + 20*float64(i%12) + float64(i)
		second[i] = 500 - 9*float64((i*7)%12) + 2*float64(i%5)
	}
	m, err := ETS().New("(A,N,A)")
	if err != nil {
		t.Fatal(err)
	}
	fit, err := m.Fit(context.Background(), series.Series{Y: first, Periods: []int{12}})
	if err != nil {
		t.Fatal(err)
	}
	before := slices.Clone(fit.FittedValues(nil))
	for range 3 {
		if _, err := m.Fit(context.Background(), series.Series{Y: second, Periods: []int{12}}); err != nil {
			t.Fatal(err)
		}
	}
	if after := fit.FittedValues(nil); !slices.Equal(before, after) {
		t.Errorf("fitted values changed after other fits: first was %g, is %g", before[0], after[0])
	}
}
