package loaddata

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/dolthub/go-mysql-server/sql"
)

// Bounds of a batch: rows, and bytes of text in it.
const (
	batchRows  = 64 << 10
	batchBytes = 16 << 20
)

// target is what a field of a line is for: a column or a variable.
type target struct {
	column   *column
	variable *variable
}

// A variable is a @name in the list of columns.
type variable struct {
	name    string
	builder *array.StringBuilder // of every row's text, if an expression of the statement reads it; else nil
	last    []byte               // of the row read last
	null    bool
}

// batch holds the values of some rows as the file has them. Whoever receives it releases it.
type batch struct {
	rows     int
	first    int64         // number of the first row, from 1
	columns  []arrow.Array // in the order of reader.columns
	texts    []arrow.Array // of the variables that have builders
	warnings []warning     // kept ones
	warned   int64         // all
}

func (b *batch) release() {
	for _, a := range b.columns {
		a.Release()
	}
	for _, a := range b.texts {
		a.Release()
	}
}

// A reader turns a file into batches, in a goroutine of its own. Its columns and variables belong to that goroutine until
// it has ended.
type reader struct {
	scanner   *scanner
	skip      int64
	fields    []target
	columns   []*column
	variables []*variable
	lenient   bool
	mem       memory.Allocator

	row      int64 // the last one read
	first    int64 // of the batch being filled
	warnings warnings

	batches chan *batch
	cancel  context.CancelFunc
	done    chan struct{}
	err     error // set before done closes
}

// start begins to read.
func (r *reader) start(ctx context.Context) {
	ctx, r.cancel = context.WithCancel(ctx)
	r.batches, r.done = make(chan *batch, 1), make(chan struct{})
	go func() {
		defer close(r.done)
		defer close(r.batches)
		defer func() {
			if p := recover(); p != nil {
				r.err = fmt.Errorf("LOAD DATA: %v", p)
			}
		}()
		r.err = r.read(ctx)
	}()
}

// stop ends the goroutine, which must not be waiting for the file any more, and frees what it has.
func (r *reader) stop() {
	if r.cancel != nil {
		r.cancel()
		for b := range r.batches {
			b.release()
		}
		<-r.done
	}
	for _, c := range r.columns {
		c.builder.Release()
	}
	for _, v := range r.variables {
		if v.builder != nil {
			v.builder.Release()
		}
	}
}

func (r *reader) read(ctx context.Context) error {
	if err := r.scanner.skipMark(); err != nil {
		return err
	}
	for range r.skip {
		if err := r.scanner.skipLine(); err != nil {
			return err
		}
		if r.scanner.eof && r.scanner.pos == r.scanner.end {
			break
		}
	}
	for {
		rows, err := r.fillBatch(ctx)
		if rows > 0 {
			b := r.cut(rows)
			select {
			case r.batches <- b:
			case <-ctx.Done():
				b.release()
				return ctx.Err()
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// fillBatch converts rows until the builders are full. With an error, the first of the returned rows are good.
func (r *reader) fillBatch(ctx context.Context) (rows int, err error) {
	for _, c := range r.columns {
		c.builder.Reserve(batchRows)
	}
	for _, v := range r.variables {
		if v.builder != nil {
			v.builder.Reserve(batchRows)
		}
	}
	r.first = r.row + 1
	bytes := 0
	for rows < batchRows && bytes < batchBytes {
		if rows&0xfff == 0 {
			if err := ctx.Err(); err != nil {
				return rows, err
			}
		}
		if err := r.scanner.record(); err != nil {
			return rows, err
		}
		r.row++
		n, err := r.convert(ctx)
		if err != nil {
			return rows, err
		}
		bytes += n
		rows++
	}
	return rows, nil
}

// convert appends the record's fields to their builders and gives their size.
func (r *reader) convert(ctx context.Context) (bytes int, err error) {
	fields := r.scanner.fields
	for i := range fields {
		f := &fields[i]
		bytes += len(f.Text)
		c := r.fields[i].column
		if c == nil {
			r.fields[i].variable.set(f)
			continue
		}
		if f.Null {
			if err := r.null(ctx, c); err != nil {
				return 0, err
			}
			continue
		}
		if c.fast != nil && c.fast(f.Text) {
			continue
		}
		if err := r.slow(ctx, c, f.Text); err != nil {
			return 0, err
		}
	}
	if len(fields) < len(r.fields) {
		return bytes, r.missing(ctx, len(fields))
	}
	if r.scanner.surplus > 0 {
		wrong := &complaint{erTooManyFields, "01000", "Row %d was truncated; it contained more data than there were input columns"}
		if !r.lenient {
			return 0, wrong.err(r.row, r.scanner.line, nil)
		}
		r.warn(wrong)
	}
	return bytes, nil
}

func (r *reader) warn(wrong *complaint) {
	r.warnings.add(wrong.number, func() string { return wrong.at(r.row) })
}

// slow converts a text that is not of a usual form, or wrong.
func (r *reader) slow(ctx context.Context, c *column, text []byte) error {
	v, wrong := c.convert(ctx, text)
	if wrong != nil {
		if !r.lenient || v == nil {
			return wrong.err(r.row, r.scanner.line, text)
		}
		if wrong.number == erTooLong { // the value was cut, as the warning says
			wrong = c.truncated()
		}
		r.warn(wrong)
	}
	return c.store(ctx, v)
}

// null appends NULL where the column takes it. AUTO_INCREMENT columns hold NULL until they are numbered.
func (r *reader) null(ctx context.Context, c *column) error {
	if c.sql.Nullable || c.sql.AutoIncrement {
		c.builder.AppendNull()
		return nil
	}
	if !r.lenient {
		return c.isNull().err(r.row, r.scanner.line, nil)
	}
	r.warnings.add(erNullToNotNull, func() string {
		return fmt.Sprintf("Column set to default value; NULL supplied to NOT NULL column '%s' at row %d", c.sql.Name, r.row)
	})
	return c.store(ctx, c.sql.Type.Zero())
}

// missing fills the columns that a short line, of n fields, has nothing for.
func (r *reader) missing(ctx context.Context, n int) error {
	wrong := &complaint{erTooFewFields, "01000", "Row %d doesn't contain data for all columns"}
	if !r.lenient {
		return wrong.err(r.row, r.scanner.line, nil)
	}
	for _, t := range r.fields[n:] {
		r.warn(wrong)
		if t.variable != nil {
			t.variable.set(&Field{Null: true})
		} else if err := t.column.store(ctx, t.column.missing); err != nil {
			return err
		}
	}
	return nil
}

func (v *variable) set(f *Field) {
	v.null = f.Null
	v.last = append(v.last[:0], f.Text...)
	switch {
	case v.builder == nil:
	case f.Null:
		v.builder.AppendNull()
	default:
		v.builder.BinaryBuilder.Append(f.Text)
	}
}

// cut takes the first rows from the builders.
func (r *reader) cut(rows int) *batch {
	b := &batch{rows: rows, first: r.first}
	for _, c := range r.columns {
		b.columns = append(b.columns, firstOf(c.builder, rows))
	}
	for _, v := range r.variables {
		if v.builder != nil {
			b.texts = append(b.texts, firstOf(v.builder, rows))
		}
	}
	b.warnings, b.warned = r.warnings.kept, r.warnings.count
	r.warnings.most -= len(r.warnings.kept)
	r.warnings.kept, r.warnings.count = nil, 0
	return b
}

func firstOf(b array.Builder, rows int) arrow.Array {
	a := b.NewArray()
	if a.Len() == rows {
		return a
	}
	defer a.Release()
	return array.NewSlice(a, 0, int64(rows))
}

// setLast gives the session the variables' values of the last row.
func (r *reader) setLast(ctx *sql.Context) error {
	if r.row == 0 {
		return nil
	}
	for _, v := range r.variables {
		if err := setVariable(ctx, v.name, string(v.last), v.null); err != nil {
			return err
		}
	}
	return nil
}
