package server

import (
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
)

const viewCommitID analyzer.RuleId = 10_022

// viewsDoNotCommit keeps the transaction open when a statement reads a view. The engine reads the view's stored CREATE VIEW
// to plan the statement, takes the statement itself for DDL from then on, and commits.
func viewsDoNotCommit(_ *sql.Context, _ *analyzer.Analyzer, n sql.Node, _ *plan.Scope, _ analyzer.RuleSelector, flags *sql.QueryFlags) (sql.Node, transform.TreeIdentity, error) {
	switch n.(type) {
	case *plan.InsertInto, *plan.Update, *plan.DeleteFrom:
		flags.Unset(sql.QFlagDDL)
	default:
		if n.IsReadOnly() {
			flags.Unset(sql.QFlagDDL)
		}
	}
	return n, transform.SameTree, nil
}
