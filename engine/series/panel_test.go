package series_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/engine/calendar"
	"github.com/almanacdb/almanac/engine/series"
)

var sales = []arrow.Field{field("sku", text), field("ds", date), field("y", float)}

func bySKU() series.Options {
	return series.Options{Time: "ds", Value: "y", Keys: []string{"sku"}, Freq: calendar.Frequency{Unit: calendar.Day, N: 1}}
}

// What becomes of gaps, NULL values and duplicates, in one series.
func TestFillAndAggregate(t *testing.T) {
	gap := [][]any{{"a", "2024-01-01", 4}, {"a", "2024-01-02", 6}, {"a", "2024-01-05", 12}}
	fractions := [][]any{{"a", "2024-01-01", 4.5}, {"a", "2024-01-02", 6}, {"a", "2024-01-05", 12}}
	nulls := [][]any{{"a", "2024-01-01", nil}, {"a", "2024-01-03", 2}, {"a", "2024-01-04", nil}, {"a", "2024-01-06", 8}, {"a", "2024-01-07", nil}, {"a", "2024-01-08", nil}}
	duplicates := [][]any{{"a", "2024-01-01", 5}, {"a", "2024-01-01", nil}, {"a", "2024-01-01", 3}, {"a", "2024-01-02", nil}, {"a", "2024-01-02", nil}, {"a", "2024-01-03", 1}}
	for _, tc := range []struct {
		name    string
		missing series.Missing
		agg     series.Agg
		rows    [][]any
		want    []float64
		report  series.Report
	}{
		{"counts: gaps are zeros", series.MissingAuto, 0, gap, []float64{4, 6, 0, 0, 12}, series.Report{Rows: 3, Zeros: 2}},
		{"measures: gaps are interpolated", series.MissingAuto, 0, fractions, []float64{4.5, 6, 8, 10, 12}, series.Report{Rows: 3, Interpolated: 2}},
		{
			"negative numbers are no counts", series.MissingAuto, 0,
			[][]any{{"a", "2024-01-01", -4}, {"a", "2024-01-03", 4}},
			[]float64{-4, 0, 4},
			series.Report{Rows: 2, Interpolated: 1},
		},
		{"zero", series.MissingZero, 0, fractions, []float64{4.5, 6, 0, 0, 12}, series.Report{Rows: 3, Zeros: 2}},
		{"null", series.MissingNull, 0, gap, []float64{4, 6, nan, nan, 12}, series.Report{Rows: 3, Unknown: 2}},
		{"ffill", series.MissingForward, 0, gap, []float64{4, 6, 6, 6, 12}, series.Report{Rows: 3, Carried: 2}},
		{"interpolate", series.MissingInterpolate, 0, gap, []float64{4, 6, 8, 10, 12}, series.Report{Rows: 3, Interpolated: 2}},
		{
			"NULL is unknown, never zero", series.MissingAuto, 0, nulls,
			[]float64{nan, 0, 2, nan, 0, 8},
			series.Report{Rows: 4, Zeros: 2, Nulls: 2, Trailing: 2},
		},
		{"NULL with null", series.MissingNull, 0, nulls, []float64{nan, nan, 2, nan, nan, 8}, series.Report{Rows: 4, Unknown: 2, Nulls: 2, Trailing: 2}},
		{
			"NULL carried", series.MissingForward, 0, nulls,
			[]float64{nan, nan, 2, 2, 2, 8},
			series.Report{Rows: 4, Carried: 1, Unknown: 1, Nulls: 1, NullsFilled: 1, Trailing: 2},
		},
		{
			"NULL interpolated", series.MissingInterpolate, 0, nulls,
			[]float64{nan, nan, 2, 4, 6, 8},
			series.Report{Rows: 4, Interpolated: 1, Unknown: 1, Nulls: 1, NullsFilled: 1, Trailing: 2},
		},
		{"sum", series.MissingAuto, series.AggAuto, duplicates, []float64{8, nan, 1}, series.Report{Rows: 6, Duplicates: 3, Nulls: 1}},
		{"mean", series.MissingAuto, series.AggMean, duplicates, []float64{4, nan, 1}, series.Report{Rows: 6, Duplicates: 3, Nulls: 1}},
		{"first", series.MissingAuto, series.AggFirst, duplicates, []float64{5, nan, 1}, series.Report{Rows: 6, Duplicates: 3, Nulls: 1}},
		{"last", series.MissingAuto, series.AggLast, duplicates, []float64{3, nan, 1}, series.Report{Rows: 6, Duplicates: 3, Nulls: 1}},
		{"min", series.MissingAuto, series.AggMin, duplicates, []float64{3, nan, 1}, series.Report{Rows: 6, Duplicates: 3, Nulls: 1}},
		{"max", series.MissingAuto, series.AggMax, duplicates, []float64{5, nan, 1}, series.Report{Rows: 6, Duplicates: 3, Nulls: 1}},
		{
			"a duplicate makes up for a gap", series.MissingAuto, 0,
			[][]any{{"a", "2024-01-01", 5}, {"a", "2024-01-01", 1}, {"a", "2024-01-03", 2}},
			[]float64{6, 0, 2},
			series.Report{Rows: 3, Duplicates: 1, Zeros: 1},
		},
		{
			"a NULL duplicate of the last value", series.MissingAuto, 0,
			[][]any{{"a", "2024-01-01", 5}, {"a", "2024-01-02", 1}, {"a", "2024-01-02", nil}},
			[]float64{5, 1},
			series.Report{Rows: 3, Duplicates: 1},
		},
		{"only NULL", series.MissingAuto, 0, [][]any{{"a", "2024-01-01", nil}, {"a", "2024-01-02", nil}}, []float64{}, series.Report{Trailing: 2}},
	} {
		opts := bySKU()
		opts.Missing, opts.Agg = tc.missing, tc.agg
		p, err := panel(t, sales, opts, tc.rows...)
		if err != nil {
			t.Errorf("%s: %v", tc.name, err)
			continue
		}
		s := p.Series(0)
		if !same(s.Y, tc.want) || s.Start != micros(t, "2024-01-01") {
			t.Errorf("%s: %v from %d, want %v", tc.name, s.Y, s.Start, tc.want)
		}
		if got := p.Report(0); got != tc.report {
			t.Errorf("%s: %+v, want %+v", tc.name, got, tc.report)
		}
	}
}

func TestForbidden(t *testing.T) {
	opts := bySKU()
	opts.Missing, opts.Agg = series.MissingForbid, series.AggForbid
	_, err := panel(t, sales, opts, []any{"a", "2024-01-01", 1}, []any{"b", "2024-01-01", 1}, []any{"b", "2024-01-03", 1})
	var missing *series.MissingError
	if !errors.As(err, &missing) || *missing != (series.MissingError{Key: "sku=b", Time: "2024-01-02"}) {
		t.Errorf("%v", err)
	}
	_, err = panel(t, sales, opts, []any{"a", "2024-01-01", 1}, []any{"a", "2024-01-02", nil}, []any{"a", "2024-01-03", 1})
	if !errors.As(err, &missing) || *missing != (series.MissingError{Key: "sku=a", Time: "2024-01-02", Null: true}) {
		t.Errorf("%v", err)
	}
	_, err = panel(t, sales, opts, []any{"a", "2024-01-01", 1}, []any{"a", "2024-01-02", 4}, []any{"a", "2024-01-02", 1})
	var duplicate *series.DuplicateError
	if !errors.As(err, &duplicate) || *duplicate != (series.DuplicateError{Key: "sku=a", Time: "2024-01-02", Rows: 2}) {
		t.Errorf("%v", err)
	}
}

// Keys of several columns and types, with NULL, in any order of rows: groups come ascending with NULL first.
func TestKeys(t *testing.T) {
	metadata := arrow.NewMetadata([]string{"mysql.type"}, []string{"varchar(30)"})
	for _, tc := range []struct {
		typ    arrow.DataType
		sorted []any // ascending
	}{
		{text, []any{nil, "", "A", "B", "a", "ä"}},
		{dictionary, []any{nil, "", "A", "B", "a", "ä"}},
		{arrow.BinaryTypes.LargeString, []any{nil, "x", "y"}},
		{arrow.BinaryTypes.StringView, []any{nil, "a rather long string value", "y"}},
		{arrow.PrimitiveTypes.Int8, []any{nil, -128, -1, 0, 1, 127}},
		{arrow.PrimitiveTypes.Int16, []any{nil, -300, -1, 0, 256}},
		{arrow.PrimitiveTypes.Int32, []any{nil, -70000, -1, 0, 256, 65536}},
		{integer, []any{nil, math.MinInt64, -1, 0, 256, math.MaxInt64}},
		{arrow.PrimitiveTypes.Uint8, []any{nil, 0, 127, 128, 255}},
		{arrow.PrimitiveTypes.Uint16, []any{nil, 1, 255, 256}},
		{arrow.PrimitiveTypes.Uint64, []any{nil, 0, 256, uint64(math.MaxUint64)}},
		{float, []any{nil, -1e300, -1.5, 0, 1e-300, 2}},
		{arrow.PrimitiveTypes.Float32, []any{nil, -1.5, 0, 0.25}},
		{date, []any{nil, "1969-12-31", "1970-01-01", "2024-02-29"}},
		{stamp, []any{nil, "1969-12-31 23:59:59", "2024-02-29 10:00:00.5"}},
		{&arrow.Decimal128Type{Precision: 38, Scale: 2}, []any{nil, "-123456789012345678901234.50", "-0.01", "0.00", "0.02", "99999999999999999999999.99"}},
		{&arrow.Decimal256Type{Precision: 50, Scale: 0}, []any{nil, "-99999999999999999999999999999999999999999", "5", "6"}},
		{arrow.FixedWidthTypes.Boolean, []any{nil, false, true}},
		{arrow.FixedWidthTypes.Duration_us, []any{nil, "-1us", "1us"}},
	} {
		for _, store := range []bool{false, true} {
			fields := []arrow.Field{{Name: "k", Type: tc.typ, Nullable: true, Metadata: metadata}, field("store", integer), field("ds", integer), field("y", integer)}
			var rows [][]any
			want := 0
			for i := range tc.sorted {
				i = (i*7 + 3) % len(tc.sorted) // 7 divides no length here
				for _, s := range []any{2, nil, 1} {
					rows = append(rows, []any{tc.sorted[i], s, 1, i}, []any{tc.sorted[i], s, 2, i})
				}
			}
			opts := series.Options{Time: "ds", Value: "y", Keys: []string{"k"}}
			want = len(tc.sorted)
			if store {
				opts.Keys = []string{"k", "store"}
				want *= 3
			}
			p, err := panel(t, fields, opts, rows...)
			if err != nil {
				t.Errorf("%s: %v", tc.typ, err)
				continue
			}
			if p.Len() != want || int(p.Keys().NumRows()) != want {
				t.Errorf("%s: %d series with %d keys, want %d", tc.typ, p.Len(), p.Keys().NumRows(), want)
				continue
			}
			f := p.Keys().Schema().Field(0)
			if v, _ := f.Metadata.GetValue("mysql.type"); v != "varchar(30)" || f.Name != "k" || !f.Nullable {
				t.Errorf("%s: field %v", tc.typ, f)
			}
			wantType := tc.typ
			if tc.typ == arrow.DataType(dictionary) {
				wantType = text
			}
			if !arrow.TypeEqual(f.Type, wantType) || !arrow.TypeEqual(p.Keys().Column(0).DataType(), wantType) {
				t.Errorf("%s: keys of type %s", tc.typ, f.Type)
			}
			for i := range p.Len() {
				k := i
				if store {
					k = i / 3
					if got := p.Keys().Column(1).ValueStr(i); got != []string{"(null)", "1", "2"}[i%3] {
						t.Errorf("%s: store %d is %s", tc.typ, i, got)
					}
				}
				y := p.Series(i).Y
				factor := 1.0
				if !store {
					factor = 3
				}
				if !same(y, []float64{factor * float64(k), factor * float64(k)}) {
					t.Errorf("%s: series %d (%s) is %v", tc.typ, i, p.KeyString(i), y)
				}
				if p.Keys().Column(0).IsNull(i) != (tc.sorted[k] == nil) {
					t.Errorf("%s: key %d is %s, want %v", tc.typ, i, p.KeyString(i), tc.sorted[k])
				}
			}
		}
	}
	p := mustPanel(t, []arrow.Field{field("a", text), field("b", date), field("ds", integer), field("y", integer)},
		series.Options{Time: "ds", Value: "y", Keys: []string{"a", "b"}}, []any{"x", "2024-01-01", 1, 1}, []any{nil, nil, 1, 1})
	if p.KeyString(0) != "a=NULL, b=NULL" || p.KeyString(1) != "a=x, b=2024-01-01" {
		t.Errorf("%q %q", p.KeyString(0), p.KeyString(1))
	}
}

// A field declared utf8 may arrive as dictionaries, batch by batch, each with a dictionary of its own.
func TestKeysChangeEncoding(t *testing.T) {
	mem := memory.DefaultAllocator
	fields := []arrow.Field{field("sku", text), field("ds", integer), field("y", integer)}
	ints := func(v ...int64) arrow.Array {
		b := array.NewInt64Builder(mem)
		b.AppendValues(v, nil)
		return b.NewArray()
	}
	words := func(v ...string) arrow.Array {
		b := array.NewStringBuilder(mem)
		for _, s := range v {
			if s == "" {
				b.AppendNull()
			} else {
				b.Append(s)
			}
		}
		return b.NewArray()
	}
	encoded := func(index []int32, values ...string) arrow.Array {
		b := array.NewInt32Builder(mem)
		b.AppendValues(index, nil)
		return array.NewDictionaryArray(dictionary, b.NewArray(), words(values...))
	}
	keys := []arrow.Array{words("b", "a"), encoded([]int32{1, 0}, "a", "b"), encoded([]int32{0, 2}, "b", "unused", "a"), encoded([]int32{0, 1}, "", "c"), words("", "c")}
	declared := arrow.NewSchema(fields, nil)
	var batches []arrow.RecordBatch
	for i, k := range keys {
		schema := arrow.NewSchema([]arrow.Field{field("sku", k.DataType()), fields[1], fields[2]}, nil)
		batches = append(batches, array.NewRecordBatch(schema, []arrow.Array{k, ints(int64(i), int64(i)), ints(10, 20)}, 2))
	}
	r := &reader{schema: declared, batches: batches}
	p, err := series.FromArrow(context.Background(), r, series.Options{Time: "ds", Value: "y", Keys: []string{"sku"}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	want := map[string][]float64{"NULL": {10, 10}, "a": {20, 20, 20}, "b": {10, 10, 10}, "c": {20, 20}}
	if p.Len() != len(want) {
		t.Fatalf("%d series", p.Len())
	}
	for i := range p.Len() {
		name := strings.TrimPrefix(p.KeyString(i), "sku=")
		if !same(p.Series(i).Y, want[name]) {
			t.Errorf("%s: %v, want %v", name, p.Series(i).Y, want[name])
		}
	}
}

// reader yields batches whose schemas differ from the declared one, as the contract of utf8 columns allows, and then err.
type reader struct {
	schema  *arrow.Schema
	batches []arrow.RecordBatch
	current arrow.RecordBatch
	err     error
}

func (r *reader) Retain()                        {}
func (r *reader) Release()                       {}
func (r *reader) Schema() *arrow.Schema          { return r.schema }
func (r *reader) RecordBatch() arrow.RecordBatch { return r.current }
func (r *reader) Record() arrow.RecordBatch      { return r.current }
func (r *reader) Err() error                     { return r.err }
func (r *reader) Next() bool {
	if len(r.batches) == 0 {
		return false
	}
	r.current, r.batches = r.batches[0], r.batches[1:]
	return true
}

func TestNoKeys(t *testing.T) {
	p := mustPanel(t, sales, series.Options{Time: "ds", Value: "y"},
		[]any{"a", "2024-01-03", 3}, []any{"b", "2024-01-01", 1}, []any{"c", "2024-01-02", 2}, []any{"c", "2024-01-04", 2}, []any{"c", "2024-01-06", 2})
	if p.Len() != 1 || p.Keys().NumCols() != 0 || p.Keys().NumRows() != 1 || p.KeyString(0) != "" {
		t.Fatalf("%d series, keys %v", p.Len(), p.Keys())
	}
	if s := p.Series(0); !same(s.Y, []float64{1, 2, 3, 2, 0, 2}) || s.Freq.String() != "D" || s.Period() != 7 {
		t.Errorf("%+v", s)
	}
	if p.Missing() != series.MissingZero {
		t.Errorf("missing resolved to %s", p.Missing())
	}
}

// Values of every number type become float64; decimals are rounded once.
func TestValues(t *testing.T) {
	for _, tc := range []struct {
		typ  arrow.DataType
		in   any
		want float64
	}{
		{arrow.PrimitiveTypes.Int8, -3, -3},
		{arrow.PrimitiveTypes.Int16, 300, 300},
		{arrow.PrimitiveTypes.Int32, 70000, 70000},
		{arrow.PrimitiveTypes.Uint8, 200, 200},
		{arrow.PrimitiveTypes.Uint16, 60000, 60000},
		{arrow.PrimitiveTypes.Uint32, 4000000000, 4000000000},
		{arrow.PrimitiveTypes.Uint64, uint64(math.MaxUint64), math.MaxUint64},
		{arrow.PrimitiveTypes.Float32, 0.1, float64(float32(0.1))},
		{arrow.FixedWidthTypes.Float16, 0.5, 0.5},
		{arrow.FixedWidthTypes.Boolean, true, 1},
		{&arrow.Decimal32Type{Precision: 5, Scale: 2}, "1.10", 1.1},
		{&arrow.Decimal64Type{Precision: 15, Scale: 2}, "-1.10", -1.1},
		{&arrow.Decimal128Type{Precision: 10, Scale: 2}, "19.99", 19.99},
		{&arrow.Decimal128Type{Precision: 10, Scale: 2}, "-19.99", -19.99},
		{&arrow.Decimal128Type{Precision: 38, Scale: 18}, "12345678901234567890.123456789012345678", 12345678901234567890.123456789012345678},
		{&arrow.Decimal256Type{Precision: 60, Scale: 2}, "12345678901234567890123456789012345678901234567.89", 12345678901234567890123456789012345678901234567.89},
		{float, "NaN", nan},
	} {
		p := mustPanel(t, []arrow.Field{field("ds", integer), field("y", tc.typ)}, series.Options{Time: "ds", Value: "y", Missing: series.MissingNull},
			[]any{1, tc.in}, []any{2, nil}, []any{3, tc.in}, []any{4, 1})
		if y := p.Series(0).Y; !same(y[:3], []float64{tc.want, nan, tc.want}) {
			t.Errorf("%s: %v became %v", tc.typ, tc.in, y)
		}
	}
}

func TestErrors(t *testing.T) {
	day := func(d int) string { return fmt.Sprintf("2024-01-%02d", d) }
	cutoff := micros(t, "2023-01-01")
	row := []any{"a", day(1), 1}
	for _, tc := range []struct {
		name   string
		fields []arrow.Field
		opts   series.Options
		rows   [][]any
		want   error  // a value of the type expected, or a sentinel
		text   string // part of the message
	}{
		{"no rows", sales, bySKU(), nil, series.ErrNoRows, "no rows"},
		{"none known", sales, series.Options{Time: "ds", Value: "y", Cutoff: &cutoff}, [][]any{row}, series.ErrNoRows, "cutoff"},
		{"no time column", sales, series.Options{Time: "dss", Value: "y"}, [][]any{row}, &series.ColumnError{}, `did you mean "ds"`},
		{"no value column", sales, series.Options{Time: "ds", Value: "units"}, [][]any{row}, &series.ColumnError{}, `value column "units"`},
		{"no key column", sales, series.Options{Time: "ds", Value: "y", Keys: []string{"SKU"}}, [][]any{row}, &series.ColumnError{}, `did you mean "sku"`},
		{"no regressor", sales, series.Options{Time: "ds", Value: "y", Regressors: []string{"price"}}, [][]any{row}, &series.ColumnError{}, "regressor"},
		{"time is text", sales, series.Options{Time: "sku", Value: "y"}, [][]any{row}, &series.ColumnError{}, "not a time column"},
		{"value is a date", sales, series.Options{Time: "ds", Value: "ds"}, [][]any{row}, &series.ColumnError{}, "not a number"},
		{
			"value is text",
			[]arrow.Field{field("sku", text), field("ds", date), field("y", text)},
			bySKU(),
			[][]any{{"a", day(1), "12"}, {"b", day(1), "n/a"}},
			&series.ValueError{Column: "y", Row: 2, Key: "sku=b", Value: "n/a"}, "not a number",
		},
		{
			"value is numbers as text",
			[]arrow.Field{field("sku", text), field("ds", date), field("y", dictionary)},
			bySKU(),
			[][]any{{nil, day(1), "12"}},
			&series.ValueError{Column: "y", Row: 1, Key: "sku=NULL", Value: "12"}, "CAST",
		},
		{"text that is all NULL", []arrow.Field{field("sku", text), field("ds", date), field("y", text)}, bySKU(), [][]any{{"a", day(1), nil}}, &series.ColumnError{}, "text"},
		{
			"infinite", sales, bySKU(),
			[][]any{row, row, row, {"b", day(2), "+Inf"}},
			&series.ValueError{Column: "y", Row: 4, Key: "sku=b", Value: "+Inf"}, "infinite",
		},
		{
			"NULL times", sales, bySKU(),
			[][]any{row, {"a", nil, 1}, row, {"b", nil, 1}, {"c", nil, 1}},
			&series.NullTimeError{Column: "ds", Rows: 3, Total: 5}, "WHERE ds IS NOT NULL",
		},
		{"no spacing", sales, series.Options{Time: "ds", Value: "y"}, [][]any{row, row}, &series.FrequencyError{}, `time column "ds"`},
		{"hours of dates", sales, series.Options{Time: "ds", Value: "y", Freq: freq(t, "H")}, [][]any{row}, &series.FrequencyError{}, "finer"},
		{"integer spacing of dates", sales, series.Options{Time: "ds", Value: "y", Freq: freq(t, "7")}, [][]any{row}, &series.FrequencyError{}, "7D"},
		{
			"months of integers",
			[]arrow.Field{field("ds", integer), field("y", float)},
			series.Options{Time: "ds", Value: "y", Freq: freq(t, "M")},
			[][]any{{1, 1}},
			&series.FrequencyError{}, "whole numbers",
		},
		{
			"year 9025", sales, bySKU(),
			[][]any{{"a", day(1), 1}, {"b", day(1), 1}, {"b", day(2), 1}, {"b", "9025-01-03", 1}},
			&series.SpanError{Key: "sku=b", First: "2024-01-01", Last: "9025-01-03", Rows: 3, Periods: 2557066}, "wrong date",
		},
		{
			"never", sales,
			series.Options{Time: "ds", Value: "y"},
			[][]any{{"a", day(1), 1}, {"b", day(2), 1}, {"b", "9999-12-31", 1}},
			&series.SpanError{First: "2024-01-01", Last: "9999-12-31", Rows: 3}, "2024-01-01 to 9999-12-31",
		},
		{
			"integers far apart",
			[]arrow.Field{field("ds", integer), field("y", float)},
			series.Options{Time: "ds", Value: "y"},
			[][]any{{1, 1}, {2, 1}, {20240101, 1}},
			&series.SpanError{First: "1", Last: "20240101", Rows: 3, Periods: 20240101}, "20240101",
		},
		{
			"all of int64",
			[]arrow.Field{field("ds", integer), field("y", float)},
			series.Options{Time: "ds", Value: "y", Freq: freq(t, "1")},
			[][]any{{math.MinInt64 + 1, 1}, {math.MaxInt64 - 1, 1}},
			&series.SpanError{}, "9223372036854775806",
		},
	} {
		_, err := panel(t, tc.fields, tc.opts, tc.rows...)
		if err == nil || !strings.Contains(err.Error(), tc.text) {
			t.Errorf("%s: %v, want %q in it", tc.name, err, tc.text)
			continue
		}
		matches := errors.Is(err, tc.want)
		switch want := tc.want.(type) { //nolint:errorlint // the wanted error, not a wrapped one
		case *series.ColumnError:
			matches = errors.As(err, &want)
		case *series.FrequencyError:
			matches = errors.As(err, &want)
		case *series.ValueError:
			var got *series.ValueError
			matches = errors.As(err, &got) && got.Column == want.Column && got.Row == want.Row && got.Key == want.Key && got.Value == want.Value
		case *series.NullTimeError:
			var got *series.NullTimeError
			matches = errors.As(err, &got) && *got == *want
		case *series.SpanError:
			var got *series.SpanError
			matches = errors.As(err, &got) && (want.Rows == 0 || got.Key == want.Key && got.First == want.First && got.Last == want.Last && got.Rows == want.Rows) &&
				(want.Periods == 0 || got.Periods == want.Periods)
		}
		if !matches {
			t.Errorf("%s: %#v, want %#v", tc.name, err, tc.want)
		}
	}
}

func TestTimeRange(t *testing.T) {
	seconds := &arrow.TimestampType{Unit: arrow.Second}
	schema := arrow.NewSchema([]arrow.Field{field("ds", seconds), field("y", integer)}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	b.Field(0).(*array.TimestampBuilder).AppendValues([]arrow.Timestamp{0, 1 << 60}, nil)
	b.Field(1).(*array.Int64Builder).AppendValues([]int64{1, 2}, nil)
	r := &reader{schema: schema, batches: []arrow.RecordBatch{b.NewRecordBatch()}}
	if _, err := series.FromArrow(context.Background(), r, series.Options{Time: "ds", Value: "y"}); !errors.Is(err, calendar.ErrTimeRange) {
		t.Error(err)
	}
}

func TestSourceFails(t *testing.T) {
	broken := errors.New("disk on fire")
	r := &reader{schema: arrow.NewSchema(sales, nil), err: broken}
	if _, err := series.FromArrow(context.Background(), r, bySKU()); !errors.Is(err, broken) {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	src := source(t, memory.DefaultAllocator, sales, 2, []any{"a", "2024-01-01", 1})
	if _, err := series.FromArrow(ctx, src, bySKU()); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// After the cutoff nothing is known: no value, and no series that begins there.
func TestCutoff(t *testing.T) {
	cutoff := micros(t, "2024-01-02")
	opts := bySKU()
	opts.Cutoff = &cutoff
	p := mustPanel(t, sales, opts,
		[]any{"a", "2024-01-01", 1}, []any{"a", "2024-01-02", 2}, []any{"a", "2024-01-03", 0.5}, []any{"a", "2024-01-05", 4},
		[]any{"b", "2024-01-03", 1}, []any{"c", "2024-01-02", 7})
	if p.Len() != 2 || p.KeyString(1) != "sku=c" || p.AfterCutoff() != 1 {
		t.Fatalf("%d series, %d begin later", p.Len(), p.AfterCutoff())
	}
	if !same(p.Series(0).Y, []float64{1, 2}) || p.Report(0) != (series.Report{Rows: 2, AfterCutoff: 2}) {
		t.Errorf("%v %+v", p.Series(0).Y, p.Report(0))
	}
	if p.Missing() != series.MissingZero {
		t.Error("a value after the cutoff decided how gaps are filled")
	}
}

func TestRegressors(t *testing.T) {
	fields := []arrow.Field{field("sku", text), field("ds", date), field("y", float), field("price", &arrow.Decimal128Type{Precision: 6, Scale: 2}), field("promo", arrow.PrimitiveTypes.Int8)}
	opts := bySKU()
	opts.Regressors = []string{"price", "promo"}
	rows := [][]any{
		{"b", "2024-01-01", 1, 2, 0},
		{"a", "2024-01-06", nil, 5, 1}, // the future comes first
		{"a", "2024-01-01", 1, 1, 0},
		{"a", "2024-01-02", 2, 2, 1},
		{"a", "2024-01-02", 3, 3, 1},
		{"a", "2024-01-04", 4, nil, 0},
		{"a", "2024-01-07", nil, 6, 0},
	}
	p := mustPanel(t, fields, opts, rows...)
	a := p.Series(0)
	if !same(a.Y, []float64{1, 5, 0, 4}) || !same(a.X[0], []float64{1, 2.5, nan, nan, nan, 5, 6}) || !same(a.X[1], []float64{0, 1, nan, 0, nan, 1, 0}) {
		t.Errorf("%v\n%v", a.Y, a.X)
	}
	if got := p.Report(0); got != (series.Report{Rows: 4, Duplicates: 1, Zeros: 1, Future: 3, Trailing: 2}) {
		t.Errorf("%+v", got)
	}
	if b := p.Series(1); !same(b.Y, []float64{1}) || !same(b.X[0], []float64{2}) {
		t.Errorf("%+v", b)
	}

	// With a cutoff the values are unknown, the plans are not.
	cutoff := micros(t, "2024-01-02")
	opts.Cutoff = &cutoff
	p = mustPanel(t, fields, opts, rows...)
	a = p.Series(0)
	if !same(a.Y, []float64{1, 5}) || !same(a.X[0], []float64{1, 2.5, nan, nan, nan, 5, 6}) {
		t.Errorf("%v\n%v", a.Y, a.X)
	}
	if got := p.Report(0); got != (series.Report{Rows: 3, Duplicates: 1, Future: 5, AfterCutoff: 3}) {
		t.Errorf("%+v", got)
	}
}

// Rows finer than the frequency are gathered into its periods.
func TestCoarserFrequency(t *testing.T) {
	fields := []arrow.Field{field("ts", stamp), field("qty", integer)}
	rows := [][]any{
		{"2010-12-01 08:26:00", 6}, {"2010-12-01 08:28:00", 2}, {"2010-12-01 17:00:00", 1}, {"2010-12-03 00:00:00", 4}, {"2010-12-13 23:59:59", 5},
	}
	for _, tc := range []struct {
		freq  string
		want  []float64
		times []string
	}{
		{"D", []float64{9, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5}, []string{"2010-12-01 00:00:00", "2010-12-02 00:00:00"}},
		{"W", []float64{13, 0, 5}, []string{"2010-11-29 00:00:00", "2010-12-06 00:00:00"}},
		{"M", []float64{18}, []string{"2010-12-01 00:00:00", "2011-01-01 00:00:00"}},
	} {
		p := mustPanel(t, fields, series.Options{Time: "ts", Value: "qty", Freq: freq(t, tc.freq)}, rows...)
		if !same(p.Series(0).Y, tc.want) {
			t.Errorf("%s: %v, want %v", tc.freq, p.Series(0).Y, tc.want)
		}
		for step, want := range tc.times {
			if got := p.Axis().Format(p.Time(0, step)); got != want {
				t.Errorf("%s: step %d is %s, want %s", tc.freq, step, got, want)
			}
		}
		if r := p.Report(0); r.Rows != 5 || r.Duplicates != 5-map[string]int{"D": 3, "W": 2, "M": 1}[tc.freq] {
			t.Errorf("%s: %+v", tc.freq, r)
		}
	}
	_, err := panel(t, fields, series.Options{Time: "ts", Value: "qty"}, rows...)
	var none *series.FrequencyError
	if !errors.As(err, &none) || none.Column != "ts" || len(none.Examples) == 0 {
		t.Errorf("%v", err)
	}
}

func TestAppendTime(t *testing.T) {
	fields := []arrow.Field{{Name: "month", Type: date, Metadata: arrow.NewMetadata([]string{"mysql.type"}, []string{"date"})}, field("y", float)}
	p := mustPanel(t, fields, series.Options{Time: "month", Value: "y"}, []any{"2023-11-30", 1}, []any{"2023-12-31", 1}, []any{"2024-01-31", 1})
	if !p.TimeField().Equal(fields[0]) {
		t.Errorf("%v", p.TimeField())
	}
	b := array.NewBuilder(memory.DefaultAllocator, p.TimeField().Type)
	for _, step := range []int{0, 2, 3, 15} {
		if err := p.AppendTime(b, 0, step); err != nil {
			t.Error(err)
		}
	}
	if got := fmt.Sprint(b.NewArray()); got != `[2023-11-30 2024-01-31 2024-02-29 2025-02-28]` {
		t.Error(got)
	}
	if err := p.AppendTime(b, 0, 100_000); !errors.Is(err, calendar.ErrTimeRange) {
		t.Errorf("year 10,000 and more: %v", err)
	}
	s := p.Series(0)
	if s.Time(3) != p.Time(0, 3) {
		t.Errorf("Series.Time %d, Panel.Time %d", s.Time(3), p.Time(0, 3))
	}
	byHand := series.Series{Y: []float64{1}, Freq: freq(t, "M"), Start: micros(t, "2024-01-31")}
	if byHand.Time(1) != micros(t, "2024-02-29") {
		t.Error(byHand.Time(1))
	}

	small := mustPanel(t, []arrow.Field{field("year", arrow.PrimitiveTypes.Int8), field("y", float)}, series.Options{Time: "year", Value: "y"}, []any{120, 1}, []any{122, 1})
	b = array.NewBuilder(memory.DefaultAllocator, arrow.PrimitiveTypes.Int8)
	if err := small.AppendTime(b, 0, 3); err != nil {
		t.Error(err)
	}
	if err := small.AppendTime(b, 0, 4); !errors.Is(err, calendar.ErrTimeRange) {
		t.Error(err)
	}
	if small.Freq().String() != "2" || len(small.Series(0).Periods) != 0 || small.Series(0).Period() != 1 {
		t.Errorf("%v %v", small.Freq(), small.Series(0).Periods)
	}
}

func TestReportString(t *testing.T) {
	r := series.Report{Zeros: 3, Nulls: 1, Duplicates: 2, AfterCutoff: 9}
	if got := r.String(); got != "3 missing periods taken as 0; 1 NULL value left unknown; 2 duplicate rows aggregated" {
		t.Error(got)
	}
	if (series.Report{Rows: 5}).String() != "" {
		t.Error("a clean series needs no words")
	}
}

func TestOptionNames(t *testing.T) {
	for i, name := range series.MissingNames() {
		m, err := series.ParseMissing(name)
		if err != nil || int(m) != i || m.String() != name {
			t.Errorf("%s: %v %v", name, m, err)
		}
	}
	for i, name := range series.AggNames() {
		a, err := series.ParseAgg(name)
		if err != nil || int(a) != i || a.String() != name {
			t.Errorf("%s: %v %v", name, a, err)
		}
	}
	if _, err := series.ParseMissing("zeros"); err == nil {
		t.Error("zeros accepted")
	}
	if _, err := series.ParseAgg("average"); err == nil {
		t.Error("average accepted")
	}
	if !reflect.DeepEqual(series.MissingNames(), []string{"auto", "zero", "null", "ffill", "interpolate", "error"}) {
		t.Error(series.MissingNames())
	}
}
