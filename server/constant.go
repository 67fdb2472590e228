package server

import (
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// constantsID numbers the rule below, clear of the engine's own.
const constantsID analyzer.RuleId = 10_001

// constantsBesideAggregates lets version(), now(), database(), @@variables and the like stand beside aggregates without
// GROUP BY, as in `SELECT version(), COUNT(*) FROM t`, which BI tools send. The engine's check for ONLY_FULL_GROUP_BY takes
// every expression without children that is no literal for a column (error 1140); the rule gives each such expression a
// literal child, which the check accepts, and changes nothing else about it.
func constantsBesideAggregates(ctx *sql.Context, _ *analyzer.Analyzer, n sql.Node, _ *plan.Scope, _ analyzer.RuleSelector, flags *sql.QueryFlags) (sql.Node, transform.TreeIdentity, error) {
	if !analyzer.FlagIsSet(flags, sql.QFlagAggregation) {
		return n, transform.SameTree, nil
	}
	return transform.NodeWithOpaque(ctx, n, func(ctx *sql.Context, n sql.Node) (sql.Node, transform.TreeIdentity, error) {
		switch n.(type) {
		case *plan.Project, *plan.GroupBy:
			return transform.OneNodeExpressions(ctx, n, markConstant)
		}
		return n, transform.SameTree, nil
	})
}

func markConstant(_ *sql.Context, e sql.Expression) (sql.Expression, transform.TreeIdentity, error) {
	if len(e.Children()) != 0 {
		return e, transform.SameTree, nil
	}
	switch e.(type) {
	case *constant, sql.Aggregation:
		return e, transform.SameTree, nil
	case *expression.SystemVar, *expression.UserVar, *expression.ProcedureParam, sql.FunctionExpression:
		return &constant{e}, transform.NewTree, nil
	}
	return e, transform.SameTree, nil
}

// constant is an expression without columns in it.
type constant struct{ sql.Expression }

var noColumn = []sql.Expression{expression.NewLiteral(nil, types.Null)}

// Children implements sql.Expression: a literal that nothing evaluates.
func (c *constant) Children() []sql.Expression { return noColumn }

// WithChildren implements sql.Expression.
func (c *constant) WithChildren(*sql.Context, ...sql.Expression) (sql.Expression, error) {
	return c, nil
}

// IsNonDeterministic implements sql.NonDeterministicExpression.
func (c *constant) IsNonDeterministic() bool {
	n, ok := c.Expression.(sql.NonDeterministicExpression)
	return ok && n.IsNonDeterministic()
}

// CollationCoercibility implements sql.CollationCoercible.
func (c *constant) CollationCoercibility(ctx *sql.Context) (sql.CollationID, byte) {
	return sql.GetCoercibility(ctx, c.Expression)
}
