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
//   - The engine's planner wants a current database for table functions and views even where every name is qualified.
//     A session without one gets the system database for the time of such a statement.
//   - A procedure called as database.procedure runs in its database, as MySQL does.
//   - Errors get MySQL's codes, and hints for the mistakes that everybody makes once.
type handler struct {
	mysql.Handler
	functions *tablefunc.Set
	retries   *retries
	// sessions is set once the listener exists, before it accepts.
	sessions *gms.SessionManager
	calls    *regexp.Regexp
}

func newHandler(inner mysql.Handler, set *tablefunc.Set) *handler {
	var names []string
	for _, spec := range set.Specs() {
		names = append(names, regexp.QuoteMeta(spec.Name))
	}
	return &handler{Handler: inner, functions: set, retries: newRetries(), calls: regexp.MustCompile(`(?i)\b(` + strings.Join(names, "|") + `)\s*\(`)}
}

// ComQuery implements mysql.Handler.
func (h *handler) ComQuery(ctx context.Context, c *mysql.Conn, query string, callback mysql.ResultSpoolFn) error {
	callback, sent := spool(callback)
	return h.around(ctx, c, query, sent, func() error { return h.Handler.ComQuery(ctx, c, query, callback) })
}

// ComMultiQuery implements mysql.Handler.
func (h *handler) ComMultiQuery(ctx context.Context, c *mysql.Conn, query string, callback mysql.ResultSpoolFn) (rest string, err error) {
	callback, sent := spool(callback)
	err = h.around(ctx, c, query, sent, func() error {
		rest, err = h.Handler.ComMultiQuery(ctx, c, query, callback)
		return err
	})
	return rest, err
}

// ComPrepare implements mysql.Handler.
func (h *handler) ComPrepare(ctx context.Context, c *mysql.Conn, query string, prepare *mysql.PrepareData) (fields []*querypb.Field, err error) {
	err = h.around(ctx, c, query, nil, func() error {
		fields, err = h.Handler.ComPrepare(ctx, c, query, prepare)
		return err
	})
	return fields, err
}

// ComStmtExecute implements mysql.Handler.
func (h *handler) ComStmtExecute(ctx context.Context, c *mysql.Conn, prepare *mysql.PrepareData, callback func(*sqltypes.Result) error) error {
	sent := false
	spooling := func(result *sqltypes.Result) error {
		sent = true
		return callback(result)
	}
	return h.around(ctx, c, prepare.PrepareStmt, func() bool { return sent }, func() error {
		return h.Handler.ComStmtExecute(ctx, c, prepare, spooling)
	})
}

var qualifiedCall = regexp.MustCompile("(?i)^\\s*CALL\\s+(?:`([^`]+)`|(\\w+))\\s*\\.")

// around runs one statement in the database that it needs, again where that is due (see retries). sent tells whether
// anything of an answer went to the client; it is nil where nothing is run.
func (h *handler) around(ctx context.Context, c *mysql.Conn, query string, sent func() bool, run func() error) error {
	statement, err := h.sessions.NewContextWithQuery(ctx, c, query)
	if err != nil {
		return err
	}
	session := statement.Session
	if once := run; sent != nil {
		run = func() error { return h.retries.do(statement, query, sent, once) }
	}
	none := session.GetCurrentDatabase() == ""
	procedure := qualifiedCall.FindStringSubmatch(query)
	switch {
	case procedure != nil:
		return h.explain(query, inDatabase(session, procedure[1]+procedure[2], run))
	case none && h.calls.MatchString(query):
		return h.explain(query, inDatabase(session, tablefunc.SystemDatabase, run))
	}
	err = run()
	if none && isNoDatabase(err) {
		// The planner refused, so nothing has been done yet. A view of another database works in the second attempt; where a
		// name does not, the first answer is the right one.
		second := inDatabase(session, tablefunc.SystemDatabase, run)
		var known *mysql.SQLError
		if !errors.As(second, &known) || known.Num != mysql.ERNoSuchTable && !strings.Contains(known.Message, tablefunc.SystemDatabase) {
			err = second
		}
	}
	return h.explain(query, err)
}

// inDatabase runs with another current database. A USE of the statement itself stands.
func inDatabase(session sql.Session, database string, run func() error) error {
	before := session.GetCurrentDatabase()
	session.SetCurrentDatabase(database)
	defer func() {
		if session.GetCurrentDatabase() == database {
			session.SetCurrentDatabase(before)
		}
	}()
	return run()
}

func isNoDatabase(err error) bool {
	var known *mysql.SQLError
	return errors.As(err, &known) && withMySQLCodes(known).Num == erNoDatabase
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
