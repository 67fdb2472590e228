package functions

import (
	"context"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/engine/calendar"
	"github.com/almanacdb/almanac/engine/series"
)

// rows builds the batch of one chunk. Each row begins with its series and time; then every column of the Spec is set once, in any
// order. Key columns are taken from the panel's keys when the batch is made. It belongs to one goroutine.
type rows struct {
	schema *arrow.Schema
	mem    memory.Allocator
	keys   arrow.RecordBatch
	noKeys bool
	axis   calendar.Axis

	current int32 // series of the rows being written
	index   *array.Int32Builder
	times   array.Builder // nil if the function has no time column
	wholes  []*array.Int64Builder
	reals   []*array.Float64Builder
	texts   []*array.StringBuilder
	flags   []*array.Int8Builder
	columns []array.Builder
	err     error
}

func newRows(schema *arrow.Schema, b *Bound, panel *series.Panel, mem memory.Allocator) *rows {
	n := len(b.Spec.columns)
	r := &rows{
		schema: schema, mem: mem, keys: panel.Keys(), noKeys: b.Spec.noKeys, axis: panel.Axis(), index: array.NewInt32Builder(mem),
		wholes: make([]*array.Int64Builder, n), reals: make([]*array.Float64Builder, n), texts: make([]*array.StringBuilder, n),
		flags: make([]*array.Int8Builder, n), columns: make([]array.Builder, n),
	}
	if b.Spec.timeColumn {
		r.times = array.NewBuilder(mem, b.Time.Field.Type)
	}
	for i, c := range b.Spec.columns {
		r.columns[i] = array.NewBuilder(mem, c.Type)
		switch builder := r.columns[i].(type) {
		case *array.Int64Builder:
			r.wholes[i] = builder
		case *array.Float64Builder:
			r.reals[i] = builder
		case *array.StringBuilder:
			r.texts[i] = builder
		case *array.Int8Builder:
			r.flags[i] = builder
		}
	}
	return r
}

// begin starts a row at a time of the panel's axis.
func (r *rows) begin(time int64) {
	r.index.Append(r.current)
	if r.times == nil {
		return
	}
	if err := r.axis.Append(r.times, time); err != nil {
		r.times.AppendNull()
		if r.err == nil {
			r.err = err
		}
	}
}

func (r *rows) whole(column int, v int64) { r.wholes[column].Append(v) }
func (r *rows) text(column int, v string) { r.texts[column].Append(v) }
func (r *rows) null(column int)           { r.columns[column].AppendNull() }
func (r *rows) flag(column int, yes bool) {
	if yes {
		r.flags[column].Append(1)
	} else {
		r.flags[column].Append(0)
	}
}

// real writes a number; NaN becomes NULL.
func (r *rows) real(column int, v float64) {
	if math.IsNaN(v) {
		r.reals[column].AppendNull()
		return
	}
	r.reals[column].Append(v)
}

// batch hands over the rows written and starts anew. The caller owns the batch.
func (r *rows) batch(ctx context.Context) (arrow.RecordBatch, error) {
	index := r.index.NewInt32Array()
	defer index.Release()
	columns := make([]arrow.Array, 0, r.schema.NumFields())
	defer func() {
		for _, c := range columns {
			c.Release()
		}
	}()
	if r.times != nil {
		columns = append(columns, r.times.NewArray())
	}
	for _, b := range r.columns {
		columns = append(columns, b.NewArray())
	}
	for _, c := range columns {
		if c.Len() != index.Len() {
			return nil, fmt.Errorf("a column has %d of %d values", c.Len(), index.Len())
		}
	}
	if r.err != nil {
		err := r.err
		r.err = nil
		return nil, err
	}
	all := make([]arrow.Array, 0, r.schema.NumFields())
	defer func() {
		for _, c := range all {
			c.Release()
		}
	}()
	keys := r.keys.Columns()
	if r.noKeys {
		keys = nil
	}
	for _, key := range keys {
		taken, err := compute.TakeArray(compute.WithAllocator(ctx, r.mem), key, index)
		if err != nil {
			return nil, fmt.Errorf("repeat the key columns: %w", err)
		}
		all = append(all, taken)
	}
	for _, c := range columns {
		c.Retain()
		all = append(all, c)
	}
	return array.NewRecordBatch(r.schema, all, int64(index.Len())), nil
}

func (r *rows) close() {
	r.index.Release()
	if r.times != nil {
		r.times.Release()
	}
	for _, b := range r.columns {
		b.Release()
	}
}

// timeline gives the times of one series.
type timeline struct {
	panel *series.Panel
	s     int
}

// time is the time of a step on the panel's axis; step 0 is the first observation.
func (t timeline) time(step int) int64 { return t.panel.Time(t.s, step) }

// check refuses a step whose time the column's type cannot hold.
func (t timeline) check(step int) error {
	if !holds(t.panel.Axis(), t.time(step)) {
		return errBeyondCalendar
	}
	return nil
}

// holds reports whether the axis' type and MySQL's calendar can hold v.
func holds(axis calendar.Axis, v int64) bool {
	if !axis.IsInteger() {
		const endOf9999 = 253402300799999999 // 9999-12-31 23:59:59.999999 in microseconds
		return v <= endOf9999
	}
	width := axis.Type().(arrow.FixedWidthDataType).BitWidth()
	if width == 64 {
		return v < math.MaxInt64
	}
	if arrow.IsSignedInteger(axis.Type().ID()) {
		width--
	}
	return v < 1<<width
}
