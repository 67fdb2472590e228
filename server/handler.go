package server

import (
	"context"
	"errors"
	"regexp"
	"strings"

	"github.com/agnivade/levenshtein"
	gms "github.com/dolthub/go-mysql-server/server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/sqltypes"
	querypb "github.com/dolthub/vitess/go/vt/proto/query"
	"github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/almanacdb/almanac/server/tablefunc"
)

// handler wraps the engine's protocol handler for what must happen around a statement:
//
//   - A table function in a session without a database gets the system database for the time of the statement, since the
//     engine's planner wants one even where every name is qualified.
//   - "column not found" earns a hint when the column is a bare word in the arguments of a table function, the mistake
//     that everybody makes once.
type handler struct {
	mysql.Handler
	functions *tablefunc.Set
	// sessions is set once the listener exists, before it accepts.
	sessions *gms.SessionManager
	calls    *regexp.Regexp
}

func newHandler(inner mysql.Handler, set *tablefunc.Set) *handler {
	var names []string
	for _, spec := range set.Specs() {
		names = append(names, regexp.QuoteMeta(spec.Name))
	}
	return &handler{Handler: inner, functions: set, calls: regexp.MustCompile(`(?i)\b(` + strings.Join(names, "|") + `)\s*\(`)}
}

// ComQuery implements mysql.Handler.
func (h *handler) ComQuery(ctx context.Context, c *mysql.Conn, query string, callback mysql.ResultSpoolFn) error {
	defer h.lendDatabase(ctx, c, query)()
	return h.explain(query, h.Handler.ComQuery(ctx, c, query, callback))
}

// ComMultiQuery implements mysql.Handler.
func (h *handler) ComMultiQuery(ctx context.Context, c *mysql.Conn, query string, callback mysql.ResultSpoolFn) (string, error) {
	defer h.lendDatabase(ctx, c, query)()
	rest, err := h.Handler.ComMultiQuery(ctx, c, query, callback)
	return rest, h.explain(query, err)
}

// ComPrepare implements mysql.Handler.
func (h *handler) ComPrepare(ctx context.Context, c *mysql.Conn, query string, prepare *mysql.PrepareData) ([]*querypb.Field, error) {
	defer h.lendDatabase(ctx, c, query)()
	fields, err := h.Handler.ComPrepare(ctx, c, query, prepare)
	return fields, h.explain(query, err)
}

// ComStmtExecute implements mysql.Handler.
func (h *handler) ComStmtExecute(ctx context.Context, c *mysql.Conn, prepare *mysql.PrepareData, callback func(*sqltypes.Result) error) error {
	defer h.lendDatabase(ctx, c, prepare.PrepareStmt)()
	return h.explain(prepare.PrepareStmt, h.Handler.ComStmtExecute(ctx, c, prepare, callback))
}

// lendDatabase makes the system database current if the statement calls a table function and there is none. The returned
// function takes it back.
func (h *handler) lendDatabase(ctx context.Context, c *mysql.Conn, query string) func() {
	if !h.calls.MatchString(query) {
		return func() {}
	}
	statement, err := h.sessions.NewContextWithQuery(ctx, c, query)
	if err != nil || statement.GetCurrentDatabase() != "" {
		return func() {}
	}
	session := statement.Session
	session.SetCurrentDatabase(tablefunc.SystemDatabase)
	return func() {
		if session.GetCurrentDatabase() == tablefunc.SystemDatabase { // a USE of the same statement stands
			session.SetCurrentDatabase("")
		}
	}
}

// explain gives an error MySQL's codes, and adds a hint to the mistakes that everybody makes once.
func (h *handler) explain(query string, err error) error {
	if err == nil {
		return nil
	}
	var known *mysql.SQLError
	if !errors.As(err, &known) {
		return err
	}
	known = withMySQLCodes(known)
	switch {
	case known.Num == erNoSuchProcedure:
		if hint := h.nearestFunction(known.Message); hint != nil {
			return hint
		}
	case known.Num == mysql.ERBadFieldError && h.calls.MatchString(query):
		if hint := h.missingQuotes(query, known.Message); hint != nil {
			return hint
		}
	}
	return known
}

var unknownFunction = regexp.MustCompile(`^table function: '(.*)' not found`)

// nearestFunction answers FORCAST(…).
func (h *handler) nearestFunction(message string) error {
	m := unknownFunction.FindStringSubmatch(message)
	if m == nil {
		return nil
	}
	var names []string
	nearest, distance := "", 4 // more than three typing mistakes are another word
	for _, spec := range h.functions.Specs() {
		names = append(names, spec.Name)
		if d := levenshtein.ComputeDistance(strings.ToUpper(m[1]), spec.Name); d < distance {
			nearest, distance = spec.Name, d
		}
	}
	fix := "the table functions are " + strings.Join(names, ", ")
	if nearest != "" {
		fix = "did you mean " + nearest + "? " + strings.ToUpper(fix[:1]) + fix[1:]
	}
	return mysql.NewSQLError(erNoSuchProcedure, "42000", "there is no table function %s\nFix: %s", strings.ToUpper(m[1]), fix)
}

// missingQuotes answers FORECAST(sales, …): the engine looks for a column of that name.
func (h *handler) missingQuotes(query, message string) error {
	stmt, err := sqlparser.Parse(sql.RemoveSpaceAndDelimiter(query, ';'))
	if err != nil {
		return nil
	}
	var hint error
	_ = sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		call, ok := node.(*sqlparser.TableFuncExpr)
		if !ok || !h.functions.Has(call.Name) {
			return true, nil
		}
		for _, e := range call.Exprs {
			aliased, ok := e.(*sqlparser.AliasedExpr)
			if !ok {
				continue
			}
			name, ok := aliased.Expr.(*sqlparser.ColName)
			if ok && hint == nil && strings.Contains(message, `"`+name.Name.String()+`"`) {
				written := strings.ReplaceAll(sqlparser.String(name), "`", "")
				hint = mysql.NewSQLError(mysql.ERUnknownError, "42S22", "FC0102 %s: %s is not in quotes, but tables and columns are named by text\nFix: write '%s'",
					strings.ToLower(call.Name), written, written)
			}
		}
		return true, nil
	}, stmt)
	return hint
}
