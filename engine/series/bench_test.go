package series_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/engine/series"
)

// The benchmarks' panel has the shape of one M5 store: 3,049 daily series that start at different times and end together,
// 4.7 million rows in batches of 65,536 with dictionary keys.
const (
	benchSeries = 3049
	benchDays   = 1885
)

type benchRow struct {
	id  int32
	day int32
	y   int64
}

func benchRows() []benchRow {
	rng := rand.New(rand.NewPCG(1, 2))
	var rows []benchRow
	for s := range int32(benchSeries) {
		for day := rng.Int32N(710); day < benchDays; day++ {
			rows = append(rows, benchRow{s, 14975 + day, rng.Int64N(5)})
		}
	}
	return rows
}

func benchBatches(rows []benchRow) (*arrow.Schema, []arrow.RecordBatch) {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}},
		{Name: "ds", Type: arrow.FixedWidthTypes.Date32},
		{Name: "y", Type: arrow.PrimitiveTypes.Int64},
	}, nil)
	names := array.NewStringBuilder(memory.DefaultAllocator)
	for s := range benchSeries {
		names.Append(fmt.Sprintf("CA_1_FOODS_%06d", s))
	}
	dictionary := names.NewArray()
	var batches []arrow.RecordBatch
	for from := 0; from < len(rows); from += 65536 {
		part := rows[from:min(from+65536, len(rows))]
		ids := array.NewInt32Builder(memory.DefaultAllocator)
		days := array.NewDate32Builder(memory.DefaultAllocator)
		ys := array.NewInt64Builder(memory.DefaultAllocator)
		for _, r := range part {
			ids.Append(r.id)
			days.Append(arrow.Date32(r.day))
			ys.Append(r.y)
		}
		id := array.NewDictionaryArray(schema.Field(0).Type, ids.NewArray(), dictionary)
		batches = append(batches, array.NewRecordBatch(schema, []arrow.Array{id, days.NewArray(), ys.NewArray()}, int64(len(part))))
	}
	return schema, batches
}

func benchmarkPanel(b *testing.B, rows []benchRow) {
	schema, batches := benchBatches(rows)
	b.ReportAllocs()
	for b.Loop() {
		reader, err := array.NewRecordReader(schema, batches)
		if err != nil {
			b.Fatal(err)
		}
		p, err := series.FromArrow(context.Background(), reader, series.Options{Time: "ds", Value: "y", Keys: []string{"id"}})
		if err != nil {
			b.Fatal(err)
		}
		if p.Len() != benchSeries || p.Freq().String() != "D" {
			b.Fatal(p.Len(), p.Freq())
		}
		p.Release()
		reader.Release()
	}
	b.ReportMetric(float64(len(rows))*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
}

func BenchmarkFromArrowSorted(b *testing.B) { benchmarkPanel(b, benchRows()) }

// BenchmarkFromArrowGaps has a tenth of the rows left out.
func BenchmarkFromArrowGaps(b *testing.B) {
	rng := rand.New(rand.NewPCG(3, 4))
	all := benchRows()
	rows := all[:0]
	for _, r := range all {
		if rng.IntN(10) > 0 {
			rows = append(rows, r)
		}
	}
	benchmarkPanel(b, rows)
}

// BenchmarkFromArrowByTime has the rows in order of time, as a table that is appended to daily.
func BenchmarkFromArrowByTime(b *testing.B) {
	rows := benchRows()
	byDay := make([][]benchRow, benchDays)
	for _, r := range rows {
		byDay[r.day-14975] = append(byDay[r.day-14975], r)
	}
	rows = rows[:0]
	for _, day := range byDay {
		rows = append(rows, day...)
	}
	benchmarkPanel(b, rows)
}

func BenchmarkFromArrowShuffled(b *testing.B) {
	rows := benchRows()
	rand.New(rand.NewPCG(5, 6)).Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	benchmarkPanel(b, rows)
}
