package storage_test

import (
	"errors"
	"io/fs"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/vfs"
)

// damagedShop has a table sound and a table sales with one segment, of explicit row ids, and rows in the log: some of them delete rows of
// the segment. spoil damages it.
func damagedShop(t *testing.T, spoil func(mem *vfs.Mem, segment string)) *vfs.Mem {
	t.Helper()
	mem := vfs.NewMem()
	db := openShop(t, mem, storage.Options{Logger: quiet})
	change(t, db, func(_ *storage.Txn, tab *storage.Table) {
		must(t, tab.Append(ctx, batch(sale{"b", 1, nil, nil, int32(1)}, sale{"a", 1, nil, nil, int32(2)}, sale{"c", 1, nil, nil, int32(3)})))
	})
	must(t, db.Checkpoint(ctx))
	bad := ""
	for _, name := range mem.Names() {
		if strings.HasSuffix(name, ".seg") {
			bad = name
		}
	}
	txn := db.Begin()
	must(t, txn.CreateTable(salesSpec("sound")))
	must(t, table(t, txn, "sound").Append(ctx, batch(sale{"x", 1, nil, nil, nil})))
	must(t, txn.Commit(ctx))
	change(t, db, func(_ *storage.Txn, tab *storage.Table) {
		id, ok, err := tab.Lookup(ctx, 0, []any{"b", int64(1)})
		if err != nil || !ok {
			t.Fatal(ok, err)
		}
		must(t, tab.Delete(ctx, []storage.RowID{id}))
		must(t, tab.Append(ctx, batch(sale{"d", 1, nil, nil, int32(4)})))
	})
	clone := mem.CrashClone(rand.New(everything{})) // as after kill -9
	must(t, db.Close())
	spoil(clone, bad)
	return clone
}

// TestDamagedTable runs every operation on a table whose segment is damaged, or gone: what reads refuses with the table's name, what
// need not read works, and another table serves through it all, over restarts and checkpoints.
func TestDamagedTable(t *testing.T) {
	for name, spoil := range map[string]func(mem *vfs.Mem, segment string){
		"footer":  func(mem *vfs.Mem, s string) { size, _ := mem.Stat(s); mem.Corrupt(s, size-30, 0xff) },
		"row ids": func(mem *vfs.Mem, s string) { mem.Corrupt(s, 20, 0xff) },
		"missing": func(mem *vfs.Mem, s string) { must(t, mem.Remove(s)) },
	} {
		t.Run(name, func(t *testing.T) {
			mem := damagedShop(t, spoil)
			db := openShop(t, mem, storage.Options{Logger: quiet})
			refused := func(what string, err error) {
				t.Helper()
				var damaged *storage.DamagedTableError
				if !errors.As(err, &damaged) || damaged.Table != "shop.sales" || !errors.Is(err, storage.ErrCorrupt) && !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("%s: %v", what, err)
				}
			}
			serves := func() {
				t.Helper()
				txn := db.Begin()
				tab := table(t, txn, "sound")
				rows, ids := scan(t, tab, storage.ScanOptions{ByPrimaryKey: true})
				must(t, tab.Delete(ctx, ids[:1]))
				must(t, tab.Append(ctx, batch(sale{"y", int32(len(rows)) + rows[0].day, nil, nil, nil})))
				must(t, txn.Commit(ctx))
			}
			serves()
			txn := db.Begin()
			tab := table(t, txn, "sales")
			for _, o := range []storage.ScanOptions{{}, {ByPrimaryKey: true}, {RowIDs: true, Columns: []int{}}, {Key: &storage.KeyRange{Prefix: []any{"a"}}}} {
				s, err := tab.Scan(ctx, o)
				if err == nil {
					for s.Next() {
					}
					err = s.Err()
					s.Release()
				}
				refused("scan", err)
			}
			_, _, err := tab.Lookup(ctx, 0, []any{"a", int64(1)})
			refused("look-up by primary key", err)
			_, _, err = tab.Lookup(ctx, 1, []any{int64(2)})
			refused("look-up by unique key", err)
			_, err = tab.LookupAll(ctx, 0, []any{"a"})
			refused("look-up of all", err)
			_, err = tab.Row(ctx, 0)
			refused("row", err)
			refused("append", tab.Append(ctx, batch(sale{"a", 1, nil, nil, nil})))
			refused("delete", tab.Delete(ctx, []storage.RowID{0}))
			spec := tab.Spec()
			spec.Keys = append([]storage.Key{{Name: "PRIMARY", Columns: []int{1, 0}, Primary: true, Unique: true}}, spec.Keys[1:]...)
			refused("alter that sorts anew", txn.AlterTable("shop", "sales", spec, nil))
			spec = tab.Spec()
			spec.Keys = append(spec.Keys[:2:2], storage.Key{Name: "more", Columns: []int{2}, Unique: true})
			refused("alter that verifies", txn.AlterTable("shop", "sales", spec, nil))
			if txn.Dirty() {
				t.Error("a refused statement left something")
			}
			serves()
			txn.Rollback()

			// The damage stays where it is over a checkpoint and a restart, and so does the log that could heal it.
			_ = db.Checkpoint(ctx)
			must(t, db.Close())
			db = openShop(t, mem, storage.Options{Logger: quiet})
			serves()
			problems := 0
			must(t, db.Check(ctx, func(p storage.Problem) {
				if problems++; p.Table != "shop.sales" {
					t.Error(p)
				}
			}))
			if problems == 0 {
				t.Error("Check sees nothing")
			}

			txn = db.Begin()
			must(t, txn.RenameTable("shop", "sales", "shop", "wreck"))
			must(t, txn.Commit(ctx))
			txn = db.Begin()
			must(t, table(t, txn, "wreck").Truncate())
			must(t, table(t, txn, "wreck").Append(ctx, batch(sale{"a", 1, nil, nil, nil})))
			rows, _ := scan(t, table(t, txn, "wreck"), storage.ScanOptions{})
			if len(rows) != 1 {
				t.Error(rows)
			}
			txn.Rollback()
			txn = db.Begin()
			b := batch(sale{"e", 1, nil, nil, nil})
			rr, err := array.NewRecordReader(salesSchema, []arrow.RecordBatch{b})
			must(t, err)
			must(t, txn.AlterTable("shop", "wreck", table(t, txn, "wreck").Spec(), rr))
			rr.Release()
			txn.Rollback()
			txn = db.Begin()
			must(t, txn.DropTable("shop", "wreck"))
			must(t, txn.Commit(ctx))
			must(t, db.Checkpoint(ctx))
			serves()
			must(t, db.Close())
			must(t, storage.Check("/data", mem, func(p storage.Problem) { t.Error(p) }))
		})
	}
}
