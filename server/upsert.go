package server

import (
	"context"
	"reflect"
	"slices"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/vt/sqlparser"
)

// newRowsAlias is the name under which the engine looks for VALUES(column).
const newRowsAlias = "__new_ins"

// upserts applies nameNewRows to every INSERT within the statement.
func (p parser) upserts(ctx context.Context, stmt sqlparser.Statement) sqlparser.Statement {
	if insert, ok := stmt.(*sqlparser.Insert); ok {
		p.nameNewRows(ctx, insert)
		return stmt
	}
	if ddl, ok := stmt.(*sqlparser.DDL); ok { // the bodies of procedures, triggers and events
		inspect(reflect.ValueOf(ddl), func(node any) bool {
			if insert, ok := node.(*sqlparser.Insert); ok {
				p.nameNewRows(ctx, insert)
			}
			return true
		})
	}
	return stmt
}

// columnsOf lists the columns of a table, none if it is not known.
func (p parser) columnsOf(ctx context.Context, table sqlparser.TableName) []string {
	session, ok := ctx.(*sql.Context)
	if !ok || p.databases == nil {
		return nil
	}
	name := table.DbQualifier.String()
	if name == "" {
		name = session.GetCurrentDatabase()
	}
	db, err := p.databases.Database(session, name)
	if err != nil {
		return nil
	}
	found, ok, err := db.GetTableInsensitive(session, table.Name.String())
	if err != nil || !ok {
		return nil
	}
	var names []string
	for _, c := range found.Schema(session) {
		if !c.HiddenSystem {
			names = append(names, c.Name)
		}
	}
	return names
}

// nameNewRows makes INSERT … SELECT … ON DUPLICATE KEY UPDATE v = VALUES(v) work, which the engine does for lists of VALUES
// only: the SELECT becomes a derived table of that name with the target's columns. Columns of the SELECT's own tables in
// the assignments turn into the columns that they are inserted into.
func (p parser) nameNewRows(ctx context.Context, insert *sqlparser.Insert) {
	source, ok := insert.Rows.(sqlparser.SelectStatement)
	if !ok || !contains(insert.OnDup, isValues) {
		return
	}
	into := insert.Columns
	target := map[string]bool{}
	for _, name := range p.columnsOf(ctx, insert.Table) {
		target[strings.ToLower(name)] = true
		if len(insert.Columns) == 0 {
			into = append(into, sqlparser.NewColIdent(name))
		}
	}
	if len(target) == 0 {
		return // the engine has the words for a table that does not exist
	}
	inserted := map[string]string{}
	if s, ok := source.(*sqlparser.Select); ok {
		if len(s.SelectExprs) != len(into) && !slices.ContainsFunc(s.SelectExprs, isStar) {
			insert.OnDup = nil // the engine refuses the statement for its number of columns
			return
		}
		for i, e := range s.SelectExprs {
			if item, ok := e.(*sqlparser.AliasedExpr); ok && i < len(into) {
				inserted[keyOf(item.Expr)] = into[i].String()
			}
		}
	}
	for _, assignment := range insert.OnDup {
		replaceExprs(reflect.ValueOf(&assignment.Expr).Elem(), func(e sqlparser.Expr) sqlparser.Expr {
			column, ok := e.(*sqlparser.ColName)
			if !ok {
				if isValues(e) {
					return e
				}
				return nil
			}
			own := column.Qualifier.Name.String()
			if own == "" && target[column.Name.Lowered()] {
				return &sqlparser.ColName{Name: column.Name, Qualifier: sqlparser.TableName{Name: insert.Table.Name}}
			}
			if name, ok := inserted[keyOf(e)]; ok && !strings.EqualFold(own, insert.Table.Name.String()) {
				return &sqlparser.ValuesFuncExpr{Name: sqlparser.NewColName(name)}
			}
			return e
		})
	}
	insert.Rows = &sqlparser.Select{
		SelectExprs: sqlparser.SelectExprs{&sqlparser.StarExpr{}},
		From: sqlparser.TableExprs{&sqlparser.AliasedTableExpr{
			Expr: &sqlparser.Subquery{Select: source, Columns: into},
			As:   sqlparser.NewTableIdent(newRowsAlias),
			Auth: sqlparser.AuthInformation{AuthType: sqlparser.AuthType_IGNORE},
		}},
	}
}

func isValues(node any) bool {
	_, ok := node.(*sqlparser.ValuesFuncExpr)
	return ok
}

func isStar(e sqlparser.SelectExpr) bool {
	_, ok := e.(*sqlparser.StarExpr)
	return ok
}
