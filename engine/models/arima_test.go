package models

import (
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/models/modeltest"
	"github.com/almanacdb/almanac/engine/series"
)

func TestARIMAConformance(t *testing.T) { modeltest.Run(t, ARIMA(), nil) }

func TestARIMASyntax(t *testing.T) {
	for text, want := range map[string]string{
		"(0,1,1)(0,1,1)[12] with drift":        "", // two differences take no drift
		"(0,1,1)(0,1,1)[12]":                   "ARIMA(0,1,1)(0,1,1)[12]",
		" ( 2 , 0,0)(1,1,0) [12]  with  Drift": "ARIMA(2,0,0)(1,1,0)[12] with drift",
		"ARIMA(1,0,0)":                         "ARIMA(1,0,0) with non-zero mean",
		"(1,0,0) with zero mean":               "ARIMA(1,0,0) with zero mean",
		"(1,0,0) with non-zero mean":           "ARIMA(1,0,0) with non-zero mean",
		"(1,0,0) with drift":                   "ARIMA(1,0,0) with drift",
		"(0,1,0)(0,0,0)[12]":                   "ARIMA(0,1,0)",
		"(1,1,0) with regressors":              "ARIMA(1,1,0)",
		"(1,0,0) with drift and regressors":    "ARIMA(1,0,0) with drift",
		"(1,1,0) with mean":                    "",
		"(0,2,1) with drift":                   "",
		"(0,3,1)(0,1,0)":                       "",
		"(61,0,0)":                             "",
		"(1,0)":                                "",
		"(1,0,0)(0,1,0)[1]":                    "",
		"(1,0,0)(0,1,0)[9999]":                 "",
		"(1,0,0) with trend":                   "",
		"auto":                                 "",
		"(-1,0,0)":                             "",
	} {
		m, err := ARIMA().New(text)
		if want == "" {
			if !errors.Is(err, engine.ErrSyntax) {
				t.Errorf("%q: %v, want ErrSyntax", text, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%q: %v", text, err)
		} else if got := m.(arimaFixed).order.String(); got != want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
	s := series.Series{Y: simulated(48, 12, 1).Y, Periods: []int{12}}
	f, err := mustNew(t, ARIMA(), "(0,1,1)(0,1,1)").Fit(t.Context(), s)
	if err != nil || f.Describe().Model != "ARIMA(0,1,1)(0,1,1)[12]" {
		t.Errorf("the period does not come from the series: %v", err)
	}
	s.Periods = nil
	if _, err := mustNew(t, ARIMA(), "(0,1,1)(0,1,1)").Fit(t.Context(), s); !errors.Is(err, engine.ErrSyntax) {
		t.Errorf("a seasonal form without a period: %v", err)
	}
	if _, err := mustNew(t, ARIMA(), "(0,1,1)(0,1,1)[24]").Fit(t.Context(), series.Series{Y: s.Y[:27]}); !errors.Is(err, engine.ErrTooShort) {
		t.Errorf("27 observations for period 24: %v", err)
	}
}

// reference reads the observations of a classic.
func classic(t *testing.T, id string) []float64 {
	t.Helper()
	for _, r := range arimaReference(t, classicsFolder()) {
		if r.ID == id {
			return r.series().Y
		}
	}
	t.Fatalf("%s is missing from testdata/reference", id)
	return nil
}

// expectFit compares with numbers of R's forecast::Arima (method ML, R 4.2.2, forecast 8.20).
func expectFit(t *testing.T, f engine.Fitted, future [][]float64, params map[string]float64, loglik, sigma2 float64, mean, upper95 []float64) {
	t.Helper()
	d := f.Describe()
	for _, p := range d.Params {
		if want, ok := params[p.Name]; !ok || math.Abs(p.Value-want) > 2e-4*math.Max(1, math.Abs(want)) {
			t.Errorf("%s: %s = %v, want %v", d.Model, p.Name, p.Value, want)
		}
	}
	if len(d.Params) != len(params) {
		t.Errorf("%s: parameters %v", d.Model, d.Params)
	}
	if math.Abs(d.LogLik-loglik) > 2e-3 || math.Abs(d.Sigma2/sigma2-1) > 2e-3 {
		t.Errorf("%s: log likelihood %v and sigma2 %v, want %v and %v", d.Model, d.LogLik, d.Sigma2, loglik, sigma2)
	}
	var fc engine.Forecast
	fc.Reset(len(mean), rLevels)
	if err := f.Forecast(t.Context(), &fc, future); err != nil {
		t.Fatal(err)
	}
	for h := range mean {
		half := upper95[h] - mean[h]
		if math.Abs(fc.Mean[h]-mean[h]) > 1e-3*half || math.Abs(fc.Quantiles[3][h]-upper95[h]) > 2e-3*half {
			t.Errorf("%s: step %d is %v up to %v, want %v up to %v", d.Model, h+1, fc.Mean[h], fc.Quantiles[3][h], mean[h], upper95[h])
		}
	}
}

// TestARIMAMissing: R's results on series with holes, few (dummies) and many (filter), near the end, too.
func TestARIMAMissing(t *testing.T) {
	air := classic(t, "AirPassengers")
	for _, i := range []int{20, 21, 77} {
		air[i-1] = math.NaN()
	}
	f, err := mustNew(t, ARIMA(), "(0,1,1)(0,1,1)").Fit(t.Context(), series.Series{Y: air, Periods: []int{12}})
	if err != nil {
		t.Fatal(err)
	}
	expectFit(t, f, nil, map[string]float64{"ma1": -0.3161394131, "sma1": -0.1135079546}, -498.430474054, 139.9588022,
		[]float64{447.1738044, 422.0431448, 453.8852593}, []float64{470.3609986, 450.1337899, 486.1423936})

	nile := classic(t, "Nile")
	for i := 20; i <= 29; i++ {
		nile[i-1] = math.NaN()
	}
	for i := 95; i <= 99; i++ {
		nile[i-1] = math.NaN()
	}
	f, err = mustNew(t, ARIMA(), "(1,0,0)").Fit(t.Context(), series.Series{Y: nile})
	if err != nil {
		t.Fatal(err)
	}
	expectFit(t, f, nil, map[string]float64{"ar1": 0.40598253, "intercept": 903.43131755}, -543.124063456, 21140.93985,
		[]float64{837.0810578, 876.4942712, 892.4953473}, []float64{1122.058337, 1184.061446, 1203.628426})

	for i := 50; i < 60; i++ { // too many for dummies now; the search, too
		nile[i] = math.NaN()
	}
	if d, err := prepareARIMA(series.Series{Y: nile}); err != nil || !d.filterGaps() {
		t.Fatalf("the filter is not used: %v", err)
	}
	for _, args := range []string{"(1,0,0)", ""} {
		f, err := mustNew(t, ARIMA(), args).Fit(t.Context(), series.Series{Y: nile})
		if err != nil {
			t.Fatal(err)
		}
		for i, v := range f.FittedValues(nil) {
			if math.IsNaN(v) && i > 3 {
				t.Errorf("%s has no fitted value at %d", f.Describe().Model, i)
			}
		}
	}
}

// TestARIMATrailing: missing values at the end are steps of the forecast, those at the start do not matter.
func TestARIMATrailing(t *testing.T) {
	y := classic(t, "LakeHuron")
	m := mustNew(t, ARIMA(), "(1,1,1)")
	nan := math.NaN()
	f1, whole := fitForecast(t, m, series.Series{Y: y}, 10)
	f2, padded := fitForecast(t, m, series.Series{Y: append(append([]float64{nan, nan}, y...), nan, nan, nan)}, 7)
	for h, v := range padded.Mean {
		if math.Abs(v-whole.Mean[h+3]) > 1e-9*math.Abs(v) || math.Abs(padded.Quantiles[0][h]-whole.Quantiles[0][h+3]) > 1e-9*math.Abs(v) {
			t.Errorf("step %d: %v and %v", h+1, v, whole.Mean[h+3])
		}
	}
	a, b := f1.FittedValues(nil), f2.FittedValues(nil)
	for i := 1; i < len(a); i++ {
		if math.Abs(a[i]-b[i+2]) > 1e-9*math.Abs(a[i]) {
			t.Fatalf("fitted value %d: %v and %v", i, a[i], b[i+2])
		}
	}
}

// TestARIMARegressors: regression with ARMA errors as R estimates it, coefficients after the constant.
func TestARIMARegressors(t *testing.T) {
	y := classic(t, "LakeHuron")
	z := make([]float64, len(y)+3)
	for i := range z {
		z[i] = float64((i + 1) % 7)
	}
	for i := range y {
		y[i] += 0.3 * z[i]
	}
	s := series.Series{Y: y, X: [][]float64{z}}
	f, err := mustNew(t, ARIMA(), "(2,0,0)").Fit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	expectFit(t, f, [][]float64{z[len(y):]}, map[string]float64{
		"ar1": 1.0578342174, "ar2": -0.2636104401, "intercept": 578.9503134421, "xreg1": 0.3339109375,
	}, -102.989491476, 0.4925489839, []float64{580.1582298, 580.2765243, 580.4181157}, []float64{581.5337685, 582.2788727, 582.7405884})
	if got := f.Describe().Model; got != "ARIMA(2,0,0) with non-zero mean and regressors" {
		t.Errorf("label %q", got)
	}
	var fc engine.Forecast
	fc.Reset(3, nil)
	if err := f.Forecast(t.Context(), &fc, nil); !errors.Is(err, engine.ErrMissing) {
		t.Errorf("forecast without the regressor: %v", err)
	}
	if err := f.Forecast(t.Context(), &fc, [][]float64{{1, 2}}); !errors.Is(err, engine.ErrMissing) {
		t.Errorf("forecast with a short regressor: %v", err)
	}

	// The search, with a second regressor that repeats the first and one that is constant: neither may break it.
	ones := make([]float64, len(z))
	for i := range ones {
		ones[i] = 4
	}
	s.X = [][]float64{z, ones, z}
	f, err = mustNew(t, ARIMA(), "").Fit(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	d := f.Describe()
	sum := 0.0
	for _, p := range d.Params {
		if strings.HasPrefix(p.Name, "xreg") {
			sum += p.Value
		}
	}
	if !(sum > 0.2 && sum < 0.45) {
		t.Errorf("%s: %v", d.Model, d.Params)
	}
}

// TestARIMAUnits: likelihoods are those of the series in its own units.
func TestARIMAUnits(t *testing.T) {
	y := classic(t, "lynx")
	big := make([]float64, len(y))
	for i, v := range y {
		big[i] = 1e100 * v
	}
	m := mustNew(t, ARIMA(), "(2,0,0)")
	f, err := m.Fit(t.Context(), series.Series{Y: y})
	if err != nil {
		t.Fatal(err)
	}
	g, err := m.Fit(t.Context(), series.Series{Y: big})
	if err != nil {
		t.Fatal(err)
	}
	a, b := f.Describe(), g.Describe()
	if want := a.LogLik - float64(len(y))*math.Log(1e100); math.Abs(b.LogLik/want-1) > 1e-9 {
		t.Errorf("log likelihood %v, want %v", b.LogLik, want)
	}
	if math.Abs(b.Sigma2/1e200/a.Sigma2-1) > 1e-6 {
		t.Errorf("sigma2 %v and %v", a.Sigma2, b.Sigma2)
	}
}

// TestARIMACoverage: intervals of the true order cover what they say on simulated ARIMA(1,1,1) series.
func TestARIMACoverage(t *testing.T) {
	m := mustNew(t, ARIMA(), "(1,1,1)")
	const runs, n, h = 120, 150, 6
	covered := 0
	for seed := range runs {
		y := simulatedARIMA(n+h, uint64(seed))
		_, fc := fitForecast(t, m, series.Series{Y: y[:n]}, h)
		for i := range h {
			if v := y[n+i]; v >= fc.Quantiles[0][i] && v <= fc.Quantiles[3][i] {
				covered++
			}
		}
	}
	// Steps of one series depend on each other: three standard errors of 120 independent ones.
	if share := float64(covered) / (runs * h); share < 0.95-0.06 || share > 0.95+0.05 {
		t.Errorf("95 %% intervals cover %.3f", share)
	}
}

// TestARIMALongPeriod: a season beyond the search's limit is said, not silently dropped.
func TestARIMALongPeriod(t *testing.T) {
	s := series.Series{Y: simulated(200, 1, 3).Y, Periods: []int{90}}
	f, err := mustNew(t, ARIMA(), "").Fit(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	if note := f.Describe().Note; !strings.Contains(note, "90") {
		t.Errorf("note %q", note)
	}
}
