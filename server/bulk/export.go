package bulk

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/export"
)

// ErrNoColumn means that an export names a column which the table does not have.
var ErrNoColumn = errors.New("no such column")

// An Export is the rows of a table in one snapshot, in the order of the primary key, with types that files have: ENUM, SET and TIME
// as text, BIT as its bytes, TIMESTAMP in UTC; all others as they are stored. Release the reader to end it.
type Export struct {
	array.RecordReader
	// Rows is how many rows there will be.
	Rows int64
}

// Exporter gives out tables: this process's own storage, or a server's through its socket.
type Exporter interface {
	// Export starts to read a table; no columns means all. storage.ErrNoTable, storage.ErrNoDatabase or ErrNoColumn if there is no
	// such thing.
	Export(ctx context.Context, database, table string, columns []string) (*Export, error)
	// Close frees the data directory or the connection.
	Close() error
}

// Export implements Exporter. The transaction lasts until the reader is released.
func (l *Local) Export(ctx context.Context, database, table string, columns []string) (_ *Export, err error) {
	txn := l.db.Begin()
	defer func() {
		if err != nil {
			txn.Rollback()
		}
	}()
	t, err := txn.Table(database, table)
	if err != nil {
		return nil, err
	}
	schema := t.Spec().Schema
	o := storage.ScanOptions{ByPrimaryKey: true}
	for _, name := range columns {
		i, err := columnIndex(schema, name)
		if err != nil {
			return nil, fmt.Errorf("table %s.%s: %w", database, table, err)
		}
		o.Columns = append(o.Columns, i)
	}
	scan, err := t.Scan(ctx, o)
	if err != nil {
		return nil, err
	}
	r := &fileReader{scan: scan, txn: txn}
	r.refs.Store(1)
	fields := append([]arrow.Field{}, scan.Schema().Fields()...)
	r.convert = make([]conversion, len(fields))
	for i, f := range fields {
		if fields[i].Type, r.convert[i], err = fileType(f); err != nil {
			scan.Release()
			return nil, err
		}
	}
	r.schema = arrow.NewSchema(fields, nil)
	return &Export{r, t.NumRows()}, nil
}

func columnIndex(s *arrow.Schema, name string) (int, error) {
	names := make([]string, s.NumFields())
	for i, f := range s.Fields() {
		if strings.EqualFold(f.Name, strings.TrimSpace(name)) {
			return i, nil
		}
		names[i] = f.Name
	}
	return 0, fmt.Errorf("%w '%s'; its columns are %s", ErrNoColumn, name, strings.Join(names, ", "))
}

// conversion makes a file's array of a stored one; nil leaves it as it is.
type conversion func(arrow.Array) (arrow.Array, error)

// fileType is the type that a file has for a column.
func fileType(f arrow.Field) (arrow.DataType, conversion, error) {
	col, err := sqltype.ColumnOf(f)
	if err != nil {
		return nil, nil, err
	}
	switch t := col.Type.(type) {
	case sql.EnumType:
		return arrow.BinaryTypes.String, texts(func(a *array.Uint16, i int) (string, error) {
			if a.Value(i) == 0 {
				return "", nil // what SQL stores for a value that is no member
			}
			s, ok := t.At(int(a.Value(i)))
			if !ok {
				return "", fmt.Errorf("column %s: number %d is no member of %s", f.Name, a.Value(i), t)
			}
			return s, nil
		}), nil
	case sql.SetType:
		return arrow.BinaryTypes.String, texts(func(a *array.Uint64, i int) (string, error) { return t.BitsToString(a.Value(i)) }), nil
	}
	switch col.Type.Type() {
	case sqltypes.Time:
		return arrow.BinaryTypes.String, texts(func(a *array.Duration, i int) (string, error) {
			return string(export.AppendClock(nil, int64(a.Value(i)))), nil
		}), nil
	case sqltypes.Bit:
		bits, ok := col.Type.(interface{ NumberOfBits() uint8 })
		if !ok {
			return nil, nil, fmt.Errorf("column %s: %T does not tell its bits", f.Name, col.Type)
		}
		return arrow.BinaryTypes.Binary, bitBytes((int(bits.NumberOfBits()) + 7) / 8), nil
	case sqltypes.Timestamp:
		utc := &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
		return utc, func(a arrow.Array) (arrow.Array, error) {
			data := array.NewData(utc, a.Len(), a.Data().Buffers(), nil, a.NullN(), a.Data().Offset())
			defer data.Release()
			return array.MakeFromData(data), nil
		}, nil
	}
	return f.Type, nil, nil
}

// texts converts each value that is not NULL to a text.
func texts[A arrow.Array](text func(a A, i int) (string, error)) conversion {
	return func(stored arrow.Array) (arrow.Array, error) {
		a, ok := stored.(A)
		if !ok {
			return nil, fmt.Errorf("stored as %s", stored.DataType())
		}
		b := array.NewStringBuilder(memory.DefaultAllocator)
		defer b.Release()
		b.Reserve(a.Len())
		for i := range a.Len() {
			if a.IsNull(i) {
				b.AppendNull()
				continue
			}
			s, err := text(a, i)
			if err != nil {
				return nil, err
			}
			b.Append(s)
		}
		return b.NewArray(), nil
	}
}

// bitBytes gives the bytes that SQL clients see of a BIT value, the most significant first.
func bitBytes(width int) conversion {
	return func(stored arrow.Array) (arrow.Array, error) {
		a, ok := stored.(*array.Uint64)
		if !ok {
			return nil, fmt.Errorf("stored as %s", stored.DataType())
		}
		b := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
		defer b.Release()
		var bytes [8]byte
		for i := range a.Len() {
			if a.IsNull(i) {
				b.AppendNull()
				continue
			}
			binary.BigEndian.PutUint64(bytes[:], a.Value(i))
			b.Append(bytes[8-width:])
		}
		return b.NewArray(), nil
	}
}

// fileReader converts what a scan gives.
type fileReader struct {
	refs    atomic.Int64
	scan    *storage.Scanner
	txn     *storage.Txn
	schema  *arrow.Schema
	convert []conversion
	current arrow.RecordBatch
	err     error
}

var _ array.RecordReader = (*fileReader)(nil)

func (r *fileReader) Retain() { r.refs.Add(1) }

func (r *fileReader) Release() {
	if r.refs.Add(-1) == 0 {
		r.clear()
		r.scan.Release()
		r.txn.Rollback()
	}
}

func (r *fileReader) clear() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
}

// Schema has plain text columns; a batch may have dictionaries in their place.
func (r *fileReader) Schema() *arrow.Schema          { return r.schema }
func (r *fileReader) RecordBatch() arrow.RecordBatch { return r.current }
func (r *fileReader) Record() arrow.RecordBatch      { return r.current }

func (r *fileReader) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.scan.Err()
}

func (r *fileReader) Next() bool {
	r.clear()
	if r.err != nil || !r.scan.Next() {
		return false
	}
	b := r.scan.RecordBatch()
	arrays := make([]arrow.Array, len(r.convert))
	fields := append([]arrow.Field{}, r.schema.Fields()...)
	defer func() {
		for _, a := range arrays {
			if a != nil {
				a.Release()
			}
		}
	}()
	for i, convert := range r.convert {
		arrays[i] = b.Column(i)
		if convert == nil {
			arrays[i].Retain()
		} else if arrays[i], r.err = convert(b.Column(i)); r.err != nil {
			r.err = fmt.Errorf("column %s: %w", fields[i].Name, r.err)
			return false
		}
		fields[i].Type = arrays[i].DataType()
	}
	r.current = array.NewRecordBatch(arrow.NewSchema(fields, nil), arrays, b.NumRows())
	return true
}
