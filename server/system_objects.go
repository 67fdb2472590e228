package server

import (
	"time"

	"github.com/dolthub/go-mysql-server/sql"
)

// The engine asks every database for views, triggers, procedures and events, and takes "not supported" for a failure of
// the whole statement (information_schema, SHOW). The system database has none of them and cannot get any.

var (
	_ sql.ViewDatabase            = (*systemDatabase)(nil)
	_ sql.TriggerDatabase         = (*systemDatabase)(nil)
	_ sql.StoredProcedureDatabase = (*systemDatabase)(nil)
	_ sql.EventDatabase           = (*systemDatabase)(nil)
)

// GetViewDefinition implements sql.ViewDatabase.
func (d *systemDatabase) GetViewDefinition(*sql.Context, string) (sql.ViewDefinition, bool, error) {
	return sql.ViewDefinition{}, false, nil
}

// AllViews implements sql.ViewDatabase.
func (d *systemDatabase) AllViews(*sql.Context) ([]sql.ViewDefinition, error) { return nil, nil }

// CreateView implements sql.ViewDatabase.
func (d *systemDatabase) CreateView(*sql.Context, string, string, string) error {
	return errSystemReadOnly()
}

// DropView implements sql.ViewDatabase.
func (d *systemDatabase) DropView(*sql.Context, string) error { return errSystemReadOnly() }

// GetTriggers implements sql.TriggerDatabase.
func (d *systemDatabase) GetTriggers(*sql.Context) ([]sql.TriggerDefinition, error) { return nil, nil }

// CreateTrigger implements sql.TriggerDatabase.
func (d *systemDatabase) CreateTrigger(*sql.Context, sql.TriggerDefinition) error {
	return errSystemReadOnly()
}

// DropTrigger implements sql.TriggerDatabase.
func (d *systemDatabase) DropTrigger(*sql.Context, string) error { return errSystemReadOnly() }

// GetStoredProcedure implements sql.StoredProcedureDatabase.
func (d *systemDatabase) GetStoredProcedure(*sql.Context, string) (sql.StoredProcedureDetails, bool, error) {
	return sql.StoredProcedureDetails{}, false, nil
}

// GetStoredProcedures implements sql.StoredProcedureDatabase.
func (d *systemDatabase) GetStoredProcedures(*sql.Context) ([]sql.StoredProcedureDetails, error) {
	return nil, nil
}

// SaveStoredProcedure implements sql.StoredProcedureDatabase.
func (d *systemDatabase) SaveStoredProcedure(*sql.Context, sql.StoredProcedureDetails) error {
	return errSystemReadOnly()
}

// DropStoredProcedure implements sql.StoredProcedureDatabase.
func (d *systemDatabase) DropStoredProcedure(*sql.Context, string) error { return errSystemReadOnly() }

// GetEvent implements sql.EventDatabase.
func (d *systemDatabase) GetEvent(*sql.Context, string) (sql.EventDefinition, bool, error) {
	return sql.EventDefinition{}, false, nil
}

// GetEvents implements sql.EventDatabase.
func (d *systemDatabase) GetEvents(*sql.Context) ([]sql.EventDefinition, any, error) {
	return nil, nil, nil
}

// SaveEvent implements sql.EventDatabase.
func (d *systemDatabase) SaveEvent(*sql.Context, sql.EventDefinition) (bool, error) {
	return false, errSystemReadOnly()
}

// DropEvent implements sql.EventDatabase.
func (d *systemDatabase) DropEvent(*sql.Context, string) error { return errSystemReadOnly() }

// UpdateEvent implements sql.EventDatabase.
func (d *systemDatabase) UpdateEvent(*sql.Context, string, sql.EventDefinition) (bool, error) {
	return false, errSystemReadOnly()
}

// UpdateLastExecuted implements sql.EventDatabase.
func (d *systemDatabase) UpdateLastExecuted(*sql.Context, string, time.Time) error {
	return errSystemReadOnly()
}

// NeedsToReloadEvents implements sql.EventDatabase.
func (d *systemDatabase) NeedsToReloadEvents(*sql.Context, any) (bool, error) { return false, nil }
