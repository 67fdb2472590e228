package tablefunc

import (
	"fmt"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/plan"

	"github.com/almanacdb/almanac/functions"
	"github.com/almanacdb/almanac/server/sqltype"
)

// call is one use of a function in a statement. Like every plan node it is immutable: the engine copies it with new
// arguments. With args nil it is the function itself, from which NewInstance makes calls.
type call struct {
	set  *Set
	spec *functions.Spec
	db   sql.Database

	source  *source
	args    []sql.Expression // behind the source
	sources string           // the source as written, for EXPLAIN

	bound  *functions.Bound
	late   bool // some arguments are evaluated at execution: bind again then
	schema sql.Schema
	memo   *memo // shared by all copies
}

var (
	_ sql.TableFunction            = (*call)(nil)
	_ sql.ExecSourceRel            = (*call)(nil)
	_ sql.AuthorizationCheckerNode = (*call)(nil)
	_ sql.CollationCoercible       = (*call)(nil)
)

// NewInstance implements sql.TableFunction. It resolves the source, checks the session's privileges on it and binds the
// arguments; an error of the caller is returned as a *mysql.SQLError.
func (c *call) NewInstance(ctx *sql.Context, db sql.Database, args []sql.Expression) (_ sql.Node, err error) {
	defer c.recovered(&err)
	if len(args) == 0 {
		return nil, sqlError(&functions.Error{
			Code: "FC0101", SQLState: "42000",
			Message: strings.ToLower(c.spec.Name) + ": the source is missing",
			Fix:     "call it as " + usage(c.spec),
		})
	}
	n := &call{set: c.set, spec: c.spec, db: db, args: args[1:], sources: args[0].String(), memo: &memo{}}
	if sq, ok := args[0].(*plan.Subquery); ok {
		n.sources = "(" + sq.QueryString + ")"
	}
	if by, ok := args[0].(*Defined); ok {
		err = by.As(ctx, func() error {
			n.source, err = c.set.resolve(ctx, c.spec, db, by.Expression)
			return err
		})
	} else {
		n.source, err = c.set.resolve(ctx, c.spec, db, args[0])
	}
	if err != nil {
		return nil, sqlError(err)
	}
	values := make([]functions.Value, len(n.args))
	for i, arg := range n.args {
		when := evaluable(ctx, arg)
		if when == now {
			if values[i], err = evaluate(ctx, arg, nil); err != nil {
				return nil, sqlError(err)
			}
			continue
		}
		values[i], n.late = functions.Unbound{}, true
	}
	if n.bound, err = functions.Bind(c.spec, n.source, values, &c.set.env); err != nil {
		return nil, sqlError(err)
	}
	if n.schema, err = sqltype.ColumnsOf(n.bound.Schema(), n.Name()); err != nil {
		return nil, sqlError(err)
	}
	for i, col := range n.schema {
		col.DatabaseSource = db.Name()
		// A row that reports a series' failure has nothing but its keys and the status.
		col.Nullable = col.Nullable || i >= len(n.bound.Keys)
	}
	return n, nil
}

// Defined is a source inside of a view: it is looked up with the rights of the view's definer, within As.
type Defined struct {
	sql.Expression
	As func(ctx *sql.Context, do func() error) error
}

func usage(spec *functions.Spec) string {
	var b strings.Builder
	b.WriteString(spec.Name + "('table'")
	for _, a := range spec.Args {
		b.WriteString(", " + a.Name)
	}
	b.WriteString(")")
	return b.String()
}

// rebind evaluates the arguments that were not known at planning. row is the outer row under LATERAL, else nil.
func (c *call) rebind(ctx *sql.Context, row sql.Row) (*functions.Bound, error) {
	values := make([]functions.Value, len(c.args))
	var err error
	for i, arg := range c.args {
		if values[i], err = evaluate(ctx, arg, row); err != nil {
			return nil, err
		}
	}
	bound, err := functions.Bind(c.spec, c.source, values, &c.set.env)
	if err != nil {
		return nil, err
	}
	if !sameColumns(bound, c.bound) {
		return nil, &functions.Error{
			Code: "FC0108", SQLState: "42000",
			Message: strings.ToLower(c.spec.Name) + ": the options change the output columns, but were not known when the statement was planned",
			Fix:     "write the options that name columns (such as by) as a literal string",
		}
	}
	return bound, nil
}

func sameColumns(a, b *functions.Bound) bool {
	if a.Schema().NumFields() != b.Schema().NumFields() {
		return false
	}
	for i, f := range a.Schema().Fields() {
		if g := b.Schema().Field(i); f.Name != g.Name || !f.Equal(g) {
			return false
		}
	}
	return true
}

// CheckAuth implements sql.AuthorizationCheckerNode. The source was built by the engine's own planner under the privileges
// of the session, so nothing remains to be checked but that it has been.
func (c *call) CheckAuth(*sql.Context, sql.PrivilegedOperationChecker) bool { return c.source != nil }

// Name implements sql.Nameable.
func (c *call) Name() string { return strings.ToLower(c.spec.Name) }

// Database implements sql.Databaser.
func (c *call) Database() sql.Database { return c.db }

// WithDatabase implements sql.Databaser.
func (c *call) WithDatabase(db sql.Database) (sql.Node, error) {
	n := *c
	n.db = db
	return &n, nil
}

// Expressions implements sql.Expressioner: the arguments behind the source.
func (c *call) Expressions() []sql.Expression { return c.args }

// WithExpressions implements sql.Expressioner.
func (c *call) WithExpressions(_ *sql.Context, exprs ...sql.Expression) (sql.Node, error) {
	if len(exprs) != len(c.args) {
		return nil, sql.ErrInvalidChildrenNumber.New(c, len(exprs), len(c.args))
	}
	n := *c
	n.args = exprs
	return &n, nil
}

// Children implements sql.Node. An inline sub-query is no child: it is analysed on its own when it is read, so that rules
// for the surrounding statement leave it alone.
func (c *call) Children() []sql.Node { return nil }

// WithChildren implements sql.Node.
func (c *call) WithChildren(_ *sql.Context, children ...sql.Node) (sql.Node, error) {
	if len(children) != 0 {
		return nil, sql.ErrInvalidChildrenNumber.New(c, len(children), 0)
	}
	return c, nil
}

// Resolved implements sql.Node.
func (c *call) Resolved() bool {
	for _, arg := range c.args {
		if !arg.Resolved() {
			return false
		}
	}
	return true
}

// IsReadOnly implements sql.Node.
func (c *call) IsReadOnly() bool { return true }

// Schema implements sql.Node.
func (c *call) Schema(*sql.Context) sql.Schema { return c.schema }

// CollationCoercibility implements sql.CollationCoercible.
func (c *call) CollationCoercibility(*sql.Context) (sql.CollationID, byte) {
	return sql.Collation_binary, 5
}

// String implements fmt.Stringer; EXPLAIN prints it.
func (c *call) String() string {
	parts := make([]string, 0, len(c.args)+1)
	parts = append(parts, c.sources)
	for _, arg := range c.args {
		parts = append(parts, arg.String())
	}
	how := ""
	if c.source != nil && c.source.table != nil {
		how = " [columns of " + c.source.name + "]"
	}
	return fmt.Sprintf("%s(%s)%s", c.spec.Name, strings.Join(parts, ", "), how)
}

// DebugString implements sql.DebugStringer.
func (c *call) DebugString(*sql.Context) string { return c.String() }
