package series

import (
	"math"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// isText reports whether a column holds text, perhaps by dictionary.
func isText(typ arrow.DataType) bool {
	switch t := typ.(type) {
	case *arrow.DictionaryType:
		return isText(t.ValueType)
	case *arrow.StringType, *arrow.LargeStringType, *arrow.StringViewType:
		return true
	}
	return false
}

// isNumber reports whether appendNumbers takes the type.
func isNumber(typ arrow.DataType) bool {
	switch typ.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64,
		arrow.FLOAT16, arrow.FLOAT32, arrow.FLOAT64, arrow.DECIMAL32, arrow.DECIMAL64, arrow.DECIMAL128, arrow.DECIMAL256, arrow.BOOL, arrow.NULL:
		return true
	}
	return false
}

// appendNumbers appends the values of a numeric column as float64, NULL as NaN. Decimals are rounded correctly.
func appendNumbers(dst []float64, col arrow.Array) []float64 {
	from := len(dst)
	switch c := col.(type) {
	case *array.Float64:
		dst = append(dst, c.Float64Values()...)
	case *array.Float32:
		dst = convert(dst, c.Float32Values())
	case *array.Float16:
		for _, v := range c.Values() {
			dst = append(dst, float64(v.Float32()))
		}
	case *array.Int8:
		dst = convert(dst, c.Int8Values())
	case *array.Int16:
		dst = convert(dst, c.Int16Values())
	case *array.Int32:
		dst = convert(dst, c.Int32Values())
	case *array.Int64:
		dst = convert(dst, c.Int64Values())
	case *array.Uint8:
		dst = convert(dst, c.Uint8Values())
	case *array.Uint16:
		dst = convert(dst, c.Uint16Values())
	case *array.Uint32:
		dst = convert(dst, c.Uint32Values())
	case *array.Uint64:
		dst = convert(dst, c.Uint64Values())
	case *array.Boolean:
		for i := range c.Len() {
			v := 0.0
			if c.Value(i) {
				v = 1
			}
			dst = append(dst, v)
		}
	case *array.Decimal128:
		scale := c.DataType().(*arrow.Decimal128Type).Scale
		for i := range c.Len() {
			v := c.Value(i)
			low := int64(v.LowBits())
			if v.HighBits() == low>>63 && exact(low, scale) {
				dst = append(dst, float64(low)/powersOfTen[scale])
			} else {
				dst = append(dst, parsed(v.ToString(scale)))
			}
		}
	case *array.Decimal32:
		scale := c.DataType().(*arrow.Decimal32Type).Scale
		for i := range c.Len() {
			dst = append(dst, parsed(c.Value(i).ToString(scale)))
		}
	case *array.Decimal64:
		scale := c.DataType().(*arrow.Decimal64Type).Scale
		for i := range c.Len() {
			dst = append(dst, parsed(c.Value(i).ToString(scale)))
		}
	case *array.Decimal256:
		scale := c.DataType().(*arrow.Decimal256Type).Scale
		for i := range c.Len() {
			dst = append(dst, parsed(c.Value(i).ToString(scale)))
		}
	default: // array.Null
		for range col.Len() {
			dst = append(dst, math.NaN())
		}
		return dst
	}
	if col.NullN() > 0 {
		for i := range dst[from:] {
			if col.IsNull(i) {
				dst[from+i] = math.NaN()
			}
		}
	}
	return dst
}

func convert[T int8 | int16 | int32 | int64 | uint8 | uint16 | uint32 | uint64 | float32](dst []float64, values []T) []float64 {
	for _, v := range values {
		dst = append(dst, float64(v))
	}
	return dst
}

// powersOfTen are those that float64 holds exactly.
var powersOfTen = [...]float64{
	1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22,
}

// exact reports whether v and 10^scale are both exact in float64, so that their quotient is rounded once.
func exact(v int64, scale int32) bool {
	return v > -1<<53 && v < 1<<53 && scale >= 0 && int(scale) < len(powersOfTen)
}

// parsed reads a decimal's text; strconv rounds correctly.
func parsed(s string) float64 {
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return math.NaN()
	}
	return v
}
