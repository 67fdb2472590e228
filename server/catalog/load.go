package catalog

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/storage"
)

// HasTriggers tells whether a trigger runs when rows of t change.
func (t *Table) HasTriggers(ctx *sql.Context) (bool, error) {
	found := false
	err := t.db.pro.view(ctx, func(txn *storage.Txn) error {
		triggers, err := all[triggerObject](txn, kindTrigger, t.db.name)
		if err != nil {
			return err
		}
		for _, tr := range triggers {
			stmt, err := sqlparser.Parse(tr.CreateStatement)
			if err != nil {
				return fmt.Errorf("trigger %s: %w", tr.Name, err)
			}
			if ddl, ok := stmt.(*sqlparser.DDL); ok && strings.EqualFold(ddl.Table.Name.String(), t.Name()) {
				found = true
			}
		}
		return nil
	})
	return found, err
}

// A Load is one statement that adds Arrow batches to a table in the session's transaction, past the engine's editors. What
// it did is taken back by Undo as if the statement had not run; a transaction that ends beneath it takes it back too. It is
// used by the goroutine that runs the statement.
type Load struct {
	table *Table
	edits *edits
	start storage.Savepoint
}

// BeginLoad starts a statement that adds rows to t. Rows that the transaction has pending go to the storage first.
func (t *Table) BeginLoad(ctx *sql.Context) (*Load, error) {
	e, err := editsOf(ctx, t)
	if err != nil {
		return nil, err
	}
	if err := e.flush(ctx); err != nil {
		return nil, err
	}
	return &Load{table: t, edits: e, start: e.tx.storage().Savepoint()}, nil
}

// Store is the table in the storage as the transaction sees it, for look-ups and automatic numbers.
func (l *Load) Store() *storage.Table { return l.edits.store }

// Append adds rows; nothing of the batch is added if it fails, for instance with a *storage.DuplicateKeyError.
func (l *Load) Append(ctx context.Context, batch arrow.RecordBatch) error {
	l.edits.tx.writes++
	return l.edits.store.Append(ctx, batch)
}

// Delete removes rows.
func (l *Load) Delete(ctx context.Context, rows []storage.RowID) error {
	l.edits.tx.writes++
	return l.edits.store.Delete(ctx, rows)
}

// Undo takes back everything since BeginLoad.
func (l *Load) Undo() {
	if !l.edits.valid() {
		return
	}
	l.edits.tx.storage().RollbackTo(l.start)
	l.edits.tx.writes++
}

// Duplicate is the error for a row of a batch that has the key (an ordinal in Spec().Keys) of another row.
func (l *Load) Duplicate(batch arrow.RecordBatch, row, key int) error {
	values, err := sqltype.ReadRow(batch, l.table.schema, row)
	if err != nil {
		return err
	}
	for k, unique := range l.edits.def.keys {
		if unique.ordinal == key {
			return l.edits.duplicate(k, values, values)
		}
	}
	return nil
}
