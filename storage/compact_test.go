package storage_test

import (
	"fmt"
	"math/bits"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/vfs"
)

// TestCompactionOfInterleavedLoads loads day after day of the same series, as shops do, and checkpoints after each: the rows of a series
// end up in few segments, and each byte is written a bounded number of times.
func TestCompactionOfInterleavedLoads(t *testing.T) {
	const loads, series = 64, 300
	count := func(sku func(load, i int) string) (written, segments int64) {
		counter := &writeCounter{FS: vfs.NewMem()}
		db := openShop(t, counter, storage.Options{Logger: quiet})
		defer db.Close()
		for load := range loads {
			rows := make([]sale, series)
			for i := range rows {
				rows[i] = sale{sku(load, i), int32(load), int64(i * load), 1.5, nil}
			}
			change(t, db, func(_ *storage.Txn, tab *storage.Table) { must(t, tab.Append(ctx, batch(rows...))) })
			must(t, db.Checkpoint(ctx))
		}
		tab := table(t, db.Begin(), "sales")
		rows, _ := scan(t, tab, storage.ScanOptions{ByPrimaryKey: true})
		if len(rows) != loads*series {
			t.Fatalf("%d rows", len(rows))
		}
		last := "" // storage order is nearly that of the key
		breaks := 0
		rows, _ = scan(t, tab, storage.ScanOptions{})
		for _, r := range rows {
			if r.sku < last {
				breaks++
			}
			last = r.sku
		}
		if breaks > tab.Segments() {
			t.Errorf("%d breaks of the order in %d segments", breaks, tab.Segments())
		}
		must(t, db.Close())
		must(t, storage.Check("/data", counter, func(p storage.Problem) { t.Error(p) }))
		return counter.segments.Load(), int64(tab.Segments())
	}
	interleaved, segments := count(func(_, i int) string { return fmt.Sprintf("sku%04d", i) })
	if most := int64(bits.Len(loads)); segments > most {
		t.Errorf("%d segments after %d interleaved loads, want at most %d", segments, loads, most)
	}
	ordered, _ := count(func(load, i int) string { return fmt.Sprintf("load%03d-%04d", load, i) })
	t.Logf("segment bytes written: %d interleaved, %d in key order", interleaved, ordered)
	single := int64(loads * 1500) // about what each load takes as one segment
	if most := single * int64(bits.Len(loads)); interleaved > 3*most {
		t.Errorf("%d bytes written for loads of about %d", interleaved, single)
	}
}

type writeCounter struct {
	vfs.FS
	segments atomic.Int64
}

func (c *writeCounter) Create(name string) (vfs.File, error) {
	f, err := c.FS.Create(name)
	if err == nil && strings.HasSuffix(name, ".seg") {
		f = &countedFile{f, &c.segments}
	}
	return f, err
}

type countedFile struct {
	vfs.File
	n *atomic.Int64
}

func (f *countedFile) Write(p []byte) (int, error) {
	f.n.Add(int64(len(p)))
	return f.File.Write(p)
}

// TestCompactionBlocksNobody holds a compaction at the file it writes: meanwhile transactions read, write, delete rows that are being
// moved, commit and checkpoint; afterwards everything is there once.
func TestCompactionBlocksNobody(t *testing.T) {
	var creates atomic.Int64
	reached, release := make(chan struct{}), make(chan struct{})
	mem := vfs.NewMem()
	faulty := &vfs.Faulty{FS: mem, Fail: func(op, name string, _ int64) error {
		if op == "create" && strings.HasSuffix(name, ".seg") && creates.Add(1) == 3 { // two checkpoints come before it
			close(reached)
			<-release
		}
		return nil
	}}
	db := openShop(t, faulty, storage.Options{Logger: quiet})
	add := func(sku string, from, n int) {
		rows := make([]sale, n)
		for i := range rows {
			rows[i] = sale{sku, int32(from + 2*i), int64(i), nil, nil}
		}
		change(t, db, func(_ *storage.Txn, tab *storage.Table) { must(t, tab.Append(ctx, batch(rows...))) })
	}
	add("a", 0, 400)
	must(t, db.Checkpoint(ctx))
	add("a", 1, 399)
	done := make(chan error, 1)
	go func() { done <- db.Checkpoint(ctx) }()
	select {
	case <-reached:
	case err := <-done:
		t.Fatalf("nothing was merged: %v", err)
	case <-time.After(10 * time.Second):
		t.Fatal("no merge")
	}
	before := db.Begin()
	old, _ := scan(t, table(t, before, "sales"), storage.ScanOptions{ByPrimaryKey: true})
	if len(old) != 799 {
		t.Fatal(len(old))
	}
	change(t, db, func(_ *storage.Txn, tab *storage.Table) {
		for _, day := range []int64{10, 11, 500} {
			id, ok, err := tab.Lookup(ctx, 0, []any{"a", day})
			if err != nil || !ok {
				t.Fatal(ok, err)
			}
			must(t, tab.Delete(ctx, []storage.RowID{id}))
		}
		must(t, tab.Append(ctx, batch(sale{"b", 1, nil, nil, nil})))
	})
	close(release)
	must(t, <-done)
	if n := table(t, db.Begin(), "sales").Segments(); n > 2 {
		t.Fatalf("%d segments", n)
	}
	rows, _ := scan(t, table(t, db.Begin(), "sales"), storage.ScanOptions{ByPrimaryKey: true})
	if len(rows) != 797 || rows[796].sku != "b" {
		t.Fatal(len(rows))
	}
	for _, r := range rows {
		if r.sku == "a" && (r.day == 10 || r.day == 11 || r.day == 500) {
			t.Fatalf("day %d is back", r.day)
		}
	}
	again, _ := scan(t, table(t, before, "sales"), storage.ScanOptions{ByPrimaryKey: true})
	if len(again) != 799 {
		t.Fatal("an old snapshot changed")
	}
	must(t, db.Close())
	must(t, storage.Check("/data", mem, func(p storage.Problem) { t.Error(p) }))
	files := 0
	for _, n := range mem.Names() {
		if strings.HasSuffix(n, ".seg") {
			files++
		}
	}
	db = openShop(t, mem, storage.Options{Logger: quiet})
	defer db.Close()
	if n := table(t, db.Begin(), "sales").Segments(); n != files {
		t.Fatalf("%d files for %d segments", files, n)
	}
}
