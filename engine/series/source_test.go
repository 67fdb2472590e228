package series_test

import (
	"context"
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/engine/calendar"
	"github.com/almanacdb/almanac/engine/series"
)

var (
	text       = arrow.BinaryTypes.String
	dictionary = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}
	date       = arrow.FixedWidthTypes.Date32
	stamp      = &arrow.TimestampType{Unit: arrow.Microsecond}
	float      = arrow.PrimitiveTypes.Float64
	integer    = arrow.PrimitiveTypes.Int64
	nan        = math.NaN()
)

func field(name string, typ arrow.DataType) arrow.Field {
	return arrow.Field{Name: name, Type: typ, Nullable: true}
}

// source makes a reader of rows, each written as values or as the text that Arrow's builders parse; nil is NULL. Batches hold
// perBatch rows.
func source(t testing.TB, mem memory.Allocator, fields []arrow.Field, perBatch int, rows ...[]any) array.RecordReader {
	t.Helper()
	schema := arrow.NewSchema(fields, nil)
	var batches []arrow.RecordBatch
	b := array.NewRecordBuilder(mem, schema)
	defer b.Release()
	for i, row := range rows {
		for c, v := range row {
			if v == nil {
				b.Field(c).AppendNull()
			} else if err := b.Field(c).AppendValueFromString(fmt.Sprint(v)); err != nil {
				t.Fatalf("row %d: %v", i, err)
			}
		}
		if (i+1)%perBatch == 0 || i == len(rows)-1 {
			batches = append(batches, b.NewRecordBatch())
		}
	}
	r, err := array.NewRecordReader(schema, batches)
	if err != nil {
		t.Fatal(err)
	}
	for _, batch := range batches {
		batch.Release()
	}
	return r
}

// panel reads rows into a panel that is released, and checked for leaks, when the test ends.
func panel(t testing.TB, fields []arrow.Field, opts series.Options, rows ...[]any) (*series.Panel, error) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	r := source(t, mem, fields, 3, rows...)
	opts.Allocator = mem
	p, err := series.FromArrow(context.Background(), r, opts)
	r.Release()
	if err != nil {
		mem.AssertSize(t, 0)
		return nil, err
	}
	t.Cleanup(func() {
		p.Release()
		mem.AssertSize(t, 0)
	})
	return p, nil
}

func mustPanel(t testing.TB, fields []arrow.Field, opts series.Options, rows ...[]any) *series.Panel {
	t.Helper()
	p, err := panel(t, fields, opts, rows...)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func freq(t testing.TB, text string) calendar.Frequency {
	t.Helper()
	f, err := calendar.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func micros(t testing.TB, text string) int64 {
	t.Helper()
	v, err := time.Parse("2006-01-02", text)
	if err != nil {
		t.Fatal(err)
	}
	return v.UnixMicro()
}

// same compares values; NaN equals NaN.
func same(a, b []float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !(math.IsNaN(a[i]) && math.IsNaN(b[i])) {
			return false
		}
	}
	return true
}
