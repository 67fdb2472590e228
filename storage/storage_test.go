package storage_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"go.uber.org/goleak"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/vfs"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var ctx = context.Background()

// salesSchema is the table most tests use: primary key (sku, day), unique (tag).
var salesSchema = arrow.NewSchema([]arrow.Field{
	{Name: "sku", Type: arrow.BinaryTypes.String, Metadata: arrow.NewMetadata([]string{"mysql.type"}, []string{"varchar(20)"})},
	{Name: "day", Type: arrow.FixedWidthTypes.Date32},
	{Name: "units", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "price", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "tag", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
}, nil)

func salesSpec(name string) storage.TableSpec {
	return storage.TableSpec{
		Database: "shop", Name: name, Schema: salesSchema, AutoIncrement: -1, Meta: []byte("meta"),
		Keys: []storage.Key{
			{Name: "PRIMARY", Columns: []int{0, 1}, Primary: true, Unique: true},
			{Name: "tag", Columns: []int{4}, Unique: true},
		},
	}
}

// sale is one row; nil pointers are NULL.
type sale struct {
	sku   string
	day   int32
	units any // int64 or nil
	price any // float64 or nil
	tag   any // int32 or nil
}

func batch(rows ...sale) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.NewGoAllocator(), salesSchema)
	defer b.Release()
	for _, r := range rows {
		b.Field(0).(*array.StringBuilder).Append(r.sku)
		b.Field(1).(*array.Date32Builder).Append(arrow.Date32(r.day))
		if r.units == nil {
			b.Field(2).AppendNull()
		} else {
			b.Field(2).(*array.Int64Builder).Append(r.units.(int64))
		}
		if r.price == nil {
			b.Field(3).AppendNull()
		} else {
			b.Field(3).(*array.Float64Builder).Append(r.price.(float64))
		}
		if r.tag == nil {
			b.Field(4).AppendNull()
		} else {
			b.Field(4).(*array.Int32Builder).Append(r.tag.(int32))
		}
	}
	return b.NewRecordBatch()
}

// text returns row i of a column that may be dictionary-encoded.
func text(a arrow.Array, i int) string {
	if d, ok := a.(*array.Dictionary); ok {
		return d.Dictionary().(*array.String).Value(d.GetValueIndex(i))
	}
	return a.(*array.String).Value(i)
}

func rowsOf(b arrow.RecordBatch) []sale {
	var out []sale
	for i := range int(b.NumRows()) {
		s := sale{sku: text(b.Column(0), i), day: int32(b.Column(1).(*array.Date32).Value(i))}
		if !b.Column(2).IsNull(i) {
			s.units = b.Column(2).(*array.Int64).Value(i)
		}
		if !b.Column(3).IsNull(i) {
			s.price = b.Column(3).(*array.Float64).Value(i)
		}
		if !b.Column(4).IsNull(i) {
			s.tag = b.Column(4).(*array.Int32).Value(i)
		}
		out = append(out, s)
	}
	return out
}

func scan(t testing.TB, tab *storage.Table, o storage.ScanOptions) (rows []sale, ids []storage.RowID) {
	t.Helper()
	o.RowIDs = true
	s, err := tab.Scan(ctx, o)
	must(t, err)
	defer s.Release()
	for s.Next() {
		rows = append(rows, rowsOf(s.RecordBatch())...)
		ids = append(ids, s.RowIDs()...)
	}
	must(t, s.Err())
	return rows, ids
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func table(t testing.TB, txn *storage.Txn, name string) *storage.Table {
	t.Helper()
	tab, err := txn.Table("shop", name)
	must(t, err)
	return tab
}

// openShop opens a database in fs with an empty table shop.sales, unless it is there.
func openShop(t testing.TB, fs vfs.FS, opts storage.Options) *storage.DB {
	t.Helper()
	opts.FS = fs
	db, err := storage.Open("/data", opts)
	must(t, err)
	txn := db.Begin()
	if !slices.Contains(txn.Databases(), "shop") {
		must(t, txn.CreateDatabase("shop", []byte("utf8mb4")))
		must(t, txn.CreateTable(salesSpec("sales")))
		must(t, txn.Commit(ctx))
	}
	return db
}

func change(t testing.TB, db *storage.DB, do func(txn *storage.Txn, tab *storage.Table)) {
	t.Helper()
	txn := db.Begin()
	do(txn, table(t, txn, "sales"))
	must(t, txn.Commit(ctx))
}

func TestAppendScanDeleteReopen(t *testing.T) {
	fs := vfs.NewMem()
	db := openShop(t, fs, storage.Options{})
	change(t, db, func(_ *storage.Txn, tab *storage.Table) {
		must(t, tab.Append(ctx, batch(
			sale{"b", 2, int64(5), 1.5, int32(1)}, sale{"a", 1, int64(3), nil, nil}, sale{"a", 2, nil, 2.5, nil})))
	})
	want := []sale{{"b", 2, int64(5), 1.5, int32(1)}, {"a", 1, int64(3), nil, nil}, {"a", 2, nil, 2.5, nil}}
	for round := range 4 {
		txn := db.Begin()
		tab := table(t, txn, "SALES")
		got, ids := scan(t, tab, storage.ScanOptions{})
		if round > 0 { // in segments, by key
			slices.SortFunc(want, func(a, b sale) int { return int(a.sku[0])*10 + int(a.day) - int(b.sku[0])*10 - int(b.day) })
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Fatalf("round %d: got %v, want %v", round, got, want)
		}
		for i, s := range want {
			id, ok, err := tab.Lookup(ctx, 0, []any{s.sku, arrow.Date32(s.day)})
			if err != nil || !ok || id != ids[i] {
				t.Fatalf("round %d: lookup of %v: %v %v %v, want %v", round, s, id, ok, err, ids[i])
			}
			r, err := tab.Row(ctx, id)
			must(t, err)
			if got := rowsOf(r)[0]; got != s {
				t.Fatalf("row %v, want %v", got, s)
			}
		}
		if _, ok, err := tab.Lookup(ctx, 0, []any{"a", arrow.Date32(3)}); ok || err != nil {
			t.Fatal("found a row that is not there", err)
		}
		if s := tab.Spec(); string(s.Meta) != "meta" || !s.Schema.Equal(salesSchema) || len(s.Keys) != 2 {
			t.Fatalf("spec %+v", s)
		}
		if tab.NumRows() != 3 {
			t.Fatal(tab.NumRows())
		}
		txn.Rollback()
		must(t, db.Close())
		db = openShop(t, fs, storage.Options{})
	}
	change(t, db, func(_ *storage.Txn, tab *storage.Table) {
		id, _, err := tab.Lookup(ctx, 0, []any{"a", arrow.Date32(1)})
		must(t, err)
		must(t, tab.Delete(ctx, []storage.RowID{id}))
		if err := tab.Delete(ctx, []storage.RowID{id}); !errors.Is(err, storage.ErrNoRow) {
			t.Fatal(err)
		}
	})
	must(t, db.Close())
	db = openShop(t, fs, storage.Options{})
	got, _ := scan(t, table(t, db.Begin(), "sales"), storage.ScanOptions{})
	if len(got) != 2 || got[0].day != 2 {
		t.Fatal(got)
	}
	must(t, db.Close())
}
