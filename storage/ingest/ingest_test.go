package ingest

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load infers the columns, reads the rows with them and gives both as text.
func load(t *testing.T, path string, o Options) (columns []string, rows []string, err error) {
	t.Helper()
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	o.Mem = mem
	ctx := context.Background()
	f, err := Open(path, o)
	if err != nil {
		return nil, nil, err
	}
	inferred, err := f.Columns(ctx)
	if err != nil {
		return nil, nil, err
	}
	var target []Column
	for _, c := range inferred {
		target = append(target, Column{Field: c.Field, MaxLength: c.MaxLength})
		text := c.Field.Name + " " + c.Field.Type.String()
		if c.Field.Nullable {
			text += " null"
		}
		columns = append(columns, text)
	}
	rows, err = readAll(ctx, f, target)
	return columns, rows, err
}

func readAll(ctx context.Context, f File, target []Column) (rows []string, err error) {
	rr, err := f.Read(ctx, target)
	if err != nil {
		return nil, err
	}
	defer rr.Release()
	for rr.Next() {
		b := rr.RecordBatch()
		for i := range int(b.NumRows()) {
			var cells []string
			for _, c := range b.Columns() {
				cells = append(cells, c.ValueStr(i))
			}
			rows = append(rows, strings.Join(cells, "|"))
		}
	}
	return rows, rr.Err()
}

func TestCSVTypesAreInferred(t *testing.T) {
	for name, tc := range map[string]struct {
		csv           string
		columns, rows []string
	}{
		"kinds": {
			"sku,n,price,ok,d,ts,code\na,1,2.5,true,2025-01-02,2025-01-02 03:04:05.5,007\nb,,1e3,false,2024-02-29,2025-01-02T03:04:05Z,008\n",
			[]string{"sku utf8", "n int64 null", "price float64", "ok bool", "d date32", "ts timestamp[us]", "code utf8"},
			[]string{"a|1|2.5|true|2025-01-02|2025-01-02T03:04:05.5|007", "b|(null)|1000|false|2024-02-29|2025-01-02T03:04:05|008"},
		},
		"semicolons and quotes": {
			"a;b\n\"x;y\";1\n\"line\nbreak\";2\n",
			[]string{"a utf8", "b int64"},
			[]string{"x;y|1", "line\nbreak|2"},
		},
		"day first": {
			"d,y\n3/1/2025,1\n13/1/2025 8:26,2\n",
			[]string{"d timestamp[us]", "y int64"},
			[]string{"2025-01-03T00:00:00|1", "2025-01-13T08:26:00|2"},
		},
		"month first": {
			"d\n12/13/2025\n1/2/2025\n",
			[]string{"d date32"},
			[]string{"2025-12-13", "2025-01-02"},
		},
		"byte order mark, no last newline": {
			"\ufeffd,y\n2025-01-01,1",
			[]string{"d date32", "y int64"},
			[]string{"2025-01-01|1"},
		},
		"dots are day first": {
			"d;y\n01.02.2024;1,5\n02.02.2024;2.000,25\n",
			[]string{"d date32", "y float64"},
			[]string{"2024-02-01|1.5", "2024-02-02|2000.25"},
		},
		"thousands are no decimals": {
			"y;z\n1,234;1,5\n2,345;1\n",
			[]string{"y utf8", "z float64"},
			[]string{"1,234|1.5", "2,345|1"},
		},
		"integers beyond 64 bits are text": {
			"id\n92233720368547758070\n1\n",
			[]string{"id utf8"},
			[]string{"92233720368547758070", "1"},
		},
		"a late word makes a column text": {
			"y\n" + strings.Repeat("1\n", 300) + "n/a\n",
			[]string{"y utf8"},
			append(strings.Split(strings.TrimSpace(strings.Repeat("1\n", 300)), "\n"), "n/a"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			columns, rows, err := load(t, write(t, "f.csv", tc.csv), Options{BatchRows: 64})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(tc.columns, columns); d != "" {
				t.Error("columns:", d)
			}
			if d := cmp.Diff(tc.rows, rows); d != "" {
				t.Error("rows:", d)
			}
		})
	}
}

func TestCSVMistakesNameThePlace(t *testing.T) {
	date := arrow.Field{Name: "ds", Type: arrow.FixedWidthTypes.Date32}
	units := arrow.Field{Name: "units", Type: arrow.PrimitiveTypes.Int32}
	sku := Column{Field: arrow.Field{Name: "sku", Type: arrow.BinaryTypes.String, Nullable: true}, MaxLength: 3}
	for name, tc := range map[string]struct{ csv, want string }{
		"text in a number":  {"ds,units,sku\n2025-01-01,5,a\n2025-01-02,five,b\n", "f.csv, line 3, column units: 'five' is not a whole number of 32 bits"},
		"no such date":      {"ds,units,sku\n2025-02-30,5,a\n", "f.csv, line 2, column ds: '2025-02-30' is not a date (YYYY-MM-DD)"},
		"number too large":  {"ds,units,sku\n2025-01-01,3000000000,a\n", "f.csv, line 2, column units: '3000000000' is not a whole number of 32 bits"},
		"NULL not allowed":  {"ds,units,sku\n2025-01-01,,a\n", "f.csv, line 2, column units: '' is not allowed: the column is NOT NULL"},
		"text too long":     {"ds,units,sku\n2025-01-01,1,äöüß\n", "f.csv, line 2, column sku: 'äöüß' is not at most 3 characters long"},
		"too few fields":    {"ds,units,sku\n2025-01-01,1,a\n2025-01-02,2\n", `f.csv, line 3: wrong number of fields; the file has 3 columns (ds, units, sku), separated by ','`},
		"not UTF-8":         {"ds,units,sku\n2025-01-01,1,\xe4\n", "f.csv, line 2, column sku: '�' is not UTF-8 text (pass --charset, for example windows-1252)"},
		"column missing":    {"ds,sku\n2025-01-01,a\n", "f.csv has no column units, which must not be NULL; its columns are ds, sku"},
		"column twice":      {"ds,DS\n", "f.csv, line 1: columns 1 and 2 are both called DS; rename one (without a header line pass --no-header)"},
		"stray quote":       {"ds,units,sku\n2025-01-01,1,a\"b\n", "f.csv, line 2: a quote inside an unquoted field, at byte 15"},
		"value of no table": {"x\n1\n", "f.csv has no column ds, which must not be NULL; its columns are x"},
		"empty":             {"", "f.csv is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "f.csv", tc.csv)
			f, err := Open(path, Options{})
			if err == nil {
				_, err = readAll(context.Background(), f, []Column{{Field: date}, {Field: units}, sku})
			}
			if err == nil {
				t.Fatal("no error")
			}
			if got := strings.ReplaceAll(err.Error(), filepath.Dir(path)+"/", ""); got != tc.want {
				t.Errorf("got  %s\nwant %s", got, tc.want)
			}
		})
	}
}

func TestCharsetAndGzip(t *testing.T) {
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	fmt.Fprint(z, "name\nK\xf6ln\n")
	z.Close()
	for _, name := range []string{"f.csv.gz", "gzip-by-its-bytes.csv"} {
		_, rows, err := load(t, write(t, name, zipped.String()), Options{Charset: "windows-1252"})
		if err != nil || len(rows) != 1 || rows[0] != "Köln" {
			t.Fatal(name, rows, err)
		}
	}
	_, _, err := load(t, write(t, "g.csv.gz", zipped.String()[:20]), Options{})
	if err == nil || !strings.Contains(err.Error(), "g.csv.gz") {
		t.Fatal("a cut gzip file must be an error with its name:", err)
	}
}

func TestDateOrderAndDecimalComma(t *testing.T) {
	columns, rows, err := load(t, write(t, "f.csv", "d;y\n1/2/2025;1,234\n3/4/2025;5\n"), Options{DateOrder: "dmy", DecimalComma: true})
	if d := cmp.Diff([]string{"d date32", "y float64"}, columns); err != nil || d != "" {
		t.Fatal(err, d)
	}
	if d := cmp.Diff([]string{"2025-02-01|1.234", "2025-04-03|5"}, rows); d != "" {
		t.Error(d)
	}
	if _, err := Open(write(t, "f.csv", "d\n"), Options{DateOrder: "dym"}); err == nil {
		t.Error("date order dym was taken")
	}
}

func TestNotesOnDoubtfulColumns(t *testing.T) {
	f, err := Open(write(t, "f.csv", "d,y\n1/2/2025,1\n2/3/2025,n/a\n3/3/2025,4\n"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	columns, err := f.Columns(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if n := columns[0].Note; !strings.Contains(n, "--date-order") {
		t.Errorf("note on an open date order: %q", n)
	}
	if n := columns[1].Note; !strings.Contains(n, "'n/a' in line 3") {
		t.Errorf("note on numbers with one word: %q", n)
	}
}

func TestNoHeaderMatchesByPlace(t *testing.T) {
	f, err := Open(write(t, "f.csv", "2025-01-01,3\n2025-01-02,4\n"), Options{NoHeader: true})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := readAll(context.Background(), f, []Column{
		{Field: arrow.Field{Name: "ds", Type: arrow.FixedWidthTypes.Date32}}, {Field: arrow.Field{Name: "y", Type: arrow.PrimitiveTypes.Float64}},
	})
	if d := cmp.Diff([]string{"2025-01-01|3", "2025-01-02|4"}, rows); err != nil || d != "" {
		t.Fatal(err, d)
	}
}

// sample is a batch of types that tables do not have, to be stored in a columnar file.
func sample() arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema([]arrow.Field{
		{Name: "sku", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}, Nullable: true},
		{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Millisecond, TimeZone: "Europe/Berlin"}},
		{Name: "y", Type: arrow.PrimitiveTypes.Int64},
	}, nil))
	defer b.Release()
	for i := range 5 {
		_ = b.Field(0).(*array.BinaryDictionaryBuilder).AppendString(fmt.Sprintf("s%d", i%2))
		b.Field(1).(*array.TimestampBuilder).Append(arrow.Timestamp(1_735_689_600_000 + 1000*i)) // 2025-01-01 00:00:00 UTC
		b.Field(2).(*array.Int64Builder).Append(int64(100 * i))
	}
	return b.NewRecordBatch()
}

func columnarFiles(t *testing.T) map[string]string {
	t.Helper()
	b := sample()
	defer b.Release()
	dir := t.TempDir()
	pq, arrowFile := filepath.Join(dir, "f.parquet"), filepath.Join(dir, "f.arrow")
	out, err := os.Create(pq)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pqarrow.NewFileWriter(b.Schema(), out, parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Snappy)), pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema()))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(b), w.Close()); err != nil {
		t.Fatal(err)
	}
	if out, err = os.Create(arrowFile); err != nil {
		t.Fatal(err)
	}
	iw, err := ipc.NewFileWriter(out, ipc.WithSchema(b.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(iw.Write(b), iw.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	streamFile := filepath.Join(dir, "s.arrow")
	if out, err = os.Create(streamFile); err != nil {
		t.Fatal(err)
	}
	sw := ipc.NewWriter(out, ipc.WithSchema(b.Schema()))
	if err := errors.Join(sw.Write(b), sw.Close(), out.Close()); err != nil {
		t.Fatal(err)
	}
	return map[string]string{"parquet": pq, "arrow": arrowFile, "arrow stream": streamFile}
}

func TestColumnarFiles(t *testing.T) {
	for kind, path := range columnarFiles(t) {
		t.Run(kind, func(t *testing.T) {
			columns, rows, err := load(t, path, Options{BatchRows: 2})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff([]string{"sku utf8 null", "at timestamp[us]", "y int64"}, columns); d != "" {
				t.Error(d)
			}
			if len(rows) != 5 || rows[4] != "s0|2025-01-01T00:00:04|400" {
				t.Error(rows)
			}

			f, err := Open(path, Options{BatchRows: 2})
			if err != nil {
				t.Fatal(err)
			}
			_, err = readAll(context.Background(), f, []Column{{Field: arrow.Field{Name: "y", Type: arrow.PrimitiveTypes.Int8}}})
			var ve *ValueError
			if !errors.As(err, &ve) || ve.Row != 3 || ve.Value != "200" || ve.Column != "y" {
				t.Errorf("200 does not fit 8 bits: %v", err)
			}
		})
	}
}

func TestReaderMayBeLeftEarly(t *testing.T) {
	f, err := Open(write(t, "f.csv", "y\n"+strings.Repeat("1\n", 10_000)), Options{BatchRows: 10})
	if err != nil {
		t.Fatal(err)
	}
	rr, err := f.Read(context.Background(), []Column{{Field: arrow.Field{Name: "y", Type: arrow.PrimitiveTypes.Int64}}})
	if err != nil {
		t.Fatal(err)
	}
	if !rr.Next() {
		t.Fatal(rr.Err())
	}
	rr.Release() // goleak sees to the rest
}

func TestUnknownFormat(t *testing.T) {
	_, err := Open(write(t, "f.xlsx", "x"), Options{})
	if !errors.Is(err, ErrFormat) {
		t.Fatal(err)
	}
}

func FuzzParseStamp(f *testing.F) {
	for _, s := range []string{"2025-01-02", "2025-01-02 03:04:05.123456", "1/2/2025 8:26", "31.12.1999T23:59:59+01:00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for o := range nOrders {
			st, ok := parseStamp(s, o)
			if !ok {
				continue
			}
			year, month, day := arrow.Date32(st.days).ToTime().Date()
			if daysFromCivil(year, int(month), day) != st.days {
				t.Fatalf("%q: day %d does not come back", s, st.days)
			}
		}
	})
}

func FuzzCSV(f *testing.F) {
	f.Add("a,b\n1,x\n2,\"y\"\n")
	f.Add("a;b\n1;2025-01-01\n")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), "f.csv")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		// What inference decides, reading must accept.
		file, err := Open(path, Options{})
		if err != nil {
			return
		}
		columns, err := file.Columns(context.Background())
		if err != nil {
			return
		}
		var target []Column
		for _, c := range columns {
			target = append(target, Column{Field: c.Field, MaxLength: c.MaxLength})
		}
		if _, err := readAll(context.Background(), file, target); err != nil {
			t.Fatalf("inferred columns refuse their own values: %v", err)
		}
	})
}

func BenchmarkCSV(b *testing.B) {
	var text bytes.Buffer
	text.WriteString("unique_id,ds,y,sell_price\n")
	for i := range 500_000 {
		fmt.Fprintf(&text, "CA_1_FOODS_1_%03d,2011-%02d-%02d,%d,%.2f\n", i/1900, 1+i%12, 1+i%28, i%7, 1+float64(i%50)/10)
	}
	path := filepath.Join(b.TempDir(), "f.csv")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		f, _ := Open(path, Options{})
		columns, err := f.Columns(context.Background())
		if err != nil {
			b.Fatal(err)
		}
		var target []Column
		for _, c := range columns {
			target = append(target, Column{Field: c.Field})
		}
		rr, err := f.Read(context.Background(), target)
		if err != nil {
			b.Fatal(err)
		}
		for rr.Next() {
		}
		if rr.Err() != nil {
			b.Fatal(rr.Err())
		}
		rr.Release()
	}
}
