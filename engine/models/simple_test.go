package models

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/almanacdb/almanac/engine"
)

// TestBenchmarkMethods compares means and bounds with R's: closed formulas, so only rounding may differ.
func TestBenchmarkMethods(t *testing.T) {
	checkBenchmarkMethods(t, classics(t))
}

func TestBenchmarkMethodsCompetitions(t *testing.T) {
	checkBenchmarkMethods(t, competitionSeries(t))
}

func checkBenchmarkMethods(t *testing.T, all []*rSeries) {
	n := 0
	for _, r := range all {
		for _, c := range []struct {
			spec engine.ModelSpec
			want *rForecast
		}{{Naive(), r.Naive}, {SNaive(), r.SNaive}, {Drift(), r.Drift}} {
			if c.want == nil || c.want.Mean == nil {
				continue
			}
			n++
			_, fc := fitForecast(t, mustNew(t, c.spec, ""), r.series(), len(c.want.Mean))
			limit := 1e-9
			if c.spec.Name == "drift" && c.want.Mean[0] == c.want.Mean[1] {
				limit = 0.02 // R takes off no degree of freedom for a drift that happens to be zero
			}
			if mean, bound := deviation(fc, c.want); mean > 1e-9 || bound > limit {
				t.Errorf("%s %s: mean deviates by %.2g, bounds by %.2g", r.ID, c.spec.Name, mean, bound)
			}
		}
	}
	if n < 40 {
		t.Errorf("only %d comparisons", n)
	}
}

func TestMean(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(repositoryRoot(), "testdata", "reference", "meanf.json"))
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]*rForecast
	if err := json.Unmarshal(data, &want); err != nil {
		t.Fatal(err)
	}
	for _, r := range classics(t) {
		_, fc := fitForecast(t, mustNew(t, Mean(), ""), r.series(), len(want[r.ID].Mean))
		if mean, bound := deviation(fc, want[r.ID]); mean > 1e-9 || bound > 1e-9 {
			t.Errorf("%s: mean deviates by %.2g, bounds by %.2g", r.ID, mean, bound)
		}
	}
}
