package catalog

import (
	"context"
	"sort"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/mysql"

	"github.com/almanacdb/almanac/storage"
)

// Transaction is a session's transaction. The storage's snapshot is taken at first use, so that a transaction that
// begins with the connection and waits does not pin old data.
type Transaction struct {
	pro      *Provider
	txn      *storage.Txn
	readOnly bool
	ended    bool

	// Rows changed by statements and not yet handed to the storage, by table.
	edits map[tableKey]*edits
	// epoch moves when pending rows were thrown away beneath the editors that made them.
	epoch int
	// writes counts changes handed to the storage, for caches of what was read.
	writes int

	// created are the tables this transaction made.
	created map[tableKey]bool

	savepoints []namedSavepoint
}

type namedSavepoint struct {
	name string
	at   storage.Savepoint
}

// tableKey names a table without regard to case.
type tableKey struct{ database, table string }

func keyOf(database, table string) tableKey {
	return tableKey{strings.ToLower(database), strings.ToLower(table)}
}

// String implements sql.Transaction.
func (tx *Transaction) String() string {
	if tx.readOnly {
		return "read-only transaction"
	}
	return "transaction"
}

// IsReadOnly implements sql.Transaction.
func (tx *Transaction) IsReadOnly() bool { return tx.readOnly }

func (tx *Transaction) storage() *storage.Txn {
	if tx.txn == nil {
		tx.txn = tx.pro.db.Begin()
	}
	return tx.txn
}

func (tx *Transaction) dirty() bool {
	for _, e := range tx.edits {
		if !e.empty() {
			return true
		}
	}
	return tx.txn != nil && tx.txn.Dirty()
}

// flush hands all pending rows to the storage, in the order of table names so that the same statements give the same log.
func (tx *Transaction) flush(ctx context.Context) error {
	keys := make([]tableKey, 0, len(tx.edits))
	for k, e := range tx.edits {
		if !e.empty() {
			keys = append(keys, k)
		}
	}
	sort.Slice(keys, func(i, j int) bool {
		return keys[i].database < keys[j].database || keys[i].database == keys[j].database && keys[i].table < keys[j].table
	})
	for _, k := range keys {
		if err := tx.edits[k].flush(ctx); err != nil {
			return err
		}
	}
	return nil
}

// forget drops pending rows and tells the editors so.
func (tx *Transaction) forget() {
	tx.edits = nil
	tx.epoch++
	tx.writes++
}

// running tells whether a statement is changing a table at this moment.
func (tx *Transaction) running() bool {
	for _, e := range tx.edits {
		if len(e.open) > 0 {
			return true
		}
	}
	return false
}

// abandon takes back statements that were never closed.
func (tx *Transaction) abandon() {
	for _, e := range tx.edits {
		if len(e.open) > 0 {
			e.undoStatement()
			e.open = map[*editor]bool{}
		}
	}
}

func (tx *Transaction) rollback() {
	if tx.ended {
		return
	}
	tx.ended = true
	tx.forget()
	if tx.txn != nil {
		tx.txn.Rollback()
	}
}

// StartTransaction implements sql.TransactionSession.
func (s *Session) StartTransaction(_ *sql.Context, c sql.TransactionCharacteristic) (sql.Transaction, error) {
	return &Transaction{pro: s.pro, readOnly: c == sql.ReadOnly}, nil
}

// CommitTransaction implements sql.TransactionSession. The transaction is over afterwards, also when it failed: nothing
// of it is kept then. A lost race against another session is MySQL error 1213 (SQLSTATE 40001).
func (s *Session) CommitTransaction(ctx *sql.Context, t sql.Transaction) error {
	tx, ok := t.(*Transaction)
	if !ok || tx.ended || tx.running() { // see SetTransaction about a running statement
		return nil
	}
	err := s.commit(ctx, tx)
	tx.rollback() // does nothing to what was committed
	if s.GetTransaction() == t {
		s.BaseSession.SetTransaction(nil)
	}
	s.SetIgnoreAutoCommit(false)
	return err
}

func (s *Session) commit(ctx *sql.Context, tx *Transaction) error {
	// A killed statement may have done half its work without the engine noticing: it must not commit.
	if err := ctx.Err(); err != nil && tx.dirty() {
		return err
	}
	if err := tx.flush(ctx); err != nil {
		return err
	}
	if tx.txn == nil {
		return nil
	}
	// Once begun, a commit runs to its end: a client that leaves half-way must not decide what is durable.
	return commitError(tx.txn.Commit(context.WithoutCancel(ctx)))
}

// conflictError is what a client gets whose transaction lost: drivers retry on this code by themselves.
func conflictError() error {
	return mysql.NewSQLError(mysql.ERLockDeadlock, mysql.SSLockDeadlock,
		"another session changed the same data after this transaction began; nothing was changed.\nFix: run the transaction again")
}

// Rollback implements sql.TransactionSession.
func (s *Session) Rollback(_ *sql.Context, t sql.Transaction) error {
	if tx, ok := t.(*Transaction); ok {
		tx.rollback()
	}
	return nil
}

// CreateSavepoint implements sql.TransactionSession.
func (s *Session) CreateSavepoint(ctx *sql.Context, t sql.Transaction, name string) error {
	tx, ok := t.(*Transaction)
	if !ok || tx.ended {
		return nil
	}
	if err := tx.flush(ctx); err != nil {
		return err
	}
	if i := tx.findSavepoint(name); i >= 0 {
		tx.savepoints = append(tx.savepoints[:i], tx.savepoints[i+1:]...)
	}
	tx.savepoints = append(tx.savepoints, namedSavepoint{name, tx.storage().Savepoint()})
	return nil
}

// RollbackToSavepoint implements sql.TransactionSession.
func (s *Session) RollbackToSavepoint(_ *sql.Context, t sql.Transaction, name string) error {
	tx, ok := t.(*Transaction)
	if !ok || tx.ended { // the engine cleans up its own savepoints after the transaction is gone
		return nil
	}
	i := tx.findSavepoint(name)
	if i < 0 {
		return sql.ErrSavepointDoesNotExist.New(name)
	}
	tx.forget()
	tx.storage().RollbackTo(tx.savepoints[i].at)
	tx.savepoints = tx.savepoints[:i+1]
	return nil
}

// ReleaseSavepoint implements sql.TransactionSession.
func (s *Session) ReleaseSavepoint(_ *sql.Context, t sql.Transaction, name string) error {
	tx, ok := t.(*Transaction)
	if !ok || tx.ended { // the engine cleans up its own savepoints after the transaction is gone
		return nil
	}
	i := tx.findSavepoint(name)
	if i < 0 {
		return sql.ErrSavepointDoesNotExist.New(name)
	}
	tx.savepoints = tx.savepoints[:i]
	return nil
}

func (tx *Transaction) findSavepoint(name string) int {
	for i := len(tx.savepoints) - 1; i >= 0; i-- {
		if strings.EqualFold(tx.savepoints[i].name, name) {
			return i
		}
	}
	return -1
}
