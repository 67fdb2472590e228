package series

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/almanacdb/almanac/engine/calendar"
)

// rows are the rows of a source by group, ascending by time within each; rows of equal time keep the order they were read in.
type rows struct {
	times []int64
	y     []float64   // NaN is NULL
	x     [][]float64 // one per regressor
	// Group i of the ordered groups is rows offsets[i] to offsets[i+1].
	offsets []int
}

// reader takes batches in and sorts them out at the end.
type reader struct {
	opts       Options
	axis       calendar.Axis
	groups     *groups
	timeAt     int
	valueAt    int
	regressors []int

	chunks []chunk

	read        int   // rows seen
	nullTimes   int   // of which without a time
	known       []int // per group: rows up to the cutoff
	afterCutoff []int // per group: rows after it
}

// chunk holds rows in the order they were read.
type chunk struct {
	times []int64
	y     []float64
	x     [][]float64
	runs  []run
}

// run is a stretch of rows of one group within a chunk. Sorted sources have few of them, sources in order of time one per row.
type run struct {
	group, rows uint32
}

// minChunk is the capacity of a chunk when batches are smaller than that.
const minChunk = 8192

// manyRuns is the number of runs at which a chunk makes room for one per row.
const manyRuns = 256

func newReader(schema *arrow.Schema, opts Options) (*reader, error) {
	r := &reader{opts: opts}
	var err error
	if r.timeAt, err = find(schema, opts.Time, "time"); err != nil {
		return nil, err
	}
	if r.axis, err = calendar.NewAxis(schema.Field(r.timeAt).Type); err != nil {
		return nil, &ColumnError{Column: opts.Time, Role: "time", Reason: err.Error()}
	}
	if r.valueAt, err = find(schema, opts.Value, "value"); err != nil {
		return nil, err
	}
	if err := mustBeNumber(schema.Field(r.valueAt), "value"); err != nil {
		return nil, err
	}
	for _, name := range opts.Regressors {
		at, err := find(schema, name, "regressor")
		if err != nil {
			return nil, err
		}
		if err := mustBeNumber(schema.Field(at), "regressor"); err != nil {
			return nil, err
		}
		r.regressors = append(r.regressors, at)
	}
	var columns []*keyColumn
	var places []int
	for _, name := range opts.Keys {
		at, err := find(schema, name, "key")
		if err != nil {
			return nil, err
		}
		column, err := newKeyColumn(schema.Field(at))
		if err != nil {
			return nil, err
		}
		columns, places = append(columns, column), append(places, at)
	}
	r.groups = newGroups(columns, places)
	return r, nil
}

// find looks a column up by its exact name.
func find(schema *arrow.Schema, name, role string) (int, error) {
	if at := schema.FieldIndices(name); len(at) > 0 {
		return at[0], nil
	}
	suggestion, distance := "", max(2, len(name)/2)+1
	for _, f := range schema.Fields() {
		if d := levenshtein.ComputeDistance(strings.ToLower(name), strings.ToLower(f.Name)); d < distance {
			suggestion, distance = f.Name, d
		}
	}
	return 0, &ColumnError{Column: name, Role: role, Reason: "no such column", Suggestion: suggestion}
}

// mustBeNumber lets text pass: its first value makes the better message.
func mustBeNumber(field arrow.Field, role string) error {
	if isNumber(field.Type) || isText(field.Type) {
		return nil
	}
	return &ColumnError{Column: field.Name, Role: role, Reason: "type " + field.Type.String() + " is not a number"}
}

// readAll takes in all batches.
func (r *reader) readAll(ctx context.Context, source array.RecordReader) error {
	for source.Next() {
		if err := ctx.Err(); err != nil {
			return err
		}
		if batch := source.RecordBatch(); batch.NumRows() > 0 {
			if err := r.add(batch); err != nil {
				return err
			}
		}
	}
	if err := source.Err(); err != nil {
		return fmt.Errorf("reading the source: %w", err)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	if r.nullTimes > 0 {
		return &NullTimeError{Column: r.opts.Time, Rows: r.nullTimes, Total: r.read}
	}
	for _, at := range append([]int{r.valueAt}, r.regressors...) {
		if field := source.Schema().Field(at); isText(field.Type) {
			role := "regressor"
			if at == r.valueAt {
				role = "value"
			}
			return &ColumnError{Column: field.Name, Role: role, Reason: "it is text; CAST it to a number in a SELECT as the source"}
		}
	}
	return nil
}

// add takes in one batch.
func (r *reader) add(batch arrow.RecordBatch) error {
	n := int(batch.NumRows())
	ids, err := r.groups.number(batch)
	if err != nil {
		return err
	}
	c := r.room(n)
	from := len(c.times)
	times := batch.Column(r.timeAt)
	if !arrow.TypeEqual(times.DataType(), r.axis.Type()) {
		return &ColumnError{Column: r.opts.Time, Role: "time", Reason: "declared " + r.axis.Type().String() + " but arrived as " + times.DataType().String()}
	}
	if c.times, err = r.axis.AppendValues(c.times, times); err != nil {
		return fmt.Errorf("time column %q: %w", r.opts.Time, err)
	}
	if c.y, err = r.numbers(c.y, batch, r.valueAt); err != nil {
		return err
	}
	for i, at := range r.regressors {
		if c.x[i], err = r.numbers(c.x[i], batch, at); err != nil {
			return err
		}
	}
	r.read += n
	if groups := r.groups.count(); groups > len(r.known) {
		r.known = append(r.known, make([]int, groups-len(r.known))...)
		r.afterCutoff = append(r.afterCutoff, make([]int, groups-len(r.afterCutoff))...)
	}
	if times.NullN() == 0 && r.opts.Cutoff == nil {
		for i := 0; i < n; {
			group, start := at(ids, i), i
			for i++; i < n && at(ids, i) == group; i++ {
			}
			r.known[group] += i - start
			c.extend(group, i-start)
		}
		return nil
	}
	kept := from
	for i := range n {
		if times.IsNull(i) {
			r.nullTimes++
			continue
		}
		group, t, y := at(ids, i), c.times[from+i], c.y[from+i]
		if r.opts.Cutoff != nil && t > *r.opts.Cutoff {
			r.afterCutoff[group]++
			if len(r.regressors) == 0 {
				continue
			}
			y = math.NaN()
		} else {
			r.known[group]++
		}
		c.times[kept], c.y[kept] = t, y
		for _, x := range c.x {
			x[kept] = x[from+i]
		}
		kept++
		c.extend(group, 1)
	}
	c.times, c.y = c.times[:kept], c.y[:kept]
	for i := range c.x {
		c.x[i] = c.x[i][:kept]
	}
	return nil
}

// at is the group of a row; ids is nil without key columns.
func at(ids []uint32, row int) uint32 {
	if ids == nil {
		return 0
	}
	return ids[row]
}

// extend notes that the next rows kept belong to group.
func (c *chunk) extend(group uint32, rows int) {
	if last := len(c.runs) - 1; last >= 0 && c.runs[last].group == group {
		c.runs[last].rows += uint32(rows)
		return
	}
	if len(c.runs) == manyRuns {
		c.runs = slices.Grow(c.runs, cap(c.times)) // one a row may come
	}
	c.runs = append(c.runs, run{group, uint32(rows)})
}

// room returns a chunk with room for n rows.
func (r *reader) room(n int) *chunk {
	if last := len(r.chunks) - 1; last >= 0 && cap(r.chunks[last].times)-len(r.chunks[last].times) >= n {
		return &r.chunks[last]
	}
	size := max(n, minChunk)
	c := chunk{times: make([]int64, 0, size), y: make([]float64, 0, size), x: make([][]float64, len(r.regressors))}
	for i := range c.x {
		c.x[i] = make([]float64, 0, size)
	}
	r.chunks = append(r.chunks, c)
	return &r.chunks[len(r.chunks)-1]
}

// numbers appends the numbers of a column. Text and infinite values give a *ValueError; NaN is missing, as NULL is.
func (r *reader) numbers(dst []float64, batch arrow.RecordBatch, at int) ([]float64, error) {
	col, name := batch.Column(at), batch.ColumnName(at)
	if isText(col.DataType()) {
		from := len(dst)
		for range col.Len() {
			dst = append(dst, math.NaN())
		}
		return dst[:from+col.Len()], r.textError(batch, at)
	}
	if !isNumber(col.DataType()) {
		role := "regressor"
		if at == r.valueAt {
			role = "value"
		}
		return dst, &ColumnError{Column: name, Role: role, Reason: "type " + col.DataType().String() + " is not a number"}
	}
	from := len(dst)
	dst = appendNumbers(dst, col)
	switch col.(type) {
	case *array.Float16, *array.Float32, *array.Float64:
		for i, v := range dst[from:] {
			if math.IsInf(v, 0) {
				return dst, r.valueError(batch, at, i, "it is infinite; a finite number or NULL is needed")
			}
		}
	}
	return dst, nil
}

// textError shows the first text of a batch that is no number, else the first text; nil if all are NULL.
func (r *reader) textError(batch arrow.RecordBatch, at int) error {
	col := batch.Column(at)
	first := -1
	for i := range col.Len() {
		if col.IsNull(i) {
			continue
		}
		if first < 0 {
			first = i
		}
		if _, err := strconv.ParseFloat(strings.TrimSpace(col.ValueStr(i)), 64); err != nil {
			return r.valueError(batch, at, i, "it is text, not a number; leave such rows out, and CAST the column to a number, in a SELECT as the source")
		}
	}
	if first < 0 {
		return nil
	}
	return r.valueError(batch, at, first, "the column is text; CAST it to a number in a SELECT as the source")
}

func (r *reader) valueError(batch arrow.RecordBatch, at, row int, reason string) error {
	return &ValueError{
		Column: batch.ColumnName(at), Row: r.read + row + 1, Key: r.groups.keyOfRow(batch, row),
		Value: batch.Column(at).ValueStr(row), Reason: reason,
	}
}

// errNoneKnown means that all rows lie after the cutoff.
var errNoneKnown = errors.New("all rows lie after the cutoff")

// sorted gathers the rows by group, in the order of the keys, and sorts each group by time. It empties the reader. The groups returned
// are those with a row up to the cutoff.
func (r *reader) sorted(ctx context.Context) (*rows, []uint32, error) {
	if r.read == 0 {
		return nil, nil, ErrNoRows
	}
	groups := make([]uint32, 0, len(r.known))
	for g, n := range r.known {
		if n > 0 {
			groups = append(groups, uint32(g))
		}
	}
	if len(groups) == 0 {
		return nil, nil, fmt.Errorf("%w: %w", ErrNoRows, errNoneKnown)
	}
	r.groups.order(groups)

	out := &rows{offsets: make([]int, len(groups)+1), x: make([][]float64, len(r.regressors))}
	next := make([]int, len(r.known)) // where the next row of a group goes; negative: left out
	for g := range next {
		next[g] = -1
	}
	total := 0
	for i, g := range groups {
		out.offsets[i], next[g] = total, total
		total += r.known[g]
		if len(r.regressors) > 0 {
			total += r.afterCutoff[g]
		}
	}
	out.offsets[len(groups)] = total
	out.times, out.y = make([]int64, total), make([]float64, total)
	for i := range out.x {
		out.x[i] = make([]float64, total)
	}

	for c := range r.chunks {
		out.take(r.chunks[c], next)
		r.chunks[c] = chunk{} // its memory can go
		if err := ctx.Err(); err != nil {
			return nil, nil, err
		}
	}
	r.chunks = nil

	var s sorter
	for i := range groups {
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		a, b := out.offsets[i], out.offsets[i+1]
		if !slices.IsSorted(out.times[a:b]) {
			order := s.sort(out.times[a:b])
			s.permute(out.y[a:b], order)
			for _, x := range out.x {
				s.permute(x[a:b], order)
			}
		}
	}
	return out, groups, nil
}

// take puts the rows of a chunk where the next rows of their groups go.
func (out *rows) take(from chunk, next []int) {
	i := 0
	for _, run := range from.runs {
		n, to := int(run.rows), next[run.group]
		switch {
		case to < 0: // left out
		case n == 1: // in order of time every run is one row
			out.times[to], out.y[to] = from.times[i], from.y[i]
			for k, x := range out.x {
				x[to] = from.x[k][i]
			}
			next[run.group]++
		default:
			copy(out.times[to:], from.times[i:i+n])
			copy(out.y[to:], from.y[i:i+n])
			for k, x := range out.x {
				copy(x[to:], from.x[k][i:i+n])
			}
			next[run.group] += n
		}
		i += n
	}
}
