// Package export writes Arrow batches to files that other programs read: CSV (plain or gzipped), Parquet and Arrow IPC. It is the
// counterpart of package ingest, which reads back exactly what is written here.
//
// # The CSV dialect
//
// UTF-8, a header line, fields separated by commas, lines ended by a line feed. A field is quoted with " if it holds a comma, a
// quote, a line break, a leading or trailing space, or if unquoted it would mean NULL; a quote inside is doubled and nothing else
// is escaped. NULL is the unquoted word NULL; a quoted field is never NULL, so "" is the empty text and "NULL" a text of four
// letters. MySQL and MariaDB read the dialect with
//
//	LOAD DATA … FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"' ESCAPED BY '' LINES TERMINATED BY '\n' IGNORE 1 LINES
//
// Numbers have all their digits: a float the fewest that read back as the same float, a decimal its scale. Dates are YYYY-MM-DD,
// times of day YYYY-MM-DD HH:MM:SS, with six decimals where the fraction is not zero; binary columns are written byte by byte.
package export

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
	"github.com/klauspost/compress/gzip"
)

// ErrFormat means that a file's format is not one of those that can be written.
var ErrFormat = errors.New("unknown file format")

// Format is a file format.
type Format uint8

// The formats.
const (
	CSV     Format = iota + 1
	Parquet        // compressed with Zstandard
	Arrow          // the IPC file format (Feather 2), compressed with LZ4
)

var suffixes = []struct {
	name   string
	format Format
	gzip   bool
}{
	{".csv", CSV, false},
	{".csv.gz", CSV, true},
	{".parquet", Parquet, false},
	{".pq", Parquet, false},
	{".arrow", Arrow, false},
	{".ipc", Arrow, false},
	{".feather", Arrow, false},
}

// FormatOf recognises a format by a file's name: .csv, .csv.gz, .parquet, .pq, .arrow, .ipc, .feather. gzipped says that the file is
// to be compressed as a whole.
func FormatOf(name string) (f Format, gzipped bool, err error) {
	name = strings.ToLower(name)
	for _, s := range suffixes {
		if strings.HasSuffix(name, s.name) {
			return s.format, s.gzip, nil
		}
	}
	return 0, false, fmt.Errorf("%s: %w; use .csv, .csv.gz, .parquet or .arrow", name, ErrFormat)
}

// ParseFormat reads a format's name: csv, parquet or arrow.
func ParseFormat(name string) (Format, error) {
	switch strings.ToLower(name) {
	case "csv":
		return CSV, nil
	case "parquet":
		return Parquet, nil
	case "arrow":
		return Arrow, nil
	}
	return 0, fmt.Errorf("%q: %w; use csv, parquet or arrow", name, ErrFormat)
}

// Options say how a file is written.
type Options struct {
	Format Format
	// Gzip compresses a CSV file.
	Gzip bool
	// NoHeader leaves out a CSV file's line of column names.
	NoHeader bool
	// Progress, if set, is called with the number of rows written so far.
	Progress func(rows int64)
	// Mem allocates intermediate arrays; nil means Go's allocator.
	Mem memory.Allocator
}

// Write writes all rows to w and returns their number. Columns may hold booleans, integers, floats, decimals, date32,
// timestamp[us], utf8, binary, and dictionaries of utf8 (batch by batch, whatever the reader's schema says); others are an error.
// The reader stays the caller's. What was written is complete only if the error is nil.
func Write(ctx context.Context, w io.Writer, rows array.RecordReader, o Options) (int64, error) {
	if o.Mem == nil {
		o.Mem = memory.DefaultAllocator
	}
	schema, err := fileSchema(rows.Schema())
	if err != nil {
		return 0, err
	}
	var sink sink
	switch o.Format {
	case CSV:
		sink, err = newCSVSink(w, schema, o)
	case Parquet:
		sink, err = newParquetSink(w, schema, o)
	case Arrow:
		sink, err = newArrowSink(w, schema, o)
	default:
		return 0, ErrFormat
	}
	if err != nil {
		return 0, err
	}
	n := int64(0)
	for rows.Next() {
		if err = ctx.Err(); err != nil {
			break
		}
		if err = sink.write(rows.RecordBatch()); err != nil {
			break
		}
		if n += rows.RecordBatch().NumRows(); o.Progress != nil {
			o.Progress(n)
		}
	}
	if err == nil {
		err = rows.Err()
	}
	if closeErr := sink.close(); err == nil {
		err = closeErr
	}
	return n, err
}

// sink takes batches whose text columns may be dictionaries.
type sink interface {
	write(arrow.RecordBatch) error
	close() error
}

// fileSchema is the schema of the file: dictionaries become what they encode.
func fileSchema(s *arrow.Schema) (*arrow.Schema, error) {
	fields := append([]arrow.Field{}, s.Fields()...)
	for i, f := range fields {
		t := f.Type
		if d, ok := t.(*arrow.DictionaryType); ok {
			t = d.ValueType
		}
		switch t.ID() {
		case arrow.BOOL, arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64,
			arrow.FLOAT32, arrow.FLOAT64, arrow.DECIMAL128, arrow.DECIMAL256, arrow.DATE32, arrow.STRING, arrow.BINARY:
		case arrow.TIMESTAMP:
			if t.(*arrow.TimestampType).Unit != arrow.Microsecond {
				return nil, fmt.Errorf("export: column %s has type %s", f.Name, t)
			}
		default:
			return nil, fmt.Errorf("export: column %s has type %s", f.Name, t)
		}
		fields[i].Type = t
	}
	meta := s.Metadata()
	return arrow.NewSchema(fields, &meta), nil
}

// Plain gives a batch the schema, whose fields correspond by place: dictionaries become the texts that they encode. The caller
// releases it.
func Plain(b arrow.RecordBatch, schema *arrow.Schema, mem memory.Allocator) (arrow.RecordBatch, error) {
	arrays := make([]arrow.Array, schema.NumFields())
	defer func() {
		for _, a := range arrays {
			if a != nil {
				a.Release()
			}
		}
	}()
	for i := range arrays {
		a := b.Column(i)
		if d, ok := a.(*array.Dictionary); ok {
			var err error
			if arrays[i], err = Decode(d, mem); err != nil {
				return nil, err
			}
			continue
		}
		a.Retain()
		arrays[i] = a
	}
	return array.NewRecordBatch(schema, arrays, b.NumRows()), nil
}

// Decode returns the texts of a dictionary array, to be released by the caller.
func Decode(d *array.Dictionary, mem memory.Allocator) (arrow.Array, error) {
	values, ok := d.Dictionary().(*array.String)
	if !ok {
		return nil, fmt.Errorf("export: dictionary of %s", d.Dictionary().DataType())
	}
	b := array.NewStringBuilder(mem)
	defer b.Release()
	b.Reserve(d.Len())
	for i := range d.Len() {
		if k := 0; d.IsNull(i) {
			b.AppendNull()
		} else if k = d.GetValueIndex(i); values.IsNull(k) {
			b.AppendNull()
		} else {
			b.Append(values.Value(k))
		}
	}
	return b.NewArray(), nil
}

type parquetSink struct {
	w      *pqarrow.FileWriter
	schema *arrow.Schema
	mem    memory.Allocator
}

// rowGroup is how many rows of a Parquet file are found and skipped together.
const rowGroup = 1 << 20

func newParquetSink(w io.Writer, schema *arrow.Schema, o Options) (sink, error) {
	props := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd), parquet.WithMaxRowGroupLength(rowGroup),
		parquet.WithAllocator(o.Mem), parquet.WithCreatedBy("almanac"), parquet.WithStats(true))
	pw, err := pqarrow.NewFileWriter(schema, keepOpen{w}, props, pqarrow.NewArrowWriterProperties(pqarrow.WithStoreSchema(), pqarrow.WithAllocator(o.Mem)))
	if err != nil {
		return nil, err
	}
	return &parquetSink{pw, schema, o.Mem}, nil
}

// keepOpen hides a Close method: the Parquet writer closes what it can.
type keepOpen struct{ io.Writer }

func (s *parquetSink) write(b arrow.RecordBatch) error {
	p, err := Plain(b, s.schema, s.mem)
	if err != nil {
		return err
	}
	defer p.Release()
	return s.w.WriteBuffered(p)
}

func (s *parquetSink) close() error { return s.w.Close() }

type arrowSink struct {
	w      *ipc.FileWriter
	schema *arrow.Schema
	mem    memory.Allocator
}

func newArrowSink(w io.Writer, schema *arrow.Schema, o Options) (sink, error) {
	fw, err := ipc.NewFileWriter(w, ipc.WithSchema(schema), ipc.WithAllocator(o.Mem), ipc.WithLZ4())
	if err != nil {
		return nil, err
	}
	return &arrowSink{fw, schema, o.Mem}, nil
}

func (s *arrowSink) write(b arrow.RecordBatch) error {
	p, err := Plain(b, s.schema, s.mem)
	if err != nil {
		return err
	}
	defer p.Release()
	return s.w.Write(p)
}

func (s *arrowSink) close() error { return s.w.Close() }

type csvSink struct {
	out   *bufio.Writer
	gzip  *gzip.Writer
	line  []byte
	cells []cell
}

func newCSVSink(w io.Writer, schema *arrow.Schema, o Options) (sink, error) {
	s := &csvSink{cells: make([]cell, schema.NumFields())}
	if o.Gzip {
		s.gzip = gzip.NewWriter(w)
		w = s.gzip
	}
	s.out = bufio.NewWriterSize(w, 256<<10)
	if !o.NoHeader {
		for i, f := range schema.Fields() {
			if i > 0 {
				s.line = append(s.line, ',')
			}
			s.line = appendText(s.line, f.Name)
		}
		s.line = append(s.line, '\n')
		if _, err := s.out.Write(s.line); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (s *csvSink) write(b arrow.RecordBatch) error {
	for i := range s.cells {
		var err error
		if s.cells[i], err = newCell(b.Column(i)); err != nil {
			return fmt.Errorf("column %s: %w", b.ColumnName(i), err)
		}
	}
	for row := range int(b.NumRows()) {
		s.line = s.line[:0]
		for i, c := range s.cells {
			if i > 0 {
				s.line = append(s.line, ',')
			}
			if b.Column(i).IsNull(row) {
				s.line = append(s.line, "NULL"...)
			} else {
				s.line = c(s.line, row)
			}
		}
		s.line = append(s.line, '\n')
		if _, err := s.out.Write(s.line); err != nil {
			return err
		}
	}
	return nil
}

func (s *csvSink) close() error {
	err := s.out.Flush()
	if s.gzip != nil {
		err = errors.Join(err, s.gzip.Close())
	}
	return err
}
