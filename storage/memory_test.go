package storage_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/vfs"
)

// TestMemoryLimit lets many transactions hold rows: beyond the limit a statement fails, its transaction is as before and can go on when
// others have ended, and nothing that was acknowledged is lost.
func TestMemoryLimit(t *testing.T) {
	const limit = 8 << 20
	db := openShop(t, vfs.NewMem(), storage.Options{Logger: quiet, MemoryLimit: limit})
	defer db.Close()
	rows := make([]sale, 1500) // about 100 kB with their indexes, which is too little to spill
	fill := func(sku string, from int) {
		for i := range rows {
			rows[i] = sale{sku, int32(from + i), int64(i), 1.5, nil}
		}
	}
	var txns []*storage.Txn
	var refused *storage.Txn
	for i := range 200 {
		txn := db.Begin()
		fill(fmt.Sprint(i), 0)
		err := table(t, txn, "sales").Append(ctx, batch(rows...))
		if err != nil {
			if !errors.Is(err, storage.ErrMemory) || i < 10 {
				t.Fatal(i, err)
			}
			refused = txn
			break
		}
		txns = append(txns, txn)
	}
	if refused == nil {
		t.Fatal("200 transactions fit")
	}
	if n := table(t, refused, "sales").NumRows(); n != 0 {
		t.Fatalf("%d rows of a refused statement", n)
	}
	// Rows that do not fit into the limit at all spill, whoever else runs.
	for _, txn := range txns[1:] {
		txn.Rollback()
	}
	must(t, txns[0].Commit(ctx))
	tab := table(t, refused, "sales")
	for i := range 100 {
		fill("again", i*len(rows))
		must(t, tab.Append(ctx, batch(rows...)))
	}
	must(t, refused.Commit(ctx))
	if n := table(t, db.Begin(), "sales").NumRows(); n != 101*1500 {
		t.Fatal(n)
	}
	// All memory has been given back.
	for range 3 {
		txn := db.Begin()
		at := txn.Savepoint()
		for i := range 10 {
			fill(fmt.Sprint("more", i), 0)
			must(t, table(t, txn, "sales").Append(ctx, batch(rows...)))
			txn.RollbackTo(at)
		}
		txn.Rollback()
	}
}

// TestIndexBeyondMemory: a unique key of a segment is looked up by an index that must fit into half of the limit.
func TestIndexBeyondMemory(t *testing.T) {
	fs := vfs.NewMem()
	db := openShop(t, fs, storage.Options{Logger: quiet})
	rows := make([]sale, 50_000)
	for i := range rows {
		rows[i] = sale{"a", int32(i), nil, nil, int32(i)}
	}
	change(t, db, func(_ *storage.Txn, tab *storage.Table) { must(t, tab.Append(ctx, batch(rows...))) })
	must(t, db.Close())
	db = openShop(t, fs, storage.Options{Logger: quiet, MemoryLimit: 1 << 20})
	defer db.Close()
	txn := db.Begin()
	defer txn.Rollback()
	tab := table(t, txn, "sales")
	if _, _, err := tab.Lookup(ctx, 1, []any{int64(7)}); !errors.Is(err, storage.ErrMemory) {
		t.Fatal(err)
	}
	if err := tab.Append(ctx, batch(sale{"b", 1, nil, nil, int32(7)})); !errors.Is(err, storage.ErrMemory) {
		t.Fatal(err)
	}
	if _, ok, err := tab.Lookup(ctx, 0, []any{"a", int64(7)}); err != nil || !ok {
		t.Fatal("the primary key takes no memory:", ok, err)
	}
	must(t, tab.Append(ctx, batch(sale{"b", 1, nil, nil, nil})))
	must(t, txn.Commit(ctx))
}
