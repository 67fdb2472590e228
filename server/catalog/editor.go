package catalog

import (
	"errors"
	"math"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/almanacdb/almanac/storage"
)

// editor is one of the engine's handles on a table for the length of a statement: inserter, updater, deleter or
// replacer. Those of one statement on one table share their [edits].
type editor struct {
	table *Table
	edits *edits
	err   error // of StatementBegin, which cannot return it
	over  bool  // the statement was undone; what comes now is clean-up
}

var (
	_ sql.TableEditor         = (*editor)(nil)
	_ sql.AutoIncrementSetter = (*editor)(nil)
)

// Inserter implements sql.InsertableTable.
func (t *Table) Inserter(*sql.Context) sql.RowInserter { return &editor{table: t} }

// Updater implements sql.UpdatableTable.
func (t *Table) Updater(*sql.Context) sql.RowUpdater { return &editor{table: t} }

// Deleter implements sql.DeletableTable.
func (t *Table) Deleter(*sql.Context) sql.RowDeleter { return &editor{table: t} }

// Replacer implements sql.ReplaceableTable.
func (t *Table) Replacer(*sql.Context) sql.RowReplacer { return &editor{table: t} }

// StatementBegin implements sql.EditOpenerCloser.
func (d *editor) StatementBegin(ctx *sql.Context) {
	if d.err != nil || d.over {
		return
	}
	d.err = d.begin(ctx)
}

func (d *editor) begin(ctx *sql.Context) error {
	if d.edits == nil || !d.edits.valid() {
		e, err := editsOf(ctx, d.table)
		if err != nil {
			return err
		}
		d.edits = e
	}
	return d.edits.begin(ctx, d)
}

// ready makes sure that the edits are open, also for callers that never begin a statement.
func (d *editor) ready(ctx *sql.Context) error {
	if d.err != nil {
		return d.err
	}
	if d.edits == nil || !d.edits.valid() || !d.edits.open[d] {
		d.err = d.begin(ctx)
	}
	return d.err
}

// DiscardChanges implements sql.EditOpenerCloser. An ignorable error takes back the current row, any other one the
// whole statement.
func (d *editor) DiscardChanges(ctx *sql.Context, cause error) error {
	if d.edits == nil || d.over {
		return nil
	}
	var ignorable sql.IgnorableError
	if errors.As(cause, &ignorable) {
		d.edits.undoRow()
		return nil
	}
	return d.undo(ctx)
}

// undo takes back the statement, with the table that a CREATE TABLE … SELECT made for its rows.
func (d *editor) undo(ctx *sql.Context) error {
	d.over = true
	d.edits.undoStatement()
	tx, key := d.edits.tx, keyOf(d.table.db.name, d.table.Name())
	if verb, _, _ := strings.Cut(strings.TrimSpace(ctx.Query()), " "); !tx.created[key] || !strings.EqualFold(verb, "create") {
		return nil
	}
	delete(tx.created, key)
	delete(tx.edits, key)
	return tx.storage().DropTable(key.database, key.table)
}

// StatementComplete implements sql.EditOpenerCloser. Rows go to the storage when the editor is closed; a statement whose
// client left or that was killed must not.
func (d *editor) StatementComplete(ctx *sql.Context) error {
	if d.err != nil {
		return d.err
	}
	if err := ctx.Err(); err != nil && !d.over && d.edits != nil {
		return errors.Join(err, d.undo(ctx))
	}
	return nil
}

// Close implements sql.Closer.
func (d *editor) Close(ctx *sql.Context) error {
	if d.edits == nil {
		return nil
	}
	e := d.edits
	d.edits = nil
	return e.end(ctx, d)
}

// Insert implements sql.RowInserter.
func (d *editor) Insert(ctx *sql.Context, row sql.Row) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	return d.edits.insert(ctx, row)
}

// Delete implements sql.RowDeleter.
func (d *editor) Delete(ctx *sql.Context, row sql.Row) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	return d.edits.remove(ctx, row)
}

// Update implements sql.RowUpdater.
func (d *editor) Update(ctx *sql.Context, oldRow, newRow sql.Row) error {
	if err := d.ready(ctx); err != nil {
		return err
	}
	return d.edits.update(ctx, oldRow, newRow)
}

// Truncate implements sql.TruncateableTable.
func (t *Table) Truncate(ctx *sql.Context) (int, error) {
	e, err := editsOf(ctx, t)
	if err != nil {
		return 0, err
	}
	if err := e.flush(ctx); err != nil {
		return 0, err
	}
	n := e.store.NumRows()
	if err := e.store.Truncate(); err != nil {
		return 0, err
	}
	e.tx.writes++
	if t.def.spec.AutoIncrement >= 0 {
		if err := e.store.SetAutoIncrement(1); err != nil {
			return 0, err
		}
	}
	return int(n), nil
}

// PeekNextAutoIncrementValue implements sql.AutoIncrementTable.
func (t *Table) PeekNextAutoIncrementValue(ctx *sql.Context) (uint64, error) {
	var next uint64
	err := t.view(ctx, func(st *storage.Table) error {
		next = st.NextAutoIncrement()
		return nil
	})
	return next, err
}

// view is read without handing pending rows over: fn must not look at rows.
func (t *Table) view(ctx *sql.Context, fn func(*storage.Table) error) error {
	return t.db.pro.view(ctx, func(txn *storage.Txn) error {
		st, err := txn.Table(t.db.name, t.Name())
		if err != nil {
			return err
		}
		return fn(st)
	})
}

// GetNextAutoIncrementValue implements sql.AutoIncrementTable: the value for the next row, which is given unless nil.
func (t *Table) GetNextAutoIncrementValue(ctx *sql.Context, given any) (uint64, error) {
	var value uint64
	err := t.view(ctx, func(st *storage.Table) error {
		if given == nil {
			// At its end the counter stays, and the next row collides with the last one, as in MySQL.
			if limit := t.autoIncrementLimit(); st.NextAutoIncrement() >= limit {
				value = limit
			} else {
				value = st.ReserveAutoIncrement(1)
			}
			return nil
		}
		v, err := autoIncrementOf(ctx, given)
		if err != nil {
			return err
		}
		value = v
		if t.def.spec.AutoIncrement < 0 {
			return nil
		}
		// The counter moves at once and for all sessions, as it does for generated values; a rollback leaves a gap.
		if next, end := st.NextAutoIncrement(), min(v, t.autoIncrementLimit()-1)+1; end > next {
			st.ReserveAutoIncrement(int(end - next))
		}
		return nil
	})
	return value, err
}

// AutoIncrementSetter implements sql.AutoIncrementTable.
func (t *Table) AutoIncrementSetter(*sql.Context) sql.AutoIncrementSetter { return &editor{table: t} }

// SetAutoIncrementValue implements sql.AutoIncrementSetter.
func (d *editor) SetAutoIncrementValue(ctx *sql.Context, value uint64) error {
	return d.table.db.pro.alter(ctx, func(txn *storage.Txn) error {
		st, err := txn.Table(d.table.db.name, d.table.Name())
		if err != nil {
			return err
		}
		return st.SetAutoIncrement(min(value, d.table.autoIncrementLimit()))
	})
}

// autoIncrementLimit is the largest value of the auto-increment column, at which the counter stays.
func (t *Table) autoIncrementLimit() uint64 {
	if t.def.spec.AutoIncrement < 0 {
		return math.MaxUint64
	}
	switch t.schema[t.def.spec.AutoIncrement].Type.Type() {
	case sqltypes.Int8:
		return math.MaxInt8
	case sqltypes.Uint8:
		return math.MaxUint8
	case sqltypes.Int16:
		return math.MaxInt16
	case sqltypes.Uint16:
		return math.MaxUint16
	case sqltypes.Int24:
		return 1<<23 - 1
	case sqltypes.Uint24:
		return 1<<24 - 1
	case sqltypes.Int32:
		return math.MaxInt32
	case sqltypes.Uint32:
		return math.MaxUint32
	case sqltypes.Int64:
		return math.MaxInt64
	}
	return math.MaxUint64
}

// AcquireAutoIncrementLock implements sql.AutoIncrementSetter: values are handed out atomically, there is no lock.
func (d *editor) AcquireAutoIncrementLock(*sql.Context) (func(), error) { return func() {}, nil }
