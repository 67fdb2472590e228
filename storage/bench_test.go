package storage_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/vfs"
)

// BenchmarkInsert commits batches of n rows in random key order into one growing table; "os" pays for fsync.
func BenchmarkInsert(b *testing.B) {
	for name, fs := range map[string]func() (vfs.FS, string){
		"memory": func() (vfs.FS, string) { return vfs.NewMem(), "/data" },
		"os":     func() (vfs.FS, string) { return vfs.OS{}, b.TempDir() },
	} {
		for _, n := range []int{1, 1000} {
			for _, clients := range []int{1, 16} {
				b.Run(fmt.Sprintf("%s/rows=%d/clients=%d", name, n, clients), func(b *testing.B) {
					fsys, dir := fs()
					db, err := storage.Open(dir, storage.Options{FS: fsys})
					must(b, err)
					defer db.Close()
					txn := db.Begin()
					must(b, txn.CreateDatabase("shop", nil))
					must(b, txn.CreateTable(salesSpec("sales")))
					must(b, txn.Commit(ctx))
					b.ResetTimer()
					var wait sync.WaitGroup
					for c := range clients {
						wait.Add(1)
						go func() {
							defer wait.Done()
							rng := rand.New(rand.NewPCG(uint64(c), 1))
							for i := c; i < b.N; i += clients {
								rows := make([]sale, n)
								for k := range rows {
									rows[k] = sale{fmt.Sprintf("%d-%d", c, rng.IntN(1e9)), int32(i*n + k), int64(k), 1.5, nil}
								}
								txn := db.Begin()
								tab, err := txn.Table("shop", "sales")
								if err == nil {
									err = tab.Append(ctx, batch(rows...))
								}
								if err == nil {
									err = txn.Commit(ctx)
								}
								if err != nil {
									b.Error(err)
									return
								}
							}
						}()
					}
					wait.Wait()
					b.ReportMetric(float64(b.N)*float64(n)/b.Elapsed().Seconds(), "rows/s")
				})
			}
		}
	}
}

// BenchmarkUpdate looks rows up by key in a table of a million, deletes and appends them, 100 a transaction.
func BenchmarkUpdate(b *testing.B) {
	db := openShop(b, vfs.NewMem(), storage.Options{})
	defer db.Close()
	txn := db.Begin()
	tab := table(b, txn, "sales")
	for s := range 16 {
		rows := make([]sale, 65536)
		for i := range rows {
			rows[i] = sale{fmt.Sprintf("%02d", s), int32(i), int64(i), 1.0, nil}
		}
		must(b, tab.Append(ctx, batch(rows...)))
	}
	must(b, txn.Commit(ctx))
	rng := rand.New(rand.NewPCG(1, 1))
	for b.Loop() {
		txn := db.Begin()
		tab := table(b, txn, "sales")
		for range 100 {
			s := sale{fmt.Sprintf("%02d", rng.IntN(16)), int32(rng.IntN(65536)), int64(7), 1.0, nil}
			id, ok, err := tab.Lookup(ctx, 0, []any{s.sku, arrow.Date32(s.day)})
			if err != nil || !ok {
				b.Fatal(ok, err)
			}
			must(b, tab.Delete(ctx, []storage.RowID{id}))
			must(b, tab.Append(ctx, batch(s)))
		}
		must(b, txn.Commit(ctx))
	}
}
