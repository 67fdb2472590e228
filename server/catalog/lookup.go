package catalog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"

	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/storage"
)

// IndexedTable is a table read through one of its indexes. The engine looks up in the same value again and again when
// it joins; see [lookupCache].
type IndexedTable struct {
	*Table
	cache *lookupCache
}

var _ sql.IndexedTable = (*IndexedTable)(nil)

// IndexedAccess implements sql.IndexAddressable.
func (t *Table) IndexedAccess(_ *sql.Context, lookup sql.IndexLookup) sql.IndexedTable {
	if _, ok := lookup.Index.(*Index); !ok && lookup.Index != nil {
		return nil
	}
	return &IndexedTable{Table: t, cache: &lookupCache{}}
}

type lookupPartition struct{ lookup sql.IndexLookup }

func (lookupPartition) Key() []byte { return []byte("lookup") }

// LookupPartitions implements sql.IndexedTable.
func (t *IndexedTable) LookupPartitions(_ *sql.Context, lookup sql.IndexLookup) (sql.PartitionIter, error) {
	return sql.PartitionsToPartitionIter(lookupPartition{lookup}), nil
}

// PartitionRows implements sql.Table.
func (t *IndexedTable) PartitionRows(ctx *sql.Context, p sql.Partition) (sql.RowIter, error) {
	lp, ok := p.(lookupPartition)
	if !ok {
		return t.Table.PartitionRows(ctx, p)
	}
	return t.lookup(ctx, lp.lookup)
}

// manyRanges says from how many ranges on one scan of all rows beats searching each. A search takes about as long as
// reading a few thousand rows.
func manyRanges(rows int64) int { return int(max(4, rows/4096)) }

// lookup returns the rows in the ranges of l, in index order where the index has one.
func (t *IndexedTable) lookup(ctx *sql.Context, l sql.IndexLookup) (sql.RowIter, error) {
	x, ok := l.Index.(*Index)
	if !ok {
		return nil, fmt.Errorf("look-up in table %s by an index of type %T", t.Name(), l.Index)
	}
	if l.IsEmptyRange {
		return sql.RowsToRowIter(), nil
	}
	ranges, ok := l.Ranges.(sql.MySQLRangeCollection)
	if !ok {
		return nil, fmt.Errorf("look-up in table %s by ranges of type %T", t.Name(), l.Ranges)
	}
	all := make([]bounds, 0, len(ranges))
	kept := make(sql.MySQLRangeCollection, 0, len(ranges))
	points, prefixes := x.IsUnique(), true
	for _, r := range ranges {
		b := x.boundsOf(ctx, r)
		if b.empty {
			continue
		}
		points = points && len(b.equal) == len(x.key.Columns)
		prefixes = prefixes && len(b.equal) > 0 && !b.rest && (len(all) == 0 || len(all[0].equal) == len(b.equal))
		all, kept = append(all, b), append(kept, r)
	}
	switch {
	case len(all) == 0:
		return sql.RowsToRowIter(), nil
	case points:
		return t.points(ctx, x, all)
	case prefixes && len(all) == 1:
		if rows, ok, err := t.cached(ctx, x, all[0]); ok || err != nil {
			return sql.RowsToRowIter(rows...), err
		}
	case len(all) > 1:
		n, err := t.size(ctx)
		if err != nil {
			return nil, err
		}
		if len(all) > manyRanges(n) {
			return t.filtered(ctx, x, kept, all, prefixes)
		}
	}
	iters := make([]func() (sql.RowIter, error), len(all))
	for i, b := range all {
		iters[i] = func() (sql.RowIter, error) { return t.ranged(ctx, x, kept[i:i+1], b) }
	}
	return &chainIter{next: iters}, nil
}

// size counts the table's rows.
func (t *IndexedTable) size(ctx *sql.Context) (int64, error) {
	st, release, err := t.open(ctx)
	if err != nil {
		return 0, err
	}
	defer release()
	return st.NumRows(), nil
}

// points fetches single rows by unique key.
func (t *IndexedTable) points(ctx *sql.Context, x *Index, all []bounds) (sql.RowIter, error) {
	st, release, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	return &pointIter{table: t.Table, st: st, release: release, key: x.ordinal, todo: all}, nil
}

type pointIter struct {
	table   *Table
	st      *storage.Table
	release func()
	key     int
	todo    []bounds
}

func (i *pointIter) Next(ctx *sql.Context) (sql.Row, error) {
	for len(i.todo) > 0 {
		b := i.todo[0]
		i.todo = i.todo[1:]
		id, ok, err := i.st.Lookup(ctx, i.key, b.equal)
		if err != nil {
			return nil, err
		}
		if ok {
			return readRow(ctx, i.st, id, i.table.schema, i.table.projection)
		}
	}
	return nil, io.EOF
}

func (i *pointIter) Close(*sql.Context) error {
	if i.release != nil {
		i.release()
		i.release = nil
	}
	return nil
}

// readRow reads one row, only the given columns of it (nil is all).
func readRow(ctx *sql.Context, st *storage.Table, id storage.RowID, schema sql.Schema, columns []int) (sql.Row, error) {
	batch, err := st.Row(ctx, id)
	if err != nil {
		return nil, err
	}
	defer batch.Release()
	if columns == nil {
		return sqltype.ReadRow(batch, schema, 0)
	}
	row := make(sql.Row, len(columns))
	for j, c := range columns {
		read, err := sqltype.NewReader(batch.Column(c), schema[c].Type)
		if err != nil {
			return nil, err
		}
		row[j] = read(0)
	}
	return row, nil
}

// keyRange is the part of a range that the storage finds by searching the index: values of the leading columns and a bound
// on the next.
func (x *Index) keyRange(b bounds) *storage.KeyRange {
	r := storage.KeyRange{Key: x.ordinal, Prefix: b.equal}
	if len(b.equal) < len(x.key.Columns) {
		for _, p := range b.push {
			switch {
			case p.Column != x.key.Columns[len(b.equal)]:
			case p.Null:
				r.Prefix = append(r.Prefix[:len(r.Prefix):len(r.Prefix)], nil)
			default:
				r.Lower, r.LowerOpen, r.Upper, r.UpperOpen = p.Lower, p.LowerOpen, p.Upper, p.UpperOpen
			}
		}
	}
	if len(r.Prefix) == 0 && r.Lower == nil && r.Upper == nil {
		return nil
	}
	return &r
}

// ranged reads one range.
func (t *IndexedTable) ranged(ctx *sql.Context, x *Index, rng sql.MySQLRangeCollection, b bounds) (sql.RowIter, error) {
	o := storage.ScanOptions{Key: x.keyRange(b), Ranges: b.push, ByPrimaryKey: x.key.Primary}
	if b.exact {
		return t.scan(ctx, o)
	}
	wide := t.widen(x)
	filter, err := expression.NewRangeFilterExpr(ctx, wide.exprs, rng)
	if err != nil {
		return nil, err
	}
	return wide.scan(ctx, t.Table, o, matching(filter))
}

// filtered reads many ranges in one scan: the storage keeps to their hull, rows are checked one by one.
func (t *IndexedTable) filtered(ctx *sql.Context, x *Index, rng sql.MySQLRangeCollection, all []bounds, prefixes bool) (sql.RowIter, error) {
	wide := t.widen(x)
	o := storage.ScanOptions{ByPrimaryKey: x.key.Primary}
	if !prefixes {
		filter, err := expression.NewRangeFilterExpr(ctx, wide.exprs, rng)
		if err != nil {
			return nil, err
		}
		return wide.scan(ctx, t.Table, o, matching(filter))
	}
	k := newKeyEncoder(x, len(all[0].equal))
	wanted := make(map[string]bool, len(all))
	for _, b := range all {
		key, err := k.encode(b.equal)
		if err != nil {
			return nil, err
		}
		wanted[string(key)] = true
	}
	return wide.scan(ctx, t.Table, o, func(ctx *sql.Context, row sql.Row) (bool, error) {
		key, ok, err := k.encodeRow(ctx, row, wide.keys)
		return ok && wanted[string(key)], err
	})
}

// wideScan reads the projected columns and, behind them, those of the index that are not among them.
type wideScan struct {
	columns []int
	schema  sql.Schema
	keys    []int            // positions of the index's columns in the rows read
	exprs   []sql.Expression // the index's columns as fields of the rows read
	width   int              // how much of each row was asked for
}

func (t *IndexedTable) widen(x *Index) wideScan {
	var w wideScan
	position := map[int]int{}
	add := func(c int) {
		position[c] = len(w.columns)
		w.columns = append(w.columns, c)
		w.schema = append(w.schema, t.Table.schema[c])
	}
	if t.projection == nil {
		for c := range t.Table.schema {
			add(c)
		}
	} else {
		for _, c := range t.projection {
			add(c)
		}
	}
	w.width = len(w.columns)
	for _, c := range x.key.Columns {
		if _, ok := position[c]; !ok {
			add(c)
		}
		col := t.Table.schema[c]
		w.keys = append(w.keys, position[c])
		w.exprs = append(w.exprs, expression.NewGetFieldWithTable(position[c], 0, col.Type, t.db.name, t.Name(), col.Name, col.Nullable))
	}
	return w
}

func (w wideScan) scan(ctx *sql.Context, t *Table, o storage.ScanOptions, keep func(*sql.Context, sql.Row) (bool, error)) (sql.RowIter, error) {
	o.Columns = w.columns
	iter, err := t.scanColumns(ctx, o, w.schema)
	if err != nil {
		return nil, err
	}
	return &filterIter{RowIter: iter, keep: keep, width: w.width}, nil
}

// matching keeps rows for which the condition is true, neither false nor NULL.
func matching(condition sql.Expression) func(*sql.Context, sql.Row) (bool, error) {
	return func(ctx *sql.Context, row sql.Row) (bool, error) {
		v, err := sql.EvaluateCondition(ctx, condition, row)
		return sql.IsTrue(v), err
	}
}

type filterIter struct {
	sql.RowIter
	keep  func(*sql.Context, sql.Row) (bool, error)
	width int
}

func (i *filterIter) Next(ctx *sql.Context) (sql.Row, error) {
	for {
		row, err := i.RowIter.Next(ctx)
		if err != nil {
			return nil, err
		}
		ok, err := i.keep(ctx, row)
		if err != nil {
			return nil, err
		}
		if ok {
			return row[:i.width:i.width], nil
		}
	}
}

// chainIter runs iterators one after another, opening each when its turn comes.
type chainIter struct {
	next    []func() (sql.RowIter, error)
	current sql.RowIter
}

func (i *chainIter) Next(ctx *sql.Context) (sql.Row, error) {
	for {
		if i.current == nil {
			if len(i.next) == 0 {
				return nil, io.EOF
			}
			iter, err := i.next[0]()
			if err != nil {
				return nil, err
			}
			i.current, i.next = iter, i.next[1:]
		}
		row, err := i.current.Next(ctx)
		if !errors.Is(err, io.EOF) {
			return row, err
		}
		if err := i.current.Close(ctx); err != nil {
			return nil, err
		}
		i.current = nil
	}
}

func (i *chainIter) Close(ctx *sql.Context) error {
	i.next = nil
	if i.current == nil {
		return nil
	}
	err := i.current.Close(ctx)
	i.current = nil
	return err
}

// lookupCache turns the many look-ups of a join by part of a key, or by a key that is not unique, into one scan, once they
// have taken as long as that: then the table's rows are grouped by the columns looked up; the engine's hash join would hold
// as much.
type lookupCache struct {
	lookups int
	key     int // spec.Keys ordinal and number of columns the groups are by
	columns int
	rows    map[string][]sql.Row
	tx      *Transaction
	writes  int
}

// cacheAfter is the number of look-ups from which on the rows are kept: each takes about as long as keeping a hundred rows.
func cacheAfter(rows int64) int { return int(max(3, rows/100)) }

// cacheRows is the number of rows beyond which they are never kept.
const cacheRows = 1 << 20

func (t *IndexedTable) cached(ctx *sql.Context, x *Index, b bounds) ([]sql.Row, bool, error) {
	tx := transactionOf(ctx)
	if tx == nil || t.cache == nil {
		return nil, false, nil
	}
	c := t.cache
	if c.tx != tx || c.writes != tx.writes || c.key != x.ordinal || c.columns != len(b.equal) {
		*c = lookupCache{tx: tx, writes: tx.writes, key: x.ordinal, columns: len(b.equal)}
	}
	k := newKeyEncoder(x, len(b.equal))
	if c.rows == nil {
		if c.lookups++; c.lookups <= cacheAfter(0) {
			return nil, false, nil
		}
		if n, err := t.size(ctx); err != nil || c.lookups <= cacheAfter(n) || n > cacheRows {
			return nil, false, err
		}
		wide := t.widen(x)
		wide.width = len(wide.columns)
		iter, err := wide.scan(ctx, t.Table, storage.ScanOptions{ByPrimaryKey: x.key.Primary}, func(*sql.Context, sql.Row) (bool, error) { return true, nil })
		if err != nil {
			return nil, false, err
		}
		rows, err := rows(ctx, iter)
		if err != nil {
			return nil, false, err
		}
		width := len(t.Schema(ctx))
		groups := map[string][]sql.Row{}
		for _, row := range rows {
			key, ok, err := k.encodeRow(ctx, row, wide.keys)
			if err != nil {
				return nil, false, err
			}
			if ok {
				groups[string(key)] = append(groups[string(key)], row[:width:width])
			}
		}
		c.rows = groups
		c.writes = tx.writes // the scan may have flushed pending rows
	}
	key, err := k.encode(b.equal)
	if err != nil {
		return nil, false, err
	}
	return c.rows[string(key)], true, nil
}

// keyEncoder maps the leading columns of an index to bytes that are equal exactly if the values are, under the columns'
// collations.
type keyEncoder struct {
	types   []sql.Type
	collate []func(dst, value []byte) []byte
	buf     []byte
	values  []any
}

func newKeyEncoder(x *Index, columns int) *keyEncoder {
	k := &keyEncoder{values: make([]any, columns)}
	for _, c := range x.key.Columns[:columns] {
		k.types = append(k.types, x.table.schema[c].Type)
		k.collate = append(k.collate, sqltype.Collate(x.table.def.spec.Schema.Field(c)))
	}
	return k
}

// encode returns the key of storage values; it is valid until the next call.
func (k *keyEncoder) encode(values []any) ([]byte, error) {
	k.buf = k.buf[:0]
	for i, v := range values {
		var err error
		if k.buf, err = appendValue(k.buf, v, k.collate[i]); err != nil {
			return nil, err
		}
	}
	return k.buf, nil
}

// encodeRow is encode of the cells of a SQL row at the given positions, false if one is NULL.
func (k *keyEncoder) encodeRow(ctx *sql.Context, row sql.Row, positions []int) ([]byte, bool, error) {
	for i := range k.values {
		v, err := sqltype.KeyValue(ctx, row[positions[i]], k.types[i])
		if err != nil {
			return nil, false, err
		}
		if v == nil {
			return nil, false, nil
		}
		k.values[i] = v
	}
	key, err := k.encode(k.values)
	return key, true, err
}

// appendValue appends a storage value so that no value is a prefix of another of its type.
func appendValue(dst []byte, v any, collate func(dst, value []byte) []byte) ([]byte, error) {
	fixed := binary.BigEndian.AppendUint64
	switch v := v.(type) {
	case nil:
		return append(dst, 0), nil
	case int64:
		return fixed(append(dst, 1), uint64(v)), nil
	case uint64:
		return fixed(append(dst, 1), v), nil
	case float64:
		return fixed(append(dst, 1), math.Float64bits(v+0)), nil // -0 and 0 are equal
	case arrow.Date32:
		return fixed(append(dst, 1), uint64(v)), nil
	case arrow.Timestamp:
		return fixed(append(dst, 1), uint64(v)), nil
	case arrow.Duration:
		return fixed(append(dst, 1), uint64(v)), nil
	case decimal128.Num:
		return fixed(fixed(append(dst, 1), uint64(v.HighBits())), v.LowBits()), nil
	case decimal256.Num:
		dst = append(dst, 1)
		for _, w := range v.Array() {
			dst = fixed(dst, w)
		}
		return dst, nil
	case string:
		return appendText(dst, []byte(v), collate), nil
	case []byte:
		return appendText(dst, v, nil), nil
	}
	return nil, fmt.Errorf("value of type %T cannot be part of a key", v)
}

func appendText(dst, text []byte, collate func(dst, value []byte) []byte) []byte {
	if collate != nil {
		text = collate(nil, text)
	}
	return append(binary.AppendUvarint(append(dst, 1), uint64(len(text))), text...)
}
