package server

import (
	"errors"
	"fmt"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/mysql_db"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/vt/sqlparser"
)

const globalVariablesID analyzer.RuleId = 10_012

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

// authShowCreate marks SHOW CREATE VIEW and SHOW CREATE TABLE, which the engine does not check for views.
const authShowCreate = "SHOW CREATE"

// authorizer is the engine's check of privileges with what it lacks: the rights of views' definers, SHOW VIEW, and messages
// that name the table.
type authorizer struct {
	sql.AuthorizationHandler
	catalog *analyzer.Catalog
	views   *viewRights
}

// newAuthorizer puts itself before the check of the catalog.
func newAuthorizer(cat *analyzer.Catalog, views *viewRights) {
	a := &authorizer{AuthorizationHandler: cat.AuthHandler, catalog: cat, views: views}
	views.accounts, views.checks = cat.MySQLDb, a
	cat.AuthHandler = a
}

// HandleAuth implements sql.AuthorizationHandler.
func (a *authorizer) HandleAuth(ctx *sql.Context, state sql.AuthorizationQueryState, auth sqlparser.AuthInformation) error {
	switch auth.AuthType {
	case authDefiner:
		by, ok := auth.Extra.(definerCheck)
		if !ok {
			return fmt.Errorf("the check of a view's definer lacks the definer")
		}
		return lacking(by.view, a.views.as(ctx, by.account, func() error { return a.HandleAuth(ctx, nil, by.check) }))
	case authShowCreate:
		return a.showCreate(ctx, auth)
	}
	err := a.AuthorizationHandler.HandleAuth(ctx, state, auth)
	if !isDenied(err) {
		return err
	}
	switch auth.TargetType {
	case sqlparser.AuthTargetType_SingleTableIdentifier, sqlparser.AuthTargetType_TableColumn:
		return commandDenied(ctx, auth.AuthType, auth.TargetNames[1])
	case sqlparser.AuthTargetType_MultipleTableIdentifiers:
		for i := 0; i+1 < len(auth.TargetNames); i += 2 {
			one := auth
			one.TargetType, one.TargetNames = sqlparser.AuthTargetType_SingleTableIdentifier, auth.TargetNames[i:i+2]
			if isDenied(a.AuthorizationHandler.HandleAuth(ctx, state, one)) {
				return commandDenied(ctx, auth.AuthType, auth.TargetNames[i+1])
			}
		}
	}
	return err
}

// showCreate checks SHOW CREATE of a view: SHOW VIEW and SELECT. Tables are checked by the engine where it finds them.
func (a *authorizer) showCreate(ctx *sql.Context, auth sqlparser.AuthInformation) error {
	name, table := auth.TargetNames[0], auth.TargetNames[1]
	if name == "" {
		name = ctx.GetCurrentDatabase()
	}
	found, err := a.catalog.Database(ctx, name)
	if err != nil {
		return err
	}
	holder, ok := found.(sql.ViewDatabase)
	if !ok {
		return nil
	}
	if _, isView, err := holder.GetViewDefinition(ctx, table); err != nil || !isView {
		return err
	}
	for _, privilege := range []sql.PrivilegeType{sql.PrivilegeType_ShowView, sql.PrivilegeType_Select} {
		if !a.views.holds(ctx, name, table, privilege) {
			return commandDenied(ctx, privilege.String(), table)
		}
	}
	return nil
}

func isDenied(err error) bool {
	var known *mysql.SQLError
	if errors.As(err, &known) {
		return known.Num == erCommandDenied || known.Num == erAccessDenied
	}
	return sql.ErrPrivilegeCheckFailed.Is(err) || sql.ErrTableAccessDeniedForUser.Is(err) || sql.ErrDatabaseAccessDeniedForUser.Is(err)
}

func commandDenied(ctx *sql.Context, command, table string) error {
	client := ctx.Client()
	return mysql.NewSQLError(erCommandDenied, "42000", "%s command denied to user '%s'@'%s' for table '%s'",
		strings.ReplaceAll(command, "_", " "), client.User, client.Address, table)
}
