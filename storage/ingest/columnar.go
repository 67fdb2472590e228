package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

// columnarFile is a file whose columns have types already: Parquet or Arrow IPC.
type columnarFile struct {
	path   string
	opts   Options
	size   int64
	schema *arrow.Schema
	// batches calls do for each stored batch, with the columns at the given places only; read is the share of the file read.
	batches func(ctx context.Context, columns []int, do func(b arrow.RecordBatch, read float64) error) error
}

func openParquet(path string, o Options) (*columnarFile, error) {
	f, err := newColumnarFile(path, o)
	if err != nil {
		return nil, err
	}
	with := func(ctx context.Context, do func(*pqarrow.FileReader) error) error {
		rd, err := file.OpenParquetFile(path, false)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		defer rd.Close()
		fr, err := pqarrow.NewFileReader(rd, pqarrow.ArrowReadProperties{BatchSize: int64(o.batchRows())}, o.mem())
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return do(fr)
	}
	f.batches = func(ctx context.Context, columns []int, do func(arrow.RecordBatch, float64) error) error {
		return with(ctx, func(fr *pqarrow.FileReader) error {
			total := float64(max(fr.ParquetReader().NumRows(), 1))
			rr, err := fr.GetRecordReader(ctx, columns, nil)
			if err != nil {
				return fmt.Errorf("%s: %w", path, err)
			}
			defer rr.Release()
			rows := int64(0)
			for rr.Next() {
				rows += rr.RecordBatch().NumRows()
				if err := do(rr.RecordBatch(), float64(rows)/total); err != nil {
					return err
				}
			}
			if err := rr.Err(); err != nil && !errors.Is(err, io.EOF) {
				return fmt.Errorf("%s: %w", path, err)
			}
			return nil
		})
	}
	return f, with(context.Background(), func(fr *pqarrow.FileReader) error {
		f.schema, err = fr.Schema()
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		return nil
	})
}

func openIPC(path string, o Options) (*columnarFile, error) {
	f, err := newColumnarFile(path, o)
	if err != nil {
		return nil, err
	}
	if stream, err := isIPCStream(path); err != nil || stream {
		if err == nil {
			err = readIPCStream(f)
		}
		return f, err
	}
	with := func(do func(*ipc.FileReader) error) error {
		in, err := os.Open(path)
		if err != nil {
			return err
		}
		defer in.Close()
		fr, err := ipc.NewFileReader(in, ipc.WithAllocator(o.mem()))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		defer fr.Close()
		return do(fr)
	}
	f.batches = func(ctx context.Context, columns []int, do func(arrow.RecordBatch, float64) error) error {
		return with(func(fr *ipc.FileReader) error {
			for i := range fr.NumRecords() {
				if err := ctx.Err(); err != nil {
					return err
				}
				b, err := fr.RecordBatchAt(i)
				if err != nil {
					return fmt.Errorf("%s, batch %d: %w", path, i+1, err)
				}
				picked := pick(b, columns)
				b.Release()
				err = do(picked, float64(i+1)/float64(fr.NumRecords()))
				picked.Release()
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	return f, with(func(fr *ipc.FileReader) error { f.schema = fr.Schema(); return nil })
}

// isIPCStream tells Arrow's stream format from its file format, which begins with a magic word.
func isIPCStream(path string) (bool, error) {
	in, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer in.Close()
	head := make([]byte, 4)
	if _, err := io.ReadFull(in, head); err != nil {
		return false, fmt.Errorf("%s: not an Arrow file: %w", path, err)
	}
	return string(head) == "\xff\xff\xff\xff", nil
}

// readIPCStream makes f read Arrow's stream format.
func readIPCStream(f *columnarFile) error {
	with := func(do func(*ipc.Reader, *countingReader) error) error {
		in, err := os.Open(f.path)
		if err != nil {
			return err
		}
		defer in.Close()
		counted := &countingReader{r: in}
		r, err := ipc.NewReader(counted, ipc.WithAllocator(f.opts.mem()))
		if err != nil {
			return fmt.Errorf("%s: %w", f.path, err)
		}
		defer r.Release()
		return do(r, counted)
	}
	f.batches = func(ctx context.Context, columns []int, do func(arrow.RecordBatch, float64) error) error {
		return with(func(r *ipc.Reader, counted *countingReader) error {
			for r.Next() {
				if err := ctx.Err(); err != nil {
					return err
				}
				picked := pick(r.RecordBatch(), columns)
				err := do(picked, float64(counted.n)/float64(max(f.size, 1)))
				picked.Release()
				if err != nil {
					return err
				}
			}
			if err := r.Err(); err != nil {
				return fmt.Errorf("%s: %w", f.path, err)
			}
			return nil
		})
	}
	return with(func(r *ipc.Reader, _ *countingReader) error { f.schema = r.Schema(); return nil })
}

func newColumnarFile(path string, o Options) (*columnarFile, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	return &columnarFile{path: path, opts: o, size: st.Size()}, nil
}

func pick(b arrow.RecordBatch, columns []int) arrow.RecordBatch {
	fields, arrays := make([]arrow.Field, len(columns)), make([]arrow.Array, len(columns))
	for i, c := range columns {
		fields[i], arrays[i] = b.Schema().Field(c), b.Column(c)
	}
	return array.NewRecordBatch(arrow.NewSchema(fields, nil), arrays, b.NumRows())
}

// Names lists the columns in order.
func (f *columnarFile) Names() []string {
	names := make([]string, f.schema.NumFields())
	for i, field := range f.schema.Fields() {
		names[i] = field.Name
	}
	return names
}

// Columns gives the stored types, brought to those that tables have.
func (f *columnarFile) Columns(context.Context) ([]Inferred, error) {
	out := make([]Inferred, f.schema.NumFields())
	for i, field := range f.schema.Fields() {
		t, err := tableType(field.Type)
		if err != nil {
			return nil, fmt.Errorf("%s, column %s: %w", f.path, field.Name, err)
		}
		out[i].Field = arrow.Field{Name: field.Name, Type: t, Nullable: field.Nullable}
	}
	return out, nil
}

// tableType is the type a table keeps a stored type in.
func tableType(t arrow.DataType) (arrow.DataType, error) {
	switch t := t.(type) {
	case *arrow.DictionaryType:
		return tableType(t.ValueType)
	case *arrow.TimestampType:
		return &arrow.TimestampType{Unit: arrow.Microsecond}, nil
	case *arrow.Decimal128Type, *arrow.Decimal256Type:
		return t, nil
	}
	switch t.ID() {
	case arrow.BOOL, arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64,
		arrow.FLOAT32, arrow.FLOAT64, arrow.DATE32, arrow.STRING, arrow.BINARY:
		return t, nil
	case arrow.FLOAT16:
		return arrow.PrimitiveTypes.Float32, nil
	case arrow.DATE64:
		return arrow.FixedWidthTypes.Date32, nil
	case arrow.LARGE_STRING, arrow.STRING_VIEW:
		return arrow.BinaryTypes.String, nil
	case arrow.LARGE_BINARY, arrow.BINARY_VIEW, arrow.FIXED_SIZE_BINARY:
		return arrow.BinaryTypes.Binary, nil
	}
	return nil, fmt.Errorf("type %s cannot be kept in a table; flatten the column or leave it out", t)
}

// Read streams the rows, cast to the target types.
func (f *columnarFile) Read(ctx context.Context, target []Column) (array.RecordReader, error) {
	at, err := matchColumns(f.path, f.Names(), target)
	if err != nil {
		return nil, err
	}
	fields := make([]arrow.Field, len(target))
	var columns []int // of the file, in its order
	place := map[int]int{}
	for i := range target {
		fields[i] = target[i].Field
	}
	for j := range f.schema.NumFields() {
		for _, a := range at {
			if a == j {
				place[j] = len(columns)
				columns = append(columns, j)
			}
		}
	}
	schema := arrow.NewSchema(fields, nil)
	return newStream(ctx, schema, func(ctx context.Context, emit func(arrow.RecordBatch) error) error {
		ctx = compute.WithAllocator(ctx, f.opts.mem())
		rows := int64(0)
		return f.batches(ctx, columns, func(b arrow.RecordBatch, read float64) error {
			if f.opts.Progress != nil {
				f.opts.Progress(int64(read*float64(f.size)), f.size)
			}
			arrays := make([]arrow.Array, 0, len(target))
			defer func() {
				for _, a := range arrays {
					a.Release()
				}
			}()
			for i, c := range target {
				if at[i] < 0 {
					arrays = append(arrays, array.MakeArrayOfNull(f.opts.mem(), c.Field.Type, int(b.NumRows())))
					continue
				}
				a, err := f.convert(ctx, b.Column(place[at[i]]), c, rows)
				if err != nil {
					return err
				}
				arrays = append(arrays, a)
			}
			rows += b.NumRows()
			return emit(array.NewRecordBatch(schema, arrays, b.NumRows()))
		})
	}), nil
}

// convert casts one column's batch, whose first row is row first of the file, and checks its limits.
func (f *columnarFile) convert(ctx context.Context, a arrow.Array, c Column, first int64) (arrow.Array, error) {
	bad := func(i int, want string) error {
		return &ValueError{File: f.path, Row: first + int64(i) + 1, Column: c.Field.Name, Value: a.ValueStr(i), Want: want}
	}
	if !c.Field.Nullable && a.NullN() > 0 {
		for i := range a.Len() {
			if a.IsNull(i) {
				return nil, bad(i, "allowed: the column is NOT NULL")
			}
		}
	}
	if c.Encode != nil {
		return f.encode(a, c, bad)
	}
	out, err := cast(ctx, a, c.Field.Type)
	if err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		i, found := firstBad(ctx, a, c.Field.Type)
		if !found {
			return nil, fmt.Errorf("%s, column %s: type %s cannot become %s: %w", f.path, c.Field.Name, a.DataType(), c.Field.Type, err)
		}
		return nil, bad(i, fmt.Sprintf("allowed in a column of type %s", c.Field.Type))
	}
	if s, ok := out.(*array.String); ok && c.MaxLength > 0 {
		for i := range s.Len() {
			if !s.IsNull(i) && len(s.Value(i)) > c.MaxLength && len([]rune(s.Value(i))) > c.MaxLength {
				out.Release()
				return nil, bad(i, fmt.Sprintf("at most %d characters long", c.MaxLength))
			}
		}
	}
	return out, nil
}

// encode passes each value's text to the column's own encoder.
func (f *columnarFile) encode(a arrow.Array, c Column, bad func(int, string) error) (arrow.Array, error) {
	b := array.NewBuilder(f.opts.mem(), c.Field.Type)
	defer b.Release()
	text := a.ValueStr
	if bin, ok := a.(*array.Binary); ok { // whose ValueStr is base64
		text = func(i int) string { return string(bin.Value(i)) }
	}
	for i := range a.Len() {
		if a.IsNull(i) {
			b.AppendNull()
		} else if err := c.Encode(b, text(i)); err != nil {
			return nil, bad(i, err.Error())
		}
	}
	return b.NewArray(), nil
}

// cast converts losslessly or fails. A zoned timestamp becomes UTC; a boolean becomes 0 or 1.
func cast(ctx context.Context, a arrow.Array, to arrow.DataType) (arrow.Array, error) {
	if arrow.TypeEqual(a.DataType(), to) {
		a.Retain()
		return a, nil
	}
	from := a.DataType()
	if ts, ok := from.(*arrow.TimestampType); ok && ts.TimeZone != "" {
		if _, ok := to.(*arrow.TimestampType); ok {
			// Dropping the zone keeps the instant; a cast that minds the zone would shift it to local time.
			data := array.NewData(&arrow.TimestampType{Unit: ts.Unit}, a.Len(), a.Data().Buffers(), nil, a.NullN(), a.Data().Offset())
			defer data.Release()
			plain := array.MakeFromData(data)
			defer plain.Release()
			return cast(ctx, plain, to)
		}
	}
	return compute.CastArray(ctx, a, compute.SafeCastOptions(to))
}

// firstBad finds the first value that cannot be cast, halving the range that fails.
func firstBad(ctx context.Context, a arrow.Array, to arrow.DataType) (int, bool) {
	fails := func(lo, hi int) bool {
		part := array.NewSlice(a, int64(lo), int64(hi))
		defer part.Release()
		out, err := cast(ctx, part, to)
		if err == nil {
			out.Release()
		}
		return err != nil
	}
	if fails(0, 0) {
		return 0, false // the types themselves do not fit
	}
	lo, hi := 0, a.Len()
	for hi-lo > 1 {
		if mid := (lo + hi) / 2; fails(lo, mid) {
			hi = mid
		} else {
			lo = mid
		}
	}
	return lo, true
}
