package storage_test

import (
	"bufio"
	"compress/gzip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/storage"
)

var m5Schema = arrow.NewSchema([]arrow.Field{
	{Name: "unique_id", Type: arrow.BinaryTypes.String},
	{Name: "ds", Type: arrow.FixedWidthTypes.Date32},
	{Name: "y", Type: arrow.PrimitiveTypes.Int64},
	{Name: "sell_price", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
}, nil)

// m5Batches reads the daily sales of store CA_1 from ../shared beside the checkout (or $ALMANAC_SHARED) into batches.
func m5Batches(t testing.TB) []arrow.RecordBatch {
	shared := os.Getenv("ALMANAC_SHARED")
	if shared == "" {
		shared = filepath.Join("..", "..", "shared")
	}
	f, err := os.Open(filepath.Join(shared, "data", "m5", "CA_1_train.csv.gz"))
	if err != nil {
		t.Skip("needs shared/data/m5 beside the checkout, or ALMANAC_SHARED:", err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	must(t, err)
	in := bufio.NewScanner(z)
	in.Scan()
	b := array.NewRecordBuilder(memory.NewGoAllocator(), m5Schema)
	defer b.Release()
	var out []arrow.RecordBatch
	days := map[string]arrow.Date32{}
	n := 0
	for in.Scan() {
		c := strings.Split(in.Text(), ",")
		day, ok := days[c[1]]
		if !ok {
			d, err := time.Parse(time.DateOnly, c[1])
			must(t, err)
			day = arrow.Date32FromTime(d)
			days[strings.Clone(c[1])] = day
		}
		y, err := strconv.ParseFloat(c[2], 64)
		must(t, err)
		b.Field(0).(*array.StringBuilder).Append(c[0])
		b.Field(1).(*array.Date32Builder).Append(day)
		b.Field(2).(*array.Int64Builder).Append(int64(y))
		if price, err := strconv.ParseFloat(c[3], 64); err == nil {
			b.Field(3).(*array.Float64Builder).Append(price)
		} else {
			b.Field(3).AppendNull()
		}
		if n++; n%65536 == 0 {
			out = append(out, b.NewRecordBatch())
		}
	}
	must(t, in.Err())
	return append(out, b.NewRecordBatch())
}

func m5Spec() storage.TableSpec {
	return storage.TableSpec{
		Database: "m5", Name: "sales", Schema: m5Schema, AutoIncrement: -1,
		Keys: []storage.Key{{Name: "PRIMARY", Columns: []int{0, 1}, Unique: true, Primary: true}},
	}
}

// BenchmarkM5 loads the 4.7 million rows, reopens and scans: the numbers quoted in docs/adr/0003-storage-format.md.
func BenchmarkM5(b *testing.B) {
	batches := m5Batches(b)
	rows := int64(0)
	for _, r := range batches {
		rows += r.NumRows()
	}
	for b.Loop() {
		dir := b.TempDir()
		start := time.Now()
		db, err := storage.Open(dir, storage.Options{})
		must(b, err)
		txn := db.Begin()
		must(b, txn.CreateDatabase("m5", nil))
		must(b, txn.CreateTable(m5Spec()))
		tab, err := txn.Table("m5", "sales")
		must(b, err)
		for _, r := range batches {
			must(b, tab.Append(ctx, r))
		}
		must(b, txn.Commit(ctx))
		b.ReportMetric(time.Since(start).Seconds(), "load-s")
		must(b, db.Close())

		start = time.Now()
		db, err = storage.Open(dir, storage.Options{})
		must(b, err)
		b.ReportMetric(time.Since(start).Seconds(), "open-s")
		tab, err = db.Begin().Table("m5", "sales")
		must(b, err)
		if tab.NumRows() != rows {
			b.Fatal(tab.NumRows())
		}
		b.ReportMetric(float64(tab.Bytes())/1e6, "MB")
		for _, what := range []string{"cold-s", "warm-s"} {
			start = time.Now()
			s, err := tab.Scan(ctx, storage.ScanOptions{Columns: []int{0, 1, 2}})
			must(b, err)
			n := int64(0)
			for s.Next() {
				n += s.RecordBatch().NumRows()
			}
			must(b, s.Err())
			s.Release()
			if n != rows {
				b.Fatal(n)
			}
			b.ReportMetric(time.Since(start).Seconds(), what)
		}
		start = time.Now()
		for i := range 10000 {
			r := batches[i*7%len(batches)]
			k := i * 31 % int(r.NumRows())
			_, ok, err := tab.Lookup(ctx, 0, []any{r.Column(0).(*array.String).Value(k), r.Column(1).(*array.Date32).Value(k)})
			if err != nil || !ok {
				b.Fatal(ok, err)
			}
		}
		b.ReportMetric(float64(time.Since(start).Microseconds())/10000, "lookup-µs")
		must(b, db.Close())
	}
}
