package storage_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/vfs"
)

func TestSnapshotAndConflicts(t *testing.T) {
	db := openShop(t, vfs.NewMem(), storage.Options{})
	defer db.Close()
	change(t, db, func(_ *storage.Txn, tab *storage.Table) {
		must(t, tab.Append(ctx, batch(sale{"a", 1, nil, nil, nil}, sale{"a", 2, nil, nil, nil})))
	})
	id := func(txn *storage.Txn, day int32) storage.RowID {
		id, ok, err := table(t, txn, "sales").Lookup(ctx, 0, []any{"a", arrow.Date32(day)})
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		return id
	}
	cases := []struct {
		name          string
		first, second func(txn *storage.Txn, tab *storage.Table) error
		conflict      bool
	}{
		{
			"both delete a row", func(txn *storage.Txn, tab *storage.Table) error { return tab.Delete(ctx, []storage.RowID{id(txn, 1)}) },
			func(txn *storage.Txn, tab *storage.Table) error { return tab.Delete(ctx, []storage.RowID{id(txn, 1)}) }, true,
		},
		{
			"different rows", func(txn *storage.Txn, tab *storage.Table) error {
				return tab.Append(ctx, batch(sale{"b", 1, nil, nil, nil}))
			},
			func(txn *storage.Txn, tab *storage.Table) error { return tab.Delete(ctx, []storage.RowID{id(txn, 2)}) }, false,
		},
		{
			"same key", func(txn *storage.Txn, tab *storage.Table) error {
				return tab.Append(ctx, batch(sale{"c", 1, nil, nil, nil}))
			},
			func(txn *storage.Txn, tab *storage.Table) error {
				return tab.Append(ctx, batch(sale{"c", 1, nil, nil, nil}))
			}, true,
		},
		{
			"same secondary key", func(txn *storage.Txn, tab *storage.Table) error {
				return tab.Append(ctx, batch(sale{"d", 1, nil, nil, int32(7)}))
			},
			func(txn *storage.Txn, tab *storage.Table) error {
				return tab.Append(ctx, batch(sale{"d", 2, nil, nil, int32(7)}))
			}, true,
		},
		{
			"truncate against append", func(txn *storage.Txn, tab *storage.Table) error {
				return tab.Append(ctx, batch(sale{"e", 1, nil, nil, nil}))
			},
			func(txn *storage.Txn, tab *storage.Table) error { return tab.Truncate() }, true,
		},
		{"alter against append", func(txn *storage.Txn, tab *storage.Table) error {
			s := salesSpec("sales")
			s.Meta = []byte("new")
			return txn.AlterTable("shop", "sales", s, nil)
		}, func(txn *storage.Txn, tab *storage.Table) error {
			return tab.Append(ctx, batch(sale{"f", 1, nil, nil, nil}))
		}, true},
		{
			"same object", func(txn *storage.Txn, _ *storage.Table) error { return txn.PutObject("view", "shop", "v", nil) },
			func(txn *storage.Txn, _ *storage.Table) error { return txn.PutObject("view", "shop", "V", nil) }, true,
		},
		{
			"same table name", func(txn *storage.Txn, _ *storage.Table) error { return txn.CreateTable(salesSpec("n")) },
			func(txn *storage.Txn, _ *storage.Table) error { return txn.CreateTable(salesSpec("N")) }, true,
		},
		{
			"database dropped", func(txn *storage.Txn, _ *storage.Table) error { return txn.DropDatabase("shop") },
			func(txn *storage.Txn, tab *storage.Table) error {
				return tab.Append(ctx, batch(sale{"g", 1, nil, nil, nil}))
			}, true,
		},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			a, b := db.Begin(), db.Begin()
			must(t, c.first(a, table(t, a, "sales")))
			must(t, c.second(b, table(t, b, "sales")))
			before := table(t, b, "sales").NumRows()
			must(t, a.Commit(ctx))
			if got, _ := scan(t, table(t, b, "sales"), storage.ScanOptions{}); int64(len(got)) != before {
				t.Fatalf("a snapshot changed: %d rows, were %d", len(got), before)
			}
			if err := b.Commit(ctx); errors.Is(err, storage.ErrConflict) != c.conflict || err != nil && !c.conflict {
				t.Fatalf("second commit: %v, conflict expected: %v", err, c.conflict)
			}
		})
	}
}

// TestConflictSurvivesCheckpoint commits deletions made on a snapshot whose rows a checkpoint has moved since.
func TestConflictSurvivesCheckpoint(t *testing.T) {
	fs := vfs.NewMem()
	db := openShop(t, fs, storage.Options{})
	change(t, db, func(_ *storage.Txn, tab *storage.Table) {
		must(t, tab.Append(ctx, batch(sale{"z", 1, nil, nil, nil}, sale{"m", 2, nil, nil, nil}, sale{"a", 3, nil, nil, nil})))
	})
	a, b := db.Begin(), db.Begin()
	for _, txn := range []*storage.Txn{a, b} {
		tab := table(t, txn, "sales")
		id, _, err := tab.Lookup(ctx, 0, []any{"z", arrow.Date32(1)})
		must(t, err)
		must(t, tab.Delete(ctx, []storage.RowID{id}))
		must(t, tab.Append(ctx, batch(sale{"z", 1, int64(9), nil, nil})))
	}
	must(t, db.Checkpoint(ctx))
	must(t, a.Commit(ctx))
	if err := b.Commit(ctx); !errors.Is(err, storage.ErrConflict) {
		t.Fatal(err)
	}
	for range 2 {
		rows, _ := scan(t, table(t, db.Begin(), "sales"), storage.ScanOptions{ByPrimaryKey: true})
		if fmt.Sprint(rows) != "[{a 3 <nil> <nil> <nil>} {m 2 <nil> <nil> <nil>} {z 1 9 <nil> <nil>}]" {
			t.Fatal(rows)
		}
		must(t, db.Close())
		db = openShop(t, fs, storage.Options{})
	}
	must(t, db.Close())
}

func TestSavepoints(t *testing.T) {
	db := openShop(t, vfs.NewMem(), storage.Options{SpillRows: 10})
	defer db.Close()
	txn := db.Begin()
	tab := table(t, txn, "sales")
	must(t, tab.Append(ctx, batch(sale{"a", 1, nil, nil, nil})))
	v := tab.Version()
	save := txn.Savepoint()
	var many []sale
	for i := range 30 { // spills
		many = append(many, sale{"b", int32(i), nil, nil, nil})
	}
	must(t, tab.Append(ctx, batch(many...)))
	must(t, txn.CreateTable(salesSpec("other")))
	must(t, txn.DropTable("shop", "sales"))
	if _, err := tab.Scan(ctx, storage.ScanOptions{}); !errors.Is(err, storage.ErrNoTable) {
		t.Fatal(err)
	}
	txn.RollbackTo(save)
	if tab.NumRows() != 1 || tab.Version() != v || len(txn.Tables("shop")) != 1 {
		t.Fatal(tab.NumRows(), txn.Tables("shop"))
	}
	must(t, tab.Append(ctx, batch(many[5])))
	must(t, txn.Commit(ctx))
	rows, _ := scan(t, table(t, db.Begin(), "sales"), storage.ScanOptions{})
	if len(rows) != 2 {
		t.Fatal(rows)
	}
	if err := txn.Commit(ctx); !errors.Is(err, storage.ErrClosed) {
		t.Fatal(err)
	}
}

func TestDuplicateKeys(t *testing.T) {
	db := openShop(t, vfs.NewMem(), storage.Options{})
	defer db.Close()
	txn := db.Begin()
	tab := table(t, txn, "sales")
	must(t, tab.Append(ctx, batch(sale{"a", 1, nil, nil, int32(1)}, sale{"b", 1, nil, nil, nil})))
	check := func(b arrow.RecordBatch, key string, row, first int, values string) {
		t.Helper()
		var dup *storage.DuplicateKeyError
		if err := tab.Append(ctx, b); !errors.As(err, &dup) {
			t.Fatalf("no collision: %v", err)
		}
		if dup.Key != key || dup.BatchRow != row || dup.FirstBatchRow != first || fmt.Sprint(dup.Values) != values {
			t.Fatalf("%+v", dup)
		}
		if dup.FirstBatchRow < 0 {
			r, err := tab.Row(ctx, dup.Row)
			must(t, err)
			if got := rowsOf(r)[0]; got.sku != "a" {
				t.Fatal(got)
			}
		}
		if tab.NumRows() != 2 {
			t.Fatal("a refused batch left rows")
		}
	}
	check(batch(sale{"c", 1, nil, nil, nil}, sale{"a", 1, nil, nil, nil}), "PRIMARY", 1, -1, fmt.Sprint([]any{"a", arrow.Date32(1)}))
	check(batch(sale{"c", 1, nil, nil, nil}, sale{"d", 1, nil, nil, nil}, sale{"c", 1, nil, nil, nil}), "PRIMARY", 2, 0, fmt.Sprint([]any{"c", arrow.Date32(1)}))
	check(batch(sale{"c", 1, nil, nil, nil}, sale{"d", 1, nil, nil, int32(1)}), "tag", 1, -1, "[1]")
	check(batch(sale{"c", 1, nil, nil, int32(5)}, sale{"d", 1, nil, nil, int32(5)}), "tag", 1, 0, "[5]")
	// A key freed in the transaction can be used again, over and over.
	for i := range 5 {
		id, ok, err := tab.Lookup(ctx, 0, []any{"a", arrow.Date32(1)})
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		must(t, tab.Delete(ctx, []storage.RowID{id}))
		must(t, tab.Append(ctx, batch(sale{"a", 1, int64(i), nil, int32(1)})))
	}
	must(t, txn.Commit(ctx))
	must(t, db.Checkpoint(ctx))
	rows, _ := scan(t, table(t, db.Begin(), "sales"), storage.ScanOptions{})
	if len(rows) != 2 || rows[0].units != int64(4) {
		t.Fatal(rows)
	}
}

// TestChunkedDuplicates appends a batch of several row groups with a collision between two of them.
func TestChunkedDuplicates(t *testing.T) {
	db := openShop(t, vfs.NewMem(), storage.Options{})
	defer db.Close()
	var many []sale
	for i := range 70000 {
		many = append(many, sale{"a", int32(i), nil, nil, nil})
	}
	many[69000].day = 5
	tab := table(t, db.Begin(), "sales")
	var dup *storage.DuplicateKeyError
	if err := tab.Append(ctx, batch(many...)); !errors.As(err, &dup) || dup.BatchRow != 69000 || dup.FirstBatchRow != 5 || tab.NumRows() != 0 {
		t.Fatal(err, tab.NumRows())
	}
}

func TestAlterAddsUniqueKey(t *testing.T) {
	fs := vfs.NewMem()
	db := openShop(t, fs, storage.Options{})
	change(t, db, func(_ *storage.Txn, tab *storage.Table) {
		must(t, tab.Append(ctx, batch(sale{"a", 1, int64(4), nil, nil}, sale{"a", 2, int64(5), nil, nil})))
	})
	must(t, db.Checkpoint(ctx))
	change(t, db, func(_ *storage.Txn, tab *storage.Table) {
		must(t, tab.Append(ctx, batch(sale{"b", 1, int64(4), nil, nil})))
	})
	spec := salesSpec("sales")
	spec.Keys = append(spec.Keys, storage.Key{Name: "units", Columns: []int{2}, Unique: true})
	txn := db.Begin()
	version := table(t, txn, "sales").Version()
	var dup *storage.DuplicateKeyError
	if err := txn.AlterTable("shop", "sales", spec, nil); !errors.As(err, &dup) || dup.Key != "units" {
		t.Fatal(err)
	}
	if len(table(t, txn, "sales").Spec().Keys) != 2 {
		t.Fatal("a failed ALTER left its traces")
	}
	id, _, err := table(t, txn, "sales").Lookup(ctx, 0, []any{"b", arrow.Date32(1)})
	must(t, err)
	must(t, table(t, txn, "sales").Delete(ctx, []storage.RowID{id}))
	must(t, txn.AlterTable("shop", "sales", spec, nil))
	must(t, txn.Commit(ctx))
	must(t, db.Close())
	db = openShop(t, fs, storage.Options{})
	defer db.Close()
	txn = db.Begin()
	tab := table(t, txn, "sales")
	if tab.Version() == version {
		t.Fatal("the version stood still")
	}
	if _, ok, err := tab.Lookup(ctx, 2, []any{int64(5)}); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if err := tab.Append(ctx, batch(sale{"x", 1, int64(5), nil, nil})); !errors.As(err, &dup) || dup.Key != "units" {
		t.Fatal(err)
	}
	// Another primary key: rows are kept and come in its order.
	spec.Keys = []storage.Key{{Name: "PRIMARY", Columns: []int{1, 0}, Unique: true, Primary: true}}
	must(t, tab.Append(ctx, batch(sale{"c", 1, int64(7), nil, nil})))
	must(t, txn.AlterTable("shop", "sales", spec, nil))
	must(t, txn.Commit(ctx))
	must(t, db.Checkpoint(ctx))
	rows, _ := scan(t, table(t, db.Begin(), "sales"), storage.ScanOptions{ByPrimaryKey: true})
	if len(rows) != 3 || rows[1].sku != "c" || rows[2].day != 2 {
		t.Fatal(rows)
	}
}

func TestVersionMovesWithDataOnly(t *testing.T) {
	db := openShop(t, vfs.NewMem(), storage.Options{})
	defer db.Close()
	version := func() uint64 { return table(t, db.Begin(), "sales").Version() }
	v := version()
	change(t, db, func(_ *storage.Txn, tab *storage.Table) { must(t, tab.Append(ctx, batch(sale{"a", 1, nil, nil, nil}))) })
	if version() == v {
		t.Fatal("append left the version")
	}
	v = version()
	txn := db.Begin()
	must(t, txn.PutObject("view", "shop", "v", nil))
	must(t, txn.CreateTable(salesSpec("other")))
	spec := salesSpec("sales")
	spec.Meta = nil
	must(t, txn.AlterTable("shop", "sales", spec, nil))
	must(t, txn.Commit(ctx))
	must(t, db.Checkpoint(ctx))
	if version() != v {
		t.Fatal("the version moved without data")
	}
}

func TestAutoIncrement(t *testing.T) {
	fs := vfs.NewMem()
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int32}}, nil)
	spec := storage.TableSpec{Database: "shop", Name: "n", Schema: schema, AutoIncrement: 0, Keys: []storage.Key{{Name: "PRIMARY", Columns: []int{0}, Primary: true, Unique: true}}}
	db := openShop(t, fs, storage.Options{})
	txn := db.Begin()
	must(t, txn.CreateTable(spec))
	must(t, txn.Commit(ctx))
	ids := func(v ...int32) arrow.RecordBatch {
		b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
		b.Field(0).(*array.Int32Builder).AppendValues(v, nil)
		return b.NewRecordBatch()
	}
	next := func(want uint64) {
		t.Helper()
		for _, reopen := range []string{"live", "crash", "close"} {
			switch reopen {
			case "crash":
				clone := fs.CrashClone(rand.New(rand.NewPCG(want, 1)))
				must(t, db.Close())
				fs = clone
				db = openShop(t, fs, storage.Options{})
			case "close":
				must(t, db.Close())
				db = openShop(t, fs, storage.Options{})
			}
			txn := db.Begin()
			if got := table(t, txn, "n").NextAutoIncrement(); got != want {
				t.Fatalf("%s: next is %d, want %d", reopen, got, want)
			}
		}
	}
	next(1)
	txn = db.Begin()
	if first := table(t, txn, "n").ReserveAutoIncrement(3); first != 1 {
		t.Fatal(first)
	}
	must(t, table(t, txn, "n").Append(ctx, ids(1, 2, 3)))
	must(t, txn.Commit(ctx))
	next(4)
	txn = db.Begin()
	must(t, table(t, txn, "n").Append(ctx, ids(100)))
	must(t, txn.Commit(ctx))
	next(101)
	txn = db.Begin()
	must(t, table(t, txn, "n").SetAutoIncrement(500))
	txn.Rollback()
	next(101)
	txn = db.Begin()
	must(t, table(t, txn, "n").SetAutoIncrement(500))
	must(t, txn.Commit(ctx))
	next(500)
	txn = db.Begin()
	must(t, table(t, txn, "n").Truncate())
	must(t, txn.Commit(ctx))
	next(1)
	must(t, db.Close())
}

func TestNames(t *testing.T) {
	db := openShop(t, vfs.NewMem(), storage.Options{})
	defer db.Close()
	txn := db.Begin()
	if err := txn.CreateDatabase("SHOP", nil); !errors.Is(err, storage.ErrExists) {
		t.Fatal(err)
	}
	if err := txn.CreateTable(salesSpec("Sales")); !errors.Is(err, storage.ErrExists) {
		t.Fatal(err)
	}
	if _, err := txn.Table("nowhere", "x"); !errors.Is(err, storage.ErrNoDatabase) {
		t.Fatal(err)
	}
	if _, err := txn.Table("shop", "x"); !errors.Is(err, storage.ErrNoTable) {
		t.Fatal(err)
	}
	if err := txn.DeleteObject("view", "shop", "x"); !errors.Is(err, storage.ErrNoObject) {
		t.Fatal(err)
	}
	must(t, txn.CreateDatabase("Archive", []byte("m")))
	must(t, txn.RenameTable("shop", "sales", "ARCHIVE", "Old"))
	if got := txn.Tables("archive"); !slices.Equal(got, []string{"Old"}) {
		t.Fatal(got)
	}
	if m, ok := txn.DatabaseMeta("archive"); !ok || string(m) != "m" {
		t.Fatal(m, ok)
	}
	must(t, txn.Commit(ctx))
	if got := db.Begin().Databases(); !slices.Equal(got, []string{"Archive", "shop"}) {
		t.Fatal(got)
	}
}

// TestConcurrency has writers, readers and checkpoints at once; each writer's rows must all be there, and no reader may see half of a
// transaction, which appends two rows each time.
func TestConcurrency(t *testing.T) {
	fs := vfs.NewMem()
	db := openShop(t, fs, storage.Options{CheckpointBytes: 10000, SpillRows: 50})
	const writers, commits = 8, 40
	var writing, others sync.WaitGroup
	var stop atomic.Bool
	var conflicts atomic.Int64
	for w := range writers {
		writing.Add(1)
		go func() {
			defer writing.Done()
			for i := 0; i < commits; {
				txn := db.Begin()
				sku := strings.Repeat(string(rune('a'+w)), 3)
				tab, err := txn.Table("shop", "sales")
				if err == nil {
					err = tab.Append(ctx, batch(sale{sku, int32(2 * i), nil, nil, nil}, sale{sku, int32(2*i + 1), nil, nil, nil}))
				}
				if err == nil && w < 2 { // two writers fight for one row
					var id storage.RowID
					var ok bool
					if id, ok, err = tab.Lookup(ctx, 0, []any{"hot", arrow.Date32(0)}); ok {
						err = tab.Delete(ctx, []storage.RowID{id})
					}
					if err == nil {
						err = tab.Append(ctx, batch(sale{"hot", 0, int64(i), nil, nil}, sale{"hot-" + sku, int32(i), nil, nil, nil}))
					}
					if err == nil && !ok {
						err = tab.Append(ctx, batch(sale{"even", 0, nil, nil, nil}))
					}
				}
				if err == nil {
					err = txn.Commit(ctx)
				}
				if errors.Is(err, storage.ErrConflict) {
					conflicts.Add(1)
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				i++
			}
		}()
	}
	for range 2 {
		others.Add(1)
		go func() {
			defer others.Done()
			for !stop.Load() {
				tab, err := db.Begin().Table("shop", "sales")
				if err != nil {
					t.Error(err)
					return
				}
				s, err := tab.Scan(ctx, storage.ScanOptions{Columns: []int{0}, ByPrimaryKey: true})
				if err != nil {
					t.Error(err)
					return
				}
				pairs := 0
				for s.Next() {
					b := s.RecordBatch()
					for i := range int(b.NumRows()) {
						if !strings.HasPrefix(text(b.Column(0), i), "hot") && text(b.Column(0), i) != "even" {
							pairs++
						}
					}
				}
				if s.Err() != nil || pairs%2 != 0 {
					t.Errorf("a reader saw %d rows of pairs, %v", pairs, s.Err())
				}
				s.Release()
			}
		}()
	}
	others.Add(1)
	go func() {
		defer others.Done()
		for !stop.Load() {
			if err := db.Checkpoint(ctx); err != nil {
				t.Error(err)
			}
		}
	}()
	writing.Wait()
	stop.Store(true)
	others.Wait()
	want := int64(writers*commits*2 + 2*commits + 2)
	for range 2 {
		if n := table(t, db.Begin(), "sales").NumRows(); n != want {
			t.Fatalf("%d rows, want %d (%d conflicts)", n, want, conflicts.Load())
		}
		must(t, db.Close())
		must(t, storage.Check("/data", fs, func(p storage.Problem) { t.Error(p) }))
		db = openShop(t, fs, storage.Options{})
	}
	must(t, db.Close())
}
