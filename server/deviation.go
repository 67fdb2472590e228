package server

import (
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression/function/aggregation"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// deviation is a standard deviation or variance. MySQL's are DOUBLE; the engine gives them the type of their argument, and so
// rounds them to whole numbers for an INT and to cents for a price. Grouped or over a window, only the type is ours.
type deviation struct{ sql.Aggregation }

var _ sql.Aggregation = (*deviation)(nil)

// deviationFunctions are STD, VARIANCE and their relatives.
func deviationFunctions() []sql.Function {
	population := func(_ *sql.Context, e sql.Expression) sql.Expression { return &deviation{aggregation.NewStdDevPop(e)} }
	sample := func(_ *sql.Context, e sql.Expression) sql.Expression { return &deviation{aggregation.NewStdDevSamp(e)} }
	variance := func(_ *sql.Context, e sql.Expression) sql.Expression { return &deviation{aggregation.NewVarPop(e)} }
	sampleVariance := func(_ *sql.Context, e sql.Expression) sql.Expression { return &deviation{aggregation.NewVarSamp(e)} }
	return []sql.Function{
		sql.Function1{Name: "std", Fn: population},
		sql.Function1{Name: "stddev", Fn: population},
		sql.Function1{Name: "stddev_pop", Fn: population},
		sql.Function1{Name: "stddev_samp", Fn: sample},
		sql.Function1{Name: "variance", Fn: variance},
		sql.Function1{Name: "var_pop", Fn: variance},
		sql.Function1{Name: "var_samp", Fn: sampleVariance},
	}
}

// Type implements sql.Expression.
func (d *deviation) Type(*sql.Context) sql.Type { return types.Float64 }

// IsNullable implements sql.Expression: over nothing, and for a sample over one row, it is NULL.
func (d *deviation) IsNullable(*sql.Context) bool { return true }

// WithChildren implements sql.Expression.
func (d *deviation) WithChildren(ctx *sql.Context, children ...sql.Expression) (sql.Expression, error) {
	e, err := d.Aggregation.WithChildren(ctx, children...)
	if err != nil {
		return nil, err
	}
	return &deviation{e.(sql.Aggregation)}, nil
}

// WithId implements sql.IdExpression.
func (d *deviation) WithId(id sql.ColumnId) sql.IdExpression {
	return &deviation{d.Aggregation.WithId(id).(sql.Aggregation)}
}

// WithWindow implements sql.WindowAdaptableExpression.
func (d *deviation) WithWindow(ctx *sql.Context, window *sql.WindowDefinition) sql.WindowAdaptableExpression {
	return &deviation{d.Aggregation.WithWindow(ctx, window).(sql.Aggregation)}
}

// DebugString implements sql.DebugStringer.
func (d *deviation) DebugString(ctx *sql.Context) string { return sql.DebugString(ctx, d.Aggregation) }
