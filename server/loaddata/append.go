package loaddata

import (
	"errors"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/server/catalog"
	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/columns"
)

// What becomes of a row whose unique key another row has.
type onDuplicate int

const (
	refuse  onDuplicate = iota // the statement fails
	skip                       // the new row is left out, with a warning
	replace                    // the old row goes
)

// appender hands batches to the storage.
type appender struct {
	load   *catalog.Load
	mode   onDuplicate
	schema *arrow.Schema
	keys   []storage.Key

	added, deleted, skipped int64
}

// add appends arrays of all columns of the table and releases them. Most batches collide with nothing and go in whole; only
// one that does is looked at row by row.
func (a *appender) add(ctx *sql.Context, arrays []arrow.Array, rows int, warn *warnings) error {
	b := array.NewRecordBatch(a.schema, arrays, int64(rows))
	for _, x := range arrays {
		x.Release()
	}
	defer b.Release()
	err := a.load.Append(ctx, b)
	var dup *storage.DuplicateKeyError
	switch {
	case err == nil:
		a.added += int64(rows)
		return nil
	case !errors.As(err, &dup):
		return err
	case a.mode == refuse:
		for k, key := range a.keys {
			if key.Name == dup.Key {
				return a.load.Duplicate(b, dup.BatchRow, k)
			}
		}
		return err
	}
	return a.sift(ctx, b, warn)
}

// sift appends the rows of a batch some of which collide, with rows of the table or with each other.
func (a *appender) sift(ctx *sql.Context, b arrow.RecordBatch, warn *warnings) error {
	views := columns.Views(b)
	store := a.load.Store()
	pending := make([]map[string]int, len(a.keys)) // encoded key -> row of the batch
	for k := range pending {
		pending[k] = map[string]int{}
	}
	type encoded struct {
		key  int
		text string
	}
	keysOf := map[int][]encoded{} // of pending rows, for replace
	gone := map[storage.RowID]bool{}
	dead := make([]bool, b.NumRows())
	var deletes []storage.RowID
	var values []any
	var scratch []byte
rows:
	for i := range int(b.NumRows()) {
		if i&0xfff == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
		}
		var mine []encoded
		for k, key := range a.keys {
			if !key.Unique && !key.Primary {
				continue
			}
			values = values[:0]
			for _, c := range key.Columns {
				if views[c].Null(i) {
					values = append(values, nil)
				} else {
					values = append(values, views[c].Value(i))
				}
			}
			enc, null, err := store.EncodeKey(scratch[:0], k, values)
			if err != nil {
				return err
			}
			scratch = enc
			if null {
				continue
			}
			id, stored, err := store.Lookup(ctx, k, values)
			if err != nil {
				return err
			}
			stored = stored && !gone[id]
			other, waits := pending[k][string(enc)]
			if (stored || waits) && a.mode == skip {
				a.skipped++
				dead[i] = true
				warn.add(erDuplicate, func() string { return messageOf(a.load.Duplicate(b, i, k)) })
				continue rows
			}
			if stored {
				gone[id] = true
				deletes = append(deletes, id)
				a.deleted++
			}
			if waits {
				dead[other] = true
				a.deleted++
				for _, e := range keysOf[other] {
					delete(pending[e.key], e.text)
				}
				delete(keysOf, other)
			}
			mine = append(mine, encoded{k, string(enc)})
		}
		for _, e := range mine {
			pending[e.key][e.text] = i
		}
		if a.mode == replace {
			keysOf[i] = mine
		}
		a.added++
	}
	if len(deletes) > 0 {
		if err := a.load.Delete(ctx, deletes); err != nil {
			return err
		}
	}
	var keep []int32
	for i, d := range dead {
		if !d {
			keep = append(keep, int32(i))
		}
	}
	if len(keep) == 0 {
		return nil
	}
	arrays := make([]arrow.Array, len(views))
	for i, v := range views {
		arrays[i] = columns.Gather(v, keep)
	}
	kept := array.NewRecordBatch(a.schema, arrays, int64(len(keep)))
	defer kept.Release()
	return a.load.Append(ctx, kept)
}

// messageOf is a unique key error in MySQL's words, which the engine puts its own before.
func messageOf(err error) string {
	text := err.Error()
	return text[max(strings.Index(text, "Duplicate entry"), 0):]
}
