package catalog

import (
	"context"
	"fmt"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/storage"
)

// edits are the changes of one statement to one table that the storage does not have yet. Rows are kept as the engine
// gave them, with a map from each unique key to its row, until the statement ends or chunkRows are together; then one
// Arrow batch goes to the storage. A statement is the lifetime of the editors that the engine opened for it: LOAD DATA
// and INSERT IGNORE begin and complete a "statement" for each row, which must not flush a batch each.
//
// Undo is by a journal: a failing row is taken back alone (INSERT IGNORE), a failing statement as a whole; once rows
// of the statement went to the storage, also by the storage's savepoint taken before.
type edits struct {
	tx     *Transaction
	epoch  int
	def    *definition
	schema sql.Schema
	store  *storage.Table

	rows    []pendingRow
	index   []map[string]int // per unique key: encoded key -> position in rows
	deletes []storage.RowID
	deleted map[storage.RowID]bool
	bag     []sql.Row // rows to delete that no unique key finds

	open    map[*editor]bool // editors of the running statement
	scans   int              // of the table, begun while the statement runs
	journal []undo
	mark    int                // journal length when the current row began
	flushed *storage.Savepoint // before the statement's first flush
	scratch []byte
	values  []any
}

type pendingRow struct {
	row  sql.Row
	keys []string // per unique key; "" where a NULL keeps the row out
	dead bool
}

type undo struct {
	kind undoKind
	at   int // position in rows
	id   storage.RowID
}

type undoKind int

const (
	undoAdd    undoKind = iota // a row was added
	undoKill                   // a pending row was taken out
	undoDelete                 // a stored row was marked deleted
	undoBag                    // a row was put into the bag
)

// chunkRows is the size of the batches that a large statement is handed over in.
const chunkRows = 65536

// editsOf returns the pending edits of t in the running transaction.
func editsOf(ctx *sql.Context, t *Table) (*edits, error) {
	tx := transactionOf(ctx)
	if tx == nil {
		return nil, fmt.Errorf("table %s cannot be changed outside of a transaction", t.Name())
	}
	if tx.readOnly {
		return nil, sql.ErrReadOnlyTransaction.New()
	}
	key := keyOf(t.db.name, t.Name())
	if e := tx.edits[key]; e != nil && e.def == t.def {
		return e, nil
	} else if e != nil { // the table was altered since
		if err := e.flush(ctx); err != nil {
			return nil, err
		}
	}
	st, err := tx.storage().Table(t.db.name, t.Name())
	if err != nil {
		return nil, err
	}
	e := &edits{tx: tx, epoch: tx.epoch, def: t.def, schema: t.schema, store: st, open: map[*editor]bool{}}
	e.reset()
	if tx.edits == nil {
		tx.edits = map[tableKey]*edits{}
	}
	tx.edits[key] = e
	return e, nil
}

// reset forgets what was handed over.
func (e *edits) reset() {
	e.rows = e.rows[:0]
	e.index = make([]map[string]int, len(e.def.keys))
	for i := range e.index {
		e.index[i] = map[string]int{}
	}
	e.deletes, e.bag, e.deleted = nil, nil, nil
	e.journal, e.mark = nil, 0
}

func (e *edits) empty() bool { return len(e.rows) == 0 && len(e.deletes) == 0 && len(e.bag) == 0 }

// valid is false after a rollback beneath the editors: there is nothing of theirs left.
func (e *edits) valid() bool { return e.epoch == e.tx.epoch }

// settle prepares for a scan of the table: outside of a statement that changes it, pending rows are handed over. A
// statement does not see its own changes.
func (e *edits) settle(ctx context.Context) error {
	if len(e.open) > 0 {
		e.scans++
		return nil
	}
	return e.flush(ctx)
}

// begin is called by an editor at each StatementBegin.
func (e *edits) begin(ctx context.Context, by *editor) error {
	if len(e.open) == 0 {
		if err := e.flush(ctx); err != nil {
			return err
		}
		e.scans, e.flushed = 0, nil
	}
	e.open[by] = true
	e.mark = len(e.journal)
	return nil
}

// end is called when an editor is closed; the last one hands the statement's rows over.
func (e *edits) end(ctx context.Context, by *editor) error {
	delete(e.open, by)
	if len(e.open) > 0 || !e.valid() {
		return nil
	}
	if err := e.flush(ctx); err != nil {
		e.undoStatement()
		return err
	}
	e.flushed = nil
	return nil
}

// undoRow takes back what the current row did.
func (e *edits) undoRow() { e.undoTo(e.mark) }

// undoStatement takes back all the statement did.
func (e *edits) undoStatement() {
	if !e.valid() {
		return
	}
	e.undoTo(0)
	if e.flushed != nil {
		e.tx.storage().RollbackTo(*e.flushed)
		e.tx.writes++
		e.flushed = nil
		e.reset()
	}
}

func (e *edits) undoTo(mark int) {
	for len(e.journal) > mark {
		u := e.journal[len(e.journal)-1]
		e.journal = e.journal[:len(e.journal)-1]
		switch u.kind {
		case undoAdd:
			for k, key := range e.rows[u.at].keys {
				if key != "" {
					delete(e.index[k], key)
				}
			}
			e.rows = e.rows[:u.at]
		case undoKill:
			e.rows[u.at].dead = false
			for k, key := range e.rows[u.at].keys {
				if key != "" {
					e.index[k][key] = u.at
				}
			}
		case undoDelete:
			delete(e.deleted, u.id)
			e.deletes = e.deletes[:len(e.deletes)-1]
		case undoBag:
			e.bag = e.bag[:len(e.bag)-1]
		}
	}
	e.mark = min(e.mark, mark)
}

// insert adds a row, or returns the unique key error that carries the row in the way.
func (e *edits) insert(ctx *sql.Context, row sql.Row) error {
	keys, err := e.encode(ctx, row)
	if err != nil {
		return err
	}
	if err := e.checkUnique(ctx, row, keys, nil, nil); err != nil {
		return err
	}
	return e.add(ctx, row, keys)
}

func (e *edits) add(ctx context.Context, row sql.Row, keys []string) error {
	at := len(e.rows)
	e.rows = append(e.rows, pendingRow{row: row.Copy(), keys: keys})
	for k, key := range keys {
		if key != "" {
			e.index[k][key] = at
		}
	}
	e.journal = append(e.journal, undo{kind: undoAdd, at: at})
	if len(e.rows) >= chunkRows {
		return e.handOver(ctx)
	}
	return nil
}

// remove takes a row out: one that is pending, or one of the storage.
func (e *edits) remove(ctx *sql.Context, row sql.Row) error {
	keys, err := e.encode(ctx, row)
	if err != nil {
		return err
	}
	return e.removeKeyed(ctx, row, keys)
}

func (e *edits) removeKeyed(ctx *sql.Context, row sql.Row, keys []string) error {
	for k, key := range keys {
		if key == "" {
			continue
		}
		if at, ok := e.index[k][key]; ok {
			e.kill(at)
			return nil
		}
		id, found, err := e.lookup(ctx, k, row)
		if err != nil {
			return err
		}
		if !found {
			return sql.ErrDeleteRowNotFound.New()
		}
		if e.deleted == nil {
			e.deleted = map[storage.RowID]bool{}
		}
		e.deleted[id] = true
		e.deletes = append(e.deletes, id)
		e.journal = append(e.journal, undo{kind: undoDelete, id: id})
		return nil
	}
	e.bag = append(e.bag, row.Copy())
	e.journal = append(e.journal, undo{kind: undoBag})
	return nil
}

func (e *edits) kill(at int) {
	for k, key := range e.rows[at].keys {
		if key != "" {
			delete(e.index[k], key)
		}
	}
	e.rows[at].dead = true
	e.journal = append(e.journal, undo{kind: undoKill, at: at})
}

// update replaces a row.
func (e *edits) update(ctx *sql.Context, oldRow, newRow sql.Row) error {
	oldKeys, err := e.encode(ctx, oldRow)
	if err != nil {
		return err
	}
	newKeys, err := e.encode(ctx, newRow)
	if err != nil {
		return err
	}
	if err := e.checkUnique(ctx, newRow, newKeys, oldRow, oldKeys); err != nil {
		return err
	}
	if err := e.removeKeyed(ctx, oldRow, oldKeys); err != nil {
		return err
	}
	return e.add(ctx, newRow, newKeys)
}

// checkUnique returns a unique key error if another row has one of row's keys. For an update, keys that stay as they
// are in oldKeys belong to the row itself.
func (e *edits) checkUnique(ctx *sql.Context, row sql.Row, keys []string, oldRow sql.Row, oldKeys []string) error {
	for k, key := range keys {
		if key == "" || oldKeys != nil && oldKeys[k] == key {
			continue
		}
		if at, ok := e.index[k][key]; ok {
			return e.duplicate(k, row, e.rows[at].row.Copy())
		}
		id, found, err := e.lookup(ctx, k, row)
		if err != nil {
			return err
		}
		if !found {
			continue
		}
		existing, err := readRow(ctx, e.store, id, e.schema, nil)
		if err != nil {
			return err
		}
		return e.duplicate(k, row, existing)
	}
	return nil
}

// lookup finds the stored row with row's unique key number k, unless it is deleted by now.
func (e *edits) lookup(ctx *sql.Context, k int, row sql.Row) (storage.RowID, bool, error) {
	if e.store.NumRows() == 0 {
		return 0, false, nil
	}
	if err := e.keyValues(ctx, k, row); err != nil {
		return 0, false, err
	}
	id, found, err := e.store.Lookup(ctx, e.def.keys[k].ordinal, e.values)
	if err != nil || !found || e.deleted[id] {
		return 0, false, err
	}
	return id, true, nil
}

func (e *edits) keyValues(ctx context.Context, k int, row sql.Row) error {
	e.values = e.values[:0]
	for _, c := range e.def.keys[k].columns {
		v, err := sqltype.KeyValue(ctx, row[c], e.schema[c].Type)
		if err != nil {
			return fmt.Errorf("column '%s': %w", e.schema[c].Name, err)
		}
		e.values = append(e.values, v)
	}
	return nil
}

// encode returns the row's unique keys in the storage's encoding.
func (e *edits) encode(ctx context.Context, row sql.Row) ([]string, error) {
	if len(row) != len(e.schema) {
		return nil, sql.ErrUnexpectedRowLength.New(len(e.schema), len(row))
	}
	if len(e.def.keys) == 0 {
		return nil, nil
	}
	keys := make([]string, len(e.def.keys))
	for k, key := range e.def.keys {
		if err := e.keyValues(ctx, k, row); err != nil {
			return nil, err
		}
		enc, hasNull, err := e.store.EncodeKey(e.scratch[:0], key.ordinal, e.values)
		if err != nil {
			return nil, err
		}
		e.scratch = enc
		if !hasNull {
			keys[k] = string(enc)
		}
	}
	return keys, nil
}
