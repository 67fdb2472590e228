package storage

import (
	"fmt"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/almanacdb/almanac/storage/columns"
)

// appendPart adds a part to a list and returns the new list. Small in-memory parts are merged with their neighbour when that at
// least half as large again, so that n single rows make O(log n) parts at O(log n) copies each. Row ids do not change. Parts that a
// checkpoint is writing (seq <= frozen) stay as they are; the parts of a running transaction have seq 0 and a provisional id.
func appendPart(parts []partRef, r partRef, frozen uint64) []partRef {
	parts = append(slices.Clip(parts), r)
	for len(parts) >= 2 {
		a, b := parts[len(parts)-2], parts[len(parts)-1]
		if !mergeable(a, b, frozen) {
			break
		}
		parts = append(slices.Clip(parts[:len(parts)-2]), mergeMemory(a, b))
	}
	return parts
}

func mergeable(a, b partRef, frozen uint64) bool {
	return a.mem != nil && b.mem != nil && a.rows+b.rows <= maxMemoryPart && 2*b.rows >= a.rows &&
		a.part.bytes+b.part.bytes < 256<<20 && a.rowBase+a.rowSpan == b.rowBase &&
		(a.rowBase&localRow != 0) == (b.rowBase&localRow != 0) && (a.rowBase&localRow != 0 || a.seq > frozen && b.seq > frozen)
}

func mergeMemory(a, b partRef) partRef {
	views := make([]*columns.View, len(a.mem))
	for i := range views {
		c := columns.NewBuilder(a.mem[i].Type, a.rows+b.rows)
		c.AppendRange(a.mem[i], 0, a.rows)
		c.AppendRange(b.mem[i], 0, b.rows)
		views[i] = columns.Of(c.Finish())
	}
	p := newMemoryPart(views).withBase(a.rowBase)
	p.seq = min(a.seq, b.seq)
	m := partRef{part: p}
	if a.deleted != nil {
		m.deleted = a.deleted.Clone()
	}
	if b.deleted != nil {
		shifted := roaring.AddOffset64(b.deleted, int64(a.rows))
		if m.deleted == nil {
			m.deleted = shifted
		} else {
			m.deleted.Or(shifted)
		}
	}
	return m
}

// deleteRows returns the parts of t without the rows of the given ids. It fails with ErrConflict when one of them is gone already.
func deleteRows(t *tableState, ids []uint64) ([]partRef, error) {
	parts := slices.Clone(t.parts)
	owned := make([]bool, len(parts))
	last := 0 // neighbouring ids tend to be in one part
	for _, id := range ids {
		i, pos, ok := last, 0, false
		var err error
		if last < len(parts) {
			if pos, ok, err = parts[last].position(id); err != nil {
				return nil, err
			}
		}
		for j := 0; j < len(parts) && !ok; j++ {
			i = j
			if pos, ok, err = parts[j].position(id); err != nil {
				return nil, err
			}
		}
		if !ok || parts[i].isDeleted(pos) {
			return nil, fmt.Errorf("%w: a row of %s is gone", ErrConflict, t.def.name())
		}
		last = i
		if !owned[i] {
			owned[i] = true
			if parts[i].deleted == nil {
				parts[i].deleted = roaring.New()
			} else {
				parts[i].deleted = parts[i].deleted.Clone()
			}
		}
		parts[i].deleted.Add(uint32(pos))
	}
	return slices.DeleteFunc(parts, func(r partRef) bool { return r.deleted != nil && r.live() == 0 }), nil
}
