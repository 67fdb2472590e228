package server

import (
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/mysql"
)

const existingTableID analyzer.RuleId = 10_010

// keepExistingTable makes CREATE TABLE IF NOT EXISTS … SELECT leave a table that exists alone, with a note, as MySQL does. The
// engine inserts the selected rows into it, so that a job that runs again doubles its result.
func keepExistingTable(ctx *sql.Context, _ *analyzer.Analyzer, n sql.Node, _ *plan.Scope, _ analyzer.RuleSelector, _ *sql.QueryFlags) (sql.Node, transform.TreeIdentity, error) {
	create, ok := n.(*plan.CreateTable)
	if !ok || create.Select() == nil || !create.IfNotExists() || create.Temporary() {
		return n, transform.SameTree, nil
	}
	_, exists, err := create.Database().GetTableInsensitive(ctx, create.Name())
	if err != nil || !exists {
		return n, transform.SameTree, err
	}
	return &tableExists{name: create.Name()}, transform.NewTree, nil
}

// tableExists does nothing and notes why.
type tableExists struct{ name string }

var _ sql.ExecSourceRel = (*tableExists)(nil)

// Resolved implements sql.Node.
func (t *tableExists) Resolved() bool { return true }

// String implements sql.Node.
func (t *tableExists) String() string { return "TableExists(" + t.name + ")" }

// Schema implements sql.Node.
func (t *tableExists) Schema(*sql.Context) sql.Schema { return types.OkResultSchema }

// Children implements sql.Node.
func (t *tableExists) Children() []sql.Node { return nil }

// WithChildren implements sql.Node.
func (t *tableExists) WithChildren(_ *sql.Context, children ...sql.Node) (sql.Node, error) {
	if len(children) != 0 {
		return nil, sql.ErrInvalidChildrenNumber.New(t, len(children), 0)
	}
	return t, nil
}

// IsReadOnly implements sql.Node.
func (t *tableExists) IsReadOnly() bool { return true }

// RowIter implements sql.ExecSourceRel.
func (t *tableExists) RowIter(ctx *sql.Context, _ sql.Row) (sql.RowIter, error) {
	ctx.Session.Warn(&sql.Warning{Level: "Note", Code: mysql.ERTableExists, Message: "Table '" + t.name + "' already exists"})
	return sql.RowsToRowIter(sql.NewRow(types.NewOkResult(0))), nil
}
