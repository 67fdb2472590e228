package export

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/almanacdb/almanac/storage/ingest"
)

var fields = []arrow.Field{
	{Name: "i8", Type: arrow.PrimitiveTypes.Int8, Nullable: true},
	{Name: "i16", Type: arrow.PrimitiveTypes.Int16, Nullable: true},
	{Name: "i32", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
	{Name: "i64", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
	{Name: "u8", Type: arrow.PrimitiveTypes.Uint8, Nullable: true},
	{Name: "u16", Type: arrow.PrimitiveTypes.Uint16, Nullable: true},
	{Name: "u32", Type: arrow.PrimitiveTypes.Uint32, Nullable: true},
	{Name: "u64", Type: arrow.PrimitiveTypes.Uint64, Nullable: true},
	{Name: "f32", Type: arrow.PrimitiveTypes.Float32, Nullable: true},
	{Name: "f64", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	{Name: "d128", Type: &arrow.Decimal128Type{Precision: 38, Scale: 4}, Nullable: true},
	{Name: "d256", Type: &arrow.Decimal256Type{Precision: 65, Scale: 30}, Nullable: true},
	{Name: "day", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
	{Name: "at", Type: &arrow.TimestampType{Unit: arrow.Microsecond}, Nullable: true},
	{Name: "text", Type: arrow.BinaryTypes.String, Nullable: true},
	{Name: "bytes", Type: arrow.BinaryTypes.Binary, Nullable: true},
}

// everything has a row of NULLs, the extremes of every type, and texts that a careless CSV writer breaks. With dictionary, its text
// column is dictionary-encoded, as the storage gives it at times.
func everything(mem memory.Allocator, dictionary bool) arrow.RecordBatch {
	d128 := func(s string) decimal128.Num {
		n, err := decimal128.FromString(s, 38, 4)
		if err != nil {
			panic(err)
		}
		return n
	}
	d256 := func(s string) decimal256.Num {
		n, err := decimal256.FromString(s, 65, 30)
		if err != nil {
			panic(err)
		}
		return n
	}
	columns := [][]any{
		{nil, int8(math.MinInt8), int8(math.MaxInt8), int8(0)},
		{nil, int16(math.MinInt16), int16(math.MaxInt16), int16(0)},
		{nil, int32(math.MinInt32), int32(math.MaxInt32), int32(0)},
		{nil, int64(math.MinInt64), int64(math.MaxInt64), int64(0)},
		{nil, uint8(0), uint8(math.MaxUint8), uint8(1)},
		{nil, uint16(0), uint16(math.MaxUint16), uint16(1)},
		{nil, uint32(0), uint32(math.MaxUint32), uint32(1)},
		{nil, uint64(0), uint64(math.MaxUint64), uint64(1)},
		{nil, float32(math.SmallestNonzeroFloat32), float32(math.MaxFloat32), float32(0.1)},
		{nil, math.SmallestNonzeroFloat64, -math.MaxFloat64, 0.1},
		{nil, d128("-9999999999999999999999999999999999.9999"), d128("0.0001"), d128("-0.5")},
		{nil, d256("-99999999999999999999999999999999999.999999999999999999999999999999"), d256("0.000000000000000000000000000001"), d256("1")},
		{nil, arrow.Date32FromTime(time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC)), arrow.Date32FromTime(time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)), arrow.Date32(-1)},
		{nil, arrow.Timestamp(-1), arrow.Timestamp(time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC).UnixMicro()), arrow.Timestamp(0)},
		{nil, "", "NULL", "a \"b\",\r\n\\N\t'é'"},
		{nil, []byte{}, []byte("NULL"), []byte{0, 255, '\n', '"', '\r', '\\', ','}},
	}
	rows := len(columns[0])
	arrays := make([]arrow.Array, len(columns))
	for c, values := range columns {
		b := array.NewBuilder(mem, fields[c].Type)
		if dictionary && fields[c].Type.ID() == arrow.STRING {
			b.Release()
			b = array.NewBuilder(mem, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String})
		}
		for _, v := range values {
			appendValue(b, v)
		}
		arrays[c] = b.NewArray()
		b.Release()
	}
	batch := array.NewRecordBatch(arrow.NewSchema(fields, nil), arrays[:0], 0)
	batch.Release()
	withTypes := append([]arrow.Field{}, fields...)
	for i := range arrays {
		withTypes[i].Type = arrays[i].DataType()
	}
	out := array.NewRecordBatch(arrow.NewSchema(withTypes, nil), arrays, int64(rows))
	for _, a := range arrays {
		a.Release()
	}
	return out
}

func appendValue(b array.Builder, v any) {
	switch v := v.(type) {
	case nil:
		b.AppendNull()
	case int8:
		b.(*array.Int8Builder).Append(v)
	case int16:
		b.(*array.Int16Builder).Append(v)
	case int32:
		b.(*array.Int32Builder).Append(v)
	case int64:
		b.(*array.Int64Builder).Append(v)
	case uint8:
		b.(*array.Uint8Builder).Append(v)
	case uint16:
		b.(*array.Uint16Builder).Append(v)
	case uint32:
		b.(*array.Uint32Builder).Append(v)
	case uint64:
		b.(*array.Uint64Builder).Append(v)
	case float32:
		b.(*array.Float32Builder).Append(v)
	case float64:
		b.(*array.Float64Builder).Append(v)
	case decimal128.Num:
		b.(*array.Decimal128Builder).Append(v)
	case decimal256.Num:
		b.(*array.Decimal256Builder).Append(v)
	case arrow.Date32:
		b.(*array.Date32Builder).Append(v)
	case arrow.Timestamp:
		b.(*array.TimestampBuilder).Append(v)
	case []byte:
		b.(*array.BinaryBuilder).Append(v)
	case string:
		if d, ok := b.(*array.BinaryDictionaryBuilder); ok {
			if err := d.AppendString(v); err != nil {
				panic(err)
			}
			return
		}
		b.(*array.StringBuilder).Append(v)
	default:
		panic(fmt.Sprintf("%T", v))
	}
}

// reader gives a batch that is utf8 and one that is a dictionary, under one schema, as the storage does.
func reader(mem memory.Allocator) array.RecordReader {
	return &batches{schema: arrow.NewSchema(fields, nil), left: []arrow.RecordBatch{everything(mem, false), everything(mem, true)}}
}

type batches struct {
	array.RecordReader
	schema  *arrow.Schema
	left    []arrow.RecordBatch
	current arrow.RecordBatch
	err     error
}

func (b *batches) Schema() *arrow.Schema { return b.schema }
func (b *batches) Next() bool {
	if b.current != nil {
		b.current.Release()
		b.current = nil
	}
	if len(b.left) == 0 {
		return false
	}
	b.current, b.left = b.left[0], b.left[1:]
	return true
}
func (b *batches) RecordBatch() arrow.RecordBatch { return b.current }
func (b *batches) Err() error                     { return b.err }

// TestRoundTrip writes every type in every format and reads it back with package ingest.
func TestRoundTrip(t *testing.T) {
	for _, name := range []string{"f.csv", "f.csv.gz", "f.parquet", "f.arrow"} {
		t.Run(name, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
			defer mem.AssertSize(t, 0)
			path := filepath.Join(t.TempDir(), name)
			out, err := os.Create(path)
			if err != nil {
				t.Fatal(err)
			}
			format, gz, err := FormatOf(name)
			if err != nil {
				t.Fatal(err)
			}
			seen := int64(0)
			n, err := Write(t.Context(), out, reader(mem), Options{Format: format, Gzip: gz, Mem: mem, Progress: func(rows int64) { seen = rows }})
			if err = errors.Join(err, out.Close()); err != nil || n != 8 || seen != 8 {
				t.Fatalf("%d rows, %d seen: %v", n, seen, err)
			}
			f, err := ingest.Open(path, ingest.Options{Null: nil})
			if err != nil {
				t.Fatal(err)
			}
			target := make([]ingest.Column, len(fields))
			for i := range fields {
				target[i].Field = fields[i]
			}
			rr, err := f.Read(t.Context(), target)
			if err != nil {
				t.Fatal(err)
			}
			defer rr.Release()
			want := everything(mem, false)
			defer want.Release()
			row := 0
			for rr.Next() {
				for i := range int(rr.RecordBatch().NumRows()) {
					for c := range fields {
						got, wanted := show(rr.RecordBatch().Column(c), i), show(want.Column(c), row%4)
						if got != wanted {
							t.Errorf("row %d, column %s: %q, want %q", row, fields[c].Name, got, wanted)
						}
					}
					row++
				}
			}
			if rr.Err() != nil || row != 8 {
				t.Fatalf("%d rows: %v", row, rr.Err())
			}
		})
	}
}

func show(a arrow.Array, i int) string {
	if a.IsNull(i) {
		return "(null)"
	}
	return a.ValueStr(i)
}

// TestDialect pins what the CSV dialect looks like.
func TestDialect(t *testing.T) {
	var out bytes.Buffer
	if _, err := Write(t.Context(), &out, reader(memory.DefaultAllocator), Options{Format: CSV}); err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitN(out.Bytes(), []byte("\n"), 4)
	want := []string{
		"i8,i16,i32,i64,u8,u16,u32,u64,f32,f64,d128,d256,day,at,text,bytes",
		"NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL,NULL",
		`-128,-32768,-2147483648,-9223372036854775808,0,0,0,0,1e-45,5e-324,-9999999999999999999999999999999999.9999,-99999999999999999999999999999999999.999999999999999999999999999999,1000-01-01,1969-12-31 23:59:59.999999,"",""`,
	}
	for i, w := range want {
		if d := cmp.Diff(w, string(lines[i])); d != "" {
			t.Error(d)
		}
	}
	if !bytes.Contains(lines[3], []byte(`0.000000000000000000000000000001,9999-12-31,9999-12-31 23:59:59.999999,"NULL","NULL"`)) {
		t.Errorf("%s", lines[3])
	}
	if _, err := csv.NewReader(bytes.NewReader(out.Bytes())).ReadAll(); err != nil {
		t.Errorf("not RFC 4180: %v", err)
	}
}

func TestParquetIsCompressed(t *testing.T) {
	var out bytes.Buffer
	if _, err := Write(t.Context(), &out, reader(memory.DefaultAllocator), Options{Format: Parquet}); err != nil {
		t.Fatal(err)
	}
	rd, err := file.NewParquetReader(bytes.NewReader(out.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	defer rd.Close()
	for g := range rd.NumRowGroups() {
		for c := range len(fields) {
			chunk, err := rd.MetaData().RowGroup(g).ColumnChunk(c)
			if err != nil || chunk.Compression().String() != "ZSTD" {
				t.Errorf("column %d: %v %v", c, chunk.Compression(), err)
			}
		}
	}
}

func TestDates(t *testing.T) {
	for day := arrow.Date32FromTime(time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)); day < 2932896; day += 13 { // to the year 9999
		if got, want := string(appendDate(nil, int64(day))), day.ToTime().Format(time.DateOnly); got != want {
			t.Fatalf("day %d: %s, want %s", day, got, want)
		}
	}
	if got := string(appendStamp(nil, zeroDay*microsPerDay)); got != "0000-00-00 00:00:00" {
		t.Error(got)
	}
	if got := string(AppendClock(nil, -(838*3600+59*60+59)*1_000_000)); got != "-838:59:59" {
		t.Error(got)
	}
}

func TestFormats(t *testing.T) {
	for name, want := range map[string]Format{"a.CSV": CSV, "x/b.csv.gz": CSV, "c.parquet": Parquet, "d.feather": Arrow} {
		if f, gz, err := FormatOf(name); f != want || gz != (name == "x/b.csv.gz") || err != nil {
			t.Errorf("%s: %v %v %v", name, f, gz, err)
		}
	}
	if _, _, err := FormatOf("a.xlsx"); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if _, err := ParseFormat("xlsx"); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

// TestErrorsShow checks that neither a reader's error nor the disk's passes for a complete file.
func TestErrorsShow(t *testing.T) {
	broken := errors.New("damaged")
	for _, f := range []Format{CSV, Parquet, Arrow} {
		rows := reader(memory.DefaultAllocator).(*batches)
		rows.err = broken
		if _, err := Write(t.Context(), io.Discard, rows, Options{Format: f}); !errors.Is(err, broken) {
			t.Errorf("format %d: %v", f, err)
		}
		if _, err := Write(t.Context(), full{}, reader(memory.DefaultAllocator), Options{Format: f}); !errors.Is(err, errFull) {
			t.Errorf("format %d on a full disk: %v", f, err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Write(ctx, io.Discard, reader(memory.DefaultAllocator), Options{Format: f}); !errors.Is(err, context.Canceled) {
			t.Errorf("format %d, cancelled: %v", f, err)
		}
	}
}

var errFull = errors.New("no space left")

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errFull }

func TestGzip(t *testing.T) {
	var out bytes.Buffer
	if _, err := Write(t.Context(), &out, reader(memory.DefaultAllocator), Options{Format: CSV, Gzip: true, NoHeader: true}); err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil || !bytes.HasPrefix(text, []byte("NULL,")) {
		t.Errorf("%.20s %v", text, err)
	}
}
