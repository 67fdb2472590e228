package catalog

import (
	"fmt"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/almanacdb/almanac/storage"
)

// NewTableSpec is what CREATE TABLE would store for a table of these columns, without further keys, checks or comments.
func NewTableSpec(database, name string, schema sql.PrimaryKeySchema) (storage.TableSpec, error) {
	def, err := newDefinition(database, name, schema, tableMeta{Collation: sql.Collation_Default.Name()})
	if err != nil {
		return storage.TableSpec{}, err
	}
	return def.spec, nil
}

// RowRule names a rule of the table that only the SQL engine can apply to a new row (a CHECK, a trigger, a generated
// column), or is empty: then rows may be appended below SQL.
func RowRule(t *storage.Txn, spec storage.TableSpec) (string, error) {
	def, err := parseDefinition(spec)
	if err != nil {
		return "", err
	}
	for _, c := range def.meta.Checks {
		if c.Enforced {
			return fmt.Sprintf("the constraint CHECK %s", c.Expression), nil
		}
	}
	for _, c := range def.schema {
		if c.Generated != nil {
			return "the generated column " + c.Name, nil
		}
	}
	triggers, err := all[triggerObject](t, kindTrigger, spec.Database)
	if err != nil {
		return "", err
	}
	for _, tr := range triggers {
		stmt, err := sqlparser.Parse(tr.CreateStatement)
		if err != nil {
			return "", fmt.Errorf("trigger %s: %w", tr.Name, err)
		}
		if ddl, ok := stmt.(*sqlparser.DDL); ok && strings.EqualFold(ddl.Table.Name.String(), spec.Name) {
			return "the trigger " + tr.Name, nil
		}
	}
	return "", nil
}

// HasDefault tells whether a column left out of an INSERT would get a value other than NULL.
func HasDefault(spec storage.TableSpec, column int) (bool, error) {
	def, err := parseDefinition(spec)
	if err != nil {
		return false, err
	}
	return def.schema[column].Default != nil, nil
}
