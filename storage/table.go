package storage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/zeebo/xxh3"

	"github.com/almanacdb/almanac/storage/columns"
)

// Table is a table seen through a transaction: it shows the transaction's own changes. Its methods fail with ErrNoTable after the
// transaction has dropped it.
type Table struct {
	txn *Txn
	id  uint64
}

// visible is the table's version in the transaction, whether its rows can be read or not.
func (t *Table) visible() (*tableState, error) {
	if t.txn.done {
		return nil, ErrClosed
	}
	v := t.txn.view(t.id)
	if v == nil {
		return nil, ErrNoTable
	}
	return v, nil
}

// state is visible for those who use the rows.
func (t *Table) state() (*tableState, error) {
	v, err := t.visible()
	if err == nil && v.damage != nil {
		return nil, v.damage
	}
	return v, err
}

// Spec returns the table's definition.
func (t *Table) Spec() TableSpec {
	if v, err := t.visible(); err == nil {
		return v.def.spec
	}
	return TableSpec{}
}

// ID identifies the table for as long as it exists, through renaming and ALTER. Ids are not reused.
func (t *Table) ID() uint64 { return t.id }

// Version changes when, and only when, the table's rows do. A version seen in a transaction with changes of its own to the table is
// greater than any committed one.
func (t *Table) Version() uint64 {
	v, err := t.visible()
	if err != nil {
		return 0
	}
	if e := t.txn.edits[t.id]; e != nil && e.changes > 0 {
		return localRow | e.changes
	}
	return v.version
}

// NumRows counts the rows without reading them.
func (t *Table) NumRows() int64 {
	v, err := t.visible()
	if err != nil {
		return 0
	}
	return v.rows
}

// Bytes returns the size of the table's segment files and of its rows in memory, deleted rows included.
func (t *Table) Bytes() int64 {
	v, err := t.visible()
	if err != nil {
		return 0
	}
	return v.bytes()
}

// Segments counts the segment files of the table.
func (t *Table) Segments() int {
	v, err := t.visible()
	if err != nil {
		return 0
	}
	n := 0
	for _, p := range v.parts {
		if p.seg != nil {
			n++
		}
	}
	return n
}

// tableKey returns a key by its index in Spec().Keys.
func (v *tableState) key(i int) (*tableKey, error) {
	if i < 0 || i >= len(v.def.keys) {
		return nil, fmt.Errorf("storage: table %s has no key %d", v.def.name(), i)
	}
	return v.def.keys[i], nil
}

// EncodeKey appends to dst the bytes under which the table compares a key: they sort as the key does (NULL first), and two rows have
// equal bytes if and only if they are equal in the key, under the columns' collations. key is an index in Spec().Keys and values has one
// value per column of the key: nil, int64 (or any Go integer), uint64, float64, string, []byte, bool, arrow.Date32, arrow.Timestamp,
// arrow.Duration, decimal128.Num or decimal256.Num (at the column's scale).
func (t *Table) EncodeKey(dst []byte, key int, values []any) (enc []byte, hasNull bool, err error) {
	v, err := t.state()
	if err != nil {
		return dst, false, err
	}
	k, err := v.key(key)
	if err != nil {
		return dst, false, err
	}
	return k.encoder.AppendValues(dst, values)
}

// Lookup finds the row with given values in a unique key (an index in Spec().Keys) without a scan; values are as for EncodeKey. A NULL
// among them finds nothing.
func (t *Table) Lookup(ctx context.Context, key int, values []any) (RowID, bool, error) {
	v, err := t.state()
	if err != nil {
		return 0, false, err
	}
	k, err := v.key(key)
	if err != nil {
		return 0, false, err
	}
	if !k.Unique && !k.Primary {
		return 0, false, fmt.Errorf("storage: key %s.%s is not unique", v.def.name(), k.Name)
	}
	enc, null, err := k.encoder.AppendValues(nil, values)
	if err != nil || null {
		return 0, false, err
	}
	id, ok, err := v.lookup(k, enc)
	return id, ok, v.def.blame(err)
}

// LookupAll returns the ids of all rows with the given values in the leading columns of a key, unique or not (an index in Spec().Keys),
// in storage order. values are as for EncodeKey; nil finds NULL. Each row group whose statistics allow for the values is searched
// by bisection; the first look-up by a key sorts its groups.
func (t *Table) LookupAll(ctx context.Context, key int, values []any) ([]RowID, error) {
	s, err := t.Scan(ctx, ScanOptions{Columns: []int{}, RowIDs: true, Key: &KeyRange{Key: key, Prefix: values}})
	if err != nil {
		return nil, err
	}
	defer s.Release()
	var ids []RowID
	for s.Next() {
		ids = append(ids, s.RowIDs()...)
	}
	return ids, s.Err()
}

// lookup finds the live row with an encoded key.
func (v *tableState) lookup(k *tableKey, enc []byte) (RowID, bool, error) {
	hash := xxh3.Hash(enc)
	for i := len(v.parts) - 1; i >= 0; i-- { // what is looked up tends to be recent
		pos, ok, err := v.parts[i].find(k, v.def.columns(), enc, hash)
		if err != nil {
			return 0, false, err
		}
		if ok {
			id, err := v.parts[i].idAt(pos)
			return RowID(id), err == nil, err
		}
	}
	return 0, false, nil
}

// Row returns one row, all columns, as a batch of one row that the caller owns; ErrNoRow if it is not visible.
func (t *Table) Row(ctx context.Context, id RowID) (_ arrow.RecordBatch, err error) {
	v, err := t.state()
	if err != nil {
		return nil, err
	}
	defer func() { err = v.def.blame(err) }()
	i, pos, ok, err := v.findRow(uint64(id))
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%w: %d in %s", ErrNoRow, id, v.def.name())
	}
	group, row, err := v.parts[i].locate(pos)
	if err != nil {
		return nil, err
	}
	cols := make([]arrow.Array, v.def.columns())
	for c := range cols {
		view, err := v.parts[i].column(group, c)
		if err != nil {
			return nil, err
		}
		b := columns.NewBuilder(view.Type, 1)
		b.AppendRange(view, row, 1)
		cols[c] = b.Finish()
	}
	return array.NewRecordBatch(v.def.spec.Schema, cols, 1), nil
}

// Delete removes rows; ErrNoRow, and nothing is removed, if one of them is not visible. An id listed twice counts once.
func (t *Table) Delete(ctx context.Context, rows []RowID) error {
	v, err := t.state()
	if err != nil || len(rows) == 0 {
		return err
	}
	ids := make([]uint64, len(rows))
	for i, r := range rows {
		ids[i] = uint64(r)
	}
	slices.Sort(ids)
	ids = slices.Compact(ids)
	parts, err := deleteRows(v, ids)
	if err != nil && !errors.Is(err, ErrConflict) {
		return v.def.blame(err)
	}
	if err != nil {
		return fmt.Errorf("%w: in %s: %w", ErrNoRow, v.def.name(), err)
	}
	e := *t.txn.edit(t.id)
	n := *v
	n.parts, n.rows = parts, v.rows-int64(len(ids))
	e.view = &n
	e.changes++
	t.txn.edits[t.id] = &e
	return nil
}

// Truncate removes all rows and sets the automatic number back to 1.
func (t *Table) Truncate() error {
	v, err := t.visible()
	if err != nil {
		return err
	}
	e := *t.txn.edit(t.id)
	n := *v
	n.parts, n.rows, n.damage = nil, 0, nil
	e.view, e.replaced = &n, true
	e.changes++
	e.counter = new(atomic.Uint64)
	e.counter.Store(1)
	t.txn.edits[t.id] = &e
	return nil
}

// counter is the source of automatic numbers: the table's own, or that of the transaction which set it.
func (t *Table) counter() *atomic.Uint64 {
	if e := t.txn.edits[t.id]; e != nil && e.counter != nil {
		return e.counter
	}
	if v := t.txn.view(t.id); v != nil {
		return v.def.counter
	}
	return new(atomic.Uint64)
}

// NextAutoIncrement returns the number that the next automatic row would get; the first is 1.
func (t *Table) NextAutoIncrement() uint64 { return t.counter().Load() }

// ReserveAutoIncrement takes n numbers and returns the first. It is atomic among all transactions and not undone by rollback. Numbers
// used by a committed transaction are never given out again, also after a crash.
func (t *Table) ReserveAutoIncrement(n int) (first uint64) {
	return t.counter().Add(uint64(n)) - uint64(n)
}

// SetAutoIncrement sets the next automatic number when the transaction commits.
func (t *Table) SetAutoIncrement(next uint64) error {
	v, err := t.visible()
	if err != nil {
		return err
	}
	e := *t.txn.edit(t.id)
	if e.view == nil {
		e.view = v
	}
	e.counter = new(atomic.Uint64)
	e.counter.Store(next)
	t.txn.edits[t.id] = &e
	return nil
}
