package storage_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/columns"
	"github.com/almanacdb/almanac/storage/vfs"
)

var writeFixture = flag.Bool("write-fixture", false, "write testdata/format/v1 anew; only when format version 1 is first made")

var fixture = filepath.Join("..", "testdata", "format", "v1")

// TestFormatVersion1 opens a directory written by the first program with format version 1. The files never change: a failure means that
// data in the field can no longer be read.
func TestFormatVersion1(t *testing.T) {
	if *writeFixture {
		writeVersion1(t)
	}
	mem := vfs.NewMem()
	for _, dir := range []string{"", "log", "segments"} {
		must(t, mem.MkdirAll("/data/"+dir))
		entries, err := os.ReadDir(filepath.Join(fixture, dir))
		must(t, err)
		for _, e := range entries {
			if e.IsDir() || e.Name() == "contents.txt" {
				continue
			}
			content, err := os.ReadFile(filepath.Join(fixture, dir, e.Name()))
			must(t, err)
			f, err := mem.Create(filepath.Join("/data", dir, e.Name()))
			must(t, err)
			_, err = f.Write(content)
			must(t, err)
			must(t, f.Sync())
			must(t, f.Close())
		}
		must(t, mem.SyncDir("/data/"+dir))
	}
	must(t, storage.Check("/data", mem, func(p storage.Problem) { t.Error(p) }))
	want, err := os.ReadFile(filepath.Join(fixture, "contents.txt"))
	must(t, err)
	for range 2 { // as it is, and after this program has rewritten it
		db, err := storage.Open("/data", storage.Options{FS: mem})
		must(t, err)
		if got := describe(t, db); got != string(want) {
			t.Fatalf("got:\n%s\nwant:\n%s", got, want)
		}
		change(t, db, func(txn *storage.Txn, tab *storage.Table) {
			must(t, tab.Append(ctx, batch(sale{"new", 1, nil, nil, nil})))
			id, _, err := tab.Lookup(ctx, 0, []any{"new", arrow.Date32(1)})
			must(t, err)
			must(t, tab.Delete(ctx, []storage.RowID{id}))
		})
		must(t, db.Close())
	}
}

// describe prints everything that a database holds.
func describe(t *testing.T, db *storage.DB) string {
	var b strings.Builder
	txn := db.Begin()
	for _, d := range txn.Databases() {
		meta, _ := txn.DatabaseMeta(d)
		fmt.Fprintf(&b, "database %s %q\n", d, meta)
		for _, o := range txn.Objects("view", d) {
			fmt.Fprintf(&b, "view %s %q\n", o.Name, o.Value)
		}
		for _, name := range txn.Tables(d) {
			tab, err := txn.Table(d, name)
			must(t, err)
			s := tab.Spec()
			fmt.Fprintf(&b, "table %s id %d next %d meta %q\n%v\n%+v\n", s.Name, tab.ID(), tab.NextAutoIncrement(), s.Meta, s.Schema, s.Keys)
			r, err := tab.Scan(ctx, storage.ScanOptions{ByPrimaryKey: true, RowIDs: true})
			must(t, err)
			for r.Next() {
				views := columns.Views(r.RecordBatch())
				for i, id := range r.RowIDs() {
					fmt.Fprintf(&b, "%d:", id)
					for _, v := range views {
						fmt.Fprintf(&b, " %#v", v.Value(i))
					}
					b.WriteByte('\n')
				}
			}
			must(t, r.Err())
			r.Release()
		}
	}
	return b.String()
}

// writeVersion1 makes a directory that uses every feature of the format: all types, plain and explicit row ids, deletion bitmaps, every
// operation in the log.
func writeVersion1(t *testing.T) {
	mem := vfs.NewMem()
	db := openShop(t, mem, storage.Options{SpillRows: 30})
	rng := rand.New(rand.NewPCG(2, 2))
	txn := db.Begin()
	must(t, txn.CreateTable(storage.TableSpec{
		Database: "shop", Name: "Types", Schema: typeSchema, AutoIncrement: 0, Meta: []byte{0, 1, 2},
		Keys: []storage.Key{{Name: "PRIMARY", Columns: []int{0}, Primary: true, Unique: true}, {Name: "by_c12", Columns: []int{12, 3}}},
	}))
	must(t, txn.Commit(ctx))
	types := func(keys ...int64) {
		b := array.NewRecordBuilder(memory.NewGoAllocator(), typeSchema)
		for _, key := range keys {
			b.Field(0).(*array.Int64Builder).Append(key)
			for c := 1; c < typeSchema.NumFields(); c++ {
				if rng.IntN(5) == 0 {
					b.Field(c).AppendNull()
				} else {
					appendValue(b.Field(c), randomValue(rng, typeSchema.Field(c).Type))
				}
			}
		}
		txn := db.Begin()
		must(t, table(t, txn, "types").Append(ctx, b.NewRecordBatch()))
		must(t, txn.PutObject("view", "shop", "V1", []byte(fmt.Sprint("SELECT ", keys[0]))))
		must(t, txn.Commit(ctx))
	}
	sales := func(sku string, n int32, remove int32) {
		change(t, db, func(_ *storage.Txn, tab *storage.Table) {
			var rows []sale
			for d := range n {
				rows = append(rows, sale{sku, n - d, int64(d), float64(d) / 4, nil})
			}
			must(t, tab.Append(ctx, batch(rows...)))
			id, _, err := tab.Lookup(ctx, 0, []any{sku, arrow.Date32(remove)})
			must(t, err)
			must(t, tab.Delete(ctx, []storage.RowID{id}))
		})
	}
	types(5, 1, 9)
	sales("early", 8, 3)
	must(t, db.Checkpoint(ctx))
	change(t, db, func(_ *storage.Txn, tab *storage.Table) {
		id, _, err := tab.Lookup(ctx, 0, []any{"early", arrow.Date32(7)})
		must(t, err)
		must(t, tab.Delete(ctx, []storage.RowID{id}))
	})
	must(t, db.Checkpoint(ctx))
	types(2, 3)
	sales("late", 4, 1)
	sales("bulk", 40, 20)
	txn = db.Begin()
	must(t, txn.CreateDatabase("Gone", nil))
	must(t, txn.CreateDatabase("kept", []byte("a")))
	must(t, txn.SetDatabaseMeta("kept", []byte("b")))
	must(t, txn.DropDatabase("gone"))
	must(t, txn.PutObject("view", "shop", "V2", []byte("x")))
	must(t, txn.PutObject("view", "shop", "V3", []byte("x")))
	must(t, txn.DeleteObject("view", "shop", "v2"))
	must(t, txn.CreateTable(salesSpec("dropped")))
	must(t, txn.CreateTable(salesSpec("truncated")))
	must(t, txn.Commit(ctx))
	txn = db.Begin()
	must(t, table(t, txn, "truncated").Truncate())
	must(t, txn.DropTable("shop", "dropped"))
	must(t, txn.RenameTable("shop", "truncated", "kept", "Renamed"))
	must(t, table(t, txn, "types").SetAutoIncrement(77))
	must(t, txn.Commit(ctx))
	clone := mem.CrashClone(rand.New(everything{}))
	contents := describe(t, db)
	must(t, db.Close())
	must(t, os.RemoveAll(fixture))
	for _, name := range clone.Names() {
		content, err := vfs.ReadFile(clone, name)
		must(t, err)
		path := filepath.Join(fixture, strings.TrimPrefix(name, "/data/"))
		must(t, os.MkdirAll(filepath.Dir(path), 0o755))
		must(t, os.WriteFile(path, content, 0o644))
	}
	must(t, os.WriteFile(filepath.Join(fixture, "contents.txt"), []byte(contents), 0o644))
}
