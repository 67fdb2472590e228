package storage_test

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/vfs"
)

var quiet = slog.New(slog.DiscardHandler)

// script is a fixed history; it returns how many of its transactions were acknowledged, and whether the next has an unknown outcome.
func script(open func() (*storage.DB, error)) (acknowledged int, unknown bool, err error) {
	db, err := open()
	if err != nil {
		return 0, false, err
	}
	defer db.Close()
	txn := db.Begin()
	if err := errors.Join(txn.CreateDatabase("shop", nil), txn.CreateTable(salesSpec("sales"))); err != nil {
		return 0, false, err
	}
	if err := txn.Commit(ctx); err != nil {
		return 0, errors.Is(err, storage.ErrFailed), err
	}
	for i := range 6 {
		txn := db.Begin()
		defer txn.Rollback()
		tab, err := txn.Table("shop", "sales")
		if err != nil {
			return 1 + i, false, err
		}
		var rows []sale
		for k := range 1 + 10*(i%2) { // every other one spills
			rows = append(rows, sale{string(rune('f' - i)), int32(k), int64(i), nil, nil})
		}
		if err := tab.Append(ctx, batch(rows...)); err != nil {
			return 1 + i, false, err
		}
		if i > 1 {
			id, ok, err := tab.Lookup(ctx, 0, []any{string(rune('f' - i + 2)), arrow.Date32(0)})
			if err != nil {
				return 1 + i, false, err
			}
			if !ok {
				return 1 + i, false, fmt.Errorf("row of transaction %d is missing", i-2)
			}
			if err := tab.Delete(ctx, []storage.RowID{id}); err != nil {
				return 1 + i, false, err
			}
		}
		if err := txn.Commit(ctx); err != nil {
			return 1 + i, errors.Is(err, storage.ErrFailed), err
		}
		if i%3 == 2 {
			_ = db.Checkpoint(ctx)
		}
	}
	return 7, false, nil
}

// scriptRows counts the rows after n transactions of the script.
func scriptRows(n int) int64 {
	rows := int64(0)
	for i := range n - 1 {
		rows += int64(1 + 10*(i%2))
		if i > 1 {
			rows--
		}
	}
	return rows
}

// TestEveryCallFails repeats a history and lets each call to the file system fail in turn, then reopens as the disk is and as a power
// cut would leave it: all that was acknowledged is there.
func TestEveryCallFails(t *testing.T) {
	total := int64(0) // the first round fails none and counts
	for n := int64(0); n <= total; n++ {
		mem := vfs.NewMem()
		faulty := &vfs.Faulty{FS: mem, Fail: func(_, _ string, k int64) error {
			if k == n {
				return vfs.ErrInjected
			}
			return nil
		}}
		done, unknown, err := script(func() (*storage.DB, error) {
			return storage.Open("/data", storage.Options{FS: faulty, Logger: quiet, SpillRows: 10})
		})
		if err != nil && !errors.Is(err, vfs.ErrInjected) && !errors.Is(err, storage.ErrFailed) {
			t.Fatalf("call %d: %v", n, err)
		}
		total = max(total, faulty.Calls())
		for kind, disk := range map[string]*vfs.Mem{"as is": mem, "power cut": mem.CrashClone(rand.New(rand.NewPCG(uint64(n), 7)))} {
			db, err := storage.Open("/data", storage.Options{FS: disk, Logger: quiet})
			if err != nil {
				t.Fatalf("call %d failed, %s: reopening: %v", n, kind, err)
			}
			got := int64(-1)
			if tab, err := db.Begin().Table("shop", "sales"); err == nil {
				got = tab.NumRows()
				rows, _ := scan(t, tab, storage.ScanOptions{ByPrimaryKey: true})
				if int64(len(rows)) != got {
					t.Fatalf("call %d failed, %s: scanned %d of %d rows", n, kind, len(rows), got)
				}
			}
			want := func(n int) int64 {
				if n == 0 {
					return -1
				}
				return scriptRows(n)
			}
			if got != want(done) && !(unknown && got == want(done+1)) {
				t.Fatalf("call %d failed, %s: %d rows, want %d", n, kind, got, want(done))
			}
			must(t, db.Close())
			must(t, storage.Check("/data", disk, func(p storage.Problem) { t.Fatalf("call %d failed, %s: %v", n, kind, p) }))
		}
	}
	if total < 100 {
		t.Fatalf("only %d calls", total)
	}
}

// TestFullDisk lets every write fail for a while: statements fail, the database lives, and goes on when there is room again.
func TestFullDisk(t *testing.T) {
	var full atomic.Bool
	faulty := &vfs.Faulty{FS: vfs.NewMem(), Fail: func(op, _ string, _ int64) error {
		if full.Load() && (op == "write" || op == "create") {
			return errors.New("no space left on device")
		}
		return nil
	}}
	db := openShop(t, faulty, storage.Options{Logger: quiet, SpillRows: 20})
	for i := range 20 {
		full.Store(i%2 == 1)
		txn := db.Begin()
		var rows []sale
		for k := range 1 + i*2 {
			rows = append(rows, sale{fmt.Sprint(i), int32(k), nil, nil, nil})
		}
		err := table(t, txn, "sales").Append(ctx, batch(rows...))
		if err == nil {
			err = txn.Commit(ctx)
		}
		txn.Rollback()
		if (err != nil) != full.Load() {
			t.Fatalf("disk full %v: %v", full.Load(), err)
		}
		_ = db.Checkpoint(ctx)
	}
	full.Store(false)
	must(t, db.Close())
	db = openShop(t, faulty, storage.Options{})
	if n := table(t, db.Begin(), "sales").NumRows(); n != 190 {
		t.Fatal(n)
	}
	must(t, db.Close())
}

// TestFailedSync: after a failed fsync the log is not trusted; a checkpoint moves on to a new one.
func TestFailedSync(t *testing.T) {
	var bad atomic.Bool
	mem := vfs.NewMem()
	faulty := &vfs.Faulty{FS: mem, Fail: func(op, name string, _ int64) error {
		if bad.Load() && op == "sync" && strings.HasSuffix(name, ".log") {
			return vfs.ErrInjected
		}
		return nil
	}}
	db := openShop(t, faulty, storage.Options{Logger: quiet})
	defer db.Close()
	add := func(day int32) error {
		txn := db.Begin()
		must(t, table(t, txn, "sales").Append(ctx, batch(sale{"a", day, nil, nil, nil})))
		return txn.Commit(ctx)
	}
	must(t, add(1))
	bad.Store(true)
	if err := add(2); !errors.Is(err, storage.ErrFailed) {
		t.Fatal(err)
	}
	if err := add(3); !errors.Is(err, storage.ErrFailed) {
		t.Fatal("a commit after a failed sync:", err)
	}
	bad.Store(false)
	must(t, db.Checkpoint(ctx))
	must(t, add(4))
	again, err := storage.Open("/data", storage.Options{FS: mem.CrashClone(rand.New(rand.NewPCG(1, 1)))})
	must(t, err)
	rows, _ := scan(t, table(t, again.Begin(), "sales"), storage.ScanOptions{ByPrimaryKey: true})
	if len(rows) != 2 || rows[1].day != 4 {
		t.Fatal(rows)
	}
	must(t, again.Close())
}

// TestEveryByteIsChecked flips one bit of each byte of each file in turn: Check must notice, name the file, and nothing may panic.
func TestEveryByteIsChecked(t *testing.T) {
	fresh := func() *vfs.Mem {
		mem := vfs.NewMem()
		db := openShop(t, mem, storage.Options{Logger: quiet})
		change(t, db, func(_ *storage.Txn, tab *storage.Table) {
			must(t, tab.Append(ctx, batch(sale{"b", 1, int64(1), 2.5, int32(3)}, sale{"a", 2, nil, nil, nil})))
		})
		must(t, db.Checkpoint(ctx))
		for d := range int32(2) {
			change(t, db, func(_ *storage.Txn, tab *storage.Table) { must(t, tab.Append(ctx, batch(sale{"c", d, nil, nil, nil}))) })
		}
		// As after kill -9: a log with two records.
		clone := mem.CrashClone(rand.New(everything{}))
		must(t, db.Close())
		return clone
	}
	clean := fresh()
	must(t, storage.Check("/data", clean, func(p storage.Problem) { t.Fatal(p) }))
	checked := 0
	for _, name := range clean.Names() {
		if strings.HasSuffix(name, "LOCK") {
			continue
		}
		content, err := vfs.ReadFile(clean, name)
		must(t, err)
		rel := strings.TrimPrefix(name, "/data/")
		lastRecord := strings.LastIndex(string(content), "ALMR") // damage at the end of the log is a torn tail
		for off := range content {
			mem := clean.CrashClone(rand.New(everything{}))
			mem.Corrupt(name, int64(off), 1<<(off%8))
			var found []storage.Problem
			must(t, storage.Check("/data", mem, func(p storage.Problem) { found = append(found, p) }))
			torn := strings.HasSuffix(name, ".log") && off >= lastRecord
			if torn != (len(found) == 0) {
				t.Fatalf("%s byte %d: %v", rel, off, found)
			}
			if !torn && !strings.HasPrefix(found[0].File, rel) {
				t.Fatalf("%s byte %d blamed on %v", rel, off, found)
			}
			db, err := storage.Open("/data", storage.Options{FS: mem, Logger: quiet})
			switch {
			case torn || strings.HasSuffix(name, ".seg"):
				if err != nil {
					t.Fatalf("%s byte %d: %v", rel, off, err)
				}
				must(t, db.Close())
			case !errors.Is(err, storage.ErrCorrupt) || !strings.Contains(err.Error(), rel) || !strings.Contains(err.Error(), "at byte"):
				t.Fatalf("%s byte %d: %v", rel, off, err)
			}
			checked++
		}
	}
	if checked < 500 {
		t.Fatal(checked)
	}
}

// TestDamagedSegment: only the damaged table refuses, naming file and offset; the rest serves and writes.
func TestDamagedSegment(t *testing.T) {
	mem := vfs.NewMem()
	db := openShop(t, mem, storage.Options{Logger: quiet})
	txn := db.Begin()
	must(t, txn.CreateTable(salesSpec("other")))
	must(t, table(t, txn, "sales").Append(ctx, batch(sale{"a", 1, nil, nil, nil})))
	must(t, table(t, txn, "other").Append(ctx, batch(sale{"a", 1, nil, nil, nil})))
	must(t, txn.Commit(ctx))
	must(t, db.Close())
	db = openShop(t, mem, storage.Options{Logger: quiet})
	defer db.Close()
	bad := ""
	for _, name := range mem.Names() {
		if strings.HasSuffix(name, ".seg") {
			bad = name
		}
	}
	mem.Corrupt(bad, 50, 0xff)
	failures := 0
	txn = db.Begin()
	for _, name := range []string{"sales", "other"} {
		tab := table(t, txn, name)
		s, err := tab.Scan(ctx, storage.ScanOptions{})
		must(t, err)
		for s.Next() {
		}
		if s.Err() != nil {
			failures++
			if !errors.Is(s.Err(), storage.ErrCorrupt) || !strings.Contains(s.Err().Error(), bad[len("/data/"):]+" at byte") {
				t.Fatal(s.Err())
			}
		} else {
			must(t, tab.Append(ctx, batch(sale{"b", 1, nil, nil, nil})))
		}
		s.Release()
	}
	if failures != 1 {
		t.Fatalf("%d tables failed", failures)
	}
	must(t, txn.Commit(ctx))
	must(t, db.Checkpoint(ctx))
	var found []storage.Problem
	must(t, db.Close())
	must(t, storage.Check("/data", mem, func(p storage.Problem) { found = append(found, p) }))
	if len(found) != 1 || !strings.HasPrefix(found[0].Table, "shop.") || found[0].File != bad[len("/data/"):] {
		t.Fatal(found)
	}
}

func TestMissingFiles(t *testing.T) {
	mem := vfs.NewMem()
	db := openShop(t, mem, storage.Options{Logger: quiet})
	change(t, db, func(_ *storage.Txn, tab *storage.Table) { must(t, tab.Append(ctx, batch(sale{"a", 1, nil, nil, nil}))) })
	must(t, db.Close())
	for _, pattern := range []string{"MANIFEST", ".log", ".seg"} {
		c := mem.CrashClone(rand.New(everything{}))
		for _, name := range c.Names() {
			if strings.HasSuffix(name, pattern) {
				must(t, c.Remove(name))
			}
		}
		problems := 0
		must(t, storage.Check("/data", c, func(storage.Problem) { problems++ }))
		if problems == 0 {
			t.Fatalf("%s missing, and Check saw nothing", pattern)
		}
		db, err := storage.Open("/data", storage.Options{FS: c, Logger: quiet})
		if pattern != ".seg" {
			if !errors.Is(err, storage.ErrCorrupt) {
				t.Fatalf("%s missing: %v", pattern, err)
			}
			continue
		}
		must(t, err)
		s, err := table(t, db.Begin(), "sales").Scan(ctx, storage.ScanOptions{})
		must(t, err)
		if s.Next() || !errors.Is(s.Err(), fs.ErrNotExist) {
			t.Fatal(s.Err())
		}
		must(t, db.Close())
	}
}

func TestSecondOpener(t *testing.T) {
	for name, fsys := range map[string]vfs.FS{"memory": vfs.NewMem(), "os": vfs.OS{}} {
		dir := t.TempDir()
		db, err := storage.Open(dir, storage.Options{FS: fsys})
		must(t, err)
		if _, err := storage.Open(dir, storage.Options{FS: fsys}); !errors.Is(err, storage.ErrLocked) {
			t.Fatalf("%s: %v", name, err)
		}
		if err := storage.Check(dir, fsys, nil); !errors.Is(err, storage.ErrLocked) {
			t.Fatalf("%s: %v", name, err)
		}
		must(t, db.Close())
		must(t, db.Close())
		db, err = storage.Open(dir, storage.Options{FS: fsys})
		must(t, err)
		must(t, db.Close())
	}
}
