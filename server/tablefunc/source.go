package tablefunc

import (
	"context"
	"fmt"
	"sort"
	"strings"

	"github.com/agnivade/levenshtein"
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/planbuilder"
	"github.com/dolthub/vitess/go/mysql"
	ast "github.com/dolthub/vitess/go/vt/sqlparser"

	"github.com/almanacdb/almanac/functions"
	"github.com/almanacdb/almanac/server/sqltype"
)

// ArrowTable is a table that can be read as columns. The reader yields the named columns in that order, from the snapshot
// of the session's transaction; the caller releases it.
type ArrowTable interface {
	ArrowReader(ctx *sql.Context, columns []string) (array.RecordReader, error)
}

// source is the resolved first argument of a call. It is immutable and satisfies functions.Relation.
type source struct {
	set    *Set
	name   string
	node   sql.Node // as the planner built it, not analysed
	flags  *sql.QueryFlags
	schema *arrow.Schema
	// columns[i] is the place in node's rows of schema's field i: columns of types without an Arrow form are left out.
	columns []int

	table ArrowTable // set if node only renames and picks columns of this table
	names []string   // then: the table's name for each column of node
}

// Name implements functions.Relation.
func (s *source) Name() string { return s.name }

// Schema implements functions.Relation.
func (s *source) Schema() *arrow.Schema { return s.schema }

type contextKey uint8

const (
	statementKey contextKey = iota // the *sql.Context under which a running call reads
	depthKey                       // how many sources are being resolved around this one
)

// maxDepth bounds sources inside sources: a view can be redefined to call a function on itself.
const maxDepth = 32

// Read implements functions.Relation. ctx is the one given to Spec.Run or derived from it.
func (s *source) Read(ctx context.Context, columns []string) (array.RecordReader, error) {
	statement, ok := ctx.Value(statementKey).(*sql.Context)
	if !ok {
		return nil, fmt.Errorf("%s is read outside of a statement", s.name)
	}
	statement = statement.WithContext(ctx)
	fields := make([]int, len(columns))
	for i, name := range columns {
		if fields[i] = s.field(name); fields[i] < 0 {
			return nil, fmt.Errorf("%s has no column '%s'", s.name, name)
		}
	}
	if s.table != nil {
		names := make([]string, len(columns))
		for i, f := range fields {
			names[i] = s.names[s.columns[f]]
		}
		return s.table.ArrowReader(statement, names)
	}
	return s.readRows(statement, fields)
}

func (s *source) field(name string) int {
	for i, f := range s.schema.Fields() {
		if strings.EqualFold(f.Name, name) {
			return i
		}
	}
	return -1
}

// readRows runs the SELECT in the session and transaction of ctx and turns its rows into columns.
func (s *source) readRows(ctx *sql.Context, fields []int) (array.RecordReader, error) {
	a := s.set.analyzer.Load()
	flags := *s.flags
	analyzed, err := a.Analyze(ctx, s.node, nil, &flags)
	if err != nil {
		return nil, err
	}
	rows, err := a.ExecBuilder.Build(ctx, analyzed, nil)
	if err != nil {
		return nil, err
	}
	all := analyzed.Schema(ctx)
	picked := &pickIter{rows: rows, places: make([]int, len(fields))}
	cols := make(sql.Schema, len(fields))
	for i, f := range fields {
		picked.places[i] = s.columns[f]
		cols[i] = all[s.columns[f]]
	}
	reader, err := sqltype.NewRecordReader(ctx, picked, cols)
	if err != nil {
		_ = rows.Close(ctx)
		return nil, err
	}
	return reader, nil
}

// pickIter keeps some columns of rows.
type pickIter struct {
	rows   sql.RowIter
	places []int
	row    sql.Row
}

func (it *pickIter) Next(ctx *sql.Context) (sql.Row, error) {
	row, err := it.rows.Next(ctx)
	if err != nil {
		return nil, err
	}
	it.row = it.row[:0]
	for _, p := range it.places {
		it.row = append(it.row, row[p])
	}
	return it.row, nil
}

func (it *pickIter) Close(ctx *sql.Context) error { return it.rows.Close(ctx) }

// resolve makes the source of a call out of its first argument.
func (s *Set) resolve(ctx *sql.Context, spec *functions.Spec, db sql.Database, arg sql.Expression) (*source, error) {
	function := strings.ToLower(spec.Name)
	depth, _ := ctx.Value(depthKey).(int)
	if depth >= maxDepth {
		return nil, argumentError(function+": its source calls table functions within table functions too deeply, perhaps a view on itself", "check the views that the source uses")
	}
	ctx = ctx.WithContext(context.WithValue(ctx.Context, depthKey, depth+1))

	if sq, ok := arg.(*plan.Subquery); ok {
		if !sq.Correlated().Empty() {
			return nil, argumentError(function+": the sub-query refers to columns outside of it",
				"join those columns inside of the sub-query, or pass them as options")
		}
		return s.newSource(ctx, "the sub-query", sq.Query, &sql.QueryFlags{})
	}
	switch evaluable(ctx, arg) {
	case never:
		return nil, &functions.Error{
			Code: "FC0108", SQLState: "42000",
			Message: function + ": the source fixes the output columns and cannot be a placeholder",
			Fix:     "write the table's name into the statement; placeholders are for numbers and options",
		}
	case later:
		return nil, argumentError(fmt.Sprintf("%s: the source %s is known only when the statement runs, but it fixes the columns of the result", function, arg),
			"name a table in quotes; numbers and options may come from columns, variables of a procedure and sub-queries")
	}
	v, err := evaluate(ctx, arg, nil)
	if err != nil {
		return nil, err
	}
	text, ok := v.(string)
	if !ok {
		return nil, argumentError(fmt.Sprintf("%s: the source is %s, not the name of a table", function, arg),
			"give a table or view name in quotes, a SELECT in quotes, or a sub-query in parentheses")
	}
	if isStatement(text) {
		return s.resolveText(ctx, function, db, text)
	}
	database, table, ok := splitName(text)
	if !ok {
		return nil, argumentError(fmt.Sprintf("%s: source '%s' is neither a table name nor a SELECT", function, text),
			"put unusual names into back-quotes, such as '`my table`'")
	}
	return s.resolveName(ctx, function, db, database, table)
}

func argumentError(message, fix string) error {
	return &functions.Error{Code: "FC0102", SQLState: "22023", Message: message, Fix: fix}
}

// SystemDatabase is current during statements that call a table function in a session without a database, because the
// planner insists on one.
const SystemDatabase = "almanac"

func (s *Set) resolveName(ctx *sql.Context, function string, db sql.Database, database, table string) (*source, error) {
	name := table
	if database == "" {
		database = db.Name()
	} else {
		name = database + "." + table
	}
	query := "SELECT * FROM " + quoted(database) + "." + quoted(table)
	b := planbuilder.New(ctx, s.analyzer.Load().Catalog, nil)
	node, _, _, flags, err := b.Parse(query, nil, false)
	if err != nil {
		if name == table && strings.EqualFold(database, SystemDatabase) && sql.ErrTableNotFound.Is(err) {
			return nil, &functions.Error{
				Code: "FC0302", SQLState: "3D000",
				Message: function + ": no database is selected, so '" + table + "' cannot be found",
				Fix:     "write 'database." + table + "', or USE a database first",
			}
		}
		if sql.ErrTableNotFound.Is(err) {
			return nil, s.noTable(ctx, function, database, table)
		}
		return nil, err
	}
	return s.newSource(ctx, name, node, flags)
}

// noTable names the table or view of the database that is spelled most like the one that is missing. Only those that the
// account may see come into question.
func (s *Set) noTable(ctx *sql.Context, function, database, table string) error {
	var names []string
	if db, err := s.analyzer.Load().Catalog.Database(ctx, database); err == nil {
		if names, err = db.GetTableNames(ctx); err != nil {
			return err
		}
		if holder, ok := db.(sql.ViewDatabase); ok {
			views, err := holder.AllViews(ctx)
			if err != nil {
				return err
			}
			for _, v := range views {
				names = append(names, v.Name)
			}
		}
	}
	sort.Strings(names)
	fix, distance := "SHOW TABLES lists what there is", min(3, 1+len(table)/4)
	for _, name := range names {
		if d := levenshtein.ComputeDistance(strings.ToLower(table), strings.ToLower(name)); d <= distance {
			fix, distance = "did you mean '"+name+"'?", d-1
		}
	}
	if !strings.HasSuffix(fix, "?") {
		fix += "."
	}
	problem := &functions.Error{
		Code: "FC0302", SQLState: "42S02",
		Message: fmt.Sprintf("%s: there is no table or view %s.%s", function, database, table),
		Fix:     fix + " Names of another database are written 'database.table'",
	}
	return mysql.NewSQLError(mysql.ERNoSuchTable, problem.SQLState, "%s", problem.Error())
}

// resolveText plans a SELECT given as text, with unqualified names meaning db.
func (s *Set) resolveText(ctx *sql.Context, function string, db sql.Database, text string) (*source, error) {
	options := sql.LoadSqlMode(ctx).ParserOptions()
	stmt, _, rest, err := sql.DefaultMySQLParser.ParseWithOptions(ctx, text, ';', true, options)
	if err != nil {
		return nil, argumentError(function+": the source is not a valid SELECT: "+err.Error(), "run the SELECT on its own first; double the quotes inside of the text")
	}
	sel, ok := stmt.(ast.SelectStatement)
	if !ok || sel.GetInto() != nil || strings.TrimSpace(rest) != "" {
		return nil, argumentError(function+": the source must be one SELECT that returns rows", "give a single SELECT without INTO")
	}
	// The planner takes the default database from the session only. Inside of a view it is the view's, not the session's.
	if current := ctx.GetCurrentDatabase(); !strings.EqualFold(current, db.Name()) {
		ctx.SetCurrentDatabase(db.Name())
		defer ctx.SetCurrentDatabase(current)
	}
	b := planbuilder.New(ctx, s.analyzer.Load().Catalog, nil)
	node, flags, err := b.BindOnly(stmt, text, nil)
	if err != nil {
		return nil, err
	}
	return s.newSource(ctx, "the SELECT", node, flags)
}

func (s *Set) newSource(ctx *sql.Context, name string, node sql.Node, flags *sql.QueryFlags) (*source, error) {
	src := &source{set: s, name: name, node: node, flags: flags}
	var fields []arrow.Field
	for i, col := range node.Schema(ctx) {
		field, err := sqltype.FieldOf(col)
		if err != nil {
			continue // a type such as GEOMETRY: not a column that functions could use
		}
		fields = append(fields, field)
		src.columns = append(src.columns, i)
	}
	src.schema = arrow.NewSchema(fields, nil)
	src.table, src.names = s.columnsOfTable(ctx, node)
	return src, nil
}

// columnsOfTable looks through nodes that only pick and rename columns. If it finds a table that can be read as columns
// below, it returns it and the table's name of each column of node.
func (s *Set) columnsOfTable(ctx *sql.Context, node sql.Node) (ArrowTable, []string) {
	switch n := node.(type) {
	case *plan.ResolvedTable:
		if n.AsOf != nil {
			return nil, nil
		}
		table := s.columns(n.Table)
		if table == nil {
			return nil, nil
		}
		names := make([]string, 0, len(n.Schema(ctx)))
		for _, col := range n.Schema(ctx) {
			names = append(names, col.Name)
		}
		return table, names
	case *plan.TableAlias:
		return s.columnsOfTable(ctx, n.Child)
	case *plan.SubqueryAlias:
		return s.columnsOfTable(ctx, n.Child)
	case *plan.Project:
		table, below := s.columnsOfTable(ctx, n.Child)
		if table == nil {
			return nil, nil
		}
		child := n.Child.Schema(ctx)
		names := make([]string, len(n.Projections))
		for i, e := range n.Projections {
			if alias, ok := e.(*expression.Alias); ok {
				e = alias.Child
			}
			field, ok := e.(*expression.GetField)
			if !ok {
				return nil, nil
			}
			place := child.IndexOfColName(field.Name())
			if place < 0 {
				return nil, nil
			}
			names[i] = below[place]
		}
		return table, names
	}
	return nil, nil
}
