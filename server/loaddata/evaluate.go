package loaddata

import (
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/mysql"

	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/storage/columns"
)

// computed is a column whose value is an expression of the row: SET, a generated column, a default that is not constant.
type computed struct {
	column *column
	expr   sql.Expression
}

// evaluator computes those columns and applies CHECK constraints, a row at a time.
type evaluator struct {
	schema    sql.Schema
	computed  []computed // in the order of evaluation
	checks    sql.CheckConstraints
	variables []*variable // whose texts the expressions read
	reads     []bool      // by column: an expression reads it
	lenient   bool
	ignore    bool
}

// setVariable sets a variable of the session to a field's text.
func setVariable(ctx *sql.Context, name, text string, null bool) error {
	if null {
		return ctx.SetUserVariable(ctx, name, nil, types.Null)
	}
	return ctx.SetUserVariable(ctx, name, text, types.LongText)
}

// run replaces the computed columns in arrays, which are those of all columns of the table, and returns the rows to keep,
// nil for all.
func (e *evaluator) run(ctx *sql.Context, b *batch, arrays []arrow.Array, warn *warnings) (keep []int32, err error) {
	cells := make([]sqltype.Reader, len(e.schema))
	for i, a := range arrays {
		if a == nil || !e.reads[i] {
			continue
		}
		if cells[i], err = sqltype.NewReader(a, e.schema[i].Type); err != nil {
			return nil, err
		}
	}
	for _, c := range e.computed {
		c.column.builder.Reserve(b.rows)
	}
	row := make(sql.Row, len(e.schema))
	dropped := false
	for i := range b.rows {
		if i&0xfff == 0 {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
		}
		for v := range e.variables {
			a := b.texts[v].(*array.String)
			if err := setVariable(ctx, e.variables[v].name, a.Value(i), a.IsNull(i)); err != nil {
				return nil, err
			}
		}
		for c, cell := range cells {
			if cell != nil {
				row[c] = cell(i)
			}
		}
		number := b.first + int64(i)
		for _, c := range e.computed {
			v, err := e.value(ctx, c, row, number, warn)
			if err != nil {
				return nil, err
			}
			row[c.column.ordinal] = v
			if err := c.column.store(ctx, v); err != nil {
				return nil, err
			}
		}
		ok, err := e.check(ctx, row, number, warn)
		if err != nil {
			return nil, err
		}
		if !ok && !dropped {
			dropped = true
			for j := range i {
				keep = append(keep, int32(j))
			}
		} else if ok && dropped {
			keep = append(keep, int32(i))
		}
	}
	for _, c := range e.computed {
		if old := arrays[c.column.ordinal]; old != nil {
			old.Release()
		}
		arrays[c.column.ordinal] = c.column.builder.NewArray()
	}
	if dropped && keep == nil {
		keep = []int32{}
	}
	return keep, nil
}

// value evaluates an expression for a row and converts it to the column's type.
func (e *evaluator) value(ctx *sql.Context, c computed, row sql.Row, number int64, warn *warnings) (any, error) {
	v, err := c.expr.Eval(ctx, row)
	if err == nil {
		v, err = sql.UnwrapAny(ctx, v)
	}
	if err != nil {
		return nil, fmt.Errorf("column '%s' at row %d: %w", c.column.sql.Name, number, err)
	}
	v, wrong := c.column.assign(ctx, v)
	if wrong == nil {
		return v, nil
	}
	if !e.lenient || v == nil {
		return nil, mysql.NewSQLError(wrong.number, wrong.state, "%s", wrong.at(number))
	}
	warn.add(wrong.number, func() string { return wrong.at(number) })
	return v, nil
}

// assign converts a value as an assignment to the column does.
func (c *column) assign(ctx *sql.Context, v any) (any, *complaint) {
	switch v := v.(type) {
	case nil:
		if c.sql.Nullable || c.sql.AutoIncrement {
			return nil, nil
		}
		return c.sql.Type.Zero(), c.isNull()
	case string:
		return c.convert(ctx, []byte(v))
	case []byte:
		return c.convert(ctx, v)
	}
	var out any
	var inRange sql.ConvertInRange
	var err error
	if t, rounds := c.sql.Type.(sql.RoundingNumberType); rounds {
		out, inRange, err = t.ConvertRound(ctx, v)
	} else {
		out, inRange, err = c.sql.Type.Convert(ctx, v)
	}
	if err == nil && inRange == sql.InRange && out != nil {
		return out, nil
	}
	if out == nil {
		out = c.sql.Type.Zero()
	}
	if inRange != sql.InRange {
		return out, c.outOfRange()
	}
	return out, c.truncated()
}

// check tells whether the row keeps to the constraints; with IGNORE one that does not is left out.
func (e *evaluator) check(ctx *sql.Context, row sql.Row, number int64, warn *warnings) (bool, error) {
	for _, c := range e.checks {
		if !c.Enforced {
			continue
		}
		v, err := sql.EvaluateCondition(ctx, c.Expr, row)
		if err != nil {
			return false, err
		}
		if !sql.IsFalse(v) {
			continue
		}
		broken := sql.ErrCheckConstraintViolated.New(c.Name)
		if !e.ignore {
			return false, fmt.Errorf("%w at row %d", broken, number)
		}
		warn.add(erCheckViolated, func() string { return fmt.Sprintf("%v at row %d", broken, number) })
		return false, nil
	}
	return true, nil
}

const erCheckViolated = 3819

// gather replaces the arrays by the given rows of them.
func gather(arrays []arrow.Array, rows []int32) {
	for i, a := range arrays {
		arrays[i] = columns.Gather(columns.Of(a), rows)
		a.Release()
	}
}
