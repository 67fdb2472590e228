package catalog

import (
	"context"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/mysql_db"

	"github.com/almanacdb/almanac/storage"
)

// privilegesName is the name of the one object that holds all users, roles and grants; it belongs to no database.
const privilegesName = "users_and_grants"

// PrivilegePersister keeps users, roles and grants in the storage. It is safe for concurrent use: the engine calls it
// under its own lock.
type PrivilegePersister struct{ db *storage.DB }

var _ mysql_db.MySQLDbPersistence = (*PrivilegePersister)(nil)

// NewPrivilegePersister returns the persister over db.
func NewPrivilegePersister(db *storage.DB) *PrivilegePersister { return &PrivilegePersister{db} }

// Persist implements mysql_db.MySQLDbPersistence: data is durable when it returns.
func (p *PrivilegePersister) Persist(ctx *sql.Context, data []byte) error {
	txn := p.db.Begin()
	defer txn.Rollback()
	if err := txn.PutObject(kindPrivileges, "", privilegesName, data); err != nil {
		return err
	}
	return commitError(txn.Commit(context.WithoutCancel(ctx)))
}

// Load gives the engine what was persisted; loaded is false on a directory that never had accounts. Privileges are
// enforced from then on: call mysqlDB.SetEnabled(true) also when nothing was loaded, or any user may connect.
func (p *PrivilegePersister) Load(ctx *sql.Context, mysqlDB *mysql_db.MySQLDb) (loaded bool, err error) {
	txn := p.db.Begin()
	defer txn.Rollback()
	data, ok := txn.Object(kindPrivileges, "", privilegesName)
	if !ok || len(data) == 0 {
		return false, nil
	}
	return true, mysqlDB.LoadData(ctx, data)
}
