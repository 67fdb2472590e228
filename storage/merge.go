package storage

import (
	"context"
	"fmt"
	"slices"
	"sort"

	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/almanacdb/almanac/storage/columns"
)

// merger reads the live rows of several parts in the order of a key, or one part after the other without one. It serves scans in key
// order, spilling, checkpoints and compaction.
type merger struct {
	key   *tableKey // nil: no order
	need  []int     // columns to read beside the key's
	pick  chooser   // nil: all rows
	runs  []*mergeRun
	ncols int
}

// chooser says which rows of a row group are of interest: those listed, with some, else all.
type chooser func(p partRef, group int) (rows []int32, some bool, err error)

// mergeRun walks one part: row group by row group, in each the live rows in key order.
type mergeRun struct {
	ref    partRef
	group  int // the next to load
	groups int
	start  int // position of the loaded group's first row
	views  []*columns.View
	ids    []uint64
	rows   []int32 // of the loaded group, in key order
	k      int     // the next of rows
}

// newMerger starts a merge of the rows that pick chooses.
func newMerger(def *tableDef, parts []partRef, key *tableKey, need []int, pick chooser) (*merger, error) {
	m := &merger{key: key, need: need, pick: pick, ncols: def.columns()}
	if key != nil {
		m.need = slices.Clone(need)
		for _, c := range key.Columns {
			if !slices.Contains(m.need, c) {
				m.need = append(m.need, c)
			}
		}
	}
	for _, p := range parts {
		groups, err := p.groups()
		if err != nil {
			return nil, err
		}
		if key != nil && p.seg != nil {
			if sorted, err := p.sorted(); err != nil {
				return nil, err
			} else if !sorted {
				return nil, fmt.Errorf("%w: %s is not in key order", ErrCorrupt, p.seg.name())
			}
		}
		r := &mergeRun{ref: p, groups: groups}
		ok, err := m.load(r)
		if err != nil {
			return nil, err
		}
		if ok {
			m.runs = append(m.runs, r)
		}
	}
	if key != nil {
		for i := len(m.runs)/2 - 1; i >= 0; i-- {
			m.sift(i)
		}
	}
	return m, nil
}

// load goes to the next row group that has live rows.
func (m *merger) load(r *mergeRun) (bool, error) {
	for r.group < r.groups {
		g := r.group
		r.group++
		r.views = nil
		n := r.ref.rows
		if r.ref.seg != nil {
			f, err := r.ref.seg.open()
			if err != nil {
				return false, err
			}
			r.start, n = r.ref.seg.starts[g], f.Groups[g].Rows
		}
		r.rows, r.k = r.rows[:0], 0
		some := false
		if m.pick != nil {
			var chosen []int32
			var err error
			if chosen, some, err = m.pick(r.ref, g); err != nil {
				return false, err
			}
			for _, i := range chosen {
				if !r.ref.isDeleted(r.start + int(i)) {
					r.rows = append(r.rows, i)
				}
			}
		}
		for i := 0; i < n && !some; i++ {
			if !r.ref.isDeleted(r.start + i) {
				r.rows = append(r.rows, int32(i))
			}
		}
		if len(r.rows) == 0 {
			continue
		}
		r.views = make([]*columns.View, m.ncols)
		for _, c := range m.need {
			v, err := r.ref.column(g, c)
			if err != nil {
				return false, err
			}
			r.views[c] = v
		}
		var err error
		if r.ids, err = r.ref.ids(g); err != nil {
			return false, err
		}
		if m.key != nil && r.ref.mem != nil && !m.key.encoder.Ascending(r.views) {
			e := m.key.encoder
			slices.SortStableFunc(r.rows, func(a, b int32) int { return e.Compare(r.views, int(a), r.views, int(b)) })
		}
		return true, nil
	}
	return false, nil
}

func (m *merger) less(i, j int) bool {
	a, b := m.runs[i], m.runs[j]
	c := m.key.encoder.Compare(a.views, int(a.rows[a.k]), b.views, int(b.rows[b.k]))
	return c < 0 || c == 0 && a.ref.rowBase < b.ref.rowBase
}

func (m *merger) sift(i int) {
	for {
		c := 2*i + 1
		if c >= len(m.runs) {
			return
		}
		if c+1 < len(m.runs) && m.less(c+1, c) {
			c++
		}
		if !m.less(c, i) {
			return
		}
		m.runs[i], m.runs[c] = m.runs[c], m.runs[i]
		i = c
	}
}

// piece is a stretch of rows of one loaded row group.
type piece struct {
	views []*columns.View
	rows  []int32
	ids   []uint64
	base  uint64 // id of row 0 where ids is nil
}

// next returns up to limit rows: views of the needed columns by ordinal, and their row ids. It returns nil at the end.
func (m *merger) next(ctx context.Context, limit int) ([]*columns.View, []uint64, error) {
	var pieces []piece
	total := 0
	for total < limit && len(m.runs) > 0 {
		r := m.runs[0]
		rest := r.rows[r.k:min(len(r.rows), r.k+limit-total)]
		if n := m.ahead(rest); n < len(rest) {
			rest = rest[:n]
		}
		pc := piece{views: r.views, ids: r.ids}
		if r.ids == nil {
			pc.base = r.ref.rowBase + uint64(r.start)
		} else {
			pc.base = r.ref.rowBase
		}
		pc.rows = slices.Clone(rest)
		pieces = append(pieces, pc)
		total += len(rest)
		r.k += len(rest)
		if r.k == len(r.rows) {
			if err := ctx.Err(); err != nil {
				return nil, nil, err
			}
			ok, err := m.load(r)
			if err != nil {
				return nil, nil, err
			}
			if !ok {
				if m.key == nil {
					m.runs = m.runs[1:]
				} else {
					m.runs[0] = m.runs[len(m.runs)-1]
					m.runs = m.runs[:len(m.runs)-1]
				}
			}
		}
		if m.key != nil && len(m.runs) > 0 {
			m.sift(0)
		}
	}
	if total == 0 {
		return nil, nil, nil
	}
	return m.join(pieces, total)
}

// ahead counts how many of the first run's next rows come before every other run's: at least one.
func (m *merger) ahead(rest []int32) int {
	if m.key == nil || len(m.runs) == 1 {
		return len(rest)
	}
	second := m.runs[1]
	if len(m.runs) > 2 && m.less(2, 1) {
		second = m.runs[2]
	}
	e, r := m.key.encoder, m.runs[0]
	after := func(i int) bool {
		return e.Compare(r.views, int(rest[i]), second.views, int(second.rows[second.k])) > 0
	}
	// Gallop: runs that do not interleave are passed in a few comparisons, those that do in one.
	step := 1
	for step < len(rest) && !after(step) {
		step *= 2
	}
	lo, hi := step/2, min(step, len(rest))
	return max(1, lo+sort.Search(hi-lo, func(i int) bool { return after(lo + i) }))
}

// join makes columns of the pieces: a slice where it is one stretch of one batch, else a copy.
func (m *merger) join(pieces []piece, total int) ([]*columns.View, []uint64, error) {
	ids := make([]uint64, 0, total)
	for _, p := range pieces {
		for _, row := range p.rows {
			if p.ids == nil {
				ids = append(ids, p.base+uint64(row))
			} else {
				ids = append(ids, p.base+p.ids[row])
			}
		}
	}
	views := make([]*columns.View, m.ncols)
	first := pieces[0]
	whole := len(pieces) == 1 && contiguous(first.rows)
	for _, c := range m.need {
		if whole {
			a := first.views[c].Array()
			if len(first.rows) == a.Len() {
				views[c] = first.views[c]
			} else {
				views[c] = columns.Of(array.NewSlice(a, int64(first.rows[0]), int64(first.rows[0])+int64(len(first.rows))))
			}
			continue
		}
		b := columns.NewBuilder(first.views[c].Type, total)
		for _, p := range pieces {
			if contiguous(p.rows) {
				b.AppendRange(p.views[c], int(p.rows[0]), len(p.rows))
			} else {
				b.AppendRows(p.views[c], p.rows)
			}
			if b.DataLen() >= 1<<31-1<<24 {
				return nil, nil, fmt.Errorf("storage: %d rows have too much text for one batch", total)
			}
		}
		views[c] = columns.Of(b.Finish())
	}
	return views, ids, nil
}

// contiguous says whether rows are n, n+1, n+2, ….
func contiguous(rows []int32) bool {
	if int(rows[len(rows)-1]-rows[0]) != len(rows)-1 {
		return false
	}
	for i := 1; i < len(rows); i++ {
		if rows[i] != rows[i-1]+1 {
			return false
		}
	}
	return true
}
