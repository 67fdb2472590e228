package server

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/mysql"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/functions"
	"github.com/almanacdb/almanac/server/tablefunc"
	"github.com/almanacdb/almanac/storage"
)

// systemDatabase is the read-only database `almanac`, which describes the server in tables.
type systemDatabase struct {
	tables []*systemTable
}

var (
	_ sql.Database         = (*systemDatabase)(nil)
	_ sql.ReadOnlyDatabase = (*systemDatabase)(nil)
)

func errSystemReadOnly() error {
	return mysql.NewSQLError(mysql.ERDBAccessDenied, "42000", "database '%s' describes the server and cannot be changed", tablefunc.SystemDatabase)
}

// Name implements sql.Database.
func (d *systemDatabase) Name() string { return tablefunc.SystemDatabase }

// IsReadOnly implements sql.ReadOnlyDatabase.
func (d *systemDatabase) IsReadOnly() bool { return true }

// GetTableInsensitive implements sql.Database.
func (d *systemDatabase) GetTableInsensitive(_ *sql.Context, name string) (sql.Table, bool, error) {
	for _, t := range d.tables {
		if strings.EqualFold(t.name, name) {
			return t, true, nil
		}
	}
	return nil, false, nil
}

// GetTableNames implements sql.Database.
func (d *systemDatabase) GetTableNames(*sql.Context) ([]string, error) {
	names := make([]string, len(d.tables))
	for i, t := range d.tables {
		names[i] = t.name
	}
	return names, nil
}

// systemTable computes its rows whenever it is read.
type systemTable struct {
	name, comment string
	schema        sql.Schema
	rows          func(ctx *sql.Context) ([]sql.Row, error)
}

var (
	_ sql.Table          = (*systemTable)(nil)
	_ sql.CommentedTable = (*systemTable)(nil)
)

func (t *systemTable) Name() string                   { return t.name }
func (t *systemTable) String() string                 { return t.name }
func (t *systemTable) Comment() string                { return t.comment }
func (t *systemTable) Schema(*sql.Context) sql.Schema { return t.schema }
func (t *systemTable) Collation() sql.CollationID     { return sql.Collation_Default }

// Partitions implements sql.Table.
func (t *systemTable) Partitions(*sql.Context) (sql.PartitionIter, error) {
	return &onePartition{}, nil
}

// PartitionRows implements sql.Table.
func (t *systemTable) PartitionRows(ctx *sql.Context, _ sql.Partition) (sql.RowIter, error) {
	rows, err := t.rows(ctx)
	if err != nil {
		return nil, err
	}
	return sql.RowsToRowIter(rows...), nil
}

type onePartition struct{ done bool }

func (p *onePartition) Key() []byte              { return []byte("all") }
func (p *onePartition) Close(*sql.Context) error { return nil }
func (p *onePartition) Next(*sql.Context) (sql.Partition, error) {
	if p.done {
		return nil, io.EOF
	}
	p.done = true
	return p, nil
}

// columns makes the schema of a system table from its columns' names and types.
func columns(table string, namesAndTypes ...any) sql.Schema {
	schema := make(sql.Schema, 0, len(namesAndTypes)/2)
	for i := 0; i < len(namesAndTypes); i += 2 {
		schema = append(schema, &sql.Column{
			Name: namesAndTypes[i].(string), Type: namesAndTypes[i+1].(sql.Type), Nullable: true,
			Source: table, DatabaseSource: tablefunc.SystemDatabase,
		})
	}
	return schema
}

// newSystemDatabase returns the tables `functions`, `options`, `models` and `tables`. To add one: write its constructor
// and list it here.
func newSystemDatabase(specs []*functions.Spec, models []engine.ModelSpec, db *storage.DB) *systemDatabase {
	return &systemDatabase{tables: []*systemTable{
		functionsTable(specs), modelsTable(models), optionsTable(specs), tablesTable(db),
	}}
}

func functionsTable(specs []*functions.Spec) *systemTable {
	return &systemTable{
		name: "functions", comment: "the table functions: one row each",
		schema: columns("functions", "name", types.LongText, "summary", types.LongText, "usage_text", types.LongText, "example", types.LongText, "documentation", types.LongText),
		rows: func(*sql.Context) ([]sql.Row, error) {
			var rows []sql.Row
			for _, s := range specs {
				var example any
				if len(s.Examples) > 0 {
					example = s.Examples[0].SQL
				}
				rows = append(rows, sql.Row{s.Name, s.Summary, functionUsage(s), example, s.Doc})
			}
			return rows, nil
		},
	}
}

func functionUsage(s *functions.Spec) string {
	parts := []string{"source"}
	for _, a := range s.Args {
		parts = append(parts, a.Name)
	}
	return s.Name + "(" + strings.Join(parts, ", ") + " [, options])"
}

func optionsTable(specs []*functions.Spec) *systemTable {
	return &systemTable{
		name: "options", comment: "the arguments and options of the table functions",
		schema: columns("options", "function_name", types.LongText, "position", types.Int32, "name", types.LongText, "accepted", types.LongText, "default_value", types.LongText, "description", types.LongText),
		rows: func(*sql.Context) ([]sql.Row, error) {
			var rows []sql.Row
			for _, s := range specs {
				rows = append(rows, sql.Row{s.Name, int32(1), "source", "table | view | SELECT", nil, "What to read: a table or view name, a SELECT as text, or a sub-query."})
				for i, a := range s.Args {
					rows = append(rows, sql.Row{s.Name, int32(i + 2), a.Name, nil, nil, a.Doc})
				}
				for _, o := range s.Options {
					rows = append(rows, sql.Row{s.Name, nil, o.Name, textOrNull(o.Values), textOrNull(o.Default), o.Doc})
				}
			}
			return rows, nil
		},
	}
}

func modelsTable(models []engine.ModelSpec) *systemTable {
	return &systemTable{
		name: "models", comment: "the forecasting models that option model= takes",
		schema: columns("models", "name", types.LongText, "description", types.LongText, "syntax", types.LongText, "is_seasonal", types.Boolean, "takes_missing", types.Boolean, "takes_regressors", types.Boolean, "reference_text", types.LongText),
		rows: func(*sql.Context) ([]sql.Row, error) {
			var rows []sql.Row
			for _, m := range models {
				rows = append(rows, sql.Row{
					m.Name, m.Doc, textOrNull(m.Syntax), flag(m.Caps.Seasonal), flag(m.Caps.Missing), flag(m.Caps.Exogenous), textOrNull(strings.Join(m.References, "; ")),
				})
			}
			return rows, nil
		},
	}
}

func flag(b bool) int8 {
	if b {
		return 1
	}
	return 0
}

func tablesTable(db *storage.DB) *systemTable {
	return &systemTable{
		name: "tables", comment: "the stored tables, their size and version; a version moves only when data does",
		schema: columns("tables", "database_name", types.LongText, "table_name", types.LongText, "num_rows", types.Int64, "num_bytes", types.Int64, "num_segments", types.Int64, "version", types.Uint64),
		rows: func(ctx *sql.Context) ([]sql.Row, error) {
			txn := db.Begin()
			defer txn.Rollback()
			var rows []sql.Row
			for _, database := range txn.Databases() {
				for _, name := range txn.Tables(database) {
					if err := ctx.Err(); err != nil {
						return nil, context.Cause(ctx)
					}
					t, err := txn.Table(database, name)
					if errors.Is(err, storage.ErrNoTable) {
						continue
					}
					if err != nil {
						return nil, err
					}
					rows = append(rows, sql.Row{database, name, t.NumRows(), t.Bytes(), int64(t.Segments()), t.Version()})
				}
			}
			return rows, nil
		},
	}
}
