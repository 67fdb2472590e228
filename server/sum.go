package server

import (
	"fmt"

	"github.com/cockroachdb/apd/v3"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function/aggregation"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// exactSum is SUM over whole numbers and decimals as MySQL defines it: a DECIMAL, exact to the last digit. The engine's own
// sum is a DOUBLE, which is off by units beyond 2^53 and shows 0.30000000000000004 for cents. Sums of other types, and sums
// over a window, are left to the engine.
type exactSum struct {
	*aggregation.Sum
	typ sql.Type
}

var (
	_ sql.Aggregation        = (*exactSum)(nil)
	_ sql.FunctionExpression = (*exactSum)(nil)
)

// newSum is SUM's constructor.
func newSum(ctx *sql.Context, e sql.Expression) sql.Expression {
	sum := aggregation.NewSum(e)
	if typ, ok := sumType(e.Type(ctx)); ok {
		return &exactSum{Sum: sum, typ: typ}
	}
	return sum
}

// MySQL gives a sum 22 digits more than its summands (Item_sum_sum::fix_length_and_dec), at most 65.
const (
	sumExtraDigits  = 22
	maxDecimalWidth = 65
	bigintDigits    = 19
)

func sumType(t sql.Type) (sql.Type, bool) {
	if d, ok := t.(sql.DecimalType); ok {
		return types.MustCreateDecimalType(uint8(min(int(d.Precision())+sumExtraDigits, maxDecimalWidth)), d.Scale()), true
	}
	if types.IsInteger(t) && !types.IsYear(t) {
		return types.MustCreateDecimalType(bigintDigits+sumExtraDigits, 0), true
	}
	return nil, false
}

// Type implements sql.Expression.
func (s *exactSum) Type(*sql.Context) sql.Type { return s.typ }

// IsNullable implements sql.Expression: a sum over nothing is NULL.
func (s *exactSum) IsNullable(*sql.Context) bool { return true }

// WithChildren implements sql.Expression.
func (s *exactSum) WithChildren(ctx *sql.Context, children ...sql.Expression) (sql.Expression, error) {
	e, err := s.Sum.WithChildren(ctx, children...)
	if err != nil {
		return nil, err
	}
	sum := e.(*aggregation.Sum)
	typ, ok := sumType(sum.Child.Type(ctx))
	if !ok {
		return sum, nil
	}
	return &exactSum{Sum: sum, typ: typ}, nil
}

// WithId implements sql.IdExpression.
func (s *exactSum) WithId(id sql.ColumnId) sql.IdExpression {
	return &exactSum{Sum: s.Sum.WithId(id).(*aggregation.Sum), typ: s.typ}
}

// WithWindow implements sql.WindowAdaptableExpression: a windowed sum is the engine's.
func (s *exactSum) WithWindow(ctx *sql.Context, window *sql.WindowDefinition) sql.WindowAdaptableExpression {
	if window == nil {
		return s
	}
	return s.Sum.WithWindow(ctx, window)
}

// DebugString implements sql.DebugStringer.
func (s *exactSum) DebugString(ctx *sql.Context) string { return s.Sum.DebugString(ctx) }

// NewBuffer implements sql.Aggregation.
func (s *exactSum) NewBuffer(ctx *sql.Context) (sql.AggregationBuffer, error) {
	child, err := transform.Clone(ctx, s.Child)
	if err != nil {
		return nil, err
	}
	return &sumBuffer{expr: child}, nil
}

// sumBuffer adds int64s natively and moves to wide decimals at the first overflow or fraction.
type sumBuffer struct {
	expr  sql.Expression
	any   bool
	small int64
	wide  *apd.Decimal
}

// sumContext is wide enough for any MySQL decimal: additions are exact.
var sumContext = apd.BaseContext.WithPrecision(2 * maxDecimalWidth)

// Update implements sql.AggregationBuffer.
func (b *sumBuffer) Update(ctx *sql.Context, row sql.Row) error {
	v, err := b.expr.Eval(ctx, row)
	if err != nil || v == nil {
		return err
	}
	if v, err = sql.UnwrapAny(ctx, v); err != nil {
		return err
	}
	b.any = true
	switch v := v.(type) {
	case int64:
		b.add(v)
	case int32:
		b.add(int64(v))
	case int16:
		b.add(int64(v))
	case int8:
		b.add(int64(v))
	case int:
		b.add(int64(v))
	case uint8:
		b.add(int64(v))
	case uint16:
		b.add(int64(v))
	case uint32:
		b.add(int64(v))
	case uint64:
		if v > 1<<62 {
			return b.addWide(apd.NewWithBigInt(new(apd.BigInt).SetUint64(v), 0))
		}
		b.add(int64(v))
	case bool:
		if v {
			b.add(1)
		}
	case *apd.Decimal:
		return b.addWide(v)
	default:
		d, _, err := types.InternalDecimalType.Convert(ctx, v)
		if err != nil {
			return fmt.Errorf("SUM: %w", err)
		}
		return b.addWide(d.(*apd.Decimal))
	}
	return nil
}

func (b *sumBuffer) add(v int64) {
	s := b.small + v
	if (s > b.small) == (v > 0) {
		b.small = s
		return
	}
	_ = b.addWide(apd.New(b.small, 0))
	b.small = v
}

func (b *sumBuffer) addWide(v *apd.Decimal) error {
	if b.wide == nil {
		b.wide = apd.New(0, 0)
	}
	_, err := sumContext.Add(b.wide, b.wide, v)
	return err
}

// Eval implements sql.AggregationBuffer.
func (b *sumBuffer) Eval(*sql.Context) (any, error) {
	if !b.any {
		return nil, nil
	}
	sum := apd.New(b.small, 0)
	if b.wide != nil {
		if _, err := sumContext.Add(sum, sum, b.wide); err != nil {
			return nil, err
		}
	}
	return sum, nil
}

// Dispose implements sql.Disposable.
func (b *sumBuffer) Dispose(ctx *sql.Context) { expression.Dispose(ctx, b.expr) }
