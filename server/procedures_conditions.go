package server

import (
	"errors"
	"strconv"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/vt/sqlparser"
)

// condition is what a handler is declared for: an error number, or else a SQLSTATE.
type condition struct {
	number int
	state  string
}

// exitBlock unwinds to the block whose EXIT handler has run.
type exitBlock struct{ of *frame }

func (exitBlock) Error() string { return "EXIT handler outside of its block" }

// leaveLabel unwinds to the block or loop of that label; with again, a loop goes on with its next round.
type leaveLabel struct {
	label string
	again bool
}

func (l leaveLabel) Error() string { return "no label " + l.label + " here" }

const erNoData = 1329

// errNoData is the condition NOT FOUND.
func errNoData() error {
	return mysql.NewSQLError(erNoData, "02000", "No data - zero rows fetched, selected, or processed")
}

func conditionOf(err error) *mysql.SQLError {
	var known *mysql.SQLError
	if !errors.As(err, &known) {
		known = sql.CastSQLError(err)
	}
	return withMySQLCodes(known)
}

// anyCondition marks the condition that acceptConditions put in front.
const anyCondition = "almanac: see the others"

// acceptConditions lets procedures declare handlers for error numbers, SQLSTATEs, named conditions and several at a time:
// the engine's check of CREATE PROCEDURE looks at the first condition only, and knows two.
func acceptConditions(ddl *sqlparser.DDL) {
	if ddl.ProcedureSpec == nil {
		return
	}
	var visit sqlparser.Visit
	visit = func(node sqlparser.SQLNode) (bool, error) {
		declare, ok := node.(*sqlparser.Declare)
		if !ok || declare.Handler == nil {
			return true, nil
		}
		h := declare.Handler
		if len(h.ConditionValues) > 0 && h.ConditionValues[0].String != anyCondition {
			first := sqlparser.DeclareHandlerCondition{ValueType: sqlparser.DeclareHandlerCondition_SqlException, String: anyCondition}
			h.ConditionValues = append([]sqlparser.DeclareHandlerCondition{first}, h.ConditionValues...)
		}
		return false, sqlparser.Walk(visit, h.Statement)
	}
	_ = sqlparser.Walk(visit, ddl.ProcedureSpec.Body)
}

// handlerFor finds the handler of an error from f outwards, and the block it was declared in.
func (f *frame) handlerFor(err *mysql.SQLError) (*sqlparser.DeclareHandler, *frame) {
	for g := f; g != nil; g = g.outer {
		var found *sqlparser.DeclareHandler
		best := 0
		for _, h := range g.handlers {
			for _, c := range h.ConditionValues {
				if rank := g.matches(c, err); rank > best {
					found, best = h, rank
				}
			}
		}
		if found != nil {
			return found, g
		}
	}
	return nil, nil
}

// matches ranks how closely a declared condition fits an error: 0 not at all, 3 by its number.
func (f *frame) matches(c sqlparser.DeclareHandlerCondition, err *mysql.SQLError) int {
	class := ""
	if len(err.State) >= 2 {
		class = err.State[:2]
	}
	switch c.ValueType {
	case sqlparser.DeclareHandlerCondition_MysqlErrorCode:
		if n, e := strconv.Atoi(string(c.MysqlErrorCode.Val)); e == nil && n == err.Num {
			return 3
		}
	case sqlparser.DeclareHandlerCondition_SqlState:
		if c.String == err.State {
			return 2
		}
	case sqlparser.DeclareHandlerCondition_ConditionName:
		named, ok := f.condition(c.String)
		switch {
		case !ok:
		case named.state == "" && named.number == err.Num:
			return 3
		case named.state != "" && named.state == err.State:
			return 2
		}
	case sqlparser.DeclareHandlerCondition_NotFound:
		if class == "02" {
			return 1
		}
	case sqlparser.DeclareHandlerCondition_SqlWarning:
		if class == "01" {
			return 1
		}
	case sqlparser.DeclareHandlerCondition_SqlException:
		if c.String != anyCondition && class != "01" && class != "02" {
			return 1
		}
	}
	return 0
}

func (f *frame) condition(name string) (condition, bool) {
	for ; f != nil; f = f.parent {
		if c, ok := f.conditions[strings.ToLower(name)]; ok {
			return c, true
		}
	}
	return condition{}, false
}

// handle answers a statement's error: nil to go on behind the statement, or what to unwind with.
func (r *run) handle(f *frame, err error) error {
	if err == nil || r.ctx.Err() != nil {
		return err
	}
	known := conditionOf(err)
	h, of := f.handlerFor(known)
	if h == nil {
		if len(known.State) == 5 && (known.State[:2] == "01" || known.Num == erNoData && !isFetch(err)) {
			r.ctx.Session.Warn(&sql.Warning{Level: "Warning", Code: known.Num, Message: known.Message})
			return nil
		}
		return known
	}
	body := newFrame(of)
	body.outer, body.raised = of.outer, known
	if err := r.statement(body, h.Statement); err != nil {
		return err
	}
	if h.Action == sqlparser.DeclareHandlerAction_Exit {
		return exitBlock{of}
	}
	return nil
}

// errFetch is NOT FOUND of a FETCH, which is an error where nobody handles it; of SELECT … INTO it is a warning.
type errFetch struct{ error }

func (e errFetch) Unwrap() error { return e.error }

func isFetch(err error) bool {
	var fetch errFetch
	return errors.As(err, &fetch)
}

// signal makes the condition of a SIGNAL, or changes the one that RESIGNAL passes on.
func (r *run) signal(f *frame, s *sqlparser.Signal, base *mysql.SQLError) error {
	number, state, message := 0, s.SqlStateValue, ""
	if s.ConditionName != "" {
		c, ok := f.condition(s.ConditionName)
		if !ok {
			return sql.ErrDeclareConditionNotFound.New(s.ConditionName)
		}
		number, state = c.number, c.state
	}
	if base != nil && state == "" {
		number, state = base.Num, base.State
	}
	if base != nil {
		message = base.Message
	}
	if len(state) != 5 || state[:2] == "00" {
		return mysql.NewSQLError(1407, "42000", "Bad SQLSTATE: '%s'", state)
	}
	for _, item := range s.Info {
		value, typ, err := r.evaluate(f, item.Value)
		if err != nil {
			return err
		}
		if value == nil {
			return mysql.NewSQLError(1231, "42000", "Variable '%s' can't be set to the value of 'NULL'", item.ConditionItemName)
		}
		text, err := typ.SQL(r.ctx, nil, value)
		if err != nil {
			return err
		}
		switch item.ConditionItemName {
		case sqlparser.SignalConditionItemName_MessageText:
			message = text.ToString()
		case sqlparser.SignalConditionItemName_MysqlErrno:
			if number, err = strconv.Atoi(text.ToString()); err != nil || number <= 0 || number > 65535 {
				return mysql.NewSQLError(1231, "42000", "Variable 'MYSQL_ERRNO' can't be set to the value of '%s'", text.ToString())
			}
		}
	}
	if number == 0 {
		switch state[:2] {
		case "01":
			number = 1642
		case "02":
			number = 1643
		default:
			number = 1644
		}
	}
	if message == "" {
		switch state[:2] {
		case "01":
			message = "Unhandled user-defined warning condition"
		case "02":
			message = "Unhandled user-defined not found condition"
		default:
			message = "Unhandled user-defined exception condition"
		}
	}
	return mysql.NewSQLError(number, state, "%s", message)
}

// resignal passes on what the handler answers to, to the handlers around the handler's block.
func (r *run) resignal(f *frame, s *sqlparser.Resignal) error {
	for g := f; g != nil; g = g.parent {
		if g.raised == nil {
			continue
		}
		base := conditionOf(g.raised)
		if s.ConditionName == "" && s.SqlStateValue == "" && len(s.Info) == 0 {
			return base
		}
		return r.signal(f, &s.Signal, base)
	}
	return mysql.NewSQLError(1645, "0K000", "RESIGNAL when handler not active")
}
