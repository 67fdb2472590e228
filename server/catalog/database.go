package catalog

import (
	"encoding/json"
	"errors"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/storage"
)

// Database is one database. It holds nothing but its name: every call looks into the session's transaction.
type Database struct {
	pro  *Provider
	name string
}

var (
	_ sql.Database                = (*Database)(nil)
	_ sql.TableCreator            = (*Database)(nil)
	_ sql.IndexedTableCreator     = (*Database)(nil)
	_ sql.TableDropper            = (*Database)(nil)
	_ sql.TableRenamer            = (*Database)(nil)
	_ sql.CollatedDatabase        = (*Database)(nil)
	_ sql.ViewDatabase            = (*Database)(nil)
	_ sql.TriggerDatabase         = (*Database)(nil)
	_ sql.StoredProcedureDatabase = (*Database)(nil)
	_ sql.QuiescableEventDatabase = (*Database)(nil)
	_ sql.SchemaValidator         = (*Database)(nil)
)

// Name implements sql.Nameable.
func (d *Database) Name() string { return d.name }

// GetTableInsensitive implements sql.Database.
func (d *Database) GetTableInsensitive(ctx *sql.Context, name string) (sql.Table, bool, error) {
	var table *Table
	err := d.pro.view(ctx, func(t *storage.Txn) error {
		st, err := t.Table(d.name, name)
		if err != nil {
			return err
		}
		def, err := d.pro.definitions.get(st.Spec())
		if err != nil {
			return err
		}
		table = newTable(d, def)
		return nil
	})
	if errors.Is(err, storage.ErrNoTable) || errors.Is(err, storage.ErrNoDatabase) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	return table, true, nil
}

// GetTableNames implements sql.Database.
func (d *Database) GetTableNames(ctx *sql.Context) ([]string, error) {
	var names []string
	err := d.pro.view(ctx, func(t *storage.Txn) error {
		names = t.Tables(d.name)
		return nil
	})
	return names, err
}

// ValidateSchema implements sql.SchemaValidator: types that cannot be stored are refused before anything is created.
func (d *Database) ValidateSchema(schema sql.Schema) error {
	for _, col := range schema {
		if err := checkColumn(col); err != nil {
			return err
		}
	}
	return nil
}

// CreateTable implements sql.TableCreator.
func (d *Database) CreateTable(ctx *sql.Context, name string, schema sql.PrimaryKeySchema, collation sql.CollationID, comment string) error {
	def, err := newDefinition(d.name, name, schema, tableMeta{Collation: collation.Name(), Comment: comment})
	if err != nil {
		return err
	}
	err = d.pro.alter(ctx, func(t *storage.Txn) error {
		err := t.CreateTable(def.spec)
		if errors.Is(err, storage.ErrExists) {
			return sql.ErrTableAlreadyExists.New(name)
		}
		return err
	})
	if tx := transactionOf(ctx); tx != nil && err == nil {
		if tx.created == nil {
			tx.created = map[tableKey]bool{}
		}
		tx.created[keyOf(d.name, name)] = true
	}
	return err
}

// CreateIndexedTable implements sql.IndexedTableCreator: a primary key over a prefix of a text is refused.
func (d *Database) CreateIndexedTable(ctx *sql.Context, name string, schema sql.PrimaryKeySchema, idx sql.IndexDef, collation sql.CollationID, comment string) error {
	for _, c := range idx.Columns {
		if c.Length > 0 {
			return sql.ErrUnsupportedIndexPrefix.New(c.Name)
		}
		if c.Expression != nil {
			return unsupported("a primary key over an expression")
		}
	}
	return d.CreateTable(ctx, name, schema, collation, comment)
}

// DropTable implements sql.TableDropper.
func (d *Database) DropTable(ctx *sql.Context, name string) error {
	return d.pro.alter(ctx, func(t *storage.Txn) error {
		err := t.DropTable(d.name, name)
		if errors.Is(err, storage.ErrNoTable) {
			return sql.ErrTableNotFound.New(name)
		}
		return err
	})
}

// RenameTable implements sql.TableRenamer.
func (d *Database) RenameTable(ctx *sql.Context, oldName, newName string) error {
	return d.pro.alter(ctx, func(t *storage.Txn) error {
		err := t.RenameTable(d.name, oldName, d.name, newName)
		switch {
		case errors.Is(err, storage.ErrNoTable):
			return sql.ErrTableNotFound.New(oldName)
		case errors.Is(err, storage.ErrExists):
			return sql.ErrTableAlreadyExists.New(newName)
		}
		return err
	})
}

// GetCollation implements sql.CollatedDatabase.
func (d *Database) GetCollation(ctx *sql.Context) sql.CollationID {
	collation := sql.Collation_Default
	_ = d.pro.view(ctx, func(t *storage.Txn) error {
		data, ok := t.DatabaseMeta(d.name)
		if !ok {
			return nil
		}
		var meta databaseMeta
		if err := json.Unmarshal(data, &meta); err != nil {
			return err
		}
		collation = parseCollation(meta.Collation)
		return nil
	})
	return collation
}

// SetCollation implements sql.CollatedDatabase.
func (d *Database) SetCollation(ctx *sql.Context, collation sql.CollationID) error {
	data, err := json.Marshal(databaseMeta{Collation: collation.Name()})
	if err != nil {
		return err
	}
	return d.pro.alter(ctx, func(t *storage.Txn) error { return t.SetDatabaseMeta(d.name, data) })
}

// parseCollation reads a stored collation name; one that is unknown (never written by us) is the default.
func parseCollation(name string) sql.CollationID {
	if name == "" {
		return sql.Collation_Default
	}
	c, err := sql.ParseCollation("", name, false)
	if err != nil {
		return sql.Collation_Default
	}
	return c
}
