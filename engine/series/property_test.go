package series_test

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/engine/calendar"
	"github.com/almanacdb/almanac/engine/series"
)

// a row of the random panels: two keys, a day and a value that may be NULL.
type saleRow struct {
	store string // "" is NULL
	sku   int64
	day   int64
	y     float64 // NaN is NULL
}

var saleFields = []arrow.Field{field("store", text), field("sku", integer), field("ds", date), field("y", float)}

func saleSource(rows []saleRow, perBatch int) array.RecordReader {
	schema := arrow.NewSchema(saleFields, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	var batches []arrow.RecordBatch
	for i, r := range rows {
		if r.store == "" {
			b.Field(0).AppendNull()
		} else {
			b.Field(0).(*array.StringBuilder).Append(r.store)
		}
		b.Field(1).(*array.Int64Builder).Append(r.sku)
		b.Field(2).(*array.Date32Builder).Append(arrow.Date32(r.day))
		if math.IsNaN(r.y) {
			b.Field(3).AppendNull()
		} else {
			b.Field(3).(*array.Float64Builder).Append(r.y)
		}
		if (i+1)%perBatch == 0 || i == len(rows)-1 {
			batches = append(batches, b.NewRecordBatch())
		}
	}
	reader, err := array.NewRecordReader(schema, batches)
	if err != nil {
		panic(err)
	}
	return reader
}

// expected builds the series of a daily panel the slow and obvious way: maps from key to day to sum.
func expected(rows []saleRow) map[string]map[int64]float64 {
	want := map[string]map[int64]float64{}
	for _, r := range rows {
		key := fmt.Sprintf("store=%s, sku=%d", r.store, r.sku)
		if r.store == "" {
			key = fmt.Sprintf("store=NULL, sku=%d", r.sku)
		}
		days := want[key]
		if days == nil {
			days = map[int64]float64{}
			want[key] = days
		}
		old, seen := days[r.day]
		switch {
		case !seen || math.IsNaN(old):
			days[r.day] = r.y
		case !math.IsNaN(r.y):
			days[r.day] = old + r.y
		}
	}
	return want
}

func randomSales(rng *rand.Rand, n int) []saleRow {
	rows := make([]saleRow, n)
	for i := range rows {
		rows[i] = saleRow{store: []string{"", "S1", "S10", "S2"}[rng.IntN(4)], sku: rng.Int64N(3), day: 19000 + rng.Int64N(60), y: float64(rng.IntN(9))}
		if rng.IntN(6) == 0 {
			rows[i].y = nan
		}
	}
	return rows
}

// Random panels equal those built with maps, however the rows are ordered and batched.
func TestFromArrowProperty(t *testing.T) {
	rng := rand.New(rand.NewPCG(11, 13))
	for round := range 150 {
		rows := randomSales(rng, 1+rng.IntN(400))
		if round%3 == 0 {
			slices.SortFunc(rows, func(a, b saleRow) int {
				return strings.Compare(fmt.Sprintf("%s %d %d", a.store, a.sku, a.day), fmt.Sprintf("%s %d %d", b.store, b.sku, b.day))
			})
		}
		want := expected(rows)
		r := saleSource(rows, 1+rng.IntN(100))
		p, err := series.FromArrow(context.Background(), r, series.Options{
			Time: "ds", Value: "y", Keys: []string{"store", "sku"}, Freq: calendar.Frequency{Unit: calendar.Day, N: 1},
		})
		if err != nil {
			t.Fatal(err)
		}
		if p.Len() != len(want) {
			t.Fatalf("round %d: %d series, want %d", round, p.Len(), len(want))
		}
		previous := ""
		total := 0
		for i := range p.Len() {
			key := p.KeyString(i)
			sortable := strings.Replace(key, "NULL", "", 1)
			if sortable <= previous {
				t.Fatalf("round %d: key %q after %q", round, sortable, previous)
			}
			previous = sortable
			days := want[key]
			first, last := int64(math.MaxInt64), int64(math.MinInt64)
			for d, y := range days {
				first = min(first, d)
				if !math.IsNaN(y) {
					last = max(last, d)
				}
			}
			s := p.Series(i)
			if s.Start != first*calendar.MicrosPerDay {
				t.Fatalf("round %d, %s: starts %d", round, key, s.Start)
			}
			if len(s.Y) != max(int(last-first)+1, 0) && last != math.MinInt64 {
				t.Fatalf("round %d, %s: %d observations, want %d", round, key, len(s.Y), last-first+1)
			}
			for k, y := range s.Y {
				v, has := days[first+int64(k)]
				if !has {
					v = 0 // whole numbers: a gap is a zero
				}
				if v != y && !(math.IsNaN(v) && math.IsNaN(y)) {
					t.Fatalf("round %d, %s, day %d: %v, want %v", round, key, k, y, v)
				}
			}
			total += len(s.Y)
			report := p.Report(i)
			if report.Rows+report.Trailing == 0 || report.Rows-report.Duplicates+report.Zeros != len(s.Y) {
				t.Fatalf("round %d, %s: %+v does not add up to %d", round, key, report, len(s.Y))
			}
		}
		if total != p.Observations() {
			t.Fatalf("%d observations, Observations() %d", total, p.Observations())
		}
		p.Release()
		r.Release()
	}
}

// Large groups out of order go through the radix sort; equal times keep the order of reading.
func TestFromArrowUnsorted(t *testing.T) {
	rng := rand.New(rand.NewPCG(17, 19))
	const n = 20_000
	perm := rng.Perm(n)
	var rows []saleRow
	for _, k := range perm {
		rows = append(rows, saleRow{store: "S", day: int64(k/2 - 3000), y: float64(k)})
	}
	first := map[int64]float64{}
	for _, r := range rows {
		if _, ok := first[r.day]; !ok {
			first[r.day] = r.y
		}
	}
	p, err := series.FromArrow(context.Background(), saleSource(rows, 777), series.Options{Time: "ds", Value: "y", Keys: []string{"store"}, Agg: series.AggFirst})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Release()
	y := p.Series(0).Y
	if len(y) != n/2 || p.Series(0).Start != -3000*calendar.MicrosPerDay {
		t.Fatalf("%d observations from %d", len(y), p.Series(0).Start)
	}
	for k, v := range y {
		if v != first[int64(k-3000)] {
			t.Fatalf("day %d: %v, want %v, the first read", k, v, first[int64(k-3000)])
		}
	}
}

// Whatever the rows, FromArrow answers with an error or with a panel whose parts fit together.
func FuzzFromArrow(f *testing.F) {
	f.Add([]byte{1, 0, 0, 1, 1, 0, 1, 2, 1, 0, 2, 3}, uint8(0), uint8(0), uint8(0))
	f.Add([]byte{1, 0, 0, 1, 2, 9, 200, 255, 1, 0, 2, 3, 0, 0, 9, 9}, uint8(3), uint8(4), uint8(2))
	f.Add([]byte{3, 0, 30, 1, 3, 0, 61, 2, 3, 0, 91, 3}, uint8(5), uint8(1), uint8(9))
	f.Fuzz(func(t *testing.T, data []byte, frequency, missing, agg uint8) {
		frequencies := []string{"auto", "D", "W", "M", "Q", "B", "Y", "3D"}
		var rows []saleRow
		for ; len(data) >= 4 && len(rows) < 300; data = data[4:] {
			r := saleRow{store: []string{"", "a", "b"}[data[0]%3], sku: int64(data[0] / 128), day: int64(int8(data[1]))*int64(data[0]%7) + int64(data[2]), y: float64(int8(data[3]))}
			if data[3] == 255 {
				r.y = nan
			}
			rows = append(rows, r)
		}
		if len(rows) == 0 {
			return
		}
		opts := series.Options{
			Time: "ds", Value: "y", Keys: []string{"store", "sku"}, Freq: freq(t, frequencies[int(frequency)%len(frequencies)]),
			Missing: series.Missing(missing % 6), Agg: series.Agg(agg % 8),
		}
		p, err := series.FromArrow(context.Background(), saleSource(rows, 7), opts)
		if err != nil {
			if !strings.Contains(err.Error(), "freq") && !strings.Contains(err.Error(), "agg=error") && !strings.Contains(err.Error(), "missing=error") {
				t.Fatalf("%v", err)
			}
			return
		}
		defer p.Release()
		axis := p.Axis()
		times := array.NewBuilder(memory.DefaultAllocator, date)
		rowsSeen := 0
		for i := range p.Len() {
			s := p.Series(i)
			report := p.Report(i)
			rowsSeen += report.Rows + report.Trailing
			filled := report.Zeros + report.Interpolated + report.Carried + report.Unknown
			if report.Rows-report.Duplicates+filled != len(s.Y) {
				t.Fatalf("%s: %+v does not add up to %d", p.KeyString(i), report, len(s.Y))
			}
			unknown := 0
			for _, v := range s.Y {
				if math.IsNaN(v) {
					unknown++
				}
			}
			if unknown != report.Unknown+report.Nulls {
				t.Fatalf("%s: %d unknown, %+v", p.KeyString(i), unknown, report)
			}
			if n := len(s.Y); n > 0 && math.IsNaN(s.Y[n-1]) {
				t.Fatalf("%s ends unknown: %v", p.KeyString(i), s.Y)
			}
			for step := range len(s.Y) + 2 {
				if err := p.AppendTime(times, i, step); err != nil {
					t.Fatal(err)
				}
				if step > 0 && p.Time(i, step) <= p.Time(i, step-1) {
					t.Fatalf("%s then %s", axis.Format(p.Time(i, step-1)), axis.Format(p.Time(i, step)))
				}
			}
		}
		if rowsSeen != len(rows) {
			t.Fatalf("%d rows accounted for of %d", rowsSeen, len(rows))
		}
	})
}
