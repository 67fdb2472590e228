package accuracy_test

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/engine/accuracy"
	"github.com/almanacdb/almanac/engine/calendar"
	"github.com/almanacdb/almanac/engine/series"
)

// shared finds a file of the benchmark data beside the checkout, or skips the test.
func shared(t *testing.T, parts ...string) string {
	t.Helper()
	root := os.Getenv("ALMANAC_SHARED")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared")
	}
	path := filepath.Join(append([]string{root}, parts...)...)
	if _, err := os.Stat(path); err != nil {
		t.Skipf("benchmark data not present: set ALMANAC_SHARED to the folder that holds %s", filepath.Join(parts...))
	}
	return path
}

// readPanel reads unique_id, ds, y of a gzipped CSV file into a panel.
func readPanel(t *testing.T, path string, dates bool) *series.Panel {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(bufio.NewReaderSize(f, 1<<20))
	if err != nil {
		t.Fatal(err)
	}
	timeType := arrow.DataType(arrow.PrimitiveTypes.Int32)
	if dates {
		timeType = arrow.FixedWidthTypes.Date32
	}
	schema := arrow.NewSchema([]arrow.Field{{Name: "unique_id", Type: arrow.BinaryTypes.String}, {Name: "ds", Type: timeType}, {Name: "y", Type: arrow.PrimitiveTypes.Float64}}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	var batches []arrow.RecordBatch
	lines := bufio.NewScanner(z)
	lines.Scan()
	days := map[string]arrow.Date32{}
	for n := 1; lines.Scan(); n++ {
		id, rest, _ := strings.Cut(lines.Text(), ",")
		ds, rest, _ := strings.Cut(rest, ",")
		value, _, _ := strings.Cut(rest, ",")
		b.Field(0).(*array.StringBuilder).Append(id)
		if dates {
			d, ok := days[ds]
			if !ok {
				axis, _ := calendar.NewAxis(timeType)
				v, err := axis.ParseCutoff(ds)
				if err != nil {
					t.Fatal(err)
				}
				d = arrow.Date32(v / calendar.MicrosPerDay)
				days[strings.Clone(ds)] = d
			}
			b.Field(1).(*array.Date32Builder).Append(d)
		} else {
			k, err := strconv.Atoi(ds)
			if err != nil {
				t.Fatal(err)
			}
			b.Field(1).(*array.Int32Builder).Append(int32(k))
		}
		y, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatal(err)
		}
		b.Field(2).(*array.Float64Builder).Append(y)
		if n%65536 == 0 {
			batches = append(batches, b.NewRecordBatch())
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	batches = append(batches, b.NewRecordBatch())
	reader, err := array.NewRecordReader(schema, batches)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Release()
	p, err := series.FromArrow(context.Background(), reader, series.Options{Time: "ds", Value: "y", Keys: []string{"unique_id"}})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// snaive repeats the last m values.
func snaive(train []float64, m, h int) []float64 {
	f := make([]float64, h)
	for i := range f {
		f[i] = train[len(train)-m+i%m]
	}
	return f
}

// The sMAPE, MASE and OWA of R's naive and snaive on M3 and M4 come out as the baselines' summary says them, rounded to three digits.
func TestCompetitionBaselines(t *testing.T) {
	summary, err := os.Open(shared(t, "baselines", "SUMMARY.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer summary.Close()
	type score struct{ smape, mase, owa float64 }
	want := map[string]score{}
	r := csv.NewReader(summary)
	for first := true; ; first = false {
		row, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if first {
			continue
		}
		var v [3]float64
		for i, column := range []int{3, 4, 8} {
			if v[i], err = strconv.ParseFloat(row[column], 64); err != nil {
				v[i] = math.NaN()
			}
		}
		want[row[0]+" "+row[1]] = score{v[0], v[1], v[2]}
	}
	for _, set := range []struct {
		name, folder, prefix string
		m                    int
	}{
		{"open_m3_monthly", "m3", "monthly_", 12},
		{"open_m3_quarterly", "m3", "quarterly_", 4},
		{"open_m3_yearly", "m3", "yearly_", 1},
		{"open_m3_other", "m3", "other_", 1},
		{"open_m4_hourly", "m4_hourly", "", 24},
		{"open_m4_weekly", "m4_weekly", "", 1},
	} {
		train := readPanel(t, shared(t, "data", set.folder, set.prefix+"train.csv.gz"), false)
		test := readPanel(t, shared(t, "data", set.folder, set.prefix+"test.csv.gz"), false)
		if train.Len() != test.Len() {
			t.Fatalf("%s: %d series for training, %d for testing", set.name, train.Len(), test.Len())
		}
		for method, m := range map[string]int{"snaive": set.m, "naive": 1} {
			var smape, mase float64
			for i := range train.Len() {
				history, future := train.Series(i), test.Series(i)
				if train.KeyString(i) != test.KeyString(i) || history.Time(len(history.Y)) != future.Start {
					t.Fatalf("%s: %s is not continued by %s", set.name, train.KeyString(i), test.KeyString(i))
				}
				f := snaive(history.Y, m, len(future.Y))
				smape += accuracy.SMAPE(future.Y, f)
				mase += accuracy.MASE(future.Y, f, accuracy.SeasonalMAE(history.Y, set.m))
			}
			smape /= float64(train.Len())
			mase /= float64(train.Len())
			w, ok := want[set.name+" "+method]
			if !ok {
				t.Errorf("%s %s: not in the summary", set.name, method)
				continue
			}
			naive2 := want[set.name+" naive2"]
			owa := accuracy.OWA(smape, mase, naive2.smape, naive2.mase)
			// The summary rounds to three digits, and OWA here uses its rounded Naive 2.
			if math.Abs(smape-w.smape) > 0.00051 || math.Abs(mase-w.mase) > 0.00051 || math.Abs(owa-w.owa) > 0.0011 {
				t.Errorf("%s %s: sMAPE %.3f MASE %.3f OWA %.3f, want %+v", set.name, method, smape, mase, owa, w)
			}
		}
		train.Release()
		test.Release()
	}
}

// RMSSE, WAPE and bias of naive and snaive on the 3,049 items of an M5 store come out as the baselines have them.
func TestM5Baselines(t *testing.T) {
	if testing.Short() || raceDetector {
		t.Skip("reads 4.7 million rows: neither with -short nor with -race")
	}
	lines, err := os.ReadFile(shared(t, "baselines", "m5_store_baselines.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	type scores struct {
		Split, Store, Method string
		RMSSE                float64 `json:"item_unweighted_rmsse"`
		Bias                 float64 `json:"bias_pct"`
		WAPE                 float64 `json:"wape"`
	}
	want := map[string]scores{}
	for line := range strings.Lines(string(lines)) {
		var s scores
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatal(err)
		}
		if s.Store == "CA_1" && s.Split == "open" {
			want[s.Method] = s
		}
	}
	train := readPanel(t, shared(t, "data", "m5", "CA_1_train.csv.gz"), true)
	defer train.Release()
	test := readPanel(t, shared(t, "data", "m5", "CA_1_test.csv.gz"), true)
	defer test.Release()
	if train.Len() != 3049 || train.Freq().String() != "D" || train.Observations() != 4_665_977 || train.Missing() != series.MissingZero {
		t.Errorf("%d series, %s, %d observations, missing=%s", train.Len(), train.Freq(), train.Observations(), train.Missing())
	}
	for method, m := range map[string]int{"naive": 1, "snaive7": 7} {
		var rmsse float64
		var actual, forecast []float64
		for i := range train.Len() {
			history, future := train.Series(i), test.Series(i)
			f := snaive(history.Y, m, len(future.Y))
			rmsse += accuracy.RMSSE(future.Y, f, accuracy.SeasonalMSE(accuracy.Active(history.Y), 1))
			actual, forecast = append(actual, future.Y...), append(forecast, f...)
		}
		rmsse /= float64(train.Len())
		wape, bias := 100*accuracy.WAPE(actual, forecast), 100*accuracy.Bias(actual, forecast)
		w := want[method]
		if math.Abs(rmsse-w.RMSSE) > 0.00006 || math.Abs(wape-w.WAPE) > 0.00006 || math.Abs(bias-w.Bias) > 0.00006 {
			t.Errorf("%s: RMSSE %.4f WAPE %.4f bias %.4f, want %+v", method, rmsse, wape, bias, w)
		}
	}
}
