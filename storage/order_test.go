package storage_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/vfs"
)

var orderSchema = arrow.NewSchema([]arrow.Field{
	{Name: "id", Type: arrow.PrimitiveTypes.Int64},
	{Name: "a", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "b", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
	{Name: "c", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "d", Type: arrow.BinaryTypes.String, Nullable: true, Metadata: arrow.NewMetadata([]string{"case"}, []string{"folded"})},
}, nil)

var orderKeys = []storage.Key{
	{Name: "PRIMARY", Columns: []int{0}, Primary: true, Unique: true},
	{Name: "ab", Columns: []int{1, 2}},
	{Name: "ca", Columns: []int{3, 1}},
	{Name: "b", Columns: []int{2}},
	{Name: "da", Columns: []int{4, 1}},
}

// foldCase compares fields marked so without regard to case.
func foldCase(f arrow.Field) func(dst, value []byte) []byte {
	if f.Metadata.FindKey("case") < 0 {
		return nil
	}
	return func(dst, value []byte) []byte { return append(dst, bytes.ToLower(value)...) }
}

// orderBatch makes rows of few different values, so that every key has many rows.
func orderBatch(rng *rand.Rand, first, n int) (arrow.RecordBatch, [][]any) {
	b := array.NewRecordBuilder(memory.NewGoAllocator(), orderSchema)
	var rows [][]any
	null := func() bool { return rng.IntN(10) == 0 }
	for i := range n {
		row := []any{int64(first + i), nil, nil, nil, nil}
		b.Field(0).(*array.Int64Builder).Append(int64(first + i))
		if a := b.Field(1).(*array.StringBuilder); null() {
			a.AppendNull()
		} else {
			row[1] = strings.Repeat("x", rng.IntN(12)) + fmt.Sprint(rng.IntN(20))
			a.Append(row[1].(string))
		}
		if a := b.Field(2).(*array.Int32Builder); null() {
			a.AppendNull()
		} else {
			row[2] = int64(rng.IntN(30) - 15)
			a.Append(int32(row[2].(int64)))
		}
		if a := b.Field(3).(*array.Float64Builder); null() {
			a.AppendNull()
		} else {
			row[3] = float64(rng.IntN(40)-20) / 4
			a.Append(row[3].(float64))
		}
		if a := b.Field(4).(*array.StringBuilder); null() {
			a.AppendNull()
		} else {
			row[4] = []string{"Milk", "milk", "MILK", "tea", "Tea", "oat"}[rng.IntN(6)]
			a.Append(row[4].(string))
		}
		rows = append(rows, row)
	}
	return b.NewRecordBatch(), rows
}

// TestKeyRanges compares ranges of all kinds of keys with the same ranges worked out row by row, over segments, committed rows in
// memory, the transaction's own, and deleted ones.
func TestKeyRanges(t *testing.T) {
	for _, limit := range []int64{0, 60_000} { // without a limit, and with one under which no order is kept
		t.Run(fmt.Sprint(limit), func(t *testing.T) { testKeyRanges(t, limit) })
	}
}

func testKeyRanges(t *testing.T, limit int64) {
	rng := rand.New(rand.NewPCG(3, uint64(limit)))
	db, err := storage.Open("/data", storage.Options{FS: vfs.NewMem(), Logger: quiet, Collate: foldCase, MemoryLimit: limit})
	must(t, err)
	defer db.Close()
	txn := db.Begin()
	must(t, txn.CreateDatabase("shop", nil))
	must(t, txn.CreateTable(storage.TableSpec{Database: "shop", Name: "sales", Schema: orderSchema, Keys: orderKeys, AutoIncrement: -1}))
	must(t, txn.Commit(ctx))
	model := map[int64][]any{}
	add := func(tab *storage.Table, n int) {
		b, rows := orderBatch(rng, len(model)*2, n)
		must(t, tab.Append(ctx, b))
		for _, r := range rows {
			model[r[0].(int64)] = r
		}
	}
	remove := func(tab *storage.Table, n int) {
		for id := range model {
			if n--; n < 0 {
				return
			}
			row, ok, err := tab.Lookup(ctx, 0, []any{id})
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			must(t, tab.Delete(ctx, []storage.RowID{row}))
			delete(model, id)
		}
	}
	change(t, db, func(_ *storage.Txn, tab *storage.Table) { add(tab, 3000) })
	must(t, db.Checkpoint(ctx))
	change(t, db, func(_ *storage.Txn, tab *storage.Table) { add(tab, 2000); remove(tab, 300) })
	must(t, db.Checkpoint(ctx))
	change(t, db, func(_ *storage.Txn, tab *storage.Table) { add(tab, 500); remove(tab, 100) })
	change(t, db, func(_ *storage.Txn, tab *storage.Table) { add(tab, 20) })
	txn = db.Begin()
	defer txn.Rollback()
	tab := table(t, txn, "sales")
	add(tab, 200)
	remove(tab, 100)

	ids := make([]int64, 0, len(model))
	for id := range model {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	found := 0
	for range 600 {
		r := storage.KeyRange{Key: rng.IntN(len(orderKeys))}
		columns := orderKeys[r.Key].Columns
		like := model[ids[rng.IntN(len(ids))]]
		n := rng.IntN(len(columns) + 1)
		for _, c := range columns[:n] {
			r.Prefix = append(r.Prefix, like[c])
		}
		if n < len(columns) {
			if rng.IntN(2) == 0 {
				r.Lower, r.LowerOpen = like[columns[n]], rng.IntN(2) == 0
			}
			if other := model[ids[rng.IntN(len(ids))]]; rng.IntN(2) == 0 {
				r.Upper, r.UpperOpen = other[columns[n]], rng.IntN(2) == 0
			}
		}
		var want []int64
		for _, id := range ids {
			if inKeyRange(columns, r, model[id]) {
				want = append(want, id)
			}
		}
		o := storage.ScanOptions{Key: &r, RowIDs: true, Columns: []int{0}, ByPrimaryKey: rng.IntN(2) == 0}
		if rng.IntN(4) == 0 {
			o.Ranges = []storage.Range{{Column: 0, Lower: int64(2000)}}
			want = slices.DeleteFunc(want, func(id int64) bool { return id < 2000 })
		}
		s, err := tab.Scan(ctx, o)
		must(t, err)
		var got []int64
		var rowIDs []storage.RowID
		for s.Next() {
			got = append(got, s.RecordBatch().Column(0).(*array.Int64).Int64Values()...)
			rowIDs = append(rowIDs, s.RowIDs()...)
		}
		must(t, s.Err())
		s.Release()
		if !o.ByPrimaryKey {
			slices.Sort(got)
		}
		if !slices.Equal(got, want) || len(rowIDs) != len(got) {
			t.Fatalf("%+v (by primary key %v): %d rows, want %d", r, o.ByPrimaryKey, len(got), len(want))
		}
		found += len(got)
		if r.Lower == nil && r.Upper == nil && o.Ranges == nil {
			all, err := tab.LookupAll(ctx, r.Key, r.Prefix)
			must(t, err)
			if len(all) != len(want) {
				t.Fatalf("%+v: LookupAll finds %d rows of %d", r, len(all), len(want))
			}
		}
	}
	if found < 10_000 {
		t.Fatalf("only %d rows found: the ranges test nothing", found)
	}
	if _, err := tab.LookupAll(ctx, 1, []any{"x", int64(1), nil}); err == nil {
		t.Fatal("three values for two columns")
	}
	if _, err := tab.LookupAll(ctx, 1, []any{1.5}); err == nil {
		t.Fatal("a number for text")
	}
}

func inKeyRange(columns []int, r storage.KeyRange, row []any) bool {
	compare := func(c int, x, y any) int {
		if c == 4 {
			return strings.Compare(strings.ToLower(x.(string)), strings.ToLower(y.(string)))
		}
		switch x := x.(type) {
		case string:
			return strings.Compare(x, y.(string))
		case int64:
			return int(x - y.(int64))
		}
		return int(4 * (x.(float64) - y.(float64)))
	}
	for i, v := range r.Prefix {
		c := columns[i]
		if v == nil || row[c] == nil {
			if v != nil || row[c] != nil {
				return false
			}
		} else if compare(c, row[c], v) != 0 {
			return false
		}
	}
	if r.Lower == nil && r.Upper == nil {
		return true
	}
	c := columns[len(r.Prefix)]
	if row[c] == nil {
		return false
	}
	if r.Lower != nil {
		if d := compare(c, row[c], r.Lower); d < 0 || d == 0 && r.LowerOpen {
			return false
		}
	}
	if r.Upper != nil {
		if d := compare(c, row[c], r.Upper); d > 0 || d == 0 && r.UpperOpen {
			return false
		}
	}
	return true
}

// BenchmarkSecondaryKey looks up the rows of one value, about 100 of them in random places, in a table of a million.
func BenchmarkSecondaryKey(b *testing.B) {
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "k", Type: arrow.PrimitiveTypes.Int64}, {Name: "s", Type: arrow.BinaryTypes.String}}, nil)
	db, err := storage.Open("/data", storage.Options{FS: vfs.NewMem(), Logger: quiet})
	must(b, err)
	defer db.Close()
	txn := db.Begin()
	must(b, txn.CreateDatabase("shop", nil))
	must(b, txn.CreateTable(storage.TableSpec{
		Database: "shop", Name: "sales", Schema: schema, AutoIncrement: -1,
		Keys: []storage.Key{{Name: "PRIMARY", Columns: []int{0}, Primary: true, Unique: true}, {Name: "k", Columns: []int{1}}, {Name: "s", Columns: []int{2}}},
	}))
	rng := rand.New(rand.NewPCG(1, 1))
	tab := table(b, txn, "sales")
	for part := range 16 {
		rb := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
		for i := range 65536 {
			n := int64(rng.IntN(10_000))
			rb.Field(0).(*array.Int64Builder).Append(int64(part*65536 + i))
			rb.Field(1).(*array.Int64Builder).Append(n)
			rb.Field(2).(*array.StringBuilder).Append(fmt.Sprintf("customer-%05d", n))
		}
		must(b, tab.Append(ctx, rb.NewRecordBatch()))
	}
	must(b, txn.Commit(ctx))
	must(b, db.Checkpoint(ctx))
	tab = table(b, db.Begin(), "sales")
	for key, value := range map[int]func(n int) any{1: func(n int) any { return int64(n) }, 2: func(n int) any { return fmt.Sprintf("customer-%05d", n) }} {
		name := tab.Spec().Keys[key].Name
		b.Run("scan/"+name, func(b *testing.B) {
			for b.Loop() {
				v := value(rng.IntN(10_000))
				s, err := tab.Scan(ctx, storage.ScanOptions{Columns: []int{0}, Ranges: []storage.Range{{Column: key, Lower: v, Upper: v}}})
				must(b, err)
				for s.Next() {
				}
				must(b, s.Err())
				s.Release()
			}
		})
		begun := time.Now()
		if _, err := tab.LookupAll(ctx, key, []any{value(5)}); err != nil {
			b.Fatal(err)
		}
		first := time.Since(begun)
		b.Run("key/"+name, func(b *testing.B) {
			for b.Loop() {
				ids, err := tab.LookupAll(ctx, key, []any{value(rng.IntN(10_000))})
				if err != nil || len(ids) == 0 {
					b.Fatal(len(ids), err)
				}
			}
			b.ReportMetric(float64(first.Milliseconds()), "ms/first")
		})
	}
}
