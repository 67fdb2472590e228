package functions_test

import (
	"context"
	"errors"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/functions"
)

func testEnv(mem memory.Allocator, workers int) (*functions.Env, *warnings) {
	e, w := env(mem, workers)
	e.Models = testModels()
	return e, w
}

func equalRows(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("rows are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// nearRows compares numbers to nine digits and everything else exactly.
func nearRows(t *testing.T, got []string, want ...string) {
	t.Helper()
	same := func(a, b string) bool {
		x, errX := strconv.ParseFloat(a, 64)
		y, errY := strconv.ParseFloat(b, 64)
		if errX != nil || errY != nil {
			return a == b
		}
		return math.Abs(x-y) <= 1e-9*math.Max(1, math.Abs(y))
	}
	if !slices.EqualFunc(got, want, func(g, w string) bool {
		return slices.EqualFunc(strings.Split(g, " | "), strings.Split(w, " | "), same)
	}) {
		t.Errorf("rows are\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func one(values ...float64) []sale {
	var rows []sale
	for d, v := range values {
		rows = append(rows, sale{"a", "x", d, v})
	}
	return rows
}

func TestForecastRows(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	rel := sales(t, mem, one(6, 4, 8, 6))
	e, w := testEnv(mem, 2)
	rows, schema, err := call(t, e, "FORECAST", rel, "sold_on", "units", 2, "history=2; level=0.8; by=store")
	if err != nil {
		t.Fatal(err)
	}
	equalNames(t, schema, "store", "sold_on", "step", "row_type", "actual", "forecast", "lower_bound", "upper_bound", "level", "model", "status")
	// Fitted 6, sigma 1: 6 ± 1.2815515655446004. The model's quantiles are 6 ± 10·0.4.
	want := []string{
		"a | 2023-01-03 | -1 | history | 8 | 6 | 4.7184484344553996 | 7.2815515655446004 | 0.8 | level | ok",
		"a | 2023-01-04 | 0 | history | 6 | 6 | 4.7184484344553996 | 7.2815515655446004 | 0.8 | level | ok",
		"a | 2023-01-05 | 1 | forecast | (null) | 6 | 2 | 10 | 0.8 | level | ok",
		"a | 2023-01-06 | 2 | forecast | (null) | 6 | 2 | 10 | 0.8 | level | ok",
	}
	nearRows(t, rows, want...)
	if len(rows) != 4 || len(w.list) != 0 || w.done != 1 || w.total != 1 {
		t.Errorf("%d rows, warnings %q, progress %d of %d", len(rows), w.list, w.done, w.total)
	}
	rows, _, err = call(t, e, "FORECAST", rel, "sold_on", "units", 1, "history=all")
	if err != nil || len(rows) != 5 || !strings.Contains(rows[0], "-3 | history | 6 | (null) | (null) | (null)") {
		t.Errorf("history=all: %v\n%s", err, strings.Join(rows, "\n"))
	}
}

func TestForecastQuantilesRows(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	t.Cleanup(func() { mem.AssertSize(t, 0) })
	e, _ := testEnv(mem, 2)
	rows, _, err := call(t, e, "FORECAST_QUANTILES", sales(t, mem, one(6, 4, 8, 6)), "sold_on", "units", 2, "q=0.75,0.25,0.75")
	if err != nil {
		t.Fatal(err)
	}
	equalRows(t, rows,
		"2023-01-05 | 1 | 0.25 | 3.5 | level | ok",
		"2023-01-05 | 1 | 0.75 | 8.5 | level | ok",
		"2023-01-06 | 2 | 0.25 | 3.5 | level | ok",
		"2023-01-06 | 2 | 0.75 | 8.5 | level | ok",
	)
}

func TestStatusTellsWhatWasDone(t *testing.T) {
	gap := append(one(4, 8, 6), sale{"a", "x", 6, 6}, sale{"a", "x", 7, 5}, sale{"a", "x", 8, 4})
	fraction := append(one(4.5, 8, 6), sale{"a", "x", 6, 6}, sale{"a", "x", 7, 5}, sale{"a", "x", 8, 4})
	null := one(4, 8, math.NaN(), 6, 6)
	twice := append(one(4, 8, 6, 7), sale{"a", "x", 1, 3})
	tests := []struct {
		name, options string
		rows          []sale
		want          string
	}{
		{"zero for sales", "nonneg=no", gap, "3 days without a row counted as zero"},
		{"interpolated otherwise", "", fraction, "3 days without a row interpolated"},
		{"null left", "model=gaps", null, "1 NULL value left unknown"},
		{"null interpolated for a model that cannot", "", null, "1 NULL value left unknown; 1 unknown value interpolated for the model"},
		{"duplicates", "", twice, "1 further row of the same day taken in by agg=sum"},
		{"limit", "nonneg=yes", one(-3, -2, 2, -1), "forecast limited to zero"},
		{"bound at zero", "level=0.999", one(1, 2, 3, 2), "ok"},
		{"no limit asked", "level=0.999; nonneg=no", one(1, 2, 3, 2), "ok"},
		{"negative data", "level=0.999", one(-1, 2, 3, 2), "ok"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, _ := testEnv(memory.DefaultAllocator, 1)
			rows, _, err := call(t, e, "FORECAST", sales(t, memory.DefaultAllocator, test.rows), "sold_on", "units", 1, test.options+"; freq=auto")
			if err != nil {
				t.Fatal(err)
			}
			if len(rows) != 1 || !strings.HasSuffix(rows[0], " | "+test.want) {
				t.Errorf("rows %q, want status %q", rows, test.want)
			}
		})
	}
}

func TestOneBadSeries(t *testing.T) {
	rows := append(one(4, 8, 6), sale{"b", "x", 0, 3}, sale{"c", "x", 1, 5}, sale{"c", "x", 2, 5}, sale{"c", "x", 3, 5})
	rel := sales(t, memory.DefaultAllocator, rows)
	e, w := testEnv(memory.DefaultAllocator, 2)
	got, _, err := call(t, e, "FORECAST", rel, "sold_on", "units", 1, "by=store")
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[1] != "b | 2023-01-02 | 1 | forecast | (null) | (null) | (null) | (null) | 0.95 | (null) | series too short: 1 observations, 3 needed" {
		t.Errorf("rows:\n%s", strings.Join(got, "\n"))
	}
	if len(w.list) != 1 || !strings.Contains(w.list[0], "1 of 3 series could not be done; the first: store=b") {
		t.Errorf("warnings %q", w.list)
	}
	_, _, err = call(t, e, "FORECAST", rel, "sold_on", "units", 1, "by=store; on_error=fail")
	wantError(t, err, "FC0203", "series store=b (1 observation)")
}

func TestPanicIsOneSeries(t *testing.T) {
	rows := append(one(4, 8, 6, 6), sale{"b", "x", 0, 90}, sale{"b", "x", 1, 90}, sale{"b", "x", 2, 90})
	rel := sales(t, memory.DefaultAllocator, rows)
	e, w := testEnv(memory.DefaultAllocator, 2)
	got, _, err := call(t, e, "FORECAST", rel, "sold_on", "units", 1, "by=store; model=panics")
	if err != nil || len(got) != 2 || !strings.HasSuffix(got[0], "ok") || !strings.HasSuffix(got[1], "internal failure: index out of range") {
		t.Errorf("%v\n%s", err, strings.Join(got, "\n"))
	}
	if len(w.list) != 1 {
		t.Errorf("warnings %q", w.list)
	}
	_, _, err = call(t, e, "FORECAST", rel, "sold_on", "units", 1, "by=store; model=panics; on_error=fail")
	wantError(t, err, "FC0301", "store=b")
}

func TestDataMistakes(t *testing.T) {
	tests := []struct {
		name, options string
		rows          []sale
		code          string
		want          []string
	}{
		{"empty", "on_error=fail", nil, "FC0201", []string{"table sales has no rows"}},
		{"all after the cutoff", "on_error=fail; cutoff=2020-01-01", one(1, 2, 3), "FC0201", []string{"cutoff"}},
		{"NULL time", "", append(one(1, 2, 3), sale{"a", "x", -1, 3}), "FC0209", []string{"NULL in 1 of 4 rows", "IS NOT NULL"}},
		{"duplicates refused", "agg=error", append(one(1, 2, 3), sale{"a", "x", 1, 3}), "FC0202", []string{"2023-01-02"}},
		{"gap refused", "missing=error", append(one(1, 2, 3, 4), sale{"a", "x", 9, 3}), "FC0204", []string{"2023-01-05"}},
		{"infinite", "", one(1, math.Inf(1), 3), "FC0211", []string{"units"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			e, _ := testEnv(memory.DefaultAllocator, 1)
			_, _, err := call(t, e, "FORECAST", sales(t, memory.DefaultAllocator, test.rows), "sold_on", "units", 1, test.options)
			wantError(t, err, test.code, test.want...)
		})
	}
	e, w := testEnv(memory.DefaultAllocator, 1)
	rows, schema, err := call(t, e, "FORECAST", sales(t, memory.DefaultAllocator, nil), "sold_on", "units", 1)
	if err != nil || len(rows) != 0 || schema.NumFields() != 10 || len(w.list) != 1 || !strings.Contains(w.list[0], "FC0201") {
		t.Errorf("an empty table under report: %v, %q, warnings %q", err, rows, w.list)
	}
}

func TestFarFuture(t *testing.T) {
	day := int((time.Date(9999, 12, 29, 0, 0, 0, 0, time.UTC).Unix() - epoch.Unix()) / 86400)
	var rows []sale
	for d := range 3 {
		rows = append(rows, sale{"a", "x", day - 2 + d, 5})
	}
	rel := sales(t, memory.DefaultAllocator, rows)
	e, _ := testEnv(memory.DefaultAllocator, 1)
	got, _, err := call(t, e, "FORECAST", rel, "sold_on", "units", 2, "freq=daily")
	if err != nil || len(got) != 2 || !strings.HasPrefix(got[1], "9999-12-31") {
		t.Errorf("%v %q", err, got)
	}
	got, _, err = call(t, e, "FORECAST", rel, "sold_on", "units", 3, "freq=daily")
	if err != nil || len(got) != 1 || !strings.Contains(got[0], "past the last time") {
		t.Errorf("%v %q", err, got)
	}
	_, _, err = call(t, e, "FORECAST", rel, "sold_on", "units", 3, "freq=daily; on_error=fail")
	wantError(t, err, "FC0209", "lower the horizon")
}

func TestSourceError(t *testing.T) {
	broken := errors.New("disk on fire")
	e, _ := testEnv(memory.DefaultAllocator, 1)
	_, _, err := call(t, e, "FORECAST", &relation{name: "table sales", schema: salesSchema, readErr: broken}, "sold_on", "units", 1)
	wantError(t, err, "FC0302", "disk on fire")
	if !errors.Is(err, broken) {
		t.Error("the cause is lost")
	}
}

func TestCutoff(t *testing.T) {
	e, _ := testEnv(memory.DefaultAllocator, 1)
	rows, _, err := call(t, e, "FORECAST", sales(t, memory.DefaultAllocator, one(4, 8, 6, 100, 100)), "sold_on", "units", 1, "cutoff=2023-01-03")
	if err != nil || len(rows) != 1 || !strings.HasPrefix(rows[0], "2023-01-04 | 1 | forecast | (null) | 6 |") {
		t.Errorf("%v %q", err, rows)
	}
}

func TestPeriods(t *testing.T) {
	long := weekly(1, 20)
	tests := []struct {
		rows    []sale
		options string
		want    string
	}{
		{long, "", "[7]"},
		{long[:13], "", "[]"},
		{long[:13], "period=7", "[7]"},
		{long, "period=none", "[]"},
		{long, "period=1", "[]"},
		{long, "period=30,5", "[5 30]"},
	}
	for _, test := range tests {
		e, _ := testEnv(memory.DefaultAllocator, 1)
		rows, _, err := call(t, e, "FORECAST", sales(t, memory.DefaultAllocator, test.rows), "sold_on", "units", 1, "model=period; "+test.options)
		if err != nil || len(rows) != 1 || !strings.HasSuffix(rows[0], "periods "+test.want) {
			t.Errorf("%s: %v %q, want %s", test.options, err, rows, test.want)
		}
	}
}

// TestSameBitsOnAnyWorkers runs every function on one to four workers.
func TestSameBitsOnAnyWorkers(t *testing.T) {
	rel := sales(t, memory.DefaultAllocator, weekly(30, 60))
	for _, s := range functions.All() {
		args := []functions.Value{"sold_on", "units"}
		for range len(s.Args) - 2 {
			args = append(args, 4)
		}
		var first []string
		for _, workers := range []int{1, 2, 4} {
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			e, w := env(mem, workers)
			options := "by=store,sku"
			if slices.ContainsFunc(s.Options, func(o functions.Option) bool { return o.Name == "model" }) {
				options += "; model=theta"
			}
			rows, schema, err := call(t, e, s.Name, rel, append(args, options)...)
			if err != nil {
				t.Fatalf("%s: %v", s.Name, err)
			}
			mem.AssertSize(t, 0)
			if len(rows) == 0 || len(w.list) != 0 {
				t.Errorf("%s: %d rows, warnings %q", s.Name, len(rows), w.list)
			}
			if first == nil {
				first = rows
				isOrdered(t, s, schema, rows)
				continue
			}
			if !slices.Equal(rows, first) {
				t.Errorf("%s: %d workers give other rows than one", s.Name, workers)
			}
		}
	}
}

// TestSameBitsOfEveryModel runs each real model, auto among them, on one and four workers.
func TestSameBitsOfEveryModel(t *testing.T) {
	rel := sales(t, memory.DefaultAllocator, weekly(2, 30))
	reference, _ := env(memory.DefaultAllocator, 1)
	for _, m := range reference.Models {
		var first []string
		for _, workers := range []int{1, 4} {
			e, _ := env(memory.DefaultAllocator, workers)
			rows, _, err := call(t, e, "FORECAST", rel, "sold_on", "units", 3, "by=store,sku; history=5; on_error=fail; model="+m.Name)
			if err != nil || len(rows) != 2*(5+3) {
				t.Errorf("%s: %v, %d rows", m.Name, err, len(rows))
				break
			}
			if first != nil && !slices.Equal(rows, first) {
				t.Errorf("%s: four workers give\n%s\none gives\n%s", m.Name, strings.Join(rows, "\n"), strings.Join(first, "\n"))
			}
			first = rows
		}
		for _, row := range first {
			used := strings.Split(row, " | ")[10]
			if _, err := functions.Bind(spec("FORECAST"), rel, []functions.Value{"sold_on", "units", 3, map[string]any{"model": used}}, reference); err != nil {
				t.Errorf("column model says %q, which option model does not take: %v", used, err)
				break
			}
		}
	}
}

// isOrdered holds the promise of rows ordered by key, then time, where the function has both.
func isOrdered(t *testing.T, s *functions.Spec, schema *arrow.Schema, rows []string) {
	t.Helper()
	if !s.HasTime() || schema.Field(0).Name != "store" {
		return
	}
	if !slices.IsSortedFunc(rows, func(a, b string) int {
		x, y := strings.Split(a, " | "), strings.Split(b, " | ")
		return slices.Compare(x[:3], y[:3])
	}) {
		t.Errorf("%s: rows are out of order", s.Name)
	}
}

func TestCancel(t *testing.T) {
	rel := sales(t, memory.DefaultAllocator, weekly(20, 30))
	for _, workers := range []int{1, 4} {
		mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
		e, _ := testEnv(mem, workers)
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(50*time.Millisecond, cancel)
		start := time.Now()
		_, _, err := callContext(ctx, e, "FORECAST", rel, "sold_on", "units", 7, "by=sku; model=slow")
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error is %v", err)
		}
		if d := time.Since(start); d > time.Second {
			t.Errorf("took %v to stop", d)
		}
		mem.AssertSize(t, 0)
	}
}

func TestReleaseHalfWay(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	rel := sales(t, memory.DefaultAllocator, weekly(200, 10))
	e, _ := testEnv(mem, 2)
	b, err := functions.Bind(spec("FORECAST"), rel, []functions.Value{"sold_on", "units", 50, "by=sku"}, e)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := b.Spec.Run(t.Context(), e, b)
	if err != nil {
		t.Fatal(err)
	}
	if !reader.Next() {
		t.Fatal(reader.Err())
	}
	reader.Release()
	unread, err := b.Spec.Run(t.Context(), e, b)
	if err != nil {
		t.Fatal(err)
	}
	unread.Release()
	mem.AssertSize(t, 0)
}

func TestIntegerTimeAndDictionaryKeys(t *testing.T) {
	mem := memory.DefaultAllocator
	dictionary := &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "region", Type: dictionary}, {Name: "year", Type: arrow.PrimitiveTypes.Int16}, {Name: "n", Type: arrow.PrimitiveTypes.Int32},
	}, nil)
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for _, region := range []string{"south", "north"} {
		for y := range 5 {
			if err := b.Field(0).(*array.BinaryDictionaryBuilder).AppendString(region); err != nil {
				t.Fatal(err)
			}
			b.Field(1).(*array.Int16Builder).Append(int16(2000 + y))
			b.Field(2).(*array.Int32Builder).Append(int32(10 + y))
		}
	}
	batch := b.NewRecordBatch()
	defer batch.Release()
	declared := arrow.NewSchema([]arrow.Field{{Name: "region", Type: arrow.BinaryTypes.String}, schema.Field(1), schema.Field(2)}, nil)
	rel := &dictionaryRelation{relation{name: "table t", schema: declared, batches: []arrow.RecordBatch{batch}}, schema}
	e, _ := testEnv(mem, 1)
	rows, out, err := call(t, e, "FORECAST_QUANTILES", rel, "year", "n", 1, "by=region; q=0.5; cutoff=2003")
	if err != nil {
		t.Fatal(err)
	}
	equalRows(t, rows, "north | 2004 | 1 | 0.5 | 11.5 | level | ok", "south | 2004 | 1 | 0.5 | 11.5 | level | ok")
	if out.Field(1).Type.ID() != arrow.INT16 {
		t.Errorf("time has type %v", out.Field(1).Type)
	}
}

// dictionaryRelation declares text and delivers dictionaries.
type dictionaryRelation struct {
	relation
	actual *arrow.Schema
}

func (r *dictionaryRelation) Read(ctx context.Context, columns []string) (array.RecordReader, error) {
	inner := r.relation
	inner.schema = r.actual
	return inner.Read(ctx, columns)
}
