package storage_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/vfs"
)

// TestBackupOfRunningDatabase copies while transactions add one row to each of two tables and delete an older one, checkpoints run and
// segments are replaced: in every copy both tables have the same rows, those of a moment between start and end.
func TestBackupOfRunningDatabase(t *testing.T) {
	fs := vfs.NewMem()
	db := openShop(t, fs, storage.Options{Logger: quiet, SpillRows: 40})
	defer db.Close()
	txn := db.Begin()
	must(t, txn.CreateTable(salesSpec("twin")))
	must(t, txn.PutObject("view", "shop", "v", []byte("select 1")))
	must(t, txn.Commit(ctx))
	running, stop := context.WithCancel(ctx)
	var work sync.WaitGroup
	var mu sync.Mutex
	committed := 0
	work.Go(func() {
		rng := rand.New(rand.NewPCG(1, 1))
		for n := 0; running.Err() == nil; n++ {
			txn := db.Begin()
			for _, name := range []string{"sales", "twin"} {
				tab := table(t, txn, name)
				rows := []sale{{"n", int32(n), int64(n), nil, nil}}
				if n%20 == 0 {
					for k := range 50 { // spills
						rows = append(rows, sale{"s", int32(n*100 + k), nil, nil, nil})
					}
				}
				must(t, tab.Append(ctx, batch(rows...)))
				if n > 3 {
					id, ok, err := tab.Lookup(ctx, 0, []any{"n", int64(n - 3)})
					if err != nil || !ok {
						t.Error(ok, err)
						return
					}
					must(t, tab.Delete(ctx, []storage.RowID{id}))
				}
			}
			must(t, txn.Commit(ctx))
			mu.Lock()
			committed = n + 1
			mu.Unlock()
			if rng.IntN(10) == 0 {
				must(t, db.Checkpoint(ctx))
			}
		}
	})
	for k := range 30 {
		dir := fmt.Sprintf("/backup/%d", k)
		mu.Lock()
		before := committed
		mu.Unlock()
		must(t, db.Backup(ctx, dir))
		mu.Lock()
		after := committed
		mu.Unlock()
		disk := fs.CrashClone(rand.New(rand.NewPCG(1, uint64(k)))) // a backup survives a power cut
		must(t, storage.Check(dir, disk, func(p storage.Problem) { t.Error(p) }))
		copied, err := storage.Open(dir, storage.Options{FS: disk, Logger: quiet})
		must(t, err)
		txn := copied.Begin()
		a, _ := scan(t, table(t, txn, "sales"), storage.ScanOptions{ByPrimaryKey: true})
		b, _ := scan(t, table(t, txn, "twin"), storage.ScanOptions{ByPrimaryKey: true})
		if fmt.Sprint(a) != fmt.Sprint(b) {
			t.Fatalf("copy %d has half a transaction", k)
		}
		last := 0
		for _, r := range a {
			if r.sku == "n" {
				last = int(r.day) + 1
			}
		}
		if last < before || last > after+1 {
			t.Fatalf("copy %d has %d transactions; %d were committed before it and %d after", k, last, before, after)
		}
		if v, ok := txn.Object("view", "shop", "v"); !ok || string(v) != "select 1" {
			t.Fatal("the view is missing")
		}
		change(t, copied, func(_ *storage.Txn, tab *storage.Table) { must(t, tab.Append(ctx, batch(sale{"z", 1, nil, nil, nil}))) })
		must(t, copied.Close())
	}
	must(t, db.Check(ctx, func(p storage.Problem) { t.Error(p) }))
	stop()
	work.Wait()
}

// TestBackupFails lets each call to the file system fail in turn during a backup: it says so, leaves nothing that opens, and the
// original goes on.
func TestBackupFails(t *testing.T) {
	var target int64 = -1
	var first int64
	faulty := &vfs.Faulty{FS: vfs.NewMem(), Fail: func(_, _ string, n int64) error {
		if n == target {
			return vfs.ErrInjected
		}
		return nil
	}}
	db := openShop(t, faulty, storage.Options{Logger: quiet})
	defer db.Close()
	change(t, db, func(_ *storage.Txn, tab *storage.Table) { must(t, tab.Append(ctx, batch(sale{"a", 1, nil, nil, nil}))) })
	must(t, db.Checkpoint(ctx))
	change(t, db, func(_ *storage.Txn, tab *storage.Table) { must(t, tab.Append(ctx, batch(sale{"b", 1, nil, nil, nil}))) })
	failures := 0
	for k := int64(1); ; k++ {
		dir := fmt.Sprintf("/backup/%d", k)
		first = faulty.Calls()
		target = first + k
		err := db.Backup(ctx, dir)
		calls := faulty.Calls() - first
		target = -1
		if err == nil && k > calls {
			break
		}
		if err == nil {
			t.Fatalf("call %d failed unnoticed", k)
		}
		failures++
		// A manifest is there only when the copy is whole and reading it back has failed.
		if names, err := faulty.List(dir); err == nil && slices.Contains(names, "MANIFEST") {
			must(t, storage.Check(dir, faulty, func(p storage.Problem) { t.Errorf("call %d: %v", k, p) }))
		}
		if n := table(t, db.Begin(), "sales").NumRows(); n != 2 {
			t.Fatal(n)
		}
	}
	if failures < 15 {
		t.Fatalf("only %d calls", failures)
	}
	if err := db.Backup(ctx, "/backup/1"); err == nil {
		t.Fatal("a directory that is not empty")
	}
	if err := db.Backup(ctx, "/data"); err == nil {
		t.Fatal("onto itself")
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if err := db.Backup(canceled, "/backup/canceled"); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// TestBackupOnDisk does it once on the operating system's file system, and with a damaged table.
func TestBackupOnDisk(t *testing.T) {
	mem := vfs.NewMem()
	for name, fsys := range map[string]vfs.FS{"memory": mem, "os": vfs.OS{}} {
		dir := t.TempDir() // unique in both
		db, err := storage.Open(dir+"/data", storage.Options{FS: fsys, Logger: quiet})
		must(t, err)
		txn := db.Begin()
		must(t, txn.CreateDatabase("shop", nil))
		must(t, txn.CreateTable(salesSpec("sales")))
		must(t, txn.CreateTable(salesSpec("sound")))
		must(t, table(t, txn, "sales").Append(ctx, batch(sale{"a", 1, nil, nil, nil})))
		must(t, txn.Commit(ctx))
		must(t, db.Checkpoint(ctx))
		change(t, db, func(txn *storage.Txn, _ *storage.Table) {
			must(t, table(t, txn, "sound").Append(ctx, batch(sale{"a", 1, nil, nil, nil}, sale{"b", 1, nil, nil, nil})))
		})
		must(t, db.Backup(ctx, dir+"/copy"))
		copied, err := storage.Open(dir+"/copy", storage.Options{FS: fsys, Logger: quiet})
		must(t, err)
		if a, b := table(t, copied.Begin(), "sales").NumRows(), table(t, copied.Begin(), "sound").NumRows(); a != 1 || b != 2 {
			t.Fatal(name, a, b)
		}
		must(t, copied.Close())
		if name == "memory" {
			mem.Corrupt(dir+"/data/segments/000001.seg", 50, 0xff)
			err := db.Backup(ctx, dir+"/partial")
			if !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), "shop.sales") {
				t.Fatal(err)
			}
			problems := 0
			must(t, db.Check(ctx, func(p storage.Problem) {
				if problems++; p.Table != "shop.sales" {
					t.Error(p)
				}
			}))
			if problems == 0 {
				t.Fatal("the check of the open database sees no damage")
			}
			copied, err := storage.Open(dir+"/partial", storage.Options{FS: fsys, Logger: quiet})
			must(t, err)
			if rows, _ := scan(t, table(t, copied.Begin(), "sound"), storage.ScanOptions{}); len(rows) != 2 {
				t.Fatal(rows)
			}
			must(t, copied.Close())
		}
		must(t, db.Close())
		if err := db.Backup(ctx, dir+"/late"); !errors.Is(err, storage.ErrClosed) {
			t.Fatal(err)
		}
	}
}
