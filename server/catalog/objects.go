package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/almanacdb/almanac/storage"
)

// Kinds of storage objects the catalog keeps. Values are JSON of the engine's definitions; users and grants are the
// engine's own serialisation.
const (
	kindView       = "view"
	kindTrigger    = "trigger"
	kindProcedure  = "procedure"
	kindEvent      = "event"
	kindPrivileges = "privileges"
)

// objectKinds are the kinds that live in a database and go with it.
var objectKinds = []string{kindView, kindTrigger, kindProcedure, kindEvent}

func put(t *storage.Txn, kind, database, name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return t.PutObject(kind, database, name, data)
}

// get reads one object; ok is false if there is none.
func get[T any](t *storage.Txn, kind, database, name string) (value T, ok bool, err error) {
	data, ok := t.Object(kind, database, name)
	if !ok {
		return value, false, nil
	}
	if err := json.Unmarshal(data, &value); err != nil {
		return value, false, fmt.Errorf("%s %s.%s: %w", kind, database, name, err)
	}
	return value, true, nil
}

func all[T any](t *storage.Txn, kind, database string) ([]T, error) {
	var values []T
	for _, o := range t.Objects(kind, database) {
		var v T
		if err := json.Unmarshal(o.Value, &v); err != nil {
			return nil, fmt.Errorf("%s %s.%s: %w", kind, database, o.Name, err)
		}
		values = append(values, v)
	}
	return values, nil
}

// drop deletes an object, or returns missing if it is not there.
func (d *Database) drop(ctx *sql.Context, kind, name string, missing error) error {
	return d.pro.alter(ctx, func(t *storage.Txn) error {
		err := t.DeleteObject(kind, d.name, name)
		if errors.Is(err, storage.ErrNoObject) {
			return missing
		}
		return err
	})
}

// create stores an object, or returns taken if there is one of that name.
func (d *Database) create(ctx *sql.Context, kind, name string, value any, taken error) error {
	return d.pro.alter(ctx, func(t *storage.Txn) error {
		if _, ok := t.Object(kind, d.name, name); ok {
			return taken
		}
		return put(t, kind, d.name, name, value)
	})
}

func list[T any](ctx *sql.Context, d *Database, kind string) ([]T, error) {
	var values []T
	err := d.pro.view(ctx, func(t *storage.Txn) (err error) {
		values, err = all[T](t, kind, d.name)
		return err
	})
	return values, err
}

func find[T any](ctx *sql.Context, d *Database, kind, name string) (T, bool, error) {
	var value T
	var ok bool
	err := d.pro.view(ctx, func(t *storage.Txn) (err error) {
		value, ok, err = get[T](t, kind, d.name, name)
		return err
	})
	return value, ok, err
}

// CreateView implements sql.ViewDatabase.
func (d *Database) CreateView(ctx *sql.Context, name, selectStatement, createViewStmt string) error {
	v := sql.ViewDefinition{
		Name: name, TextDefinition: selectStatement, CreateViewStatement: createViewStmt,
		SqlMode: sql.LoadSqlMode(ctx).String(),
	}
	return d.create(ctx, kindView, name, v, sql.ErrExistingView.New(d.name, name))
}

// DropView implements sql.ViewDatabase.
func (d *Database) DropView(ctx *sql.Context, name string) error {
	return d.drop(ctx, kindView, name, sql.ErrViewDoesNotExist.New(d.name, name))
}

// GetViewDefinition implements sql.ViewDatabase.
func (d *Database) GetViewDefinition(ctx *sql.Context, name string) (sql.ViewDefinition, bool, error) {
	return find[sql.ViewDefinition](ctx, d, kindView, name)
}

// AllViews implements sql.ViewDatabase.
func (d *Database) AllViews(ctx *sql.Context) ([]sql.ViewDefinition, error) {
	return list[sql.ViewDefinition](ctx, d, kindView)
}

// triggerObject adds the table, and a creation number: triggers of one event fire in the order they were created, not
// by name.
type triggerObject struct {
	sql.TriggerDefinition
	Table   string
	Ordinal int
}

// triggerTable reads the table's name from the CREATE TRIGGER statement.
func triggerTable(create string) (string, error) {
	stmt, err := sqlparser.Parse(create)
	if err != nil {
		return "", err
	}
	ddl, ok := stmt.(*sqlparser.DDL)
	if !ok || ddl.TriggerSpec == nil {
		return "", fmt.Errorf("not a CREATE TRIGGER statement: %s", create)
	}
	return ddl.Table.Name.String(), nil
}

// GetTriggers implements sql.TriggerDatabase.
func (d *Database) GetTriggers(ctx *sql.Context) ([]sql.TriggerDefinition, error) {
	stored, err := list[triggerObject](ctx, d, kindTrigger)
	if err != nil {
		return nil, err
	}
	sortByOrdinal(stored)
	defs := make([]sql.TriggerDefinition, len(stored))
	for i, o := range stored {
		defs[i] = o.TriggerDefinition
	}
	return defs, nil
}

func sortByOrdinal(stored []triggerObject) {
	for i := 1; i < len(stored); i++ { // few, and nearly sorted
		for j := i; j > 0 && stored[j-1].Ordinal > stored[j].Ordinal; j-- {
			stored[j-1], stored[j] = stored[j], stored[j-1]
		}
	}
}

// CreateTrigger implements sql.TriggerDatabase.
func (d *Database) CreateTrigger(ctx *sql.Context, def sql.TriggerDefinition) error {
	return d.pro.alter(ctx, func(t *storage.Txn) error {
		if _, ok := t.Object(kindTrigger, d.name, def.Name); ok {
			return sql.ErrTriggerCreateStatementInvalid.New(fmt.Sprintf("trigger '%s' already exists", def.Name))
		}
		stored, err := all[triggerObject](t, kindTrigger, d.name)
		if err != nil {
			return err
		}
		next := 0
		for _, o := range stored {
			next = max(next, o.Ordinal+1)
		}
		table, err := triggerTable(def.CreateStatement)
		if err != nil {
			return err
		}
		return put(t, kindTrigger, d.name, def.Name, triggerObject{def, table, next})
	})
}

// DropTrigger implements sql.TriggerDatabase.
func (d *Database) DropTrigger(ctx *sql.Context, name string) error {
	return d.drop(ctx, kindTrigger, name, sql.ErrTriggerDoesNotExist.New(name))
}

// GetStoredProcedure implements sql.StoredProcedureDatabase.
func (d *Database) GetStoredProcedure(ctx *sql.Context, name string) (sql.StoredProcedureDetails, bool, error) {
	return find[sql.StoredProcedureDetails](ctx, d, kindProcedure, name)
}

// GetStoredProcedures implements sql.StoredProcedureDatabase.
func (d *Database) GetStoredProcedures(ctx *sql.Context) ([]sql.StoredProcedureDetails, error) {
	return list[sql.StoredProcedureDetails](ctx, d, kindProcedure)
}

// SaveStoredProcedure implements sql.StoredProcedureDatabase.
func (d *Database) SaveStoredProcedure(ctx *sql.Context, spd sql.StoredProcedureDetails) error {
	return d.create(ctx, kindProcedure, spd.Name, spd, sql.ErrStoredProcedureAlreadyExists.New(spd.Name))
}

// DropStoredProcedure implements sql.StoredProcedureDatabase.
func (d *Database) DropStoredProcedure(ctx *sql.Context, name string) error {
	return d.drop(ctx, kindProcedure, name, sql.ErrStoredProcedureDoesNotExist.New(name))
}

// GetEvent implements sql.EventDatabase.
func (d *Database) GetEvent(ctx *sql.Context, name string) (sql.EventDefinition, bool, error) {
	return find[sql.EventDefinition](ctx, d, kindEvent, name)
}

// GetEvents implements sql.EventDatabase. Events change only through this interface, so there is no reload token.
func (d *Database) GetEvents(ctx *sql.Context) ([]sql.EventDefinition, any, error) {
	events, err := list[sql.EventDefinition](ctx, d, kindEvent)
	return events, nil, err
}

// SaveEvent implements sql.EventDatabase.
func (d *Database) SaveEvent(ctx *sql.Context, ed sql.EventDefinition) (bool, error) {
	err := d.create(ctx, kindEvent, ed.Name, ed, sql.ErrEventAlreadyExists.New(ed.Name))
	return enabled(ed), err
}

func enabled(ed sql.EventDefinition) bool { return ed.Status == sql.EventStatus_Enable.String() }

// DropEvent implements sql.EventDatabase.
func (d *Database) DropEvent(ctx *sql.Context, name string) error {
	return d.drop(ctx, kindEvent, name, sql.ErrEventDoesNotExist.New(name))
}

// UpdateEvent implements sql.EventDatabase.
func (d *Database) UpdateEvent(ctx *sql.Context, originalName string, ed sql.EventDefinition) (bool, error) {
	err := d.pro.alter(ctx, func(t *storage.Txn) error {
		if _, ok := t.Object(kindEvent, d.name, originalName); !ok {
			return sql.ErrEventDoesNotExist.New(originalName)
		}
		if !strings.EqualFold(originalName, ed.Name) {
			if _, ok := t.Object(kindEvent, d.name, ed.Name); ok {
				return sql.ErrEventAlreadyExists.New(ed.Name)
			}
		}
		if err := t.DeleteObject(kindEvent, d.name, originalName); err != nil {
			return err
		}
		return put(t, kindEvent, d.name, ed.Name, ed)
	})
	return enabled(ed), err
}

// UpdateLastExecuted implements sql.EventDatabase.
func (d *Database) UpdateLastExecuted(ctx *sql.Context, eventName string, lastExecuted time.Time) error {
	return d.pro.alter(ctx, func(t *storage.Txn) error {
		ed, ok, err := get[sql.EventDefinition](t, kindEvent, d.name, eventName)
		if err != nil {
			return err
		}
		if !ok {
			return sql.ErrEventDoesNotExist.New(eventName)
		}
		ed.LastExecuted = lastExecuted
		return put(t, kindEvent, d.name, ed.Name, ed)
	})
}

// NeedsToReloadEvents implements sql.EventDatabase.
func (d *Database) NeedsToReloadEvents(*sql.Context, any) (bool, error) { return false, nil }

// QuiescableEvents implements sql.QuiescableEventDatabase: without events the scheduler may sleep until one is created.
func (d *Database) QuiescableEvents() bool { return true }
