package storage_test

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"math"
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/columns"
	"github.com/almanacdb/almanac/storage/vfs"
)

// typeSchema has one column of each type that tables hold.
var typeSchema = func() *arrow.Schema {
	types := []arrow.DataType{
		arrow.PrimitiveTypes.Int64, // the primary key
		arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
		arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
		arrow.PrimitiveTypes.Float32, arrow.PrimitiveTypes.Float64, arrow.FixedWidthTypes.Boolean,
		arrow.FixedWidthTypes.Date32, &arrow.TimestampType{Unit: arrow.Microsecond}, arrow.FixedWidthTypes.Duration_us,
		&arrow.Decimal128Type{Precision: 38, Scale: 4}, &arrow.Decimal256Type{Precision: 65, Scale: 10},
		arrow.BinaryTypes.String, arrow.BinaryTypes.Binary,
	}
	fields := make([]arrow.Field, len(types))
	for i, t := range types {
		fields[i] = arrow.Field{Name: fmt.Sprintf("c%d", i), Type: t, Nullable: i > 0}
	}
	return arrow.NewSchema(fields, nil)
}()

// randomValue returns a value of a column in the form of columns.View.Value, from a small set so that equal ones occur.
func randomValue(rng *rand.Rand, t arrow.DataType) any {
	n := rng.Int64N(40) - 20
	if rng.IntN(12) == 0 {
		n = []int64{math.MinInt64, math.MaxInt64, math.MinInt32, math.MaxInt32, math.MaxInt8, math.MinInt8}[rng.IntN(6)]
	}
	switch t.ID() {
	case arrow.INT8:
		return int64(int8(n))
	case arrow.INT16:
		return int64(int16(n))
	case arrow.INT32:
		return int64(int32(n))
	case arrow.INT64:
		return n
	case arrow.UINT8:
		return uint64(uint8(n))
	case arrow.UINT16:
		return uint64(uint16(n))
	case arrow.UINT32:
		return uint64(uint32(n))
	case arrow.UINT64:
		return uint64(n)
	case arrow.FLOAT32, arrow.FLOAT64:
		return []float64{math.Inf(-1), -2.5, math.Copysign(0, -1), 0, 1, 2.5, float64(int32(n)), math.Inf(1)}[rng.IntN(8)]
	case arrow.BOOL:
		return n > 0
	case arrow.DATE32:
		return arrow.Date32(int32(n))
	case arrow.TIMESTAMP:
		return arrow.Timestamp(n)
	case arrow.DURATION:
		return arrow.Duration(n)
	case arrow.DECIMAL128:
		return decimal128.FromBigInt(new(big.Int).Mul(big.NewInt(n), big.NewInt(1e10)))
	case arrow.DECIMAL256:
		x := new(big.Int).Mul(big.NewInt(n), big.NewInt(1e18))
		return decimal256.FromBigInt(x.Mul(x, big.NewInt(1e18)))
	}
	s := []string{"", "a", "a\x00", "a\x00b", "ab", "zebra", strings.Repeat("long", 30), strings.Repeat("\xff", 70), fmt.Sprint(n)}[rng.IntN(9)]
	if t.ID() == arrow.STRING {
		return strings.ToValidUTF8(s, "ÿ")
	}
	return []byte(s)
}

func appendValue(b array.Builder, v any) {
	switch b := b.(type) {
	case *array.Int8Builder:
		b.Append(int8(v.(int64)))
	case *array.Int16Builder:
		b.Append(int16(v.(int64)))
	case *array.Int32Builder:
		b.Append(int32(v.(int64)))
	case *array.Int64Builder:
		b.Append(v.(int64))
	case *array.Uint8Builder:
		b.Append(uint8(v.(uint64)))
	case *array.Uint16Builder:
		b.Append(uint16(v.(uint64)))
	case *array.Uint32Builder:
		b.Append(uint32(v.(uint64)))
	case *array.Uint64Builder:
		b.Append(v.(uint64))
	case *array.Float32Builder:
		b.Append(float32(v.(float64)))
	case *array.Float64Builder:
		b.Append(v.(float64))
	case *array.BooleanBuilder:
		b.Append(v.(bool))
	case *array.Date32Builder:
		b.Append(v.(arrow.Date32))
	case *array.TimestampBuilder:
		b.Append(v.(arrow.Timestamp))
	case *array.DurationBuilder:
		b.Append(v.(arrow.Duration))
	case *array.Decimal128Builder:
		b.Append(v.(decimal128.Num))
	case *array.Decimal256Builder:
		b.Append(v.(decimal256.Num))
	case *array.StringBuilder:
		b.Append(v.(string))
	case *array.BinaryBuilder:
		b.Append(v.([]byte))
	default:
		panic(fmt.Sprintf("%T", b))
	}
}

// compareValues orders two values of one type independently of package keys.
func compareValues(a, b any) int {
	switch x := a.(type) {
	case int64:
		return cmp.Compare(x, b.(int64))
	case uint64:
		return cmp.Compare(x, b.(uint64))
	case float64:
		return cmp.Compare(x, b.(float64))
	case bool:
		return cmp.Compare(fmt.Sprint(x), fmt.Sprint(b)) // false < true
	case arrow.Date32:
		return cmp.Compare(x, b.(arrow.Date32))
	case arrow.Timestamp:
		return cmp.Compare(x, b.(arrow.Timestamp))
	case arrow.Duration:
		return cmp.Compare(x, b.(arrow.Duration))
	case decimal128.Num:
		return x.BigInt().Cmp(b.(decimal128.Num).BigInt())
	case decimal256.Num:
		return x.BigInt().Cmp(b.(decimal256.Num).BigInt())
	case string:
		return strings.Compare(x, b.(string))
	case []byte:
		return bytes.Compare(x, b.([]byte))
	}
	panic(fmt.Sprintf("%T", a))
}

func inRange(v any, r storage.Range) bool {
	if v == nil || r.Null {
		return v == nil && r.Null
	}
	if r.Lower != nil {
		if c := compareValues(v, r.Lower); c < 0 || c == 0 && r.LowerOpen {
			return false
		}
	}
	if r.Upper != nil {
		if c := compareValues(v, r.Upper); c > 0 || c == 0 && r.UpperOpen {
			return false
		}
	}
	return true
}

// TestEveryTypeEveryRange stores random rows of every type in several segments and in memory, some deleted, and compares scans with
// random ranges against plain loops.
func TestEveryTypeEveryRange(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	db := openShop(t, vfs.NewMem(), storage.Options{SpillRows: 150})
	defer db.Close()
	txn := db.Begin()
	must(t, txn.CreateTable(storage.TableSpec{
		Database: "shop", Name: "types", Schema: typeSchema, AutoIncrement: -1,
		Keys: []storage.Key{{Name: "PRIMARY", Columns: []int{0}, Primary: true, Unique: true}},
	}))
	must(t, txn.Commit(ctx))
	var truth [][]any
	order := rng.Perm(600)
	for from := 0; from < len(order); from += 100 {
		b := array.NewRecordBuilder(memory.NewGoAllocator(), typeSchema)
		for _, key := range order[from : from+100] {
			row := []any{int64(key)}
			b.Field(0).(*array.Int64Builder).Append(int64(key))
			for c := 1; c < typeSchema.NumFields(); c++ {
				var v any
				if rng.IntN(10) == 0 {
					b.Field(c).AppendNull()
				} else {
					v = randomValue(rng, typeSchema.Field(c).Type)
					appendValue(b.Field(c), v)
				}
				row = append(row, v)
			}
			truth = append(truth, row)
		}
		txn := db.Begin()
		tab := table(t, txn, "types")
		must(t, tab.Append(ctx, b.NewRecordBatch()))
		if from == 200 || from == 400 {
			var gone []storage.RowID
			truth = slices.DeleteFunc(truth, func(row []any) bool {
				if rng.IntN(7) > 0 {
					return false
				}
				id, ok, err := tab.Lookup(ctx, 0, row[:1])
				if !ok || err != nil {
					t.Fatal(ok, err)
				}
				gone = append(gone, id)
				return true
			})
			must(t, tab.Delete(ctx, gone))
		}
		must(t, txn.Commit(ctx))
		if from == 100 || from == 300 {
			must(t, db.Checkpoint(ctx))
		}
	}
	slices.SortFunc(truth, func(a, b []any) int { return cmp.Compare(a[0].(int64), b[0].(int64)) })
	tab := table(t, db.Begin(), "types")
	printed := map[int64]string{}
	for _, row := range truth {
		printed[row[0].(int64)] = fmt.Sprint(row)
	}
	for i := range 500 {
		var ranges []storage.Range
		for range rng.IntN(3) {
			r := storage.Range{Column: rng.IntN(typeSchema.NumFields()), LowerOpen: rng.IntN(2) == 0, UpperOpen: rng.IntN(2) == 0, Null: rng.IntN(10) == 0}
			typ := typeSchema.Field(r.Column).Type
			if rng.IntN(3) > 0 {
				r.Lower = randomValue(rng, typ)
			}
			if rng.IntN(3) > 0 {
				r.Upper = randomValue(rng, typ)
			}
			ranges = append(ranges, r)
		}
		var want []string
		for _, row := range truth {
			ok := true
			for _, r := range ranges {
				ok = ok && inRange(row[r.Column], r)
			}
			if ok {
				want = append(want, printed[row[0].(int64)])
			}
		}
		ordered := i%2 == 0
		s, err := tab.Scan(ctx, storage.ScanOptions{Ranges: ranges, ByPrimaryKey: ordered})
		must(t, err)
		var got []string
		for s.Next() {
			views := columns.Views(s.RecordBatch())
			for k := range views[0].Len {
				if i >= 20 { // the key stands for the row, whose values were compared before
					got = append(got, printed[views[0].Int(k)])
					continue
				}
				row := make([]any, len(views))
				for c, v := range views {
					row[c] = v.Value(k)
				}
				got = append(got, fmt.Sprint(row))
			}
		}
		must(t, s.Err())
		s.Release()
		if !ordered {
			slices.Sort(got)
			slices.Sort(want)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("ranges %+v: %d rows, want %d\n got %v\nwant %v", ranges, len(got), len(want), got, want)
		}
	}
}

// TestMixedBounds compares integer columns with bounds of other kinds.
func TestMixedBounds(t *testing.T) {
	db := openShop(t, vfs.NewMem(), storage.Options{})
	defer db.Close()
	change(t, db, func(_ *storage.Txn, tab *storage.Table) {
		for d := range int32(10) {
			must(t, tab.Append(ctx, batch(sale{"a", d, int64(d), float64(d), nil})))
		}
	})
	count := func(r storage.Range) int {
		s, err := table(t, db.Begin(), "sales").Scan(ctx, storage.ScanOptions{Columns: []int{}, Ranges: []storage.Range{r}})
		must(t, err)
		defer s.Release()
		n := 0
		for s.Next() {
			if s.RecordBatch().NumCols() != 0 {
				t.Fatal("columns nobody asked for")
			}
			n += int(s.RecordBatch().NumRows())
		}
		must(t, s.Err())
		return n
	}
	for _, c := range []struct {
		r    storage.Range
		want int
	}{
		{storage.Range{Column: 2, Lower: 2.5, Upper: 5.5}, 3},
		{storage.Range{Column: 2, Lower: 2.0, LowerOpen: true, Upper: 5.0, UpperOpen: true}, 2},
		{storage.Range{Column: 2, Lower: -1e300, Upper: 1e300}, 10},
		{storage.Range{Column: 2, Lower: 1e300}, 0},
		{storage.Range{Column: 2, Lower: uint64(math.MaxUint64)}, 0},
		{storage.Range{Column: 2, Upper: uint64(math.MaxUint64)}, 10},
		{storage.Range{Column: 2, Lower: math.NaN()}, 0},
		{storage.Range{Column: 2, Upper: math.NaN()}, 10},
		{storage.Range{Column: 2, Lower: int64(math.MaxInt64), LowerOpen: true}, 0},
		{storage.Range{Column: 2, Upper: int64(math.MinInt64), UpperOpen: true}, 0},
		{storage.Range{Column: 2, Lower: int64(7), Upper: int64(3)}, 0},
		{storage.Range{Column: 3, Lower: int64(7)}, 3},
		{storage.Range{Column: 1, Lower: int64(7)}, 3},
		{storage.Range{Column: 4, Null: true}, 10},
		{storage.Range{Column: 2, Null: true}, 0},
	} {
		if got := count(c.r); got != c.want {
			t.Errorf("%+v: %d rows, want %d", c.r, got, c.want)
		}
	}
	if _, err := table(t, db.Begin(), "sales").Scan(ctx, storage.ScanOptions{Ranges: []storage.Range{{Column: 2, Lower: "x"}}}); err == nil {
		t.Error("a text bound on an integer column is accepted")
	}
}

// TestPruning reads only the row groups that can match: the others may be damaged.
func TestPruning(t *testing.T) {
	mem := vfs.NewMem()
	db := openShop(t, mem, storage.Options{})
	var rows []sale
	for i := range 140000 {
		rows = append(rows, sale{"a", int32(i), int64(i), nil, nil})
	}
	change(t, db, func(_ *storage.Txn, tab *storage.Table) { must(t, tab.Append(ctx, batch(rows...))) })
	must(t, db.Close())
	for _, name := range mem.Names() {
		if strings.HasSuffix(name, ".seg") {
			mem.Corrupt(name, 100, 0xff) // in the first row group
		}
	}
	db = openShop(t, mem, storage.Options{})
	defer db.Close()
	tab := table(t, db.Begin(), "sales")
	got, _ := scan(t, tab, storage.ScanOptions{Ranges: []storage.Range{{Column: 1, Lower: arrow.Date32(139998)}}})
	if len(got) != 2 || got[1] != rows[139999] {
		t.Fatal(got)
	}
	s, err := tab.Scan(ctx, storage.ScanOptions{Ranges: []storage.Range{{Column: 1, Upper: arrow.Date32(5)}}})
	must(t, err)
	defer s.Release()
	if s.Next() || !errors.Is(s.Err(), storage.ErrCorrupt) {
		t.Fatal("damage was not noticed")
	}
	if _, ok, err := tab.Lookup(ctx, 0, []any{"a", arrow.Date32(70000)}); !ok || err != nil {
		t.Fatal(ok, err)
	}
}

// TestCollation: keys compare by the collation, in memory and in segments, also when only the collation changes.
func TestCollation(t *testing.T) {
	mem := vfs.NewMem()
	opts := storage.Options{Collate: func(f arrow.Field) func(dst, value []byte) []byte {
		if v, _ := f.Metadata.GetValue("collation"); v != "ci" {
			return nil
		}
		return func(dst, value []byte) []byte { return append(dst, bytes.ToLower(value)...) }
	}}
	db := openShop(t, mem, opts)
	spec := salesSpec("names")
	spec.Keys = spec.Keys[:1]
	txn := db.Begin()
	must(t, txn.CreateTable(spec))
	must(t, table(t, txn, "names").Append(ctx, batch(sale{"a", 1, nil, nil, nil}, sale{"B", 1, nil, nil, nil}, sale{"c", 1, nil, nil, nil})))
	must(t, txn.Commit(ctx))
	must(t, db.Checkpoint(ctx))
	first, _ := scan(t, table(t, db.Begin(), "names"), storage.ScanOptions{ByPrimaryKey: true})
	if first[0].sku != "B" {
		t.Fatal(first)
	}
	fields := salesSchema.Fields()
	fields[0].Metadata = arrow.NewMetadata([]string{"collation"}, []string{"ci"})
	spec.Schema = arrow.NewSchema(fields, nil)
	txn = db.Begin()
	must(t, txn.AlterTable("shop", "names", spec, nil))
	must(t, txn.Commit(ctx))
	for range 3 {
		txn := db.Begin()
		tab := table(t, txn, "names")
		rows, _ := scan(t, tab, storage.ScanOptions{ByPrimaryKey: true})
		if len(rows) != 3 || rows[1].sku != "B" {
			t.Fatal(rows)
		}
		var dup *storage.DuplicateKeyError
		if err := tab.Append(ctx, batch(sale{"b", 1, nil, nil, nil})); !errors.As(err, &dup) {
			t.Fatal(err)
		}
		if _, ok, err := tab.Lookup(ctx, 0, []any{"C", arrow.Date32(1)}); !ok || err != nil {
			t.Fatal(ok, err)
		}
		txn.Rollback()
		must(t, db.Close())
		db = openShop(t, mem, opts)
	}
	must(t, db.Close())
}

// TestCallerKeepsItsBatch: storage retains nothing of an appended batch, and batches that leave it are released cleanly.
func TestCallerKeepsItsBatch(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	db := openShop(t, vfs.NewMem(), storage.Options{})
	defer db.Close()
	b := array.NewRecordBuilder(mem, salesSchema)
	b.Field(0).(*array.StringBuilder).AppendValues([]string{"x", "y"}, nil)
	b.Field(1).(*array.Date32Builder).AppendValues([]arrow.Date32{1, 2}, nil)
	for c := 2; c < 5; c++ {
		b.Field(c).AppendNulls(2)
	}
	rec := b.NewRecordBatch()
	b.Release()
	change(t, db, func(_ *storage.Txn, tab *storage.Table) { must(t, tab.Append(ctx, rec)) })
	rec.Release()
	var kept []arrow.RecordBatch
	for range 2 {
		s, err := table(t, db.Begin(), "sales").Scan(ctx, storage.ScanOptions{Ranges: []storage.Range{{Column: 0, Lower: "y"}}})
		must(t, err)
		for s.Next() {
			s.RecordBatch().Retain()
			kept = append(kept, s.RecordBatch())
		}
		s.Release()
	}
	for _, k := range kept {
		if got := rowsOf(k); len(got) != 1 || got[0].sku != "y" {
			t.Fatal(got)
		}
		k.Release()
	}
	if rows, _ := scan(t, table(t, db.Begin(), "sales"), storage.ScanOptions{}); len(rows) != 2 || rows[0].sku != "x" {
		t.Fatal(rows)
	}
}

// TestCompaction: many small commits and checkpoints do not leave many segments, and a segment mostly deleted is rewritten.
func TestCompaction(t *testing.T) {
	mem := vfs.NewMem()
	db := openShop(t, mem, storage.Options{})
	defer db.Close()
	for i := range int32(60) {
		change(t, db, func(_ *storage.Txn, tab *storage.Table) {
			must(t, tab.Append(ctx, batch(sale{string(rune('z' - i%7)), i, nil, nil, nil}, sale{"m", 100 + i, nil, nil, nil})))
		})
		must(t, db.Checkpoint(ctx))
	}
	tab := table(t, db.Begin(), "sales")
	if n := tab.Segments(); n > 9 {
		t.Fatalf("%d segments", n)
	}
	rows, ids := scan(t, tab, storage.ScanOptions{ByPrimaryKey: true})
	if len(rows) != 120 {
		t.Fatal(len(rows))
	}
	change(t, db, func(_ *storage.Txn, tab *storage.Table) { must(t, tab.Delete(ctx, ids[:110])) })
	must(t, db.Checkpoint(ctx))
	after, afterIDs := scan(t, table(t, db.Begin(), "sales"), storage.ScanOptions{ByPrimaryKey: true})
	if !slices.Equal(after, rows[110:]) || !slices.Equal(afterIDs, ids[110:]) {
		t.Fatal("rows or their ids changed")
	}
	if b := table(t, db.Begin(), "sales").Bytes(); b > tab.Bytes()/2 {
		t.Fatalf("%d bytes after deleting nearly all, %d before", b, tab.Bytes())
	}
	// A reader of the old version goes on although its files are gone.
	if again, _ := scan(t, tab, storage.ScanOptions{ByPrimaryKey: true}); !slices.Equal(again, rows) {
		t.Fatal("an old snapshot changed")
	}
	files := 0
	for _, n := range mem.Names() {
		if strings.HasSuffix(n, ".seg") {
			files++
		}
	}
	if got := table(t, db.Begin(), "sales").Segments(); files != got {
		t.Fatalf("%d segment files on disk, %d in use", files, got)
	}
}
