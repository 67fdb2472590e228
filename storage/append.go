package storage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/zeebo/xxh3"

	"github.com/almanacdb/almanac/storage/columns"
	"github.com/almanacdb/almanac/storage/segment"
)

// Append adds rows. The batch has the table's columns in order; text may be dictionary-encoded. It is copied, the caller keeps it. When a
// row has the unique key of another, nothing is added and the error is a *DuplicateKeyError. A value in the automatic column raises the
// next automatic number beyond it. Large transactions spill to segment files on the way.
func (t *Table) Append(ctx context.Context, b arrow.RecordBatch) error {
	return t.blame(t.append(ctx, b))
}

// blame adds the table's name to an error about its files.
func (t *Table) blame(err error) error {
	if v, verr := t.visible(); verr == nil {
		return v.def.blame(err)
	}
	return err
}

func (t *Table) append(ctx context.Context, b arrow.RecordBatch) error {
	v, err := t.state()
	if err != nil || b.NumRows() == 0 {
		return err
	}
	if int(b.NumCols()) != v.def.columns() {
		return fmt.Errorf("storage: table %s has %d columns, the batch %d", v.def.name(), v.def.columns(), b.NumCols())
	}
	for i, c := range b.Columns() {
		want := v.def.spec.Schema.Field(i)
		got := c.DataType()
		if d, ok := got.(*arrow.DictionaryType); ok {
			got = d.ValueType
		}
		if !arrow.TypeEqual(got, want.Type) {
			return fmt.Errorf("storage: column %q of table %s has type %v, the batch has %v", want.Name, v.def.name(), want.Type, c.DataType())
		}
	}
	before, existed := t.txn.edits[t.id]
	start := t.txn.edit(t.id).nextLocal
	for from := int64(0); from < b.NumRows(); from += segment.GroupRows {
		if err = ctx.Err(); err == nil {
			err = t.appendChunk(ctx, b, from, min(from+segment.GroupRows, b.NumRows()))
		}
		if err == nil {
			continue
		}
		if existed {
			t.txn.edits[t.id] = before
		} else {
			delete(t.txn.edits, t.id)
		}
		t.txn.account()
		var dup *DuplicateKeyError
		if errors.As(err, &dup) {
			dup.BatchRow += int(from)
			if n := uint64(dup.Row) &^ localRow; dup.FirstBatchRow >= 0 {
				dup.FirstBatchRow += int(from)
			} else if uint64(dup.Row)&localRow != 0 && n >= start { // a row of an earlier chunk
				dup.FirstBatchRow = int(n - start)
			}
		}
		return err
	}
	return nil
}

func (t *Table) appendChunk(ctx context.Context, b arrow.RecordBatch, from, to int64) error {
	chunk := b
	if from > 0 || to < b.NumRows() {
		chunk = b.NewSlice(from, to)
		defer chunk.Release()
	}
	e := *t.txn.edit(t.id)
	v := e.view
	borrowed := columns.Views(chunk)
	for _, k := range v.def.unique() {
		if err := v.checkUnique(k, borrowed); err != nil {
			return err
		}
	}
	own := make([]*columns.View, len(borrowed))
	for i, view := range borrowed {
		own[i] = columns.Of(columns.Clone(view))
	}
	if i := v.def.spec.AutoIncrement; i >= 0 {
		raise(t.counter(), greatest(own[i])+1)
	}
	n := *v
	p := newMemoryPart(own).withBase(localRow | e.nextLocal)
	n.parts = appendPart(v.parts, partRef{part: p}, 0)
	n.rows += int64(p.rows)
	e.view = &n
	e.nextLocal += uint64(p.rows)
	e.changes++
	t.txn.edits[t.id] = &e
	if err := t.maybeSpill(ctx, v.def.inMemory(p)); err != nil {
		return err
	}
	t.txn.account()
	return t.txn.db.checkMemory()
}

// greatest returns the greatest value of an integer column that is not negative, else 0.
func greatest(v *columns.View) uint64 {
	var most uint64
	for i := range v.Len {
		if v.Null(i) {
			continue
		}
		switch v.Class {
		case columns.Unsigned:
			most = max(most, v.Uint(i))
		case columns.Signed:
			most = max(most, uint64(max(v.Int(i), 0)))
		case columns.Float:
			if f := v.Float(i); f > 0 && f < math.MaxInt64 {
				most = max(most, uint64(f))
			}
		}
	}
	return min(most, math.MaxUint64-1)
}

// checkUnique compares the rows of a batch with each other and with the table's. A batch in ascending order of the key is known to be
// free of duplicates by comparing neighbours, and parts whose keys lie elsewhere are passed over by their bounds: a bulk load in key
// order costs a comparison a row.
func (v *tableState) checkUnique(k *tableKey, views []*columns.View) error {
	n := views[0].Len
	ncols := v.def.columns()
	lo, hi := 0, n-1
	ascending := k.encoder.Ascending(views)
	var batch *hashIndex
	if !ascending {
		batch = &hashIndex{entries: make([]hashEntry, 0, n)}
		batch.add(k.encoder, views, 0, n)
		batch.sort()
		if err := v.duplicateWithin(k, views, batch); err != nil {
			return err
		}
	}
	var first, last []byte
	if ascending {
		first, _ = k.encoder.AppendRow(nil, views, lo)
		last, _ = k.encoder.AppendRow(nil, views, hi)
	} else {
		first, last = batch.min, batch.max
	}
	if first == nil {
		return nil // a NULL in every row
	}
	var overlap []partRef
	for _, p := range v.parts {
		pmin, pmax, ok, err := p.keyRange(k, ncols)
		if err != nil {
			return err
		}
		if ok && bytes.Compare(pmin, last) <= 0 && bytes.Compare(pmax, first) >= 0 {
			overlap = append(overlap, p)
		}
	}
	if len(overlap) == 0 {
		return nil
	}
	// Part by part, so that one index at a time is in use; the first row that collides is reported.
	var enc []byte
	var dup *DuplicateKeyError
	for _, p := range overlap {
		f, err := p.finder(k, ncols)
		if err != nil {
			return err
		}
		for i := range n {
			var null bool
			if enc, null = k.encoder.AppendRow(enc[:0], views, i); null {
				continue
			}
			pos, ok, err := f.find(enc, xxh3.Hash(enc))
			if err != nil {
				return err
			}
			if !ok {
				continue
			}
			id, err := p.idAt(pos)
			if err != nil {
				return err
			}
			dup = &DuplicateKeyError{Table: v.def.name(), Key: k.Name, Values: keyValues(k, views, i), Row: RowID(id), BatchRow: i, FirstBatchRow: -1}
			n = i // later parts matter only for earlier rows
			break
		}
	}
	if dup != nil {
		return dup
	}
	return nil
}

// duplicateWithin reports the first row of a batch that has the key of an earlier one.
func (v *tableState) duplicateWithin(k *tableKey, views []*columns.View, batch *hashIndex) error {
	first, second := -1, views[0].Len
	for i := 0; i < len(batch.entries); {
		j := i + 1
		for j < len(batch.entries) && batch.entries[j].hash == batch.entries[i].hash {
			j++
		}
	group:
		for y := i + 1; y < j; y++ { // rows of one hash ascend, and nearly always have one key
			q := int(batch.entries[y].row)
			for x := i; x < y && q < second; x++ {
				p := int(batch.entries[x].row)
				if k.encoder.Compare(views, p, views, q) == 0 {
					first, second = p, q
					break group
				}
			}
		}
		i = j
	}
	if first < 0 {
		return nil
	}
	return &DuplicateKeyError{Table: v.def.name(), Key: k.Name, Values: keyValues(k, views, second), BatchRow: second, FirstBatchRow: first}
}

func keyValues(k *tableKey, views []*columns.View, row int) []any {
	values := make([]any, len(k.Columns))
	for i, c := range k.Columns {
		values[i] = views[c].Value(row)
	}
	return values
}

// verifyNewKeys checks the unique keys of an altered table that the old definition did not have, against all rows.
func (t *Txn) verifyNewKeys(ctx context.Context, old *tableDef, v *tableState) error {
	for _, k := range v.def.unique() {
		known := false
		for _, o := range old.unique() {
			known = known || t.sameKey(old, o, v.def, k)
		}
		if known {
			continue
		}
		if v.damage != nil {
			return v.damage
		}
		// Each part is compared with those before it.
		seen := &tableState{def: v.def}
		for _, p := range v.parts {
			if err := seen.verifyPart(ctx, k, p); err != nil {
				return err
			}
			seen.parts = append(seen.parts, p)
		}
	}
	return nil
}

func (t *Txn) sameKey(a *tableDef, ka *tableKey, b *tableDef, kb *tableKey) bool {
	if len(ka.Columns) != len(kb.Columns) {
		return false
	}
	for i, c := range ka.Columns {
		if c != kb.Columns[i] || t.mayCollateDifferently(a.spec.Schema.Field(c), b.spec.Schema.Field(c)) {
			return false
		}
	}
	return true
}

// verifyPart checks one part against itself and the parts of v, one after the other.
func (v *tableState) verifyPart(ctx context.Context, k *tableKey, p partRef) error {
	groups, err := p.groups()
	if err != nil {
		return err
	}
	ncols := v.def.columns()
	lo, hi, found, err := p.keyRange(k, ncols)
	if err != nil || !found {
		return err
	}
	for _, other := range append(v.parts[:len(v.parts):len(v.parts)], p) {
		least, most, found, err := other.keyRange(k, ncols)
		if err != nil {
			return err
		}
		if !found || bytes.Compare(most, lo) < 0 || bytes.Compare(least, hi) > 0 {
			continue
		}
		f, err := other.finder(k, ncols)
		if err != nil {
			return err
		}
		start := 0
		for g := range groups {
			if err := ctx.Err(); err != nil {
				return err
			}
			views, err := p.key(g, ncols, k.encoder)
			if err != nil {
				return err
			}
			if err := v.verifyGroup(k, p, views, start, f); err != nil {
				return err
			}
			start += views[k.Columns[0]].Len
		}
	}
	return nil
}

// verifyGroup looks for the rows of one row group of p, from position start on, in another part or elsewhere in p itself.
func (v *tableState) verifyGroup(k *tableKey, p partRef, views []*columns.View, start int, f *finder) error {
	var enc []byte
	for i := range views[k.Columns[0]].Len {
		if p.isDeleted(start + i) {
			continue
		}
		var null bool
		if enc, null = k.encoder.AppendRow(enc[:0], views, i); null {
			continue
		}
		pos, ok, err := f.find(enc, xxh3.Hash(enc))
		if err != nil {
			return err
		}
		if ok && (f.part.part != p.part || pos != start+i) {
			id, err := f.part.idAt(pos)
			if err != nil {
				return err
			}
			return &DuplicateKeyError{Table: v.def.name(), Key: k.Name, Values: keyValues(k, views, i), Row: RowID(id), FirstBatchRow: -1}
		}
	}
	return nil
}
