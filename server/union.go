package server

import (
	"fmt"
	"slices"

	"github.com/cockroachdb/apd/v3"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/vt/proto/query"
)

const unionTypesID analyzer.RuleId = 10_011

// unionTypes gives the columns of UNION, INTERSECT and EXCEPT MySQL's types. Where the two sides differ, the engine's builder
// puts a projection with conversions above each: to text for whole numbers beside DOUBLE, for NULL beside DOUBLE or a date,
// and for DATE beside DATETIME, which turns the line of a chart into labels. The rule replaces these conversions, and what
// the queries around believe of the columns' types.
func unionTypes(ctx *sql.Context, _ *analyzer.Analyzer, n sql.Node, _ *plan.Scope, _ analyzer.RuleSelector, _ *sql.QueryFlags) (sql.Node, transform.TreeIdentity, error) {
	u := unions{columns: map[sql.ColumnId]*sql.Column{}}
	if create, ok := n.(*plan.CreateTable); ok && create.Select() != nil {
		return u.createTable(ctx, create)
	}
	return transform.NodeWithOpaque(ctx, n, u.node)
}

// unions is one run of unionTypes, which goes from the leaves up.
type unions struct {
	changed bool
	columns map[sql.ColumnId]*sql.Column // what is now known of the columns by identity
}

// createTable corrects the columns that the table takes from its SELECT. A table without declarations has just these columns;
// where there are declarations, the engine adds the selected ones later.
func (u *unions) createTable(ctx *sql.Context, create *plan.CreateTable) (sql.Node, transform.TreeIdentity, error) {
	before := create.Select().Schema(ctx)
	query, _, err := transform.NodeWithOpaque(ctx, create.Select(), u.node)
	if err != nil || !u.changed {
		return create, transform.SameTree, err
	}
	spec := create.PkSchema()
	schema := spec.Schema
	if sameColumns(schema, before) {
		schema = schema.Copy()
		for i, c := range query.Schema(ctx) {
			schema[i].Type, schema[i].Nullable = c.Type, c.Nullable
		}
	}
	return plan.NewCreateTableSelect(create.Database(), create.Name(), create.IfNotExists(), create.Temporary(), query, &plan.TableSpec{
		Schema:    sql.NewPrimaryKeySchema(schema, spec.PkOrdinals...),
		IdxDefs:   create.Indexes(),
		FkDefs:    create.ForeignKeys(),
		ChDefs:    create.Checks(),
		Collation: create.Collation,
		TableOpts: create.TableOpts,
	}), transform.NewTree, nil
}

func sameColumns(a, b sql.Schema) bool {
	return slices.EqualFunc(a, b, func(x, y *sql.Column) bool { return x.Name == y.Name && x.Type.Equals(y.Type) })
}

func (u *unions) node(ctx *sql.Context, n sql.Node) (sql.Node, transform.TreeIdentity, error) {
	if set, ok := n.(*plan.SetOp); ok {
		return u.set(ctx, set)
	}
	if !u.changed {
		return n, transform.SameTree, nil
	}
	n, same, err := transform.OneNodeExpressions(ctx, n, u.field)
	if err != nil {
		return n, same, err
	}
	switch n := n.(type) {
	case *plan.ShowColumns:
		if view, ok := n.Child.(*plan.SubqueryAlias); ok {
			described, err := n.WithTargetSchema(view.Schema(ctx))
			return described, transform.NewTree, err
		}
	case *plan.SubqueryAlias:
		schema := n.Schema(ctx)
		ids := n.Columns()
		i := 0
		ids.ForEach(func(id sql.ColumnId) {
			if i < len(schema) {
				u.columns[id] = schema[i]
			}
			i++
		})
	case *plan.Project, *plan.GroupBy, *plan.Window:
		for _, e := range n.(sql.Expressioner).Expressions() {
			if e, ok := e.(sql.IdExpression); ok && e.Id() != 0 {
				u.columns[e.Id()] = &sql.Column{Type: e.Type(ctx), Nullable: e.IsNullable(ctx)}
			}
		}
	}
	return n, same, nil
}

// field corrects a reference to a column.
func (u *unions) field(ctx *sql.Context, e sql.Expression) (sql.Expression, transform.TreeIdentity, error) {
	field, ok := e.(*expression.GetField)
	if !ok {
		return e, transform.SameTree, nil
	}
	column, ok := u.columns[field.Id()]
	if !ok || column.Type.Equals(field.Type(ctx)) && column.Nullable == field.IsNullable(ctx) {
		return e, transform.SameTree, nil
	}
	return withColumn(field, column), transform.NewTree, nil
}

func withColumn(f *expression.GetField, c *sql.Column) *expression.GetField {
	return expression.NewGetFieldWithTable(f.Index(), int(f.TableId()), c.Type, f.Database(), f.Table(), f.Name(), c.Nullable)
}

func (u *unions) set(ctx *sql.Context, set *plan.SetOp) (sql.Node, transform.TreeIdentity, error) {
	left, ok := set.Left().(*plan.Project)
	if !ok {
		return set, transform.SameTree, nil
	}
	right, ok := set.Right().(*plan.Project)
	if !ok || !isConversion(left) || !isConversion(right) {
		return set, transform.SameTree, nil
	}
	l, r := left.Child.Schema(ctx), right.Child.Schema(ctx)
	if len(l) != len(left.Projections) || len(r) != len(right.Projections) || len(l) != len(r) {
		return set, transform.SameTree, nil
	}
	ls, rs := make([]sql.Expression, len(l)), make([]sql.Expression, len(r))
	for i := range l {
		common, known := commonType(l[i].Type, r[i].Type)
		if !known {
			ls[i], rs[i] = left.Projections[i], right.Projections[i]
			continue
		}
		ls[i], rs[i] = convertColumn(ctx, left.Projections[i], l[i], common), convertColumn(ctx, right.Projections[i], r[i], common)
	}
	changed, err := set.WithChildren(ctx, plan.NewProject(ctx, ls, left.Child), plan.NewProject(ctx, rs, right.Child))
	u.changed = true
	return changed, transform.NewTree, err
}

// isConversion tells the builder's projections, which are columns and conversions of columns under aliases without an
// identity, from the query's own.
func isConversion(p *plan.Project) bool {
	renamed := false
	for _, e := range p.Projections {
		if _, ok := e.(*expression.GetField); ok {
			continue
		}
		alias, ok := e.(*expression.Alias)
		if !ok || alias.Id() != 0 || alias.Unreferencable() || convertedField(e) == nil {
			return false
		}
		renamed = true
	}
	return renamed
}

// convertedField is the column in a projection of isConversion's kind, nil in others.
func convertedField(e sql.Expression) *expression.GetField {
	if alias, ok := e.(*expression.Alias); ok {
		e = alias.Child
	}
	if convert, ok := e.(*expression.Convert); ok {
		e = convert.Child
	}
	field, _ := e.(*expression.GetField)
	return field
}

// convertColumn replaces a projection of isConversion's kind.
func convertColumn(ctx *sql.Context, projection sql.Expression, column *sql.Column, to sql.Type) sql.Expression {
	field := withColumn(convertedField(projection), column)
	if column.Type.Equals(to) {
		return field
	}
	return expression.NewAlias(ctx, column.Name, &typed{UnaryExpressionStub: expression.UnaryExpressionStub{Child: field}, to: to})
}

// commonType is the type of a column that holds values of both types; not known leaves the matter to the engine.
func commonType(a, b sql.Type) (_ sql.Type, known bool) {
	switch {
	case a.Equals(b), types.IsNullType(b):
		return a, true
	case types.IsNullType(a):
		return b, true
	case types.IsYear(a):
		return commonType(types.Int32, b)
	case types.IsYear(b):
		return commonType(a, types.Int32)
	case types.IsBit(a), types.IsBit(b), types.IsEnum(a), types.IsEnum(b), types.IsSet(a), types.IsSet(b):
		return nil, false
	case types.IsNumber(a) && types.IsNumber(b):
		return commonNumber(a, b), true
	case types.IsTextOnly(a) && types.IsTextOnly(b):
		return commonText(a.(sql.StringType), b.(sql.StringType))
	case types.IsTime(a) && types.IsTime(b):
		return types.MustCreateDatetimeType(query.Type_DATETIME, max(fraction(a), fraction(b))), true
	}
	return nil, false
}

func fraction(t sql.Type) int {
	if d, ok := t.(sql.DatetimeType); ok && !types.IsDateType(t) {
		return d.Precision()
	}
	return 0
}

func commonNumber(a, b sql.Type) sql.Type {
	if types.IsFloat(a) || types.IsFloat(b) {
		return types.Float64
	}
	mixedSigns := (a == types.Uint64 || b == types.Uint64) && (types.IsSigned(a) || types.IsSigned(b))
	if !types.IsDecimal(a) && !types.IsDecimal(b) && !mixedSigns {
		return types.GeneralizeTypes(a, b)
	}
	wholeA, scaleA := digits(a)
	wholeB, scaleB := digits(b)
	scale := max(scaleA, scaleB)
	return types.MustCreateDecimalType(uint8(min(max(wholeA, wholeB)+scale, maxDecimalWidth)), uint8(scale))
}

// digits counts the decimal places that any value of the type fits into, before and behind the point.
func digits(t sql.Type) (whole, scale int) {
	if d, ok := t.(sql.DecimalType); ok {
		return int(d.Precision()) - int(d.Scale()), int(d.Scale())
	}
	switch t.Type() {
	case query.Type_INT8, query.Type_UINT8:
		return 3, 0
	case query.Type_INT16, query.Type_UINT16:
		return 5, 0
	case query.Type_INT24, query.Type_UINT24:
		return 8, 0
	case query.Type_INT32, query.Type_UINT32:
		return 10, 0
	case query.Type_UINT64:
		return 20, 0
	}
	return bigintDigits, 0
}

// commonText is VARCHAR as long as the longer side. Where one is a TEXT, or the character sets differ, the engine decides.
func commonText(a, b sql.StringType) (sql.Type, bool) {
	if types.IsTextBlob(a) || types.IsTextBlob(b) || a.Collation() != b.Collation() {
		return nil, false
	}
	t, err := types.CreateString(query.Type_VARCHAR, max(a.MaxCharacterLength(), b.MaxCharacterLength()), a.Collation())
	return t, err == nil
}

// typed is an expression whose value is converted to a type.
type typed struct {
	expression.UnaryExpressionStub
	to sql.Type
}

var _ sql.Expression = (*typed)(nil)

// String implements sql.Expression.
func (t *typed) String() string { return fmt.Sprintf("convert(%s, %s)", t.Child, t.to) }

// Type implements sql.Expression.
func (t *typed) Type(*sql.Context) sql.Type { return t.to }

// Eval implements sql.Expression.
func (t *typed) Eval(ctx *sql.Context, row sql.Row) (any, error) {
	v, err := t.Child.Eval(ctx, row)
	if err != nil || v == nil {
		return nil, err
	}
	if v, err = sql.UnwrapAny(ctx, v); err != nil {
		return nil, err
	}
	if v, _, err = t.to.Convert(ctx, v); err != nil {
		return nil, err
	}
	if d, ok := v.(*apd.Decimal); ok {
		// The engine compares rows of sets by digits: 9 and 9.00 must look alike.
		scaled := new(apd.Decimal)
		_, err = sumContext.Quantize(scaled, d, -int32(t.to.(sql.DecimalType).Scale()))
		return scaled, err
	}
	return v, nil
}

// WithChildren implements sql.Expression.
func (t *typed) WithChildren(_ *sql.Context, children ...sql.Expression) (sql.Expression, error) {
	if len(children) != 1 {
		return nil, sql.ErrInvalidChildrenNumber.New(t, len(children), 1)
	}
	return &typed{UnaryExpressionStub: expression.UnaryExpressionStub{Child: children[0]}, to: t.to}, nil
}

// CollationCoercibility implements sql.CollationCoercible.
func (t *typed) CollationCoercibility(ctx *sql.Context) (sql.CollationID, byte) {
	return sql.GetCoercibility(ctx, t.Child)
}
