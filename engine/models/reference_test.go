package models

import (
	"context"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// rForecast is a forecast of R's: mean and 80 % and 95 % intervals.
type rForecast struct {
	Mean    []float64 `json:"mean"`
	Lower80 []float64 `json:"lower80"`
	Upper80 []float64 `json:"upper80"`
	Lower95 []float64 `json:"lower95"`
	Upper95 []float64 `json:"upper95"`
	Alpha   float64   `json:"alpha"`
	Error   any       `json:"error"`
}

// rLevels are the probabilities of lower95, lower80, upper80, upper95.
var rLevels = []float64{0.025, 0.1, 0.9, 0.975}

func (f *rForecast) bounds() [][]float64 {
	return [][]float64{f.Lower95, f.Lower80, f.Upper80, f.Upper95}
}

func (f *rForecast) truncate(h int) {
	for _, v := range []*[]float64{&f.Mean, &f.Lower80, &f.Upper80, &f.Lower95, &f.Upper95} {
		*v = (*v)[:h]
	}
}

type rETS struct {
	Model    string             `json:"model"`
	Par      map[string]float64 `json:"par"`
	Init     map[string]float64 `json:"initstate"`
	LogLik   float64            `json:"loglik"`
	AICc     float64            `json:"aicc"`
	Sigma2   float64            `json:"sigma2"`
	Forecast *rForecast         `json:"forecast"`
	Error    any                `json:"error"`
}

// rSeries is one file of testdata/reference.
type rSeries struct {
	ID       string          `json:"id"`
	X        []*float64      `json:"x"`
	M        float64         `json:"seasonal_period"`
	H        int             `json:"h"`
	Naive    *rForecast      `json:"naive"`
	SNaive   *rForecast      `json:"snaive"`
	Drift    *rForecast      `json:"rwf_drift"`
	Theta    *rForecast      `json:"thetaf"`
	STLF     *rForecast      `json:"stlf_ets"`
	ETS      *rETS           `json:"ets"`
	ETSFixed map[string]rETS `json:"ets_fixed"`
}

func (r *rSeries) series() series.Series {
	s := series.Series{}
	for _, v := range r.X {
		if v == nil {
			s.Y = append(s.Y, math.NaN())
		} else {
			s.Y = append(s.Y, *v)
		}
	}
	if r.M > 1 {
		s.Periods = []int{int(r.M)}
	}
	return s
}

func repositoryRoot() string { return filepath.Join("..", "..") }

// classics reads the reference series that the repository ships.
func classics(t testing.TB) []*rSeries {
	t.Helper()
	return readReference(t, filepath.Join(repositoryRoot(), "testdata", "reference"))
}

// competitionSeries reads the reference series of competitions, which live beside the repository, and skips without them.
func competitionSeries(t testing.TB) []*rSeries {
	t.Helper()
	dir := os.Getenv("ALMANAC_SHARED")
	if dir == "" {
		dir = filepath.Join(repositoryRoot(), "..", "shared")
	}
	dir = filepath.Join(dir, "reference")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no reference results of competition series: %v (set ALMANAC_SHARED)", err)
	}
	return readReference(t, dir)
}

func readReference(t testing.TB, dir string) []*rSeries {
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no reference files in %s: %v", dir, err)
	}
	var out []*rSeries
	for _, file := range files {
		switch strings.TrimSuffix(filepath.Base(file), ".json") {
		case "VERSIONS", "statsmodels", "kmeans", "lm_orange_juice", "ets_forms", "meanf":
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		r := new(rSeries)
		if err := json.Unmarshal(data, r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out = append(out, r)
	}
	return out
}

func fitForecast(t testing.TB, m engine.Model, s series.Series, h int) (engine.Fitted, *engine.Forecast) {
	t.Helper()
	f, err := m.Fit(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	var fc engine.Forecast
	fc.Reset(h, rLevels)
	if err := f.Forecast(context.Background(), &fc, nil); err != nil {
		t.Fatal(err)
	}
	return f, &fc
}

func mustNew(t testing.TB, spec engine.ModelSpec, args string) engine.Model {
	t.Helper()
	m, err := spec.New(args)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// deviation is the largest difference of two forecasts' means and bounds, relative to the size of the numbers and of the
// interval, whichever is greater.
func deviation(got *engine.Forecast, want *rForecast) (mean, bound float64) {
	for h, v := range want.Mean {
		unit := math.Max(math.Abs(v), want.Upper95[h]-v)
		mean = math.Max(mean, math.Abs(got.Mean[h]-v)/unit)
		for i, b := range want.bounds() {
			if b[h] == -99999 { // R's mark for a path that left the region where its model is defined
				continue
			}
			bound = math.Max(bound, math.Abs(got.Quantiles[i][h]-b[h])/unit)
		}
	}
	return mean, bound
}
