package bulk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/ingest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var quiet = slog.New(slog.NewTextHandler(io.Discard, nil))

func openLocal(t *testing.T, dir string) *Local {
	t.Helper()
	l, err := OpenLocal(dir, storage.Options{Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// load imports a CSV text into a new table shop.sales.
func load(t *testing.T, l Loader, create bool, key []string, texts ...string) (int64, error) {
	t.Helper()
	ctx := context.Background()
	var files ingest.Files
	for i, text := range texts {
		path := filepath.Join(t.TempDir(), fmt.Sprintf("f%d.csv", i))
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := ingest.Open(path, ingest.Options{BatchRows: 100})
		if err != nil {
			return 0, err
		}
		files = append(files, f)
	}
	var target *Target
	var err error
	if create {
		columns, err := files.Columns(ctx)
		if err != nil {
			return 0, err
		}
		if target, err = NewTarget("shop", "sales", columns, key); err != nil {
			return 0, err
		}
	} else if target, err = l.Target(ctx, "shop", "sales"); err != nil {
		return 0, err
	}
	columns, err := target.Columns(files.Names())
	if err != nil {
		return 0, err
	}
	rows, err := files.Read(ctx, columns)
	if err != nil {
		return 0, err
	}
	defer rows.Release()
	return l.Load(ctx, target, rows)
}

// dump gives the rows of shop.sales in key order, or nil if there is no table.
func dump(t *testing.T, db *storage.DB) []string {
	t.Helper()
	txn := db.Begin()
	defer txn.Rollback()
	table, err := txn.Table("shop", "sales")
	if errors.Is(err, storage.ErrNoTable) || errors.Is(err, storage.ErrNoDatabase) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	scan, err := table.Scan(context.Background(), storage.ScanOptions{ByPrimaryKey: true})
	if err != nil {
		t.Fatal(err)
	}
	defer scan.Release()
	out := []string{}
	for scan.Next() {
		b := scan.RecordBatch()
		for i := range int(b.NumRows()) {
			var cells []string
			for _, c := range b.Columns() {
				cells = append(cells, c.ValueStr(i))
			}
			out = append(out, strings.Join(cells, "|"))
		}
	}
	if scan.Err() != nil {
		t.Fatal(scan.Err())
	}
	return out
}

const twoDays = "sku,day,units,price\nb,2025-01-01,3,1.5\na,2025-01-02,4,\na,2025-01-01,2,2.25\n"

func TestCreatedTableSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	l := openLocal(t, dir)
	n, err := load(t, l, true, []string{"sku", "day"}, twoDays, "sku,day,units,price\nc,2025-01-01,9,1\n")
	if err != nil || n != 4 {
		t.Fatal(n, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	l = openLocal(t, dir)
	defer l.Close()
	want := []string{"a|2025-01-01|2|2.25", "a|2025-01-02|4|(null)", "b|2025-01-01|3|1.5", "c|2025-01-01|9|1"}
	if d := cmp.Diff(want, dump(t, l.db)); d != "" {
		t.Error(d)
	}
	target, err := l.Target(context.Background(), "SHOP", "Sales")
	if err != nil {
		t.Fatal(err)
	}
	var types []string
	for _, f := range target.Fields {
		types = append(types, f.Name+" "+TypeOf(f))
	}
	if d := cmp.Diff([]string{"sku VARCHAR(20) NOT NULL", "day DATE NOT NULL", "units BIGINT", "price DOUBLE"}, types); d != "" {
		t.Error(d)
	}
}

func TestNothingStaysBehindAfterAMistake(t *testing.T) {
	l := openLocal(t, t.TempDir())
	defer l.Close()
	many := "sku,day,units\n"
	for i := range 1000 {
		many += fmt.Sprintf("s%d,2025-01-01,1\n", i)
	}
	for name, text := range map[string]string{
		"key twice in the file": many + "s7,2025-01-01,1\n",
		"NULL in the key":       many + "s1001,,1\n",
	} {
		_, err := load(t, l, true, []string{"sku", "day"}, text)
		if err == nil {
			t.Fatal(name, ": no error")
		}
		t.Log(name, ":", err)
		if got := dump(t, l.db); got != nil {
			t.Errorf("%s: the table stayed behind with %d rows", name, len(got))
		}
	}
	if _, err := load(t, l, true, []string{"sku", "day"}, many); err != nil {
		t.Fatal(err)
	}
	before := dump(t, l.db)
	for name, text := range map[string]string{
		"text in a number":     strings.ReplaceAll(many, "2025-01-01", "2025-01-02") + "x,2025-01-02,five\n",
		"key of the table":     strings.ReplaceAll(many, "2025-01-01", "2025-01-03") + "s1,2025-01-01,1\n",
		"text over the length": many[:14] + strings.Repeat("x", 60) + ",2025-01-01,1\n",
	} {
		_, err := load(t, l, false, nil, text)
		if err == nil {
			t.Errorf("%s: no error", name)
		}
		t.Log(name, ":", err)
		if d := cmp.Diff(before, dump(t, l.db)); d != "" {
			t.Errorf("%s: the table changed: %s", name, d)
		}
	}
}

func TestSocket(t *testing.T) {
	dir := t.TempDir()
	l := openLocal(t, dir)
	defer l.Close()
	socket, err := Listen(dir, NewLocal(l.db), quiet)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := OpenLocal(dir, storage.Options{Logger: quiet}); !errors.Is(err, storage.ErrLocked) {
		t.Fatal("a directory in use must be refused:", err)
	}
	remote, err := Dial(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := remote.Target(context.Background(), "shop", "sales"); !errors.Is(err, storage.ErrNoTable) {
		t.Error("no table yet:", err)
	}
	if n, err := load(t, remote, true, []string{"sku", "day"}, twoDays); err != nil || n != 3 {
		t.Fatal(n, err)
	}
	if n, err := load(t, remote, false, nil, "day,sku,units\n2025-02-01,z,1\n"); err != nil || n != 1 {
		t.Fatal(n, err)
	}
	before := dump(t, l.db)
	if len(before) != 4 {
		t.Fatal(before)
	}
	// A mistake late in the file, a key that is there, and a client that breaks off: nothing stays.
	late := "sku,day,units\n"
	for i := range 5000 {
		late += fmt.Sprintf("s%d,2025-01-01,1\n", i)
	}
	_, err = load(t, remote, false, nil, late+"x,2025-13-01,1\n")
	var ve *ingest.ValueError
	if !errors.As(err, &ve) || ve.Line != 5002 {
		t.Error("the file's mistake must come through:", err)
	}
	if _, err = load(t, remote, false, nil, "sku,day,units\nz,2025-02-01,1\n"); err == nil || !strings.Contains(err.Error(), "PRIMARY") {
		t.Error("the server's refusal must come through:", err)
	}
	if d := cmp.Diff(before, dump(t, l.db)); d != "" {
		t.Error(d)
	}
	remote.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := socket.Close(ctx); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(dir, socketName)); !errors.Is(err, os.ErrNotExist) {
		t.Error("the socket stayed behind")
	}
}
