package tablefunc

import (
	"fmt"

	"github.com/cockroachdb/apd/v3"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/types"

	"github.com/almanacdb/almanac/functions"
)

// moment is when the value of an argument is known.
type moment uint8

const (
	now   moment = iota // while planning
	later               // when the statement runs
	never               // a `?` of a statement being prepared; its execution plans anew with the values
)

// evaluable tells when an argument can be evaluated.
func evaluable(ctx *sql.Context, arg sql.Expression) moment {
	when := now
	sql.Inspect(ctx, arg, func(_ *sql.Context, e sql.Expression) bool {
		switch e.(type) {
		case *expression.BindVar:
			when = never
		case *expression.GetField, *expression.UnresolvedColumn, *expression.ProcedureParam, *plan.Subquery:
			when = max(when, later)
		}
		return when != never
	})
	return when
}

// evaluate returns an argument as the plain Go value that functions.Bind takes.
func evaluate(ctx *sql.Context, arg sql.Expression, row sql.Row) (functions.Value, error) {
	if evaluable(ctx, arg) == never {
		return functions.Unbound{}, nil
	}
	v, err := arg.Eval(ctx, row)
	if err != nil {
		return nil, err
	}
	return plain(ctx, v)
}

func plain(ctx *sql.Context, v any) (functions.Value, error) {
	v, err := sql.UnwrapAny(ctx, v)
	if err != nil {
		return nil, err
	}
	switch v := v.(type) {
	case []byte:
		return string(v), nil
	case float32:
		return float64(v), nil
	case *apd.Decimal:
		if v == nil {
			return nil, nil
		}
		if whole, err := v.Int64(); err == nil && v.Exponent >= 0 {
			return whole, nil
		}
		return v.Float64()
	case sql.JSONWrapper:
		doc, err := v.ToInterface(ctx)
		if err != nil {
			return nil, err
		}
		return plainJSON(doc)
	case types.Timespan:
		return v.String(), nil
	}
	return v, nil
}

// plainJSON replaces the number types of the SQL engine inside a JSON document, and makes maps and slices of one kind.
func plainJSON(v any) (any, error) {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			p, err := plainJSON(e)
			if err != nil {
				return nil, err
			}
			out[k] = p
		}
		return out, nil
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			p, err := plainJSON(e)
			if err != nil {
				return nil, err
			}
			out[i] = p
		}
		return out, nil
	case *apd.Decimal:
		return v.Float64()
	case float32:
		return float64(v), nil
	case fmt.Stringer:
		return v.String(), nil
	}
	return v, nil
}
