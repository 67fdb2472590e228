package catalog

import (
	"context"
	"errors"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/storage"
)

// handOver flushes in the middle of a statement, unless the statement reads the table again and again: such a read must
// not see the rows.
func (e *edits) handOver(ctx context.Context) error {
	if e.scans > 1 {
		return nil
	}
	if e.flushed == nil {
		save := e.tx.storage().Savepoint()
		e.flushed = &save
	}
	return e.flush(ctx)
}

// flush hands everything pending to the storage.
func (e *edits) flush(ctx context.Context) error {
	if e.empty() || !e.valid() {
		return nil
	}
	if e.flushed == nil && len(e.open) == 0 { // the last flush of a statement must be atomic, too
		save := e.tx.storage().Savepoint()
		e.flushed = &save
	}
	if len(e.deletes) > 0 {
		if err := e.store.Delete(ctx, e.deletes); err != nil {
			return err
		}
	}
	if len(e.bag) > 0 {
		if err := e.emptyBag(ctx); err != nil {
			return err
		}
	}
	if err := e.append(ctx); err != nil {
		return err
	}
	e.reset()
	e.tx.writes++
	return nil
}

func (e *edits) append(ctx context.Context) error {
	b, err := sqltype.NewBatcher(nil, e.schema)
	if err != nil {
		return err
	}
	defer b.Release()
	b.Reserve(len(e.rows))
	alive := make([]int, 0, len(e.rows))
	for i, r := range e.rows {
		if r.dead {
			continue
		}
		if err := b.Append(ctx, r.row); err != nil {
			return err
		}
		alive = append(alive, i)
	}
	if b.Len() == 0 {
		return nil
	}
	batch := b.NewRecordBatch()
	defer batch.Release()
	err = e.store.Append(ctx, batch)
	var dup *storage.DuplicateKeyError
	if errors.As(err, &dup) && dup.BatchRow < len(alive) {
		return e.duplicateOf(dup, e.rows[alive[dup.BatchRow]].row)
	}
	return err
}

// duplicateOf translates the storage's error.
func (e *edits) duplicateOf(dup *storage.DuplicateKeyError, row sql.Row) error {
	for k, key := range e.def.keys {
		if e.def.spec.Keys[key.ordinal].Name == dup.Key {
			return e.duplicate(k, row, row)
		}
	}
	return dup
}

// emptyBag deletes rows of a table without a usable key: for each row in the bag one row of the table that is equal in
// all columns. Equal rows cannot be told apart, so any of them will do.
func (e *edits) emptyBag(ctx context.Context) error {
	wanted := map[string]int{}
	k := e.wholeRow()
	sctx, ok := ctx.(*sql.Context)
	if !ok {
		sctx = sql.NewContext(ctx)
	}
	for _, row := range e.bag {
		key, err := k.encodeWhole(sctx, row)
		if err != nil {
			return err
		}
		wanted[string(key)]++
	}
	left := len(e.bag)
	scanner, err := e.store.Scan(ctx, storage.ScanOptions{RowIDs: true})
	if err != nil {
		return err
	}
	defer scanner.Release()
	var ids []storage.RowID
	for left > 0 && scanner.Next() {
		batch := scanner.RecordBatch()
		cells, err := sqltype.Readers(batch, e.schema)
		if err != nil {
			return err
		}
		row := make(sql.Row, len(cells))
		for i := range int(batch.NumRows()) {
			for c, cell := range cells {
				row[c] = cell(i)
			}
			key, err := k.encodeWhole(sctx, row)
			if err != nil {
				return err
			}
			if wanted[string(key)] > 0 && !e.deleted[scanner.RowIDs()[i]] {
				wanted[string(key)]--
				left--
				ids = append(ids, scanner.RowIDs()[i])
			}
		}
	}
	if err := scanner.Err(); err != nil {
		return err
	}
	// What is not in the storage was inserted by this very statement.
	for i := range e.rows {
		if left == 0 {
			break
		}
		if e.rows[i].dead {
			continue
		}
		key, err := k.encodeWhole(sctx, e.rows[i].row)
		if err != nil {
			return err
		}
		if wanted[string(key)] > 0 {
			wanted[string(key)]--
			left--
			e.rows[i].dead = true
		}
	}
	if left > 0 {
		return sql.ErrDeleteRowNotFound.New()
	}
	return e.store.Delete(ctx, ids)
}

// wholeRow encodes all columns by their bytes: rows that a collation calls equal are still different rows.
func (e *edits) wholeRow() *keyEncoder {
	k := &keyEncoder{values: make([]any, len(e.schema)), collate: make([]func(dst, value []byte) []byte, len(e.schema))}
	for _, col := range e.schema {
		k.types = append(k.types, col.Type)
	}
	return k
}

func (k *keyEncoder) encodeWhole(ctx *sql.Context, row sql.Row) ([]byte, error) {
	for i := range k.values {
		v, err := sqltype.KeyValue(ctx, row[i], k.types[i])
		if err != nil {
			return nil, err
		}
		k.values[i] = v
	}
	return k.encode(k.values)
}
