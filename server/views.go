package server

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/mysql_db"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/almanacdb/almanac/server/catalog"
	"github.com/almanacdb/almanac/server/tablefunc"
)

// viewRights lets views read with the rights of the account that defined them, which the engine does not. It works in three
// steps:
//
//   - CREATE VIEW keeps the account in the stored statement, as DEFINER=… (database.CreateView).
//   - Wherever the engine reads a stored statement, to plan a use of the view, it gets a comment in front that nobody outside
//     of this process can guess (database.GetViewDefinition).
//   - The parser, seeing the comment, hands the checks of the statement over to the definer (viewRights.adapt); the authorizer
//     makes them in his name.
//
// A statement stored without DEFINER or with SQL SECURITY INVOKER reads with the rights of the session.
type viewRights struct {
	mark     string
	accounts *mysql_db.MySQLDb
	checks   *authorizer
}

func newViewRights() *viewRights {
	secret := make([]byte, 16)
	_, _ = rand.Read(secret) // never fails
	return &viewRights{mark: "/*view " + hex.EncodeToString(secret) + " "}
}

// The comment in front of a stored statement tells the view's database, in hexadecimal, and whether the statement is wanted
// for a list of views.
func (v *viewRights) marked(database, statement, listed string) string {
	return v.mark + hex.EncodeToString([]byte(database)) + listed + "*/ " + statement
}

const forList = " listed"

func (v *viewRights) unmarked(statement string) (database, plain string, listed, marked bool) {
	rest, ok := strings.CutPrefix(statement, v.mark)
	if !ok {
		return "", statement, false, false
	}
	name, plain, _ := strings.Cut(rest, "*/ ")
	name, listed = strings.CutSuffix(name, forList)
	decoded, err := hex.DecodeString(name)
	if err != nil {
		return "", statement, false, false
	}
	return string(decoded), plain, listed, true
}

// authDefiner marks checks that the definer of a view must pass; Extra holds a definerCheck.
const authDefiner = "VIEW DEFINER"

type definerCheck struct {
	account, view string
	check         sqlparser.AuthInformation
}

// adapt prepares the parsed statement of a stored view: names without a database mean the view's, and the definer, not the
// session's account, must hold the privileges.
func (v *viewRights) adapt(query string, stmt sqlparser.Statement) {
	database, _, listed, ok := v.unmarked(query)
	if !ok {
		return
	}
	ddl, ok := stmt.(*sqlparser.DDL)
	if !ok || ddl.ViewSpec == nil {
		return
	}
	ddl.SetAuthType(sqlparser.AuthType_IGNORE) // nothing is created
	ddl.SetAuthTargetType(sqlparser.AuthTargetType_Ignore)
	if listed {
		ddl.ViewSpec.Algorithm = "TEMPTABLE" // which lists take for "not updatable": no view is
		ddl.ViewSpec.ViewExpr = everythingOf(database, ddl.ViewSpec.ViewName.Name)
		return
	}
	account := ddl.ViewSpec.Definer
	if strings.EqualFold(ddl.ViewSpec.Security, "invoker") {
		account = ""
	}
	view := database + "." + ddl.ViewSpec.ViewName.Name.String()
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		if call, ok := node.(*sqlparser.TableFuncExpr); ok && account != "" && len(call.Exprs) > 0 {
			if first, ok := call.Exprs[0].(*sqlparser.AliasedExpr); ok {
				first.Expr = sqlparser.InjectedExpr{
					Auth:       sqlparser.AuthInformation{AuthType: sqlparser.AuthType_IGNORE, TargetType: sqlparser.AuthTargetType_Ignore},
					Expression: definedSource{rights: v, account: account, view: view},
					Children:   sqlparser.Exprs{first.Expr},
				}
			}
		}
		checked, ok := node.(sqlparser.AuthNode)
		if !ok {
			return true, nil
		}
		check := checked.GetAuthInformation()
		if check.AuthType == "" || check.AuthType == sqlparser.AuthType_IGNORE || check.AuthType == authDefiner {
			return true, nil
		}
		check.TargetNames = inDatabaseOf(check, database)
		checked.SetAuthTargetNames(check.TargetNames)
		if account != "" {
			checked.SetAuthType(authDefiner)
			checked.SetExtra(definerCheck{account: account, view: view, check: check})
		}
		return true, nil
	}, ddl.ViewSpec.ViewExpr)
}

// everythingOf is SELECT * FROM the view, which needs no privilege: who sees a view in a list may see its columns.
func everythingOf(database string, view sqlparser.TableIdent) sqlparser.SelectStatement {
	from := &sqlparser.AliasedTableExpr{
		Expr: sqlparser.TableName{DbQualifier: sqlparser.NewTableIdent(database), Name: view},
		Auth: sqlparser.AuthInformation{AuthType: sqlparser.AuthType_IGNORE, TargetType: sqlparser.AuthTargetType_Ignore},
	}
	return &sqlparser.Select{SelectExprs: sqlparser.SelectExprs{&sqlparser.StarExpr{}}, From: sqlparser.TableExprs{from}}
}

// inDatabaseOf fills in the database of tables named without one.
func inDatabaseOf(check sqlparser.AuthInformation, database string) []string {
	step := 0
	switch check.TargetType {
	case sqlparser.AuthTargetType_SingleTableIdentifier, sqlparser.AuthTargetType_MultipleTableIdentifiers:
		step = 2
	case sqlparser.AuthTargetType_TableColumn:
		step = 3
	default:
		return check.TargetNames
	}
	names := append([]string(nil), check.TargetNames...)
	for i := 0; i < len(names); i += step {
		if names[i] == "" {
			names[i] = database
		}
	}
	return names
}

// as runs do with the session acting for the account.
func (v *viewRights) as(ctx *sql.Context, account string, do func() error) error {
	user, host, err := splitAccount(account)
	if err != nil {
		return err
	}
	if !v.exists(user, host) {
		return mysql.NewSQLError(erNoSuchDefiner, "HY000", "The user specified as a definer ('%s'@'%s') does not exist", user, host)
	}
	session := ctx.Session
	client := session.Client()
	privileges, counter := session.GetPrivilegeSet()
	session.SetClient(sql.Client{User: user, Address: host, Capabilities: client.Capabilities})
	session.SetPrivilegeSet(mysql_db.NewPrivilegeSet(), math.MaxUint64) // out of date: it is looked up anew
	defer func() {
		session.SetClient(client)
		session.SetPrivilegeSet(privileges, counter)
	}()
	return do()
}

func (v *viewRights) exists(user, host string) bool {
	if !v.accounts.Enabled() {
		return true
	}
	rd := v.accounts.Reader()
	defer rd.Close()
	found := v.accounts.GetUser(rd, user, host, false)
	return found != nil && found.User == user
}

// definedSource makes the source of a table function inside of a view read with the rights of the view's definer.
type definedSource struct {
	rights        *viewRights
	account, view string
}

// WithResolvedChildren implements sqlparser.Injectable. Only a name, a SELECT as text and a sub-query are fixed when the view
// is created; whatever else the source may be is read with the rights of the session.
func (d definedSource) WithResolvedChildren(_ context.Context, children []any) (any, error) {
	source, ok := children[0].(sql.Expression)
	if !ok {
		return nil, fmt.Errorf("the source of a table function is a %T", children[0])
	}
	if _, ok := source.(*expression.Literal); !ok {
		return source, nil
	}
	return &tablefunc.Defined{Expression: source, As: func(ctx *sql.Context, do func() error) error {
		return lacking(d.view, d.rights.as(ctx, d.account, do))
	}}, nil
}

// lacking words a definer's missing privilege as MySQL does: who reads a view learns nothing about the tables below.
func lacking(view string, err error) error {
	if !isDenied(err) {
		return err
	}
	return mysql.NewSQLError(erViewInvalid, "HY000",
		"View '%s' references invalid table(s) or column(s) or function(s) or definer/invoker of view lack rights to use them", view)
}

// database is a stored database whose views an account sees if it holds any privilege on them, and that knows definers.
type database struct {
	*catalog.Database
	rights *viewRights
}

// GetViewDefinition implements sql.ViewDatabase.
func (d *database) GetViewDefinition(ctx *sql.Context, name string) (sql.ViewDefinition, bool, error) {
	view, ok, err := d.Database.GetViewDefinition(ctx, name)
	if err != nil || !ok || !d.rights.sees(ctx, d.Name(), view.Name) {
		return sql.ViewDefinition{}, false, err
	}
	view.CreateViewStatement = d.rights.marked(d.Name(), view.CreateViewStatement, "")
	return view, true, nil
}

// AllViews implements sql.ViewDatabase. information_schema plans the statements to learn the columns, without the rights that
// a use of the view has: they are made uses of the view.
func (d *database) AllViews(ctx *sql.Context) ([]sql.ViewDefinition, error) {
	views, err := d.Database.AllViews(ctx)
	if err != nil {
		return nil, err
	}
	visible := make([]sql.ViewDefinition, 0, len(views))
	for _, view := range views {
		if d.rights.sees(ctx, d.Name(), view.Name) {
			view.CreateViewStatement = d.rights.marked(d.Name(), view.CreateViewStatement, forList)
			visible = append(visible, view)
		}
	}
	return visible, nil
}

func quoted(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

var beforeDefiner = regexp.MustCompile(`(?i)^\s*CREATE\s+(OR\s+REPLACE\s+)?(ALGORITHM\s*=\s*\w+\s+)?`)

// CreateView implements sql.ViewDatabase. A statement without DEFINER gets the session's account.
func (d *database) CreateView(ctx *sql.Context, name, selectStatement, statement string) error {
	if _, plain, _, marked := d.rights.unmarked(statement); marked { // a view that gets another name keeps its definer
		return d.Database.CreateView(ctx, name, selectStatement, plain)
	}
	stmt, _, _, err := sql.DefaultMySQLParser.ParseWithOptions(ctx, statement, ';', false, sql.LoadSqlMode(ctx).ParserOptions())
	if err != nil {
		return err
	}
	ddl, ok := stmt.(*sqlparser.DDL)
	if !ok || ddl.ViewSpec == nil {
		return fmt.Errorf("view '%s' is defined by something else than CREATE VIEW", name)
	}
	client := ctx.Client()
	if ddl.ViewSpec.Definer != "" {
		user, host, err := splitAccount(ddl.ViewSpec.Definer)
		if err != nil {
			return err
		}
		if (user != client.User || host != client.Address) && !holdsGlobal(ctx, d.rights.accounts, sql.PrivilegeType_Super) {
			return mysql.NewSQLError(mysql.ERSpecifiedAccessDenied, "42000",
				"Access denied; you need (at least one of) the SUPER privilege(s) to name another account as DEFINER")
		}
		return d.Database.CreateView(ctx, name, selectStatement, statement)
	}
	if at := beforeDefiner.FindString(statement); at != "" && !strings.ContainsAny(client.User+client.Address, "`'\"") {
		statement = at + "DEFINER=" + quoted(client.User) + "@" + quoted(client.Address) + " " + statement[len(at):]
	}
	return d.Database.CreateView(ctx, name, selectStatement, statement)
}

// sees tells whether the session's account has any privilege on the view, or one that covers it.
func (v *viewRights) sees(ctx *sql.Context, database, view string) bool {
	return v.checks == nil || v.checks.CheckTable(ctx, nil, database, "", view) == nil
}

func (v *viewRights) holds(ctx *sql.Context, database, view string, privilege sql.PrivilegeType) bool {
	return v.accounts == nil || !v.accounts.Enabled() ||
		v.accounts.UserHasPrivileges(ctx, sql.NewPrivilegedOperation(sql.PrivilegeCheckSubject{Database: database, Table: view}, privilege))
}
