package models

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/almanacdb/almanac/engine/series"
)

// rArima is an ARIMA fit of R's forecast package.
type rArima struct {
	Model    string     `json:"model"`
	Coef     rCoefs     `json:"coef"`
	Sigma2   float64    `json:"sigma2"`
	LogLik   float64    `json:"loglik"`
	AIC      *float64   `json:"aic"`
	AICc     *float64   `json:"aicc"`
	BIC      *float64   `json:"bic"`
	Forecast *rForecast `json:"forecast"`
	Error    any        `json:"error"`
}

func (r *rArima) usable() bool {
	return r != nil && r.Error == nil && r.Model != "" && r.Forecast != nil
}

// rCoefs are named coefficients; R writes none of them as an empty list.
type rCoefs map[string]float64

func (c *rCoefs) UnmarshalJSON(data []byte) error {
	if string(data) == "[]" {
		return nil
	}
	m := map[string]float64{}
	err := json.Unmarshal(data, &m)
	*c = m
	return err
}

type rArimaSeries struct {
	rSeries
	Auto  *rArima            `json:"auto.arima"`
	Full  *rArima            `json:"auto.arima_full"`
	Fixed map[string]*rArima `json:"arima_fixed"`
}

// arimaReference reads the ARIMA fields of the series in one of the folders that classics and competitionSeries read.
func arimaReference(t testing.TB, dir string) []*rArimaSeries {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil || len(files) == 0 {
		t.Fatalf("no reference files in %s: %v", dir, err)
	}
	var out []*rArimaSeries
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var has struct {
			Fixed json.RawMessage `json:"arima_fixed"`
		}
		if json.Unmarshal(data, &has) != nil || len(has.Fixed) == 0 {
			continue
		}
		r := new(rArimaSeries)
		if err := json.Unmarshal(data, r); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		out = append(out, r)
	}
	return out
}

func classicsFolder() string { return filepath.Join(repositoryRoot(), "testdata", "reference") }

// competitionFolder skips the test where the competition series are not at hand.
func competitionFolder(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("competition series are not compared in short mode")
	}
	dir := os.Getenv("ALMANAC_SHARED")
	if dir == "" {
		dir = filepath.Join(repositoryRoot(), "..", "shared")
	}
	dir = filepath.Join(dir, "reference")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no reference results of competition series: %v (set ALMANAC_SHARED)", err)
	}
	return dir
}

// params brings R's coefficients into our order.
func (r *rArima) params(o arimaOrder) []float64 {
	var x []float64
	for _, name := range o.names() {
		x = append(x, r.Coef[name])
	}
	return x
}

// logLikAt is the exact log likelihood of given coefficients on the series in its own units, constants at their best. largest
// is the variance of the first innovation, which no other exceeds.
func logLikAt(t *testing.T, s series.Series, o arimaOrder, x []float64) (loglik, largest float64, ok bool) {
	t.Helper()
	d, err := prepareARIMA(s)
	if err != nil {
		t.Fatal(err)
	}
	w := new(arimaWork)
	w.problem, w.order = d.problem(o), o
	w.size(len(x), len(w.problem.differenced[0]))
	e, err := w.describe(x, false)
	if err != nil {
		return 0, 0, false
	}
	return e.loglik - float64(w.problem.used)*math.Log(d.scale), w.exact.innovation[0], true
}

// compareFixed checks the fits of given orders on one folder and counts them.
//
// R approximates the diffuse start of differenced series by a prior variance of 10⁶ where ours is exact, and drops innovations
// with a variance above 10⁴ from the likelihood. So R's log likelihood is taken as one only where our function, at R's
// coefficients, agrees within 0.02; where it does ours may not be lower by more than that.
func compareFixed(t *testing.T, dir string) (compared, better int) {
	for _, r := range arimaReference(t, dir) {
		for key, want := range r.Fixed {
			if !want.usable() {
				continue
			}
			m := mustNew(t, ARIMA(), strings.TrimPrefix(want.Model, "ARIMA")).(arimaFixed)
			switch {
			case strings.HasSuffix(key, "_CSS"):
				continue // see TestARIMAConditional
			case strings.HasSuffix(key, "_ML"):
				m.method = exactLikelihood
			}
			s := r.series()
			at, largest, ok := logLikAt(t, s, m.order, want.params(m.order))
			if !ok {
				t.Errorf("%s %s: no likelihood at R's coefficients", r.ID, key)
				continue
			}
			f, fc := fitForecast(t, m, s, r.H)
			d := f.Describe()
			if d.Model != want.Model {
				t.Errorf("%s %s: label %q, R's is %q", r.ID, key, d.Model, want.Model)
			}
			if d.LogLik < at-1e-6*math.Abs(at) {
				t.Errorf("%s %s: log likelihood %.6f is below %.6f at R's coefficients", r.ID, key, d.LogLik, at)
			}
			if largest > 9e3 {
				continue // R dropped the first term
			}
			compared++
			// At R's coefficients the constants of ours are at their best, R's may not be.
			if at < want.LogLik-0.02 || at > want.LogLik+0.02 && !m.order.mean && !m.order.drift {
				t.Errorf("%s %s: log likelihood at R's coefficients %.5f, R says %.5f", r.ID, key, at, want.LogLik)
			}
			if d.LogLik > want.LogLik+0.02 {
				better++
				continue
			}
			if math.Abs(d.LogLik-want.LogLik) > 1e-4 {
				continue
			}
			// The likelihoods agree to 1e-4, at which a coefficient may still be off by 1.4 % of its standard error.
			mean, bound := deviation(fc, want.Forecast)
			if mean > 2e-3 || bound > 2e-3+0.5*diffuseShare(r, m.order, want) {
				t.Errorf("%s %s: forecasts differ by %.1e, bounds by %.1e", r.ID, key, mean, bound)
			}
			if e := math.Abs(d.Sigma2/want.Sigma2 - 1); e > 2e-3+diffuseShare(r, m.order, want) {
				t.Errorf("%s %s: sigma2 %v, R's is %v", r.ID, key, d.Sigma2, want.Sigma2)
			}
			for name, pair := range map[string][2]float64{"aic": {d.AIC, *want.AIC}, "aicc": {d.AICc, *want.AICc}, "bic": {d.BIC, *want.BIC}} {
				if math.Abs(pair[0]-pair[1]) > 1e-3 {
					t.Errorf("%s %s: %s %v, R's is %v", r.ID, key, name, pair[0], pair[1])
				}
			}
		}
	}
	return compared, better
}

// diffuseShare is what R's prior variance of 10⁶ contributes to its sigma2: the first observations, divided by a thousand, count
// as innovations.
func diffuseShare(r *rArimaSeries, o arimaOrder, want *rArima) float64 {
	y := r.series().Y
	sum := 0.0
	for _, v := range y[:o.lost()] {
		sum += v * v / 1e6
	}
	return sum / float64(len(y)-o.lost()-len(want.Coef)) / want.Sigma2
}

func TestARIMAFixedClassics(t *testing.T) {
	compared, better := compareFixed(t, classicsFolder())
	t.Logf("%d fits compared, in %d ours has the higher likelihood by more than 0.02", compared, better)
	if compared < 150 {
		t.Errorf("only %d fits compared", compared)
	}
}

func TestARIMAFixedCompetitions(t *testing.T) {
	compared, better := compareFixed(t, competitionFolder(t))
	t.Logf("%d fits compared, in %d ours has the higher likelihood by more than 0.02", compared, better)
}

// TestARIMAConditional compares conditional sums of squares. They have several minima: where ours is as low as R's, forecasts
// must agree; where it is not, R's must be one that the exact methods reject, outside the invertible region.
func TestARIMAConditional(t *testing.T) {
	agreed := 0
	for _, r := range arimaReference(t, classicsFolder()) {
		for key, want := range r.Fixed {
			if !want.usable() || !strings.HasSuffix(key, "_CSS") {
				continue
			}
			m := mustNew(t, ARIMA(), strings.TrimPrefix(want.Model, "ARIMA")).(arimaFixed)
			m.method = conditionalSquares
			x := want.params(m.order)
			if !stationary(x[:m.order.p]) {
				continue // nothing to forecast from: the exact filter has no start
			}
			f, err := m.Fit(t.Context(), r.series())
			if err != nil {
				continue // our minimum is lower and not stationary
			}
			d := f.Describe()
			if d.LogLik < want.LogLik-1e-3 && nearestRoot(m.order, x) > 1 {
				t.Errorf("%s %s: conditional likelihood %v, R's is %v", r.ID, key, d.LogLik, want.LogLik)
			}
			if math.Abs(d.LogLik-want.LogLik) > 1e-4 {
				continue
			}
			agreed++
			_, fc := fitForecast(t, m, r.series(), r.H)
			if mean, bound := deviation(fc, want.Forecast); mean > 5e-3 || bound > 5e-3 {
				t.Errorf("%s %s: forecasts differ by %.1e, bounds by %.1e", r.ID, key, mean, bound)
			}
		}
	}
	if agreed < 50 {
		t.Errorf("only %d conditional fits agree with R's", agreed)
	}
}

// TestARIMAStatsmodels compares with SARIMAX on the differenced series: exact likelihood, variance not adjusted.
func TestARIMAStatsmodels(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(classicsFolder(), "statsmodels.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Results []struct {
			ID    string `json:"id"`
			ARIMA []struct {
				Order    [3]int             `json:"order"`
				Seasonal [4]int             `json:"seasonal"`
				Params   map[string]float64 `json:"params"`
				LogLik   float64            `json:"llf_differenced"`
				Mean     []float64          `json:"mean"`
				Lower    []float64          `json:"lower95"`
			} `json:"arima"`
		} `json:"results"`
	}
	if err := json.Unmarshal(data, &file); err != nil {
		t.Fatal(err)
	}
	byID := map[string]*rArimaSeries{}
	for _, r := range arimaReference(t, classicsFolder()) {
		byID[r.ID] = r
	}
	agreed := 0
	for _, sm := range file.Results {
		for _, want := range sm.ARIMA {
			o := arimaOrder{p: want.Order[0], d: want.Order[1], q: want.Order[2], P: want.Seasonal[0], D: want.Seasonal[1], Q: want.Seasonal[2], m: max(1, want.Seasonal[3])}
			s := byID[sm.ID].series()
			f, fc := fitForecast(t, arimaFixed{order: o}, s, len(want.Mean))
			d := f.Describe()
			if d.LogLik < want.LogLik-1e-3 {
				t.Errorf("%s %v: log likelihood %v, statsmodels has %v", sm.ID, o, d.LogLik, want.LogLik)
			}
			if math.Abs(d.LogLik-want.LogLik) > 1e-4 {
				continue // theirs stopped short of the maximum
			}
			agreed++
			n, k := float64(len(s.Y)-o.lost()), float64(o.coefficients())
			shrink := math.Sqrt((n - k) / n)
			for h, mean := range want.Mean {
				half := mean - want.Lower[h]
				// statsmodels starts the differenced states with a finite variance, to which levels are not quite free.
				if math.Abs(fc.Mean[h]-mean) > 1e-2*math.Max(math.Abs(mean), half) {
					t.Errorf("%s %v: step %d is %v, statsmodels has %v", sm.ID, o, h+1, fc.Mean[h], mean)
					break
				}
				if got := (fc.Mean[h] - fc.Quantiles[0][h]) * shrink; math.Abs(got/half-1) > 3e-3 {
					t.Errorf("%s %v: half interval of step %d is %v, statsmodels has %v", sm.ID, o, h+1, got, half)
					break
				}
			}
		}
	}
	if agreed < 25 {
		t.Errorf("only %d fits agree with statsmodels", agreed)
	}
}

// compareAuto runs the searches of one folder. R's own search rejects models for failures of its optimiser, so orders may
// differ; then ours must have an AICc that is no worse than R's by more than slack.
func compareAuto(t *testing.T, dir string, slack float64) (same, total int) {
	for _, r := range arimaReference(t, dir) {
		for _, mode := range []string{"stepwise", "complete"} {
			want, m := r.Auto, arimaAuto{stepwise: true}
			if mode == "complete" {
				want, m = r.Full, arimaAuto{exact: true}
			}
			if !want.usable() || want.AICc == nil {
				continue
			}
			s := r.series()
			if r.M >= 24 { // R's reference was made without season there
				s.Periods = nil
			}
			f, fc := fitForecast(t, m, s, r.H)
			d := f.Describe()
			total++
			if d.Model != want.Model {
				t.Logf("%s %s: %s with AICc %.3f, R chose %s with %.3f", r.ID, mode, d.Model, d.AICc, want.Model, *want.AICc)
				if d.AICc > *want.AICc+slack {
					t.Errorf("%s %s: %s is worse than R's %s", r.ID, mode, d.Model, want.Model)
				}
				continue
			}
			same++
			if d.AICc > *want.AICc+0.02 {
				t.Errorf("%s %s: %s has AICc %v, R's %v", r.ID, mode, d.Model, d.AICc, *want.AICc)
			}
			if mean, _ := deviation(fc, want.Forecast); math.Abs(d.AICc-*want.AICc) < 1e-4 && mean > 2e-3 {
				t.Errorf("%s %s: forecasts of %s differ by %.1e", r.ID, mode, d.Model, mean)
			}
		}
	}
	return same, total
}

func TestARIMAAutoClassics(t *testing.T) {
	same, total := compareAuto(t, classicsFolder(), 0.01)
	t.Logf("%d of %d searches choose R's orders", same, total)
	if same < total*9/10 {
		t.Errorf("only %d of %d", same, total)
	}
}

func TestARIMAAutoCompetitions(t *testing.T) {
	same, total := compareAuto(t, competitionFolder(t), 1)
	t.Logf("%d of %d searches choose R's orders", same, total)
	if same < total*9/10 {
		t.Errorf("only %d of %d", same, total)
	}
}

// TestARIMAAirPassengers is the textbook's search: R's model, coefficients and forecasts.
func TestARIMAAirPassengers(t *testing.T) {
	for _, r := range arimaReference(t, classicsFolder()) {
		if r.ID != "AirPassengers" {
			continue
		}
		f, fc := fitForecast(t, mustNew(t, ARIMA(), ""), r.series(), r.H)
		d := f.Describe()
		if d.Model != "ARIMA(2,1,1)(0,1,0)[12]" {
			t.Fatalf("chose %s", d.Model)
		}
		for _, p := range d.Params {
			if math.Abs(p.Value-r.Auto.Coef[p.Name]) > 5e-4 {
				t.Errorf("%s = %v, R has %v", p.Name, p.Value, r.Auto.Coef[p.Name])
			}
		}
		if len(d.Params) != 3 || d.Params[0].Name != "ar1" || d.Params[2].Name != "ma1" {
			t.Errorf("parameters %v", d.Params)
		}
		if mean, bound := deviation(fc, r.Auto.Forecast); mean > 1e-4 || bound > 1e-4 {
			t.Errorf("forecasts differ from R's by %.1e, bounds by %.1e", mean, bound)
		}
		return
	}
	t.Fatal("AirPassengers is missing from testdata/reference")
}
