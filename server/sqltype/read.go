package sqltype

import (
	"fmt"
	"math/big"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/cockroachdb/apd/v3"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/sqltypes"
)

// A Reader returns the SQL value of one cell of a batch's column, nil for NULL. It is bound to the array it was made
// from and must not outlive it; the values it returns are the caller's own and may.
type Reader func(row int) any

// NewReader returns a Reader over column values of SQL type t. The array may hold any Arrow type that [ColumnOf] maps,
// in particular utf8 or dictionary(int32, utf8) for text. Errors wrap [ErrUnsupported].
func NewReader(values arrow.Array, t sql.Type) (Reader, error) {
	read, err := nonNullReader(values, t)
	if err != nil {
		return nil, err
	}
	if values.NullN() == 0 {
		return read, nil
	}
	return func(row int) any {
		if values.IsNull(row) {
			return nil
		}
		return read(row)
	}, nil
}

func nonNullReader(values arrow.Array, t sql.Type) (Reader, error) {
	switch a := values.(type) {
	case *array.Null:
		return func(int) any { return nil }, nil
	case *array.Boolean:
		return func(i int) any {
			if a.Value(i) {
				return int8(1)
			}
			return int8(0)
		}, nil
	case *array.Int8:
		v := a.Int8Values()
		return func(i int) any { return v[i] }, nil
	case *array.Int16:
		v := a.Int16Values()
		return func(i int) any { return v[i] }, nil
	case *array.Int32:
		v := a.Int32Values()
		return func(i int) any { return v[i] }, nil
	case *array.Int64:
		v := a.Int64Values()
		return func(i int) any { return v[i] }, nil
	case *array.Uint8:
		v := a.Uint8Values()
		return func(i int) any { return v[i] }, nil
	case *array.Uint16:
		v := a.Uint16Values()
		return func(i int) any { return v[i] }, nil
	case *array.Uint32:
		v := a.Uint32Values()
		return func(i int) any { return v[i] }, nil
	case *array.Uint64:
		v := a.Uint64Values()
		return func(i int) any { return v[i] }, nil
	case *array.Float16:
		return func(i int) any { return a.Value(i).Float32() }, nil
	case *array.Float32:
		v := a.Float32Values()
		return func(i int) any { return v[i] }, nil
	case *array.Float64:
		v := a.Float64Values()
		return func(i int) any { return v[i] }, nil
	case *array.Date32:
		v := a.Date32Values()
		return func(i int) any { return time.Unix(int64(v[i])*secondsPerDay, 0).UTC() }, nil
	case *array.Date64:
		return func(i int) any { return a.Value(i).ToTime() }, nil
	case *array.Timestamp:
		return timestampReader(a), nil
	case *array.Duration:
		unit := a.DataType().(*arrow.DurationType).Unit
		v := a.DurationValues()
		return func(i int) any { return timespan(int64(v[i]), unit) }, nil
	case *array.Time32:
		unit := a.DataType().(*arrow.Time32Type).Unit
		return func(i int) any { return timespan(int64(a.Value(i)), unit) }, nil
	case *array.Time64:
		unit := a.DataType().(*arrow.Time64Type).Unit
		return func(i int) any { return timespan(int64(a.Value(i)), unit) }, nil
	case *array.Decimal32:
		scale := a.DataType().(arrow.DecimalType).GetScale()
		return func(i int) any { return apd.New(int64(a.Value(i)), -scale) }, nil
	case *array.Decimal64:
		scale := a.DataType().(arrow.DecimalType).GetScale()
		return func(i int) any { return apd.New(int64(a.Value(i)), -scale) }, nil
	case *array.Decimal128:
		scale := a.DataType().(arrow.DecimalType).GetScale()
		v := a.Values()
		return func(i int) any {
			// Most decimals fit a machine word; big.Int is for the rest.
			if lo, hi := v[i].LowBits(), v[i].HighBits(); hi == int64(lo)>>63 {
				return apd.New(int64(lo), -scale)
			}
			return bigDecimal(v[i].BigInt(), scale)
		}, nil
	case *array.Decimal256:
		scale := a.DataType().(arrow.DecimalType).GetScale()
		return func(i int) any { return bigDecimal(a.Value(i).BigInt(), scale) }, nil
	case *array.String:
		return textReader(a, t), nil
	case *array.LargeString:
		return func(i int) any { return textValue(a.Value(i), t, true) }, nil
	case *array.StringView:
		return func(i int) any { return textValue(a.Value(i), t, true) }, nil
	case *array.Binary:
		return func(i int) any { return append([]byte{}, a.Value(i)...) }, nil
	case *array.LargeBinary:
		return func(i int) any { return append([]byte{}, a.Value(i)...) }, nil
	case *array.BinaryView:
		return func(i int) any { return append([]byte{}, a.Value(i)...) }, nil
	case *array.FixedSizeBinary:
		return func(i int) any { return append([]byte{}, a.Value(i)...) }, nil
	case *array.Dictionary:
		return dictionaryReader(a, t)
	}
	return nil, fmt.Errorf("%w: Arrow type %s has no SQL counterpart", ErrUnsupported, values.DataType())
}

const (
	secondsPerDay = 86400
	microsPerSec  = 1_000_000
)

func timestampReader(a *array.Timestamp) Reader {
	v := a.TimestampValues()
	switch a.DataType().(*arrow.TimestampType).Unit {
	case arrow.Second:
		return func(i int) any { return time.Unix(int64(v[i]), 0).UTC() }
	case arrow.Millisecond:
		return func(i int) any { return time.UnixMilli(int64(v[i])).UTC() }
	case arrow.Microsecond:
		return func(i int) any { return time.UnixMicro(int64(v[i])).UTC() }
	default:
		return func(i int) any { return time.Unix(0, int64(v[i])).UTC() }
	}
}

func timespan(v int64, unit arrow.TimeUnit) types.Timespan {
	switch unit {
	case arrow.Second:
		return types.Timespan(v * microsPerSec)
	case arrow.Millisecond:
		return types.Timespan(v * 1000)
	case arrow.Microsecond:
		return types.Timespan(v)
	default:
		return types.Timespan(v / 1000)
	}
}

func bigDecimal(v *big.Int, scale int32) *apd.Decimal {
	d := apd.NewWithBigInt(new(apd.BigInt).SetMathBigInt(v), -scale)
	if d.Coeff.Sign() < 0 { // apd keeps the sign apart from the coefficient
		d.Negative = true
		d.Coeff.Abs(&d.Coeff)
	}
	return d
}

// textReader copies the column's bytes once and hands out substrings: one allocation a batch instead of one a cell,
// and values that stay valid when the batch's memory is given back.
func textReader(a *array.String, t sql.Type) Reader {
	n := a.Len()
	if n == 0 {
		return func(int) any { return nil }
	}
	offsets := a.ValueOffsets()
	base := offsets[0]
	text := string(a.ValueBytes())
	if t.Type() == sqltypes.TypeJSON {
		return func(i int) any { return types.NewLazyJSONDocument([]byte(text[offsets[i]-base : offsets[i+1]-base])) }
	}
	return func(i int) any { return text[offsets[i]-base : offsets[i+1]-base] }
}

// textValue converts one text cell; clone says that s points into memory of the batch.
func textValue(s string, t sql.Type, clone bool) any {
	if t.Type() == sqltypes.TypeJSON {
		return types.NewLazyJSONDocument([]byte(s))
	}
	if clone {
		s = string([]byte(s))
	}
	return s
}

// dictionaryReader converts each dictionary entry at most once; cells then share the converted value.
func dictionaryReader(a *array.Dictionary, t sql.Type) (Reader, error) {
	entry, err := NewReader(a.Dictionary(), t)
	if err != nil {
		return nil, err
	}
	if t.Type() == sqltypes.TypeJSON { // documents are not shared between rows
		return func(i int) any { return entry(a.GetValueIndex(i)) }, nil
	}
	values := make([]any, a.Dictionary().Len())
	known := make([]bool, len(values))
	return func(i int) any {
		k := a.GetValueIndex(i)
		if !known[k] {
			values[k], known[k] = entry(k), true
		}
		return values[k]
	}, nil
}
