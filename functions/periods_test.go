package functions_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/engine/models"
	"github.com/almanacdb/almanac/functions"
)

// classic is a series of testdata/reference.
func classic(t *testing.T, id string) []float64 {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "testdata", "reference", id+".json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		X []float64 `json:"x"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	return file.X
}

// numbered is a table k, t, y with a whole number as time, counted from 1; series k has the values ys[k].
func numbered(t *testing.T, ys ...[]float64) *relation {
	t.Helper()
	return timed(t, arrow.PrimitiveTypes.Int64, func(b array.Builder, i int) { b.(*array.Int64Builder).Append(int64(i + 1)) }, ys...)
}

// dated is the same with the dates that at gives.
func dated(t *testing.T, at func(i int) time.Time, ys ...[]float64) *relation {
	t.Helper()
	return timed(t, arrow.FixedWidthTypes.Date32, func(b array.Builder, i int) { b.(*array.Date32Builder).Append(arrow.Date32FromTime(at(i))) }, ys...)
}

func timed(t *testing.T, typ arrow.DataType, at func(array.Builder, int), ys ...[]float64) *relation {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{{Name: "k", Type: arrow.PrimitiveTypes.Int32}, {Name: "t", Type: typ}, {Name: "y", Type: arrow.PrimitiveTypes.Float64, Nullable: true}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for k, y := range ys {
		for i, v := range y {
			b.Field(0).(*array.Int32Builder).Append(int32(k))
			at(b.Field(1), i)
			b.Field(2).(*array.Float64Builder).Append(v)
		}
	}
	return &relation{name: "table t", schema: schema, batches: []arrow.RecordBatch{b.NewRecordBatch()}}
}

func months(year int) func(int) time.Time {
	return func(i int) time.Time { return time.Date(year, time.Month(1+i), 1, 0, 0, 0, 0, time.UTC) }
}

func days(i int) time.Time { return epoch.AddDate(0, 0, i) }

// simulate is noise with seasons: periods and amplitudes.
func simulate(seed uint64, n int, seasons map[int]float64) []float64 {
	random := rand.New(rand.NewPCG(seed, 1))
	y := make([]float64, n)
	for i := range y {
		y[i] = 50.5 + random.NormFloat64()
		for m, a := range seasons {
			y[i] += a * math.Sin(2*math.Pi*float64(i)/float64(m))
		}
	}
	return y
}

// TestSeasonalPeriods asks a model that tells the periods it was given.
func TestSeasonalPeriods(t *testing.T) {
	air, lynx := classic(t, "AirPassengers"), classic(t, "lynx")
	ids := [][]float64{simulate(1, 200, map[int]float64{7: 1}), simulate(2, 200, map[int]float64{7: 2}), simulate(3, 200, nil)}
	yearly := func(i int) time.Time { return time.Date(1821+i, 1, 1, 0, 0, 0, 0, time.UTC) }
	for _, test := range []struct {
		name    string
		rel     *relation
		options string
		want    []string // of each series
	}{
		{"months keep twelve", dated(t, months(1949), air), "", []string{"[12]"}},
		{"also in noise", dated(t, months(1949), simulate(4, 60, nil)), "", []string{"[12]"}},
		{"also against another cycle", dated(t, months(1949), simulate(4, 60, map[int]float64{5: 3})), "", []string{"[12]"}},
		{"one cycle is none", dated(t, months(1949), air[:23]), "", []string{"[]"}},
		{"days keep seven", dated(t, days, simulate(5, 800, map[int]float64{365: 3})), "", []string{"[7]"}},
		{"option first", dated(t, months(1949), air), "period=5", []string{"[5]"}},
		{"option none", numbered(t, lynx), "period=none", []string{"[]"}},
		{"found in whole numbers", numbered(t, lynx), "", []string{"[10]"}},
		{"numbered months of three years", numbered(t, air[:36]), "", []string{"[12]"}},
		{"numbered days of four weeks", numbered(t, simulate(6, 28, map[int]float64{7: 3})), "", []string{"[7]"}},
		{"quarters, not years of months", numbered(t, simulate(7, 100, map[int]float64{4: 2})), "", []string{"[4]"}},
		{"hours with an own half day", numbered(t, simulate(8, 240, map[int]float64{24: 2, 12: 2})), "", []string{"[24]"}},
		{"none in noise", numbered(t, simulate(6, 200, nil)), "", []string{"[]"}},
		{"none in a walk", numbered(t, walk(7, 200)), "", []string{"[]"}},
		{"years have none", dated(t, yearly, lynx), "", []string{"[]"}},
		{"whole numbers that are months", numbered(t, air), "", []string{"[12]"}},
		{"numbered days of several series", numbered(t, ids...), "by=k", []string{"[7]", "[7]", "[]"}},
		{"every ten days", dated(t, func(i int) time.Time { return days(10 * i) }, simulate(8, 200, map[int]float64{12: 2})), "", []string{"[12]"}},
		{"too long to be believed", numbered(t, simulate(9, 1000, map[int]float64{200: 3})), "", []string{"[]"}},
		{"far apart", farApart(t), "by=k", []string{"[]", "[]"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			e, _ := testEnv(memory.DefaultAllocator, 2)
			rows, _, err := call(t, e, "FORECAST", test.rel, "t", "y", 1, test.options+"; model=period")
			if err != nil || len(rows) != len(test.want) {
				t.Fatalf("%v, rows %q", err, rows)
			}
			for i, row := range rows {
				if !strings.HasSuffix(row, "periods "+test.want[i]) {
					t.Errorf("%s, want periods %s", row, test.want[i])
				}
			}
		})
	}
}

// TestSeasonalPeriodsOfNoise counts seasons found where there are none.
func TestSeasonalPeriodsOfNoise(t *testing.T) {
	var series [][]float64
	for seed := range uint64(300) {
		y := simulate(seed, 120, nil)
		if seed%2 == 1 {
			y = walk(seed, 120)
		}
		series = append(series, y)
	}
	e, _ := testEnv(memory.DefaultAllocator, 2)
	rows, _, err := call(t, e, "FORECAST", numbered(t, series...), "t", "y", 1, "by=k; model=period")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, row := range rows {
		if !strings.HasSuffix(row, "periods []") {
			found++
		}
	}
	if found > 15 { // two searches at level 0.01 each, and one more for what the panel has in common
		t.Errorf("a season was found in %d of %d series without one", found, len(rows))
	}
	t.Logf("a season was found in %d of %d series without one", found, len(rows))
}

func walk(seed uint64, n int) []float64 {
	y := simulate(seed, n, nil)
	for i := 1; i < n; i++ {
		y[i] += y[i-1] - 50.5
	}
	return y
}

// farApart has two series so far apart that no array spans them both.
func farApart(t *testing.T) *relation {
	t.Helper()
	rel := timed(t, arrow.PrimitiveTypes.Int64, func(b array.Builder, i int) {
		at := int64(i)
		if b.Len() >= 40 {
			at += math.MaxInt64 - 1000
		}
		b.(*array.Int64Builder).Append(at)
	}, simulate(1, 40, nil), simulate(3, 40, nil))
	return rel
}

// TestModelsKeepTheNaturalPeriod: what R fits to a monthly series is fitted here.
func TestModelsKeepTheNaturalPeriod(t *testing.T) {
	e, _ := env(memory.DefaultAllocator, 1)
	for model, want := range map[string]string{
		"arima": "ARIMA(2,1,1)(0,1,0)[12]", "ets": "ETS(M,Ad,M)", "snaive": "SNaive",
	} {
		rows, _, err := call(t, e, "FORECAST", dated(t, months(1949), classic(t, "AirPassengers")), "t", "y", 1, "model="+model)
		if err != nil || !strings.Contains(rows[0], "| "+want+" | ok") {
			t.Errorf("%s: %v, %q", model, err, rows)
		}
	}
	rows, _, err := call(t, e, "FORECAST", dated(t, months(1949), classic(t, "AirPassengers")), "t", "y", 1, "model=snaive")
	if err != nil || !strings.Contains(rows[0], "| 417 |") { // January 1960
		t.Errorf("%v, %q", err, rows)
	}
	rows, _, err = call(t, e, "FORECAST", numbered(t, classic(t, "lynx")), "t", "y", 1, "model=snaive")
	if err != nil || !strings.HasSuffix(rows[0], "seasonal period 10 found in the data") {
		t.Errorf("lynx: %v, %q", err, rows)
	}
}

// TestDecomposePeriods: the year joins the week where the data show it.
func TestDecomposePeriods(t *testing.T) {
	e, _ := env(memory.DefaultAllocator, 1)
	second := func(y []float64) bool {
		rows, _, err := call(t, e, "DECOMPOSE", dated(t, days, y), "t", "y")
		if err != nil || len(rows) != len(y) {
			t.Fatalf("%v, %d rows", err, len(rows))
		}
		if strings.Split(rows[9], " | ")[3] == "(null)" {
			t.Error("no week")
		}
		return strings.Split(rows[9], " | ")[4] != "(null)"
	}
	if !second(simulate(1, 1000, map[int]float64{7: 2, 365: 2})) {
		t.Error("the year was not found")
	}
	if second(simulate(1, 700, map[int]float64{7: 2, 365: 2})) {
		t.Error("a year was found in less than two")
	}
	found := 0
	for seed := range uint64(50) {
		if second(simulate(seed, 1000, map[int]float64{7: 1})) {
			found++
		}
	}
	if found > 2 {
		t.Errorf("a year was found in %d of 50 series without one", found)
	}
}

// TestEndsBefore: rows of a series that ended follow its own end, and status says how far behind it is.
func TestEndsBefore(t *testing.T) {
	for _, test := range []struct {
		name string
		rel  *relation
		want string
	}{
		{"days", dated(t, days, simulate(1, 40, nil), simulate(2, 10, nil), simulate(3, 39, nil)), "ends %s before the panel's last day|30 days|1 day|2023-01-11"},
		{"months", dated(t, months(2001), simulate(1, 40, nil), simulate(2, 10, nil), simulate(3, 39, nil)), "ends %s before the panel's last month|30 months|1 month|2001-11-01"},
		{"numbers", numbered(t, simulate(1, 40, nil), simulate(2, 10, nil), simulate(3, 39, nil)), "ends %s before the panel's last period|30 periods|1 period|11"},
	} {
		parts := strings.Split(test.want, "|")
		e, _ := testEnv(memory.DefaultAllocator, 2)
		rows, _, err := call(t, e, "FORECAST", test.rel, "t", "y", 1, "by=k; model=gaps")
		if err != nil || len(rows) != 3 {
			t.Fatalf("%s: %v, %q", test.name, err, rows)
		}
		for i, want := range []string{"ok", fmt.Sprintf(parts[0], parts[1]), fmt.Sprintf(parts[0], parts[2])} {
			if !strings.HasSuffix(rows[i], "| "+want) {
				t.Errorf("%s: %s, want %s", test.name, rows[i], want)
			}
		}
		if !strings.HasPrefix(rows[1], "1 | "+parts[3]+" | 1 |") {
			t.Errorf("%s: %s", test.name, rows[1])
		}
		if rows, _, err = call(t, e, "CLUSTER_TRENDS", test.rel, "t", "y", 1, "by=k"); err != nil || !strings.Contains(rows[1], fmt.Sprintf(parts[0], parts[1])) {
			t.Errorf("%s: %v, %q", test.name, err, rows)
		}
	}
}

// TestHistoryBounds: the share of past observations within their bounds is near the level, for every model and early years like late ones.
func TestHistoryBounds(t *testing.T) {
	e, _ := env(memory.DefaultAllocator, 1)
	rel := dated(t, months(1949), classic(t, "AirPassengers"))
	for _, model := range []string{"ets(M,Ad,M)", "ets(A,A,A)", "arima", "theta", "stl", "snaive", "holtwinters(multiplicative)", "window", "auto"} {
		for _, level := range []float64{0.8, 0.95} {
			rows, _, err := call(t, e, "FORECAST", rel, "t", "y", 1, fmt.Sprintf("history=all; model=%s; level=%g", model, level))
			if err != nil {
				t.Fatal(err)
			}
			inside, n := 0.0, 0.0
			for _, row := range cells(t, rows, "t", "step", "row_type", "actual", "forecast", "lower_bound", "upper_bound", "level", "model", "status") {
				if math.IsNaN(row["actual"]) || math.IsNaN(row["forecast"]) {
					continue
				}
				if n++; row["actual"] >= row["lower_bound"] && row["actual"] <= row["upper_bound"] {
					inside++
				}
			}
			if share := inside / n; math.Abs(share-level) > 0.1 || (level == 0.95 && math.Abs(share-level) > 0.045) {
				t.Errorf("%s: %.3f of %.0f observations within bounds of level %g", model, share, n, level)
			}
		}
	}
}

// TestNonNegative: no model forecasts below zero what has never been, nor its bounds, quantiles and history, nor −0.
func TestNonNegative(t *testing.T) {
	falling, sparse := make([]float64, 60), make([]float64, 60)
	random := rand.New(rand.NewPCG(5, 5))
	for i := range falling {
		falling[i] = math.Max(0, 60-float64(i)-math.Floor(4*random.Float64()))
		if random.Float64() < 0.2 {
			sparse[i] = math.Floor(9 * random.Float64())
		}
	}
	rel := dated(t, days, falling, sparse, make([]float64, 60))
	e, _ := env(memory.DefaultAllocator, 2)
	for _, spec := range models.All() {
		rows, _, err := call(t, e, "FORECAST", rel, "t", "y", 30, "by=k; history=all; level=0.99; model="+spec.Name)
		if err != nil {
			t.Errorf("%s: %v", spec.Name, err)
			continue
		}
		for _, row := range rows {
			c := strings.Split(row, " | ")
			for _, v := range c[5:8] {
				if strings.HasPrefix(v, "-") {
					t.Fatalf("%s: %s", spec.Name, row)
				}
			}
		}
		rows, _, err = call(t, e, "FORECAST_QUANTILES", rel, "t", "y", 30, "by=k; q=0.01,0.1,0.5,0.9; model="+spec.Name)
		if err != nil {
			t.Errorf("%s: %v", spec.Name, err)
		}
		for _, row := range rows {
			if strings.HasPrefix(strings.Split(row, " | ")[4], "-") {
				t.Fatalf("%s: %s", spec.Name, row)
			}
		}
	}
	rows, _, err := call(t, e, "FORECAST", rel, "t", "y", 30, "by=k; model=drift; nonneg=no")
	if err != nil || !strings.Contains(rows[29], " | -") {
		t.Errorf("nonneg=no: %v, %q", err, rows[29])
	}
}

var _ functions.Relation = (*relation)(nil)
