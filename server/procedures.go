package server

import (
	"context"
	"errors"
	"fmt"
	"strings"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/vt/sqlparser"
)

// procedures runs CALL. The engine's own interpreter starts a procedure over from its first statement, for ever, when a
// handler's body is a plain statement; it skips bodies in BEGIN … END, and so the ROLLBACK in them; and it takes the
// caller's transaction away. This one walks the procedure's syntax tree, as MySQL does:
//
//   - Each statement is planned and run by the engine in the session, so the caller's transaction, autocommit and
//     privileges apply to it like to one that the client sent.
//   - A failing statement looks for the handler of its condition from its own block outwards, one for its number before
//     one for its SQLSTATE before SQLEXCEPTION; a handler is not in force in its own body.
//   - Interruption (KILL, a client that left, a stop of the server) is no condition: nothing handles it.
//
// A client gets the last result set of the procedure, or the outcome of its last statement.
type procedures struct{ engine *sqle.Engine }

// maxCallDepth bounds procedures that call themselves.
const maxCallDepth = 64

type callDepthKey struct{}

// Build implements sql.NodeExecBuilder for CALL; all else is left to the engine.
func (p procedures) Build(ctx *sql.Context, n sql.Node, row sql.Row) (sql.RowIter, error) {
	call, ok := n.(*plan.Call)
	if !ok || call.Procedure == nil || call.Procedure.ExternalProc != nil {
		return nil, nil
	}
	depth, _ := ctx.Value(callDepthKey{}).(int)
	if depth >= maxCallDepth {
		return nil, mysql.NewSQLError(1456, mysql.SSUnknownSQLState, "procedure %s is called within itself more than %d times", call.Name, maxCallDepth)
	}
	body, err := p.body(ctx, call)
	if err != nil {
		return nil, err
	}
	database := call.Database().Name()
	r := &run{engine: p.engine, ctx: ctx.WithContext(context.WithValue(ctx.Context, callDepthKey{}, depth+1)), database: database}
	top := &frame{variables: map[string]*variable{}}
	for i, param := range call.Procedure.Params {
		v := &variable{typ: param.Type}
		if param.Direction != plan.ProcedureParamDirection_Out {
			value, err := call.Params[i].Eval(ctx, row)
			if err != nil {
				return nil, err
			}
			if err := v.set(ctx, value); err != nil {
				return nil, err
			}
		}
		top.variables[strings.ToLower(param.Name)] = v
	}
	before := ctx.GetCurrentDatabase()
	ctx.SetCurrentDatabase(database)
	err = r.statement(top, body)
	ctx.SetCurrentDatabase(before)
	var exit exitBlock
	if errors.As(err, &exit) && exit.of == top { // a body that is no block
		err = nil
	}
	if err != nil {
		return nil, err
	}
	if err := returnParameters(ctx, call, top); err != nil {
		return nil, err
	}
	if r.schema == nil {
		call.SetSchema(types.OkResultSchema)
		return sql.RowsToRowIter(sql.NewRow(r.outcome)), nil
	}
	call.SetSchema(r.schema)
	return sql.RowsToRowIter(r.rows...), nil
}

// body parses the procedure under the SQL mode that it was created in.
func (p procedures) body(ctx *sql.Context, call *plan.Call) (sqlparser.Statement, error) {
	mode := sql.LoadSqlMode(ctx)
	if db, ok := call.Database().(sql.StoredProcedureDatabase); ok {
		if details, found, err := db.GetStoredProcedure(ctx, call.Name); err == nil && found {
			mode = sql.NewSqlModeFromString(details.SqlMode)
		}
	}
	stmt, _, err := p.engine.Parser.ParseOneWithOptions(ctx, call.Procedure.CreateProcedureString, mode.ParserOptions())
	if err != nil {
		return nil, err
	}
	ddl, ok := stmt.(*sqlparser.DDL)
	if !ok || ddl.ProcedureSpec == nil {
		return nil, fmt.Errorf("the definition of procedure %s holds no body", call.Name)
	}
	return ddl.ProcedureSpec.Body, nil
}

// returnParameters hands OUT and INOUT parameters to the caller's variables.
func returnParameters(ctx *sql.Context, call *plan.Call, top *frame) error {
	for i, param := range call.Procedure.Params {
		if param.Direction == plan.ProcedureParamDirection_In {
			continue
		}
		v := top.variables[strings.ToLower(param.Name)]
		var err error
		switch arg := call.Params[i].(type) {
		case *expression.UserVar:
			err = ctx.SetUserVariable(ctx, arg.Name, v.value, v.typ)
		case *expression.ProcedureParam:
			err = arg.Set(ctx, v.value, v.typ)
		default:
			err = mysql.NewSQLError(1414, "42000", "OUT or INOUT argument %d for routine %s is not a variable", i+1, call.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// frame is a block's scope at run time.
type frame struct {
	parent *frame // the block around, whose names are visible
	// outer is the first frame around whose handlers are in force: parent, but for a handler's body the one around the block
	// of the handler.
	outer      *frame
	variables  map[string]*variable
	conditions map[string]condition
	cursors    map[string]*cursor
	handlers   []*sqlparser.DeclareHandler
	// raised is what a handler's body answers to; nil elsewhere.
	raised error
}

func newFrame(parent *frame) *frame {
	return &frame{parent: parent, outer: parent, variables: map[string]*variable{}}
}

type variable struct {
	typ   sql.Type
	value any
}

func (v *variable) set(ctx *sql.Context, value any) error {
	if value == nil {
		v.value = nil
		return nil
	}
	converted, inRange, err := v.typ.Convert(ctx, value)
	if err != nil {
		return err
	}
	if inRange != sql.InRange {
		return sql.ErrValueOutOfRange.New(value, v.typ)
	}
	v.value = converted
	return nil
}

// literal writes the value the way the planner takes variables.
func (v *variable) literal(ctx *sql.Context) (sqlparser.Expr, error) {
	switch {
	case v.value == nil:
		return &sqlparser.NullVal{}, nil
	case types.IsInteger(v.typ):
		return sqlparser.NewIntVal(fmt.Append(nil, v.value)), nil
	case types.IsFloat(v.typ):
		return sqlparser.NewFloatVal(fmt.Append(nil, v.value)), nil
	}
	if b, ok := v.value.([]byte); ok {
		return sqlparser.NewStrVal(b), nil
	}
	if s, ok := v.value.(string); ok {
		return sqlparser.NewStrVal([]byte(s)), nil
	}
	text, err := v.typ.SQL(ctx, nil, v.value)
	if err != nil {
		return nil, err
	}
	return sqlparser.NewStrVal(text.ToBytes()), nil
}

type cursor struct {
	query sqlparser.SelectStatement
	open  bool
	rows  []sql.Row // not yet fetched
}

func (f *frame) variable(name string) *variable {
	name = strings.ToLower(name)
	for ; f != nil; f = f.parent {
		if v, ok := f.variables[name]; ok {
			return v
		}
	}
	return nil
}

func (f *frame) cursor(name string) (*cursor, error) {
	for g := f; g != nil; g = g.parent {
		if c, ok := g.cursors[strings.ToLower(name)]; ok {
			return c, nil
		}
	}
	return nil, sql.ErrCursorNotFound.New(name)
}

// bind puts the values of variables into a statement or expression. Places that name a column or an alias whatever
// variables there are (the target of an assignment, a bare name in ORDER BY and GROUP BY) stay.
func (f *frame) bind(ctx *sql.Context, nodes ...sqlparser.SQLNode) error {
	return sqlparser.Walk(func(node sqlparser.SQLNode) (bool, error) {
		switch node := node.(type) {
		case *sqlparser.AssignmentExpr:
			return false, f.bind(ctx, node.Expr)
		case *sqlparser.SetVarExpr:
			return false, f.bind(ctx, node.Expr)
		case *sqlparser.AliasedValues:
			return false, f.bind(ctx, node.Values)
		case *sqlparser.Order:
			_, bare := node.Expr.(*sqlparser.ColName)
			return !bare, nil
		case sqlparser.GroupBy:
			for _, e := range node {
				if _, bare := e.(*sqlparser.ColName); !bare {
					if err := f.bind(ctx, e); err != nil {
						return false, err
					}
				}
			}
			return false, nil
		case *sqlparser.ColName:
			if !node.Qualifier.IsEmpty() {
				return false, nil
			}
			v := f.variable(node.Name.String())
			if v == nil {
				return false, nil
			}
			var err error
			node.StoredProcVal, err = v.literal(ctx)
			return false, err
		}
		return true, nil
	}, nodes...)
}
