package server

import (
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/mysql_db"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/vitess/go/mysql"
)

const globalVariablesID analyzer.RuleId = 10_010

// holdsGlobal tells whether the session's account holds the privilege for the whole server. The engine grants no dynamic
// privileges, such as CONNECTION_ADMIN: SUPER stands for them.
func holdsGlobal(ctx *sql.Context, accounts *mysql_db.MySQLDb, privilege sql.PrivilegeType) bool {
	return !accounts.Enabled() || accounts.UserHasPrivileges(ctx, sql.NewPrivilegedOperation(sql.PrivilegeCheckSubject{}, privilege))
}

// globalVariablesRule keeps SET GLOBAL and SET PERSIST, which act on everybody, to SUPER. The engine lets
// every account set them.
func globalVariablesRule(ctx *sql.Context, a *analyzer.Analyzer, n sql.Node, _ *plan.Scope, _ analyzer.RuleSelector, _ *sql.QueryFlags) (sql.Node, transform.TreeIdentity, error) {
	global := false
	transform.InspectWithOpaque(ctx, n, func(_ *sql.Context, n sql.Node) bool {
		set, ok := n.(*plan.Set)
		if !ok {
			return true
		}
		for _, e := range set.Exprs {
			assignment, ok := e.(*expression.SetField)
			if !ok {
				continue
			}
			variable, ok := assignment.LeftChild.(*expression.SystemVar)
			global = global || ok && !variable.Scope.IsSessionOnly()
		}
		return true
	})
	if global && !holdsGlobal(ctx, a.Catalog.MySQLDb, sql.PrivilegeType_Super) {
		return nil, transform.SameTree, mysql.NewSQLError(mysql.ERSpecifiedAccessDenied, "42000",
			"Access denied; you need (at least one of) the SUPER privilege(s) for this operation")
	}
	return n, transform.SameTree, nil
}
