package loaddata

import (
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/almanacdb/almanac/storage/ingest"
)

// fastText returns a function that appends texts of the forms that files have (12, -3.50, 2024-01-31, ASCII) to b without
// allocating, and refuses all others: those go through the SQL type. It returns nil for types without such a form. Room for
// the value must have been reserved.
func fastText(b array.Builder, t sql.Type) func([]byte) bool {
	plain := !strings.ContainsAny(t.String(), "( ") // no FLOAT(7,2), no DOUBLE UNSIGNED
	switch b := b.(type) {
	case *array.Int8Builder:
		return integer(math.MinInt8, math.MaxInt8, func(v int64) { b.UnsafeAppend(int8(v)) })
	case *array.Int16Builder:
		if types.IsYear(t) {
			return nil
		}
		return integer(math.MinInt16, math.MaxInt16, func(v int64) { b.UnsafeAppend(int16(v)) })
	case *array.Int32Builder:
		bits := 31
		if t.Type() == sqltypes.Int24 {
			bits = 23
		}
		return integer(-1<<bits, 1<<bits-1, func(v int64) { b.UnsafeAppend(int32(v)) })
	case *array.Int64Builder:
		return integer(math.MinInt64, math.MaxInt64, func(v int64) { b.UnsafeAppend(v) })
	case *array.Uint8Builder:
		return integer(0, math.MaxUint8, func(v int64) { b.UnsafeAppend(uint8(v)) })
	case *array.Uint16Builder:
		if t.Type() == sqltypes.Enum {
			return nil
		}
		return integer(0, math.MaxUint16, func(v int64) { b.UnsafeAppend(uint16(v)) })
	case *array.Uint32Builder:
		bits := 32
		if t.Type() == sqltypes.Uint24 {
			bits = 24
		}
		return integer(0, 1<<bits-1, func(v int64) { b.UnsafeAppend(uint32(v)) })
	case *array.Uint64Builder:
		if t.Type() != sqltypes.Uint64 {
			return nil
		}
		return integer(0, math.MaxInt64, func(v int64) { b.UnsafeAppend(uint64(v)) })
	case *array.Float32Builder:
		if !plain {
			return nil
		}
		return float(func(v float64) bool {
			if math.Abs(v) > math.MaxFloat32 {
				return false
			}
			b.UnsafeAppend(float32(v))
			return true
		})
	case *array.Float64Builder:
		if !plain {
			return nil
		}
		return float(func(v float64) bool { b.UnsafeAppend(v); return true })
	case *array.Decimal128Builder:
		return decimal(b.Type().(*arrow.Decimal128Type), func(v int64) { b.UnsafeAppend(decimal128.FromI64(v)) })
	case *array.Decimal256Builder:
		return decimal(b.Type().(*arrow.Decimal256Type), func(v int64) { b.UnsafeAppend(decimal256.FromI64(v)) })
	case *array.Date32Builder:
		return func(s []byte) bool {
			days, ok := ingest.ISODate(text(s))
			if ok {
				b.UnsafeAppend(arrow.Date32(days))
			}
			return ok
		}
	case *array.TimestampBuilder:
		return datetime(b, t)
	case *array.StringBuilder:
		if s, ok := t.(sql.StringType); ok && types.IsText(t) {
			return characters(b, s)
		}
	case *array.BinaryBuilder:
		if s, ok := t.(sql.StringType); ok && t.Type() != sqltypes.Binary { // BINARY(n) is padded
			most := s.MaxByteLength()
			return func(s []byte) bool {
				if int64(len(s)) > most {
					return false
				}
				b.Append(s)
				return true
			}
		}
	}
	return nil
}

// integer reads an optional sign and up to 18 digits.
func integer(least, most int64, put func(int64)) func([]byte) bool {
	return func(s []byte) bool {
		digits := s
		if len(s) > 0 && s[0] == '-' {
			digits = s[1:]
		}
		if len(digits) == 0 || len(digits) > 18 {
			return false
		}
		v := int64(0)
		for _, c := range digits {
			c -= '0'
			if c > 9 {
				return false
			}
			v = v*10 + int64(c)
		}
		if len(digits) < len(s) {
			v = -v
		}
		if v < least || v > most {
			return false
		}
		put(v)
		return true
	}
}

// float reads a decimal number. Few digits are a whole number and a power of ten, both exact, so that one division rounds
// correctly (Clinger, "How to read floating point numbers accurately", 1990); others are left to strconv.
func float(put func(float64) bool) func([]byte) bool {
	return func(s []byte) bool {
		if m, scale, negative, ok := coefficient(s); ok && m < 1<<53 {
			v := float64(m) / powersOfTen[scale]
			if negative {
				v = -v
			}
			return put(v)
		}
		if len(s) == 0 || s[len(s)-1] > '9' {
			return false
		}
		for _, c := range s { // strconv takes infinities, hexadecimal and underscores, too
			if c-'0' > 9 && c != '.' && c != '-' && c != '+' && c|0x20 != 'e' {
				return false
			}
		}
		v, err := strconv.ParseFloat(text(s), 64)
		return err == nil && put(v)
	}
}

var powersOfTen = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18}

// coefficient reads -123.45 as 12345 with scale 2: up to 18 digits, at least one before the point.
func coefficient(s []byte) (m int64, scale int, negative, ok bool) {
	i := 0
	if len(s) > 0 && s[0] == '-' {
		negative, i = true, 1
	}
	if len(s)-i > 19 || i >= len(s) || s[i]-'0' > 9 {
		return 0, 0, false, false
	}
	point, digits := -1, 0
	for ; i < len(s); i++ {
		c := s[i] - '0'
		switch {
		case c <= 9:
			m = m*10 + int64(c)
			digits++
		case s[i] == '.' && point < 0:
			point = i
		default:
			return 0, 0, false, false
		}
	}
	if digits > 18 || point == len(s)-1 {
		return 0, 0, false, false
	}
	if point >= 0 {
		scale = len(s) - point - 1
	}
	return m, scale, negative, true
}

// decimal reads a number that fits the column without rounding.
func decimal(t arrow.DecimalType, put func(int64)) func([]byte) bool {
	precision, scale := int(t.GetPrecision()), int(t.GetScale())
	whole := int64(1) // the coefficient's bound
	for range min(precision, 18) {
		whole *= 10
	}
	return func(s []byte) bool {
		m, digits, negative, ok := coefficient(s)
		if !ok || digits > scale || scale-digits > 17 {
			return false
		}
		for range scale - digits {
			if m > math.MaxInt64/10 {
				return false
			}
			m *= 10
		}
		if m >= whole {
			return false
		}
		if negative {
			m = -m
		}
		put(m)
		return true
	}
}

// The last second that a TIMESTAMP holds, 2038-01-19 03:14:07 UTC.
const lastTimestamp = math.MaxInt32 * int64(1_000_000)

func datetime(b *array.TimestampBuilder, t sql.Type) func([]byte) bool {
	decimals := 0
	if d, ok := t.(sql.DatetimeType); ok {
		decimals = d.Precision()
	}
	stamp := t.Type() == sqltypes.Timestamp
	return func(s []byte) bool {
		v, ok := ingest.ISODatetime(text(s), decimals)
		if !ok || stamp && (v <= 0 || v > lastTimestamp) {
			return false
		}
		b.UnsafeAppend(arrow.Timestamp(v))
		return true
	}
}

// characters takes any UTF-8 for a column of that character set, and ASCII for others.
func characters(b *array.StringBuilder, t sql.StringType) func([]byte) bool {
	most := t.MaxCharacterLength()
	any8 := t.CharacterSet().Name() == "utf8mb4"
	if !any8 && !strings.HasPrefix(t.CharacterSet().Name(), "utf8") && t.CharacterSet().Name() != "latin1" && t.CharacterSet().Name() != "ascii" {
		return nil
	}
	return func(s []byte) bool {
		ascii := true
		for _, c := range s {
			if c >= utf8.RuneSelf {
				ascii = false
				break
			}
		}
		if !ascii && (!any8 || !utf8.Valid(s)) {
			return false
		}
		if int64(len(s)) > most && (ascii || int64(utf8.RuneCount(s)) > most) {
			return false
		}
		b.BinaryBuilder.Append(s)
		return true
	}
}
