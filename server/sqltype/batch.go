package sqltype

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/dolthub/go-mysql-server/sql"
)

// A Batcher collects SQL rows into Arrow record batches. Not safe for concurrent use.
type Batcher struct {
	schema  *arrow.Schema
	names   []string
	builder *array.RecordBuilder
	writers []writer
	rows    int
}

// NewBatcher returns a Batcher for rows of the given SQL schema, whose Arrow schema is [SchemaOf] it. mem may be nil for
// the default allocator. Release it when done.
func NewBatcher(mem memory.Allocator, schema sql.Schema) (*Batcher, error) {
	fields, err := SchemaOf(schema)
	if err != nil {
		return nil, err
	}
	if mem == nil {
		mem = memory.DefaultAllocator
	}
	b := &Batcher{schema: fields, builder: array.NewRecordBuilder(mem, fields)}
	for i, col := range schema {
		w, err := newWriter(b.builder.Field(i), col.Type)
		if err != nil {
			b.builder.Release()
			return nil, fmt.Errorf("column '%s': %w", col.Name, err)
		}
		b.writers = append(b.writers, w)
		b.names = append(b.names, col.Name)
	}
	return b, nil
}

// Schema returns the Arrow schema of the batches.
func (b *Batcher) Schema() *arrow.Schema { return b.schema }

// Len returns the number of rows collected since the last batch.
func (b *Batcher) Len() int { return b.rows }

// Reserve makes room for n more rows.
func (b *Batcher) Reserve(n int) { b.builder.Reserve(n) }

// Append adds one row, whose values are copied. A value that does not fit its column is an error naming the column and
// the batcher must then be released: earlier columns of that row have been appended already.
func (b *Batcher) Append(ctx context.Context, row sql.Row) error {
	if len(row) != len(b.writers) {
		return sql.ErrUnexpectedRowLength.New(len(b.writers), len(row))
	}
	for i, w := range b.writers {
		if err := w(ctx, row[i]); err != nil {
			return fmt.Errorf("column '%s': %w", b.names[i], err)
		}
	}
	b.rows++
	return nil
}

// NewRecordBatch returns the rows collected so far, to be released by the caller, and starts the next batch.
func (b *Batcher) NewRecordBatch() arrow.RecordBatch {
	rows := b.rows
	b.rows = 0
	if len(b.writers) == 0 { // a builder without columns does not know its length
		return array.NewRecordBatch(b.schema, nil, int64(rows))
	}
	return b.builder.NewRecordBatch()
}

// Release frees the builders.
func (b *Batcher) Release() { b.builder.Release() }

// batchRows is the batch size of [NewRecordReader]: large enough to amortise per-batch work, small enough to keep the
// row path's memory in the cache.
const batchRows = 8192

// NewRecordReader streams the rows of iter, which have the given SQL schema, as Arrow batches. It takes over iter and
// closes it when the reader is released. The returned reader is used from one goroutine, under ctx.
func NewRecordReader(ctx *sql.Context, iter sql.RowIter, schema sql.Schema) (array.RecordReader, error) {
	b, err := NewBatcher(nil, schema)
	if err != nil {
		return nil, err
	}
	r := &rowReader{ctx: ctx, iter: iter, batcher: b}
	r.refs.Store(1)
	return r, nil
}

type rowReader struct {
	refs    atomic.Int64
	ctx     *sql.Context
	iter    sql.RowIter
	batcher *Batcher
	current arrow.RecordBatch
	done    bool
	err     error
}

func (r *rowReader) Retain() { r.refs.Add(1) }

func (r *rowReader) Release() {
	if r.refs.Add(-1) != 0 {
		return
	}
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
	r.batcher.Release()
	if err := r.iter.Close(r.ctx); err != nil && r.err == nil {
		r.err = err
	}
}

func (r *rowReader) Schema() *arrow.Schema          { return r.batcher.Schema() }
func (r *rowReader) RecordBatch() arrow.RecordBatch { return r.current }
func (r *rowReader) Record() arrow.RecordBatch      { return r.current }
func (r *rowReader) Err() error                     { return r.err }

func (r *rowReader) Next() bool {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
	if r.done || r.err != nil {
		return false
	}
	for r.batcher.Len() < batchRows {
		row, err := r.iter.Next(r.ctx)
		if errors.Is(err, io.EOF) {
			r.done = true
			break
		}
		if err == nil {
			err = r.batcher.Append(r.ctx, row)
		}
		if err != nil {
			r.err = err
			return false
		}
	}
	if r.batcher.Len() == 0 {
		return false
	}
	r.current = r.batcher.NewRecordBatch()
	return true
}
