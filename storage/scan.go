package storage

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/almanacdb/almanac/storage/columns"
	"github.com/almanacdb/almanac/storage/segment"
)

// Scanner reads one version of a table; changes made after Scan, by its own transaction too, do not show. It implements
// array.RecordReader. Not safe for concurrent use; several Scanners are.
type Scanner struct {
	refs    atomic.Int64
	ctx     context.Context
	schema  *arrow.Schema
	def     *tableDef
	columns []int
	withIDs bool
	filters []*filter
	key     *keyRange
	parts   []partRef
	merge   *merger

	part, group int // the next row group
	batch       arrow.RecordBatch
	ids         []RowID
	err         error
}

var _ array.RecordReader = (*Scanner)(nil)

// Scan starts to read the table as it is now. Text columns come as utf8 or dictionary(int32, utf8), batch by batch, so that a batch's
// schema can differ from the Scanner's in that respect.
func (t *Table) Scan(ctx context.Context, o ScanOptions) (*Scanner, error) {
	s, err := t.scan(ctx, o)
	return s, t.blame(err)
}

func (t *Table) scan(ctx context.Context, o ScanOptions) (*Scanner, error) {
	v, err := t.state()
	if err != nil {
		return nil, err
	}
	s := &Scanner{ctx: ctx, def: v.def, columns: o.Columns, withIDs: o.RowIDs, parts: v.parts}
	s.refs.Store(1)
	all := v.def.spec.Schema
	if o.Columns == nil {
		s.columns = make([]int, v.def.columns())
		for i := range s.columns {
			s.columns[i] = i
		}
		s.schema = all
	} else {
		fields := make([]arrow.Field, len(o.Columns))
		for i, c := range o.Columns {
			if c < 0 || c >= v.def.columns() {
				return nil, fmt.Errorf("storage: scan of column %d of %d", c, v.def.columns())
			}
			fields[i] = all.Field(c)
		}
		meta := all.Metadata()
		s.schema = arrow.NewSchema(fields, &meta)
	}
	for _, r := range o.Ranges {
		f, err := compileRange(v.def, r)
		if err != nil {
			return nil, err
		}
		s.filters = append(s.filters, f)
	}
	if o.Key != nil {
		if s.key, err = v.compileKeyRange(o.Key, t.txn.db.cache); err != nil {
			return nil, err
		}
	}
	if o.ByPrimaryKey && v.def.primary != nil {
		need := append([]int{}, s.columns...)
		for _, f := range s.filters {
			need = append(need, f.column)
		}
		if s.merge, err = newMerger(v.def, v.parts, v.def.primary, need, s.choose); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// Retain adds a reference.
func (s *Scanner) Retain() { s.refs.Add(1) }

// Release gives up a reference; with the last one the current batch goes.
func (s *Scanner) Release() {
	if s.refs.Add(-1) == 0 {
		s.clear()
		s.parts, s.merge = nil, nil
	}
}

func (s *Scanner) clear() {
	if s.batch != nil {
		s.batch.Release()
		s.batch = nil
	}
	s.ids = nil
}

// Schema returns the logical schema of the columns read.
func (s *Scanner) Schema() *arrow.Schema { return s.schema }

// RecordBatch returns the current batch, valid until Next or Release unless retained.
func (s *Scanner) RecordBatch() arrow.RecordBatch { return s.batch }

// Record is RecordBatch under its older name.
func (s *Scanner) Record() arrow.RecordBatch { return s.batch }

// RowIDs returns the ids of the current batch's rows, if the scan asked for them; valid until Next.
func (s *Scanner) RowIDs() []RowID { return s.ids }

// Err returns the error that ended the scan, if any: damage (ErrCorrupt), the context's error, or the file system's.
func (s *Scanner) Err() error { return s.err }

// Next goes to the next batch, which has at least one row; false at the end and on an error.
func (s *Scanner) Next() bool {
	s.clear()
	for s.err == nil {
		if s.err = s.ctx.Err(); s.err != nil {
			return false
		}
		var more bool
		if s.merge != nil {
			more, s.err = s.nextMerged()
		} else {
			more, s.err = s.nextGroup()
		}
		if s.err != nil {
			s.err = s.def.blame(s.err)
			s.clear()
			return false
		}
		if s.batch != nil {
			return true
		}
		if !more {
			return false
		}
	}
	return false
}

// excluded says by statistics that a row group has no row in the ranges.
func (s *Scanner) excluded(p partRef, group int) bool {
	if s.key != nil && s.key.excludes(p, group) {
		return true
	}
	for _, f := range s.filters {
		if f.none {
			return true
		}
		if p.seg == nil {
			continue
		}
		footer, err := p.seg.open()
		if err != nil {
			return false // reading the group will say so
		}
		g := &footer.Groups[group]
		if f.excludes(&g.Columns[f.column], g.Rows) {
			return true
		}
	}
	return false
}

// nextGroup makes a batch of one row group, or none if nothing in it matches.
func (s *Scanner) nextGroup() (more bool, err error) {
	if s.part == len(s.parts) {
		return false, nil
	}
	p := s.parts[s.part]
	groups, err := p.groups()
	if err != nil {
		return false, err
	}
	if s.group == groups {
		s.part, s.group = s.part+1, 0
		return true, nil
	}
	g := s.group
	s.group++
	if s.excluded(p, g) {
		return true, nil
	}
	start, n := 0, p.rows
	if p.seg != nil {
		f, err := p.seg.open()
		if err != nil {
			return false, err
		}
		start, n = p.seg.starts[g], f.Groups[g].Rows
	}
	rows, err := s.candidates(p, g, start, n)
	if err != nil {
		return false, err
	}
	if rows != nil {
		for _, f := range s.filters {
			if len(rows) == 0 {
				return true, nil
			}
			v, err := p.column(g, f.column)
			if err != nil {
				return false, err
			}
			rows = f.narrow(v, rows)
		}
		if len(rows) == 0 {
			return true, nil
		}
		if len(rows) == n {
			rows = nil
		}
	}
	views := make([]*columns.View, s.def.columns())
	for _, c := range s.columns {
		if views[c], err = p.column(g, c); err != nil {
			return false, err
		}
	}
	if s.withIDs {
		ids, err := p.ids(g)
		if err != nil {
			return false, err
		}
		s.ids = rowIDs(p.rowBase, start, n, ids, rows)
	}
	s.emit(views, rows, n)
	return true, nil
}

// candidates lists the live rows of a row group that the key's range leaves; nil is all, when no filter is to narrow them.
func (s *Scanner) candidates(p partRef, g, start, n int) ([]int32, error) {
	if s.key != nil {
		rows, err := s.key.rows(p, g, s.def.columns())
		if err != nil {
			return nil, err
		}
		if rows == nil {
			rows = []int32{}
		}
		if p.deleted != nil {
			rows = slices.DeleteFunc(rows, func(i int32) bool { return p.isDeleted(start + int(i)) })
		}
		return rows, nil
	}
	if len(s.filters) == 0 && (p.deleted == nil || !p.deletedIn(start, n)) {
		return nil, nil
	}
	rows := make([]int32, 0, n)
	for i := range n {
		if !p.isDeleted(start + i) {
			rows = append(rows, int32(i))
		}
	}
	return rows, nil
}

// choose is the chooser of a scan in key order.
func (s *Scanner) choose(p partRef, group int) (rows []int32, some bool, err error) {
	if s.excluded(p, group) {
		return nil, true, nil
	}
	if s.key == nil {
		return nil, false, nil
	}
	rows, err = s.key.rows(p, group, s.def.columns())
	return rows, true, err
}

func (r partRef) deletedIn(start, n int) bool {
	it := r.deleted.Iterator()
	it.AdvanceIfNeeded(uint32(start))
	return it.HasNext() && int(it.Next()) < start+n
}

func rowIDs(base uint64, start, n int, ids []uint64, rows []int32) []RowID {
	at := func(i int) RowID {
		if ids == nil {
			return RowID(base + uint64(start+i))
		}
		return RowID(base + ids[i])
	}
	if rows == nil {
		out := make([]RowID, n)
		for i := range out {
			out[i] = at(i)
		}
		return out
	}
	out := make([]RowID, len(rows))
	for k, i := range rows {
		out[k] = at(int(i))
	}
	return out
}

// nextMerged makes a batch of the next rows in key order.
func (s *Scanner) nextMerged() (more bool, err error) {
	views, ids, err := s.merge.next(s.ctx, segment.GroupRows)
	if err != nil || ids == nil {
		return false, err
	}
	var rows []int32
	if len(s.filters) > 0 {
		rows = make([]int32, len(ids))
		for i := range rows {
			rows[i] = int32(i)
		}
		for _, f := range s.filters {
			rows = f.narrow(views[f.column], rows)
		}
		if len(rows) == 0 {
			return true, nil
		}
		if len(rows) == len(ids) {
			rows = nil
		}
	}
	if s.withIDs {
		s.ids = rowIDs(0, 0, len(ids), ids, rows)
	}
	s.emit(views, rows, len(ids))
	return true, nil
}

// emit makes the batch of the listed rows (nil: all n): a slice where they are neighbours, so that nothing is copied.
func (s *Scanner) emit(views []*columns.View, rows []int32, n int) {
	cols := make([]arrow.Array, len(s.columns))
	fields := s.schema.Fields()
	schema := s.schema
	stretch := rows != nil && contiguous(rows)
	same := true
	for i, c := range s.columns {
		switch a := views[c].Array(); {
		case rows == nil:
			a.Retain()
			cols[i] = a
		case stretch:
			cols[i] = array.NewSlice(a, int64(rows[0]), int64(rows[0])+int64(len(rows)))
		default:
			cols[i] = columns.Gather(views[c], rows)
		}
		if t := cols[i].DataType(); t.ID() == arrow.DICTIONARY {
			fields[i].Type = t
			same = false
		}
	}
	if !same {
		meta := s.schema.Metadata()
		schema = arrow.NewSchema(fields, &meta)
	}
	if rows != nil {
		n = len(rows)
	}
	s.batch = array.NewRecordBatch(schema, cols, int64(n))
	for _, c := range cols {
		c.Release()
	}
}
