package tablefunc

import (
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
)

// NullableFields is a rule to run before the engine's own. The planner takes every column of a table function for NOT NULL,
// whatever the function says: `actual IS NULL` would be folded to false, and CREATE TABLE … AS SELECT would refuse the
// result. In a statement that calls a function, the rule makes every column reference nullable, which costs optimisations
// at most.
func NullableFields(ctx *sql.Context, _ *analyzer.Analyzer, n sql.Node, _ *plan.Scope, _ analyzer.RuleSelector, _ *sql.QueryFlags) (sql.Node, transform.TreeIdentity, error) {
	if create, ok := n.(*plan.CreateTable); ok && create.Select() != nil && callsFunction(ctx, create.Select()) {
		takeNullability(ctx, create)
		return n, transform.SameTree, nil // its SELECT is analysed on its own
	}
	if !callsFunction(ctx, n) {
		return n, transform.SameTree, nil
	}
	return transform.NodeExprsWithOpaque(ctx, n, func(ctx *sql.Context, e sql.Expression) (sql.Expression, transform.TreeIdentity, error) {
		field, ok := e.(*expression.GetField)
		if !ok || field.IsNullable(ctx) {
			return e, transform.SameTree, nil
		}
		nullable := expression.NewGetFieldWithTable(field.Index(), int(field.TableId()), field.Type(ctx), field.Database(), field.Table(), field.Name(), true)
		return nullable.WithId(field.Id()).(*expression.GetField).WithQuotedNames(sql.DefaultMySQLSchemaFormatter, field.IsQuotedIdentifier()), transform.NewTree, nil
	})
}

func callsFunction(ctx *sql.Context, n sql.Node) bool {
	found := false
	transform.InspectWithOpaque(ctx, n, func(_ *sql.Context, n sql.Node) bool {
		if _, ok := n.(*call); ok {
			found = true
		}
		return !found
	})
	return found
}

// takeNullability lifts NOT NULL from the columns of CREATE TABLE … AS SELECT where the planner has derived them from the
// SELECT. Columns that the statement declares itself keep what it says: then the two lists differ.
func takeNullability(ctx *sql.Context, create *plan.CreateTable) {
	derived := create.PkSchema().Schema
	selected := create.Select().Schema(ctx)
	if len(derived) != len(selected) {
		return
	}
	for i, col := range derived {
		if col.Name != selected[i].Name || !col.Type.Equals(selected[i].Type) {
			return
		}
	}
	for _, col := range derived {
		col.Nullable = true
	}
}
