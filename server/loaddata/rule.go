package loaddata

import (
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/almanacdb/almanac/server/catalog"
)

// RuleID numbers [Rule].
const RuleID analyzer.RuleId = 10_006

// Rule is an analyzer rule, for after the engine's own. It replaces a LOAD DATA into one of our tables, unless triggers have
// to run or an expression holds a sub-query.
func Rule(ctx *sql.Context, a *analyzer.Analyzer, n sql.Node, _ *plan.Scope, _ analyzer.RuleSelector, flags *sql.QueryFlags) (sql.Node, transform.TreeIdentity, error) {
	insert, ok := n.(*plan.InsertInto)
	if !ok || insert.HasAfterTrigger || insert.OnDupExprs.HasUpdates() || len(insert.Returning) > 0 {
		return n, transform.SameTree, nil
	}
	load, ok := insert.Source.(*plan.LoadData)
	if !ok {
		return n, transform.SameTree, nil
	}
	destination, ok := insert.Destination.(*plan.InsertDestination)
	if !ok {
		return n, transform.SameTree, nil
	}
	resolved, ok := destination.Child.(*plan.ResolvedTable)
	if !ok {
		return n, transform.SameTree, nil
	}
	table, ok := catalog.Underlying(resolved.Table)
	if !ok {
		return n, transform.SameTree, nil
	}
	triggers, err := table.HasTriggers(ctx)
	if err != nil {
		return nil, transform.SameTree, err
	}
	if triggers {
		flags.Set(sql.QFlagInsert) // without it the engine leaves triggers out
		return n, transform.SameTree, nil
	}
	// The plan does not tell columns of the list from those that only SET names; the statement does.
	parsed, _, _, err := a.Parser.Parse(ctx, ctx.Query(), true)
	if err != nil {
		return n, transform.SameTree, nil
	}
	written, ok := parsed.(*sqlparser.Load)
	if !ok || len(written.Columns) > len(load.UserVars) {
		return n, transform.SameTree, nil
	}
	s, err := newStatement(ctx, table, insert, load, written)
	if err != nil {
		return nil, transform.SameTree, err
	}
	if s == nil {
		return n, transform.SameTree, nil
	}
	return &node{load: load, statement: s}, transform.NewTree, nil
}

// node is the plan of a statement. Its child tells the engine what kind of statement it is; it is not run.
type node struct {
	load      sql.Node
	statement *statement
}

var (
	_ sql.Node          = (*node)(nil)
	_ sql.ExecSourceRel = (*node)(nil)
)

// Resolved implements sql.Node.
func (n *node) Resolved() bool { return true }

// IsReadOnly implements sql.Node.
func (n *node) IsReadOnly() bool { return false }

// Schema implements sql.Node.
func (n *node) Schema(*sql.Context) sql.Schema { return types.OkResultSchema }

// Children implements sql.Node.
func (n *node) Children() []sql.Node { return []sql.Node{n.load} }

// WithChildren implements sql.Node.
func (n *node) WithChildren(_ *sql.Context, children ...sql.Node) (sql.Node, error) {
	if len(children) != 1 {
		return nil, sql.ErrInvalidChildrenNumber.New(n, len(children), 1)
	}
	return &node{load: children[0], statement: n.statement}, nil
}

// String implements fmt.Stringer.
func (n *node) String() string {
	p := sql.NewTreePrinter()
	_ = p.WriteNode("LOAD DATA by columns %s", n.statement.file)
	_ = p.WriteChildren("Table: " + n.statement.table.Name())
	return p.String()
}

// CollationCoercibility implements sql.CollationCoercible.
func (n *node) CollationCoercibility(*sql.Context) (sql.CollationID, byte) {
	return sql.Collation_binary, 7
}

// RowIter implements sql.ExecSourceRel. The work is done by the iterator's first Next.
func (n *node) RowIter(*sql.Context, sql.Row) (sql.RowIter, error) {
	return &iter{statement: n.statement}, nil
}
