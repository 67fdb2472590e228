package sqltype

import (
	"context"
	"fmt"
	"math/big"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/cockroachdb/apd/v3"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/sqltypes"
)

// A writer appends one SQL value to the builder it was made for.
type writer func(ctx context.Context, v any) error

// newWriter returns the writer of values of SQL type t into b, which was made for the physical type of t.
// Values of the Go type that t.Convert yields take the fast path; others are converted first, as an INSERT would.
func newWriter(b array.Builder, t sql.Type) (writer, error) {
	switch b := b.(type) {
	case *array.Int8Builder:
		return numberWriter(b, t), nil
	case *array.Int16Builder:
		return numberWriter(b, t), nil
	case *array.Int32Builder:
		return numberWriter(b, t), nil
	case *array.Int64Builder:
		return numberWriter(b, t), nil
	case *array.Uint8Builder:
		return numberWriter(b, t), nil
	case *array.Uint16Builder:
		return numberWriter(b, t), nil
	case *array.Uint32Builder:
		return numberWriter(b, t), nil
	case *array.Uint64Builder:
		return numberWriter(b, t), nil
	case *array.Float32Builder:
		return numberWriter(b, t), nil
	case *array.Float64Builder:
		return numberWriter(b, t), nil
	case *array.Date32Builder:
		return convertingWriter(t, func(v time.Time) { b.Append(dateOf(v)) }, b), nil
	case *array.TimestampBuilder:
		return convertingWriter(t, func(v time.Time) { b.Append(arrow.Timestamp(v.UnixMicro())) }, b), nil
	case *array.DurationBuilder:
		return convertingWriter(t, func(v types.Timespan) { b.Append(arrow.Duration(v)) }, b), nil
	case *array.Decimal128Builder:
		return decimalWriter(b, t, func(v *apd.Decimal, precision, scale int32) error {
			n, err := decimal128Of(v, precision, scale)
			if err == nil {
				b.Append(n)
			}
			return err
		}), nil
	case *array.Decimal256Builder:
		return decimalWriter(b, t, func(v *apd.Decimal, precision, scale int32) error {
			n, err := decimal256Of(v, precision, scale)
			if err == nil {
				b.Append(n)
			}
			return err
		}), nil
	case *array.StringBuilder:
		if t.Type() == sqltypes.TypeJSON {
			return jsonWriter(b, t), nil
		}
		return textWriter(b, t), nil
	case *array.BinaryBuilder:
		return binaryWriter(b, t), nil
	}
	return nil, fmt.Errorf("%w: no writer for Arrow type %s", ErrUnsupported, b.Type())
}

type appender[T any] interface {
	array.Builder
	Append(T)
}

func numberWriter[T any](b appender[T], t sql.Type) writer {
	return func(ctx context.Context, v any) error {
		if n, ok := v.(T); ok {
			b.Append(n)
			return nil
		}
		if v == nil {
			b.AppendNull()
			return nil
		}
		c, err := convert[T](ctx, v, t)
		if err == nil {
			b.Append(c)
		}
		return err
	}
}

func convertingWriter[T any](t sql.Type, push func(T), b array.Builder) writer {
	return func(ctx context.Context, v any) error {
		if n, ok := v.(T); ok {
			push(n)
			return nil
		}
		if v == nil {
			b.AppendNull()
			return nil
		}
		c, err := convert[T](ctx, v, t)
		if err == nil {
			push(c)
		}
		return err
	}
}

func decimalWriter(b array.Builder, t sql.Type, push func(v *apd.Decimal, precision, scale int32) error) writer {
	precision, scale := decimalShape(t)
	return func(ctx context.Context, v any) error {
		if v == nil {
			b.AppendNull()
			return nil
		}
		d, ok := v.(*apd.Decimal)
		if !ok {
			var err error
			if d, err = convert[*apd.Decimal](ctx, v, t); err != nil {
				return err
			}
		}
		return push(d, precision, scale)
	}
}

func textWriter(b *array.StringBuilder, t sql.Type) writer {
	return func(ctx context.Context, v any) error {
		switch s := v.(type) {
		case string:
			b.Append(s)
			return nil
		case []byte:
			b.BinaryBuilder.Append(s)
			return nil
		case nil:
			b.AppendNull()
			return nil
		}
		s, err := textOf(ctx, v, t)
		if err == nil {
			b.Append(s)
		}
		return err
	}
}

func binaryWriter(b *array.BinaryBuilder, t sql.Type) writer {
	return func(ctx context.Context, v any) error {
		switch s := v.(type) {
		case []byte:
			b.Append(s)
			return nil
		case string:
			b.AppendString(s)
			return nil
		case nil:
			b.AppendNull()
			return nil
		}
		s, err := textOf(ctx, v, t)
		if err == nil {
			b.AppendString(s)
		}
		return err
	}
}

func jsonWriter(b *array.StringBuilder, t sql.Type) writer {
	return func(ctx context.Context, v any) error {
		if v == nil {
			b.AppendNull()
			return nil
		}
		text, err := jsonText(ctx, v, t)
		if err == nil {
			b.BinaryBuilder.Append(text)
		}
		return err
	}
}

// jsonText serialises a JSON value the way MySQL prints it, numbers and dates inside it included.
func jsonText(ctx context.Context, v any, t sql.Type) ([]byte, error) {
	doc, ok := v.(sql.JSONWrapper)
	if !ok {
		c, _, err := t.Convert(ctx, v)
		if err != nil {
			return nil, err
		}
		if doc, ok = c.(sql.JSONWrapper); !ok {
			return nil, fmt.Errorf("value of type %T is not JSON", v)
		}
	}
	return types.JsonToMySqlBytes(ctx, doc)
}

// convert brings v to the Go type T that t holds, with the conversion an assignment in SQL makes.
func convert[T any](ctx context.Context, v any, t sql.Type) (T, error) {
	var zero T
	v, err := sql.UnwrapAny(ctx, v)
	if err != nil {
		return zero, err
	}
	if n, ok := v.(T); ok {
		return n, nil
	}
	c, inRange, err := t.Convert(ctx, v)
	if err != nil {
		return zero, err
	}
	if inRange != sql.InRange {
		return zero, sql.ErrValueOutOfRange.New(v, t)
	}
	n, ok := c.(T)
	if !ok {
		return zero, fmt.Errorf("cannot convert a value of type %T to %s", v, t)
	}
	return n, nil
}

// textOf converts to text; types whose Convert yields bytes or text are both accepted.
func textOf(ctx context.Context, v any, t sql.Type) (string, error) {
	v, err := sql.UnwrapAny(ctx, v)
	if err != nil {
		return "", err
	}
	for range 2 {
		switch s := v.(type) {
		case string:
			return s, nil
		case []byte:
			return string(s), nil
		}
		if types.IsNullType(t) {
			return fmt.Sprint(v), nil
		}
		if v, _, err = t.Convert(ctx, v); err != nil {
			return "", err
		}
		if v, err = sql.UnwrapAny(ctx, v); err != nil {
			return "", err
		}
	}
	return "", fmt.Errorf("cannot convert a value of type %T to %s", v, t)
}

// dateOf counts days since 1970-01-01, rounding towards the past: a date before 1970 must not lose a day.
func dateOf(v time.Time) arrow.Date32 {
	s := v.Unix()
	d := s / secondsPerDay
	if s%secondsPerDay < 0 {
		d--
	}
	return arrow.Date32(d)
}

// scaled returns the coefficient of v at the given scale, rounding half away from zero as MySQL does.
func scaled(v *apd.Decimal, scale int32) (*apd.BigInt, error) {
	if v.Form != apd.Finite {
		return nil, fmt.Errorf("%s is not a DECIMAL value", v)
	}
	if v.Exponent == -scale {
		if !v.Negative {
			return &v.Coeff, nil
		}
		return new(apd.BigInt).Neg(&v.Coeff), nil
	}
	var c apd.BigInt
	if shift := v.Exponent + scale; shift > 0 {
		var pow apd.BigInt
		pow.Exp(apd.NewBigInt(10), apd.NewBigInt(int64(shift)), nil)
		c.Mul(&v.Coeff, &pow)
		if v.Negative {
			c.Neg(&c)
		}
		return &c, nil
	}
	r, err := sql.DecimalRound(v, scale)
	if err != nil {
		return nil, err
	}
	c.Set(&r.Coeff)
	if r.Negative {
		c.Neg(&c)
	}
	return &c, nil
}

func decimal128Of(v *apd.Decimal, precision, scale int32) (decimal128.Num, error) {
	c, err := scaled(v, scale)
	if err != nil {
		return decimal128.Num{}, err
	}
	if c.IsInt64() {
		n := decimal128.FromI64(c.Int64())
		if precision >= 19 || n.FitsInPrecision(precision) {
			return n, nil
		}
		return decimal128.Num{}, outOfRange(v, precision, scale)
	}
	b := c.MathBigInt()
	if b.BitLen() > 127 {
		return decimal128.Num{}, outOfRange(v, precision, scale)
	}
	n := decimal128.FromBigInt(b)
	if !n.FitsInPrecision(precision) {
		return decimal128.Num{}, outOfRange(v, precision, scale)
	}
	return n, nil
}

func decimal256Of(v *apd.Decimal, precision, scale int32) (decimal256.Num, error) {
	c, err := scaled(v, scale)
	if err != nil {
		return decimal256.Num{}, err
	}
	b := c.MathBigInt()
	if new(big.Int).Abs(b).Cmp(pow10(precision)) >= 0 {
		return decimal256.Num{}, outOfRange(v, precision, scale)
	}
	return decimal256.FromBigInt(b), nil
}

func pow10(n int32) *big.Int { return new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(n)), nil) }

func outOfRange(v *apd.Decimal, precision, scale int32) error {
	return sql.ErrValueOutOfRange.New(v.Text('f'), fmt.Sprintf("decimal(%d,%d)", precision, scale))
}
