package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/vt/sqlparser"
)

// run is one call of a procedure.
type run struct {
	engine   *sqle.Engine
	ctx      *sql.Context
	database string // of the procedure

	// The last result set, and what the last statement without one reported.
	schema  sql.Schema
	rows    []sql.Row
	outcome types.OkResult
}

// statement runs one statement of a body. Its error is one that no handler took, or unwinds a block or loop.
func (r *run) statement(f *frame, stmt sqlparser.Statement) error {
	if err := r.ctx.Err(); err != nil {
		return context.Cause(r.ctx)
	}
	switch stmt := stmt.(type) {
	case *sqlparser.BeginEndBlock:
		return r.block(f, stmt)
	case *sqlparser.IfStatement:
		return r.branch(f, stmt)
	case *sqlparser.CaseStatement:
		return r.choose(f, stmt)
	case *sqlparser.While:
		return r.loop(f, stmt.Label, stmt.Condition, nil, stmt.Statements)
	case *sqlparser.Repeat:
		return r.loop(f, stmt.Label, nil, stmt.Condition, stmt.Statements)
	case *sqlparser.Loop:
		return r.loop(f, stmt.Label, nil, nil, stmt.Statements)
	case *sqlparser.Leave:
		return leaveLabel{label: stmt.Label}
	case *sqlparser.Iterate:
		return leaveLabel{label: stmt.Label, again: true}
	}
	err := r.simple(f, stmt)
	if err != nil {
		r.endImplicit()
	}
	return r.handle(f, err)
}

// endImplicit ends the implicit transaction that a failing statement left behind; an explicit one goes on.
func (r *run) endImplicit() {
	if r.ctx.GetTransaction() == nil || r.ctx.GetIgnoreAutoCommit() {
		return
	}
	if auto, err := plan.IsSessionAutocommit(r.ctx); err == nil && auto {
		r.ctx.SetTransaction(nil)
	}
}

func (r *run) sequence(f *frame, statements sqlparser.Statements) error {
	for _, s := range statements {
		if err := r.statement(f, s); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) block(parent *frame, block *sqlparser.BeginEndBlock) error {
	f := newFrame(parent)
	err := r.sequence(f, block.Statements)
	var exit exitBlock
	if errors.As(err, &exit) && exit.of == f {
		return nil
	}
	if l, ok := leaving(err, block.Label); ok && !l.again {
		return nil
	}
	return err
}

// leaving tells whether err unwinds to this label.
func leaving(err error, label string) (leaveLabel, bool) {
	var l leaveLabel
	ok := errors.As(err, &l) && label != "" && strings.EqualFold(l.label, label)
	return l, ok
}

func (r *run) loop(f *frame, label string, while, until sqlparser.Expr, body sqlparser.Statements) error {
	for {
		if err := r.ctx.Err(); err != nil {
			return context.Cause(r.ctx)
		}
		if while != nil {
			if yes, err := r.test(f, while); err != nil || !yes {
				return r.handle(f, err)
			}
		}
		if err := r.sequence(f, body); err != nil {
			l, ok := leaving(err, label)
			if !ok {
				return err
			}
			if !l.again {
				return nil
			}
			continue
		}
		if until != nil {
			if yes, err := r.test(f, until); err != nil || yes {
				return r.handle(f, err)
			}
		}
	}
}

func (r *run) branch(f *frame, stmt *sqlparser.IfStatement) error {
	for _, c := range stmt.Conditions {
		yes, err := r.test(f, c.Expr)
		if err != nil {
			return r.handle(f, err)
		}
		if yes {
			return r.sequence(f, c.Statements)
		}
	}
	return r.sequence(f, stmt.Else)
}

func (r *run) choose(f *frame, stmt *sqlparser.CaseStatement) error {
	for _, c := range stmt.Cases {
		when := c.Case
		if stmt.Expr != nil {
			when = &sqlparser.ComparisonExpr{Operator: sqlparser.EqualStr, Left: stmt.Expr, Right: when}
		}
		yes, err := r.test(f, when)
		if err != nil {
			return r.handle(f, err)
		}
		if yes {
			return r.sequence(f, c.Statements)
		}
	}
	if stmt.Else == nil {
		return r.handle(f, mysql.NewSQLError(1339, "20000", "Case not found for CASE statement"))
	}
	return r.sequence(f, stmt.Else)
}

// simple runs a statement that holds no others.
func (r *run) simple(f *frame, stmt sqlparser.Statement) error {
	switch stmt := stmt.(type) {
	case *sqlparser.Declare:
		return r.declare(f, stmt)
	case *sqlparser.Signal:
		return r.signal(f, stmt, nil)
	case *sqlparser.Resignal:
		return r.resignal(f, stmt)
	case *sqlparser.OpenCursor:
		return r.open(f, stmt.Name)
	case *sqlparser.FetchCursor:
		return r.fetch(f, stmt)
	case *sqlparser.CloseCursor:
		c, err := f.cursor(stmt.Name)
		if err != nil {
			return err
		}
		if !c.open {
			return sql.ErrCursorNotOpen.New(stmt.Name)
		}
		c.open, c.rows = false, nil
		return nil
	case *sqlparser.Set:
		return r.set(f, stmt)
	case *sqlparser.Call:
		return r.call(f, stmt)
	case *sqlparser.Select:
		if stmt.Into != nil && len(stmt.Into.Variables) > 0 {
			return r.selectInto(f, stmt)
		}
	}
	if err := f.bind(r.ctx, stmt); err != nil {
		return err
	}
	schema, rows, err := r.query(stmt)
	if err != nil {
		return err
	}
	r.keep(schema, rows)
	return nil
}

// keep remembers what a statement answered.
func (r *run) keep(schema sql.Schema, rows []sql.Row) {
	if types.IsOkResultSchema(schema) || len(schema) == 0 {
		r.outcome = types.NewOkResult(0)
		if len(rows) > 0 && len(rows[0]) > 0 {
			if ok, is := rows[0][0].(types.OkResult); is {
				r.outcome = ok
			}
		}
		return
	}
	r.schema, r.rows = schema, rows
}

// query runs a statement to its end, in the session, with a context of its own: ending a statement ends its context.
func (r *run) query(stmt sqlparser.Statement) (sql.Schema, []sql.Row, error) {
	ctx := sql.NewContext(r.ctx.Context, sql.WithSession(r.ctx.Session))
	schema, iter, _, err := r.engine.QueryWithBindings(ctx, "", stmt, nil, nil)
	if err != nil {
		return nil, nil, err
	}
	var rows []sql.Row
	for {
		row, err := iter.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			_ = iter.Close(ctx)
			return nil, nil, err
		}
		rows = append(rows, row.Copy())
	}
	return schema, rows, iter.Close(ctx)
}

// evaluate computes an expression.
func (r *run) evaluate(f *frame, e sqlparser.Expr) (any, sql.Type, error) {
	if err := f.bind(r.ctx, e); err != nil {
		return nil, nil, err
	}
	schema, rows, err := r.query(&sqlparser.Select{SelectExprs: sqlparser.SelectExprs{&sqlparser.AliasedExpr{Expr: e}}})
	if err != nil {
		return nil, nil, err
	}
	if len(rows) != 1 || len(schema) != 1 {
		return nil, nil, fmt.Errorf("%s is not one value", sqlparser.String(e))
	}
	return rows[0][0], schema[0].Type, nil
}

func (r *run) test(f *frame, e sqlparser.Expr) (bool, error) {
	value, _, err := r.evaluate(f, e)
	if err != nil || value == nil {
		return false, err
	}
	return sql.ConvertToBool(r.ctx, value)
}

func (r *run) declare(f *frame, d *sqlparser.Declare) error {
	switch {
	case d.Variables != nil:
		typ, err := types.ColumnTypeToType(&d.Variables.VarType)
		if err != nil {
			return err
		}
		var value any
		if d.Variables.VarType.Default != nil {
			if value, _, err = r.evaluate(f, d.Variables.VarType.Default); err != nil {
				return err
			}
		}
		for _, name := range d.Variables.Names {
			v := &variable{typ: typ}
			if err := v.set(r.ctx, value); err != nil {
				return err
			}
			f.variables[name.Lowered()] = v
		}
	case d.Condition != nil:
		c := condition{state: d.Condition.SqlStateValue}
		if c.state == "" && d.Condition.MysqlErrorCode != nil {
			_, _ = fmt.Sscan(string(d.Condition.MysqlErrorCode.Val), &c.number)
		}
		if f.conditions == nil {
			f.conditions = map[string]condition{}
		}
		f.conditions[strings.ToLower(d.Condition.Name)] = c
	case d.Cursor != nil:
		if f.cursors == nil {
			f.cursors = map[string]*cursor{}
		}
		f.cursors[strings.ToLower(d.Cursor.Name)] = &cursor{query: d.Cursor.SelectStmt}
	case d.Handler != nil:
		if d.Handler.Action == sqlparser.DeclareHandlerAction_Undo {
			return sql.ErrDeclareHandlerUndo.New()
		}
		f.handlers = append(f.handlers, d.Handler)
	}
	return nil
}

// open reads the cursor's rows: later statements do not change what it gives.
func (r *run) open(f *frame, name string) error {
	c, err := f.cursor(name)
	if err != nil {
		return err
	}
	if c.open {
		return sql.ErrCursorAlreadyOpen.New(name)
	}
	if err := f.bind(r.ctx, c.query); err != nil {
		return err
	}
	_, rows, err := r.query(c.query)
	if err != nil {
		return err
	}
	c.open, c.rows = true, rows
	return nil
}

func (r *run) fetch(f *frame, stmt *sqlparser.FetchCursor) error {
	c, err := f.cursor(stmt.Name)
	if err != nil {
		return err
	}
	if !c.open {
		return sql.ErrCursorNotOpen.New(stmt.Name)
	}
	if len(c.rows) == 0 {
		return errFetch{errNoData()}
	}
	row := c.rows[0]
	if len(row) != len(stmt.Variables) {
		return sql.ErrFetchIncorrectCount.New()
	}
	c.rows = c.rows[1:]
	for i, name := range stmt.Variables {
		if err := r.assign(f, name, row[i], nil); err != nil {
			return err
		}
	}
	return nil
}

// assign sets a variable of the procedure, or a user variable, which takes the value's type.
func (r *run) assign(f *frame, name string, value any, typ sql.Type) error {
	if user, ok := strings.CutPrefix(name, "@"); ok {
		if typ == nil {
			typ = types.ApproximateTypeFromValue(value)
		}
		return r.ctx.SetUserVariable(r.ctx, user, value, typ)
	}
	v := f.variable(name)
	if v == nil {
		return mysql.NewSQLError(1327, "42000", "Undeclared variable: %s", name)
	}
	return v.set(r.ctx, value)
}

// set assigns to variables of the procedure; what it does not know is left to the engine.
func (r *run) set(f *frame, stmt *sqlparser.Set) error {
	for _, e := range stmt.Exprs {
		name := e.Name.Name.String()
		if e.Scope == sqlparser.SetScope_None && e.Name.Qualifier.IsEmpty() && f.variable(name) != nil {
			value, typ, err := r.evaluate(f, e.Expr)
			if err != nil {
				return err
			}
			if err := r.assign(f, name, value, typ); err != nil {
				return err
			}
			continue
		}
		if err := f.bind(r.ctx, e); err != nil {
			return err
		}
		if _, _, err := r.query(&sqlparser.Set{Exprs: sqlparser.SetVarExprs{e}}); err != nil {
			return err
		}
	}
	return nil
}

func (r *run) selectInto(f *frame, stmt *sqlparser.Select) error {
	into := stmt.Into.Variables
	plain := *stmt
	plain.Into = nil
	if err := f.bind(r.ctx, &plain); err != nil {
		return err
	}
	schema, rows, err := r.query(&plain)
	if err != nil {
		return err
	}
	switch {
	case len(schema) != len(into):
		return mysql.NewSQLError(1222, "21000", "The used SELECT statements have a different number of columns")
	case len(rows) == 0:
		return errNoData()
	case len(rows) > 1:
		return mysql.NewSQLError(1172, "42000", "Result consisted of more than one row")
	}
	for i, name := range into {
		if err := r.assign(f, name.String(), rows[0][i], schema[i].Type); err != nil {
			return err
		}
	}
	r.outcome = types.NewOkResult(1)
	return nil
}

// call calls another procedure. An argument that is a variable of this one travels in a user variable, since the other
// may set it.
func (r *run) call(f *frame, stmt *sqlparser.Call) error {
	inner := *stmt
	if inner.ProcName.Qualifier.IsEmpty() {
		inner.ProcName.Qualifier = sqlparser.NewTableIdent(r.database)
	}
	depth, _ := r.ctx.Value(callDepthKey{}).(int)
	inner.Params = make([]sqlparser.Expr, len(stmt.Params))
	carried := map[string]*variable{}
	for i, param := range stmt.Params {
		inner.Params[i] = param
		if col, ok := param.(*sqlparser.ColName); ok && col.Qualifier.IsEmpty() {
			if v := f.variable(col.Name.String()); v != nil {
				name := fmt.Sprintf("almanac_argument_%d_%d", depth, i)
				if err := r.ctx.SetUserVariable(r.ctx, name, v.value, v.typ); err != nil {
					return err
				}
				carried[name] = v
				inner.Params[i] = sqlparser.NewColName("@" + name)
				continue
			}
		}
		if err := f.bind(r.ctx, param); err != nil {
			return err
		}
	}
	schema, rows, err := r.query(&inner)
	if err != nil {
		return err
	}
	for name, v := range carried {
		_, value, err := r.ctx.GetUserVariable(r.ctx, name)
		if err != nil {
			return err
		}
		if err := v.set(r.ctx, value); err != nil {
			return err
		}
		if err := r.ctx.SetUserVariable(r.ctx, name, nil, types.Null); err != nil {
			return err
		}
	}
	r.keep(schema, rows)
	return nil
}
