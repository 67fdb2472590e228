// Package keys turns rows into byte strings that sort as the rows do.
//
// A key is the concatenation of its columns. NULL is the byte 0; any other value is the byte 1 followed by: for integers, dates and
// times 8 big-endian bytes with the sign bit flipped; unsigned integers 8 big-endian bytes; floats their IEEE 754 bits in 8
// big-endian bytes, all flipped when negative, else the sign bit, with -0 as +0 and every NaN as the greatest value; decimals 16 or 32
// big-endian bytes with the sign bit flipped; booleans one byte; text and binary (or their collation key) with 00 escaped as 00 FF and
// ended by 00 01. Text that starts another sorts before it.
package keys

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"

	"github.com/almanacdb/almanac/storage/columns"
)

// Collation appends the comparison key of a text to dst.
type Collation func(dst, value []byte) []byte

// Column is one column of a key.
type Column struct {
	Ordinal int
	Type    arrow.DataType
	Collate Collation // nil compares bytes
}

// Encoder encodes one key of a table. Safe for concurrent use.
type Encoder struct{ Columns []Column }

// AppendRow appends the key of a row to dst. views are all columns of the row's batch, by ordinal; only the key's are looked at.
func (e *Encoder) AppendRow(dst []byte, views []*columns.View, row int) (key []byte, hasNull bool) {
	for _, c := range e.Columns {
		v := views[c.Ordinal]
		if v.Null(row) {
			dst, hasNull = append(dst, 0), true
			continue
		}
		dst = append(dst, 1)
		switch v.Class {
		case columns.Signed:
			dst = appendInt(dst, v.Int(row))
		case columns.Unsigned:
			dst = binary.BigEndian.AppendUint64(dst, v.Uint(row))
		case columns.Float:
			dst = appendFloat(dst, v.Float(row))
		case columns.Decimal:
			dst = appendDecimal(dst, v.Bytes(row))
		case columns.Bool:
			dst = appendBool(dst, v.Bool(row))
		default:
			dst = appendText(dst, v.Bytes(row), c.Collate)
		}
	}
	return dst, hasNull
}

// AppendValues appends the key made of values, one per column, in the Go types that columns.View.Value returns; any integer type
// serves for integers, dates and times, and string and []byte for each other.
func (e *Encoder) AppendValues(dst []byte, values []any) (key []byte, hasNull bool, err error) {
	if len(values) != len(e.Columns) {
		return dst, false, fmt.Errorf("storage: key has %d columns, got %d values", len(e.Columns), len(values))
	}
	for i, c := range e.Columns {
		if values[i] == nil {
			dst, hasNull = append(dst, 0), true
			continue
		}
		if dst, err = AppendValue(append(dst, 1), c.Type, values[i], c.Collate); err != nil {
			return dst, false, err
		}
	}
	return dst, hasNull, nil
}

// AppendValue appends the encoding of one value that is not nil, without the leading byte that tells it from NULL.
func AppendValue(dst []byte, t arrow.DataType, value any, collate Collation) ([]byte, error) {
	switch columns.ClassOf(t) {
	case columns.Signed:
		if n, ok := Integer(value); ok {
			return appendInt(dst, n), nil
		}
	case columns.Unsigned:
		if u, ok := value.(uint64); ok {
			return binary.BigEndian.AppendUint64(dst, u), nil
		}
		if n, ok := Integer(value); ok && n >= 0 {
			return binary.BigEndian.AppendUint64(dst, uint64(n)), nil
		}
	case columns.Float:
		switch x := value.(type) {
		case float64:
			if t.ID() == arrow.FLOAT32 {
				x = float64(float32(x))
			}
			return appendFloat(dst, x), nil
		case float32:
			return appendFloat(dst, float64(x)), nil
		}
		if n, ok := Integer(value); ok {
			return appendFloat(dst, float64(n)), nil
		}
	case columns.Decimal:
		var raw [32]byte
		switch x := value.(type) {
		case decimal128.Num:
			if t.ID() == arrow.DECIMAL128 {
				binary.LittleEndian.PutUint64(raw[:], x.LowBits())
				binary.LittleEndian.PutUint64(raw[8:], uint64(x.HighBits()))
				return appendDecimal(dst, raw[:16]), nil
			}
			wide := decimal256.FromDecimal128(x)
			return appendDecimal256(dst, wide), nil
		case decimal256.Num:
			if t.ID() == arrow.DECIMAL256 {
				return appendDecimal256(dst, x), nil
			}
		}
	case columns.Bool:
		if b, ok := value.(bool); ok {
			return appendBool(dst, b), nil
		}
	case columns.Bytes, columns.Fixed:
		switch x := value.(type) {
		case string:
			return appendText(dst, []byte(x), collate), nil
		case []byte:
			return appendText(dst, x, collate), nil
		}
	}
	return dst, fmt.Errorf("storage: a %T does not fit a key column of type %v", value, t)
}

// Integer returns the value of any Go integer or Arrow date and time that int64 can hold.
func Integer(value any) (int64, bool) {
	switch x := value.(type) {
	case int64:
		return x, true
	case int:
		return int64(x), true
	case int32:
		return int64(x), true
	case int16:
		return int64(x), true
	case int8:
		return int64(x), true
	case uint64:
		return int64(x), x <= math.MaxInt64
	case uint32:
		return int64(x), true
	case uint16:
		return int64(x), true
	case uint8:
		return int64(x), true
	case uint:
		return int64(x), uint64(x) <= math.MaxInt64
	case arrow.Date32:
		return int64(x), true
	case arrow.Date64:
		return int64(x), true
	case arrow.Timestamp:
		return int64(x), true
	case arrow.Duration:
		return int64(x), true
	case arrow.Time32:
		return int64(x), true
	case arrow.Time64:
		return int64(x), true
	}
	return 0, false
}

func appendInt(dst []byte, n int64) []byte {
	return binary.BigEndian.AppendUint64(dst, uint64(n)^1<<63)
}

func appendFloat(dst []byte, x float64) []byte {
	return binary.BigEndian.AppendUint64(dst, FloatOrder(x))
}

// FloatOrder maps floats to integers of the same order: -0 equals 0 and NaN is greatest.
func FloatOrder(x float64) uint64 {
	switch {
	case x != x:
		return math.MaxUint64
	case x == 0:
		return 1 << 63
	}
	bits := math.Float64bits(x)
	if bits>>63 == 1 {
		return ^bits
	}
	return bits | 1<<63
}

// appendDecimal takes the little-endian two's complement bytes of Arrow.
func appendDecimal(dst, raw []byte) []byte {
	start := len(dst)
	for i := len(raw) - 1; i >= 0; i-- {
		dst = append(dst, raw[i])
	}
	dst[start] ^= 0x80
	return dst
}

func appendDecimal256(dst []byte, x decimal256.Num) []byte {
	start := len(dst)
	words := x.Array() // least significant first
	for i := 3; i >= 0; i-- {
		dst = binary.BigEndian.AppendUint64(dst, words[i])
	}
	dst[start] ^= 0x80
	return dst
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1)
	}
	return append(dst, 0)
}

func appendText(dst, text []byte, collate Collation) []byte {
	if collate != nil {
		text = collate(nil, text)
	}
	for {
		i := bytes.IndexByte(text, 0)
		if i < 0 {
			break
		}
		dst = append(append(dst, text[:i]...), 0, 0xff)
		text = text[i+1:]
	}
	return append(append(dst, text...), 0, 1)
}

// Compare orders row i of a against row j of b as their encodings do. Both hold all columns by ordinal.
func (e *Encoder) Compare(a []*columns.View, i int, b []*columns.View, j int) int {
	for _, c := range e.Columns {
		if r := compareValue(c, a[c.Ordinal], i, b[c.Ordinal], j); r != 0 {
			return r
		}
	}
	return 0
}

func compareValue(c Column, x *columns.View, i int, y *columns.View, j int) int {
	xn, yn := x.Null(i), y.Null(j)
	if xn || yn {
		switch {
		case xn && yn:
			return 0
		case xn:
			return -1
		}
		return 1
	}
	switch x.Class {
	case columns.Signed:
		return order(x.Int(i), y.Int(j))
	case columns.Unsigned:
		return order(x.Uint(i), y.Uint(j))
	case columns.Float:
		return order(FloatOrder(x.Float(i)), FloatOrder(y.Float(j)))
	case columns.Bool:
		p, q := 0, 0
		if x.Bool(i) {
			p = 1
		}
		if y.Bool(j) {
			q = 1
		}
		return p - q
	case columns.Decimal:
		var s, t [32]byte
		return bytes.Compare(appendDecimal(s[:0], x.Bytes(i)), appendDecimal(t[:0], y.Bytes(j)))
	}
	if x.Dict != nil && x.Dict == y.Dict && x.Codes[i] == y.Codes[j] {
		return 0
	}
	p, q := x.Bytes(i), y.Bytes(j)
	if c.Collate == nil {
		return bytes.Compare(p, q)
	}
	if bytes.Equal(p, q) {
		return 0
	}
	return bytes.Compare(c.Collate(nil, p), c.Collate(nil, q))
}

func order[T int64 | uint64](a, b T) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Ascending says whether the rows of a batch ascend strictly by the key and none has a NULL in it.
func (e *Encoder) Ascending(views []*columns.View) bool {
	for _, c := range e.Columns {
		if views[c.Ordinal].Nulls > 0 {
			return false
		}
	}
	for i := 1; i < views[e.Columns[0].Ordinal].Len; i++ {
		if e.Compare(views, i-1, views, i) >= 0 {
			return false
		}
	}
	return true
}
