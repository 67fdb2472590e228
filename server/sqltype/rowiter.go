package sqltype

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/dolthub/go-mysql-server/sql"
)

// rowsPerSlab is how many rows share one allocation of cells.
const rowsPerSlab = 64

// NewRowIter returns the rows of reader as SQL rows, one value per column in cols, which correspond to the reader's
// fields by position. The iterator takes over the caller's reference to reader and releases it on Close. No work is
// done before the first Next; the context is polled at every batch.
func NewRowIter(ctx *sql.Context, reader array.RecordReader, cols []*sql.Column) sql.RowIter {
	return &rowIter{reader: reader, cols: cols}
}

type rowIter struct {
	reader array.RecordReader
	cols   []*sql.Column
	cells  []Reader
	rows   int // rows in the current batch
	next   int // next row of it
	slab   []any
}

// Next implements sql.RowIter.
func (it *rowIter) Next(ctx *sql.Context) (sql.Row, error) {
	for it.next >= it.rows {
		if err := it.load(ctx); err != nil {
			return nil, err
		}
	}
	n := len(it.cells)
	if len(it.slab) < n {
		it.slab = make([]any, n*min(rowsPerSlab, it.rows-it.next))
	}
	row := it.slab[:n:n]
	it.slab = it.slab[n:]
	for c, cell := range it.cells {
		row[c] = cell(it.next)
	}
	it.next++
	return row, nil
}

func (it *rowIter) load(ctx *sql.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if it.reader == nil {
		return io.EOF
	}
	if !it.reader.Next() {
		if err := it.reader.Err(); err != nil {
			return err
		}
		return io.EOF
	}
	cells, err := Readers(it.reader.RecordBatch(), it.cols)
	if err != nil {
		return err
	}
	it.cells, it.next, it.rows = cells, 0, int(it.reader.RecordBatch().NumRows())
	return nil
}

// Close implements sql.RowIter.
func (it *rowIter) Close(*sql.Context) error {
	it.cells, it.rows, it.next, it.slab = nil, 0, 0, nil
	if it.reader != nil {
		it.reader.Release()
		it.reader = nil
	}
	return nil
}

// Readers returns one [Reader] per column of batch; cols correspond by position.
func Readers(batch arrow.RecordBatch, cols []*sql.Column) ([]Reader, error) {
	if int(batch.NumCols()) != len(cols) {
		return nil, fmt.Errorf("batch has %d columns, expected %d", batch.NumCols(), len(cols))
	}
	readers := make([]Reader, len(cols))
	for i, col := range cols {
		r, err := NewReader(batch.Column(i), col.Type)
		if err != nil {
			return nil, fmt.Errorf("column '%s': %w", col.Name, err)
		}
		readers[i] = r
	}
	return readers, nil
}

// ReadRow returns row i of batch as a new SQL row.
func ReadRow(batch arrow.RecordBatch, cols []*sql.Column, i int) (sql.Row, error) {
	readers, err := Readers(batch, cols)
	if err != nil {
		return nil, err
	}
	row := make(sql.Row, len(readers))
	for c, cell := range readers {
		row[c] = cell(i)
	}
	return row, nil
}
