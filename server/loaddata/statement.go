package loaddata

import (
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/almanacdb/almanac/server/catalog"
)

// statement is a LOAD DATA that has been understood. It is immutable: a plan may run more than once.
type statement struct {
	table   *catalog.Table
	schema  sql.Schema // with defaults resolved
	file    string
	local   bool
	charset string
	dialect Dialect
	skip    int64
	mode    onDuplicate
	ignore  bool

	fields   []source     // what each field of a line is for
	early    []assignment // defaults that depend on the row, then SET in its order
	late     []assignment // generated columns
	constant []assignment // the same in every row; a nil expression is NULL
	unset    []int        // NOT NULL columns that nothing gives a value
	checks   sql.CheckConstraints
}

// source is a field: a column of the table, or else a variable.
type source struct {
	column   int // -1 for a variable
	variable string
}

type assignment struct {
	column int
	expr   sql.Expression
}

// newStatement returns nil for what is left to the engine.
func newStatement(ctx *sql.Context, table *catalog.Table, insert *plan.InsertInto, load *plan.LoadData, written *sqlparser.Load) (*statement, error) {
	schema := insert.Destination.Schema(ctx)
	s := &statement{
		table: table, schema: schema, file: load.File, local: load.Local, charset: load.Charset, skip: max(load.IgnoreNum, 0), ignore: insert.Ignore,
		dialect: Dialect{
			FieldTerminator: []byte(load.FieldsTerminatedBy), LineTerminator: []byte(load.LinesTerminatedBy), LineStart: []byte(load.LinesStartingBy),
			Enclosure: single(load.FieldsEnclosedBy), Escape: single(load.FieldsEscapedBy),
		},
	}
	if written.Fields != nil && written.Fields.TerminatedBy != nil && len(written.Fields.TerminatedBy.Val) == 0 || len(s.dialect.FieldTerminator) == 0 {
		return nil, mysql.NewSQLError(mysql.ERNotSupportedYet, "42000", "LOAD DATA with FIELDS TERMINATED BY '' (columns of fixed width) is not supported\nFix: write the file with a separator")
	}
	switch {
	case insert.IsReplace:
		s.mode = replace
	case insert.Ignore:
		s.mode = skip
	}
	given := make([]bool, len(schema)) // by a field or SET
	if !s.mapFields(load, written, given) {
		return nil, nil
	}
	if ok, err := s.mapSet(ctx, load, written, given); !ok || err != nil {
		return nil, err
	}
	if !s.mapRest(ctx, given) {
		return nil, nil
	}
	for _, c := range insert.Checks() {
		own := *c
		var ok bool
		if own.Expr, ok = s.bind(ctx, c.Expr); !ok {
			return nil, nil
		}
		if c.Enforced {
			s.checks = append(s.checks, &own)
		}
	}
	return s, nil
}

func single(s string) int {
	if s == "" {
		return none
	}
	return int(s[0])
}

// mapFields finds what the fields of a line are for.
func (s *statement) mapFields(load *plan.LoadData, written *sqlparser.Load, given []bool) bool {
	if len(written.Columns) == 0 {
		for i, col := range s.schema {
			if col.Generated != nil || col.Hidden {
				return false
			}
			s.fields = append(s.fields, source{column: i})
			given[i] = true
		}
		return true
	}
	names := load.ColNames
	for i := range written.Columns {
		if set, ok := load.UserVars[i].(*expression.SetField); ok {
			v, ok := set.LeftChild.(*expression.UserVar)
			if !ok {
				return false
			}
			s.fields = append(s.fields, source{column: -1, variable: v.Name})
			continue
		}
		if len(names) == 0 {
			return false
		}
		c := s.schema.IndexOfColName(names[0])
		names = names[1:]
		if c < 0 || given[c] || s.schema[c].Generated != nil {
			return false
		}
		s.fields = append(s.fields, source{column: c})
		given[c] = true
	}
	return true
}

// mapSet finds the columns that SET assigns to.
func (s *statement) mapSet(ctx *sql.Context, load *plan.LoadData, written *sqlparser.Load, given []bool) (bool, error) {
	for _, a := range written.SetExprs {
		c := s.schema.IndexOfColName(a.Name.Name.String())
		if c < 0 || c >= len(load.SetExprs) || load.SetExprs[c] == nil {
			return false, nil
		}
		if s.schema[c].Generated != nil {
			return false, sql.ErrGeneratedColumnValue.New(s.schema[c].Name, s.table.Name())
		}
		e, ok := s.bind(ctx, load.SetExprs[c])
		if !ok {
			return false, nil
		}
		if isConstant(ctx, e) && !given[c] && !s.assigned(c) {
			s.constant = append(s.constant, assignment{c, e})
		} else {
			s.early = append(s.early, assignment{c, e})
		}
	}
	for _, a := range append(s.constant[:len(s.constant):len(s.constant)], s.early...) {
		given[a.column] = true
	}
	return true, nil
}

// assigned tells whether SET names the column a second time.
func (s *statement) assigned(column int) bool {
	for _, a := range append(s.constant[:len(s.constant):len(s.constant)], s.early...) {
		if a.column == column {
			return true
		}
	}
	return false
}

// mapRest finds what columns hold that the statement does not mention.
func (s *statement) mapRest(ctx *sql.Context, given []bool) bool {
	var defaults []assignment
	for i, col := range s.schema {
		switch {
		case col.Generated != nil:
			e, ok := s.bind(ctx, col.Generated)
			if !ok {
				return false
			}
			s.late = append(s.late, assignment{i, e})
		case given[i]:
		case col.AutoIncrement:
			s.constant = append(s.constant, assignment{column: i})
		case col.Default != nil:
			e, ok := s.bind(ctx, col.Default)
			if !ok {
				return false
			}
			if isConstant(ctx, e) {
				s.constant = append(s.constant, assignment{i, e})
			} else {
				defaults = append(defaults, assignment{i, e})
			}
		case col.Nullable:
			s.constant = append(s.constant, assignment{column: i})
		default:
			if types.IsEnum(col.Type) { // its first member, as in MySQL
				s.constant = append(s.constant, assignment{i, expression.NewLiteral(uint16(1), col.Type)})
				continue
			}
			s.unset = append(s.unset, i)
		}
	}
	s.early = append(defaults, s.early...)
	return true
}

// bind points an expression's columns at the table's; not ok if it needs more than a row and the session.
func (s *statement) bind(ctx *sql.Context, e sql.Expression) (sql.Expression, bool) {
	if !e.Resolved() {
		return nil, false
	}
	ok := true
	bound, _, err := transform.Expr(ctx, e, func(_ *sql.Context, e sql.Expression) (sql.Expression, transform.TreeIdentity, error) {
		switch e := e.(type) {
		case *plan.Subquery, *expression.ProcedureParam, *expression.BindVar:
			ok = false
		case *expression.GetField:
			i := s.schema.IndexOfColName(e.Name())
			if i < 0 {
				ok = false
				return e, transform.SameTree, nil
			}
			return e.WithIndex(i), transform.NewTree, nil
		}
		return e, transform.SameTree, nil
	})
	return bound, ok && err == nil
}

// isConstant tells whether an expression has one value for the whole statement, as NOW() has.
func isConstant(ctx *sql.Context, e sql.Expression) bool {
	constant := true
	transform.InspectExpr(ctx, e, func(_ *sql.Context, e sql.Expression) bool {
		switch e.(type) {
		case *expression.Literal, *expression.Arithmetic, *expression.UnaryMinus, *expression.Convert, *sql.ColumnDefaultValue,
			*function.Now, function.CurrDate, *function.CurrTime:
		default:
			constant = false
		}
		return !constant
	})
	return constant
}

// reads tells which columns and variables the expressions of the rows use.
func (s *statement) reads(ctx *sql.Context) (columns []bool, variables map[string]bool) {
	columns, variables = make([]bool, len(s.schema)), map[string]bool{}
	see := func(e sql.Expression) {
		transform.InspectExpr(ctx, e, func(_ *sql.Context, e sql.Expression) bool {
			switch e := e.(type) {
			case *expression.GetField:
				columns[e.Index()] = true
			case *expression.UserVar:
				variables[strings.ToLower(e.Name)] = true
			}
			return false
		})
	}
	for _, a := range s.early {
		see(a.expr)
	}
	for _, a := range s.late {
		see(a.expr)
	}
	for _, c := range s.checks {
		see(c.Expr)
	}
	return columns, variables
}
