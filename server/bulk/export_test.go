package bulk

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/export"
)

const days = "sku,day,units,price\na,2025-01-01,2,2.25\na,2025-01-02,4,NULL\nb,2025-01-01,3,1.5\n"

func csvOf(t *testing.T, e Exporter, columns ...string) string {
	t.Helper()
	rows, err := e.Export(t.Context(), "shop", "sales", columns)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Release()
	path := filepath.Join(t.TempDir(), "f.csv")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	n, err := export.Write(t.Context(), f, rows, export.Options{Format: export.CSV})
	if err := errors.Join(err, f.Close()); err != nil || n != rows.Rows {
		t.Fatalf("%d of %d rows: %v", n, rows.Rows, err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestExport reads a table here and through the socket: the same rows, in key order.
func TestExport(t *testing.T) {
	dir := t.TempDir()
	local := openLocal(t, dir)
	defer local.Close()
	if _, err := load(t, local, true, []string{"sku", "day"}, twoDays); err != nil {
		t.Fatal(err)
	}
	socket, err := Listen(dir, NewLocal(local.db), quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close(t.Context())
	remote, err := Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer remote.Close()
	for name, e := range map[string]Exporter{"local": local, "remote": remote} {
		t.Run(name, func(t *testing.T) {
			if d := cmp.Diff(days, csvOf(t, e)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff("units,sku\n2,a\n4,a\n3,b\n", csvOf(t, e, "units", "SKU")); d != "" {
				t.Error(d)
			}
			if _, err := e.Export(t.Context(), "shop", "nothing", nil); !errors.Is(err, storage.ErrNoTable) {
				t.Errorf("no such table: %v", err)
			}
			if _, err := e.Export(t.Context(), "shop", "sales", []string{"prize"}); err == nil {
				t.Error("a column that is not there")
			}
		})
	}
}

// TestExportIsOneSnapshot changes the table while it is read.
func TestExportIsOneSnapshot(t *testing.T) {
	dir := t.TempDir()
	local := openLocal(t, dir)
	defer local.Close()
	if _, err := load(t, local, true, nil, twoDays); err != nil {
		t.Fatal(err)
	}
	rows, err := local.Export(t.Context(), "shop", "sales", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Release()
	if _, err := load(t, local, false, nil, twoDays); err != nil {
		t.Fatal(err)
	}
	n := int64(0)
	for rows.Next() {
		n += rows.RecordBatch().NumRows()
	}
	if rows.Err() != nil || n != 3 || rows.Rows != 3 {
		t.Errorf("%d rows, announced %d: %v", n, rows.Rows, rows.Err())
	}
}

// TestExportBrokenOff cuts a stream: the reader must not take it for the whole table.
func TestExportBrokenOff(t *testing.T) {
	dir := t.TempDir()
	local := openLocal(t, dir)
	defer local.Close()
	text := "word\n" + strings.Repeat(strings.Repeat("many words ", 10)+"\n", 100_000) // more than the socket's buffers hold
	if _, err := load(t, local, true, nil, text); err != nil {
		t.Fatal(err)
	}
	socket, err := Listen(dir, NewLocal(local.db), quiet)
	if err != nil {
		t.Fatal(err)
	}
	remote, err := Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer remote.Close()
	got, err := remote.Export(t.Context(), "shop", "sales", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer got.Release()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	_ = socket.Close(ctx)
	n := int64(0)
	for got.Next() {
		n += got.RecordBatch().NumRows()
	}
	if got.Err() == nil || n == got.Rows {
		t.Errorf("%d of %d rows, %v", n, got.Rows, got.Err())
	}
}
