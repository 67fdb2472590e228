package ingest

import (
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
)

// cell appends one text to a column's builder. It answers with what the column takes if the text is not that, else with "".
type cell func(b array.Builder, s string) (want string)

// order is that of its dates; comma says that its numbers have a decimal comma.
func newCell(c Column, order fieldOrder, comma bool) (cell, error) {
	if comma && c.Encode == nil {
		switch c.Field.Type.ID() {
		case arrow.FLOAT32, arrow.FLOAT64, arrow.DECIMAL128, arrow.DECIMAL256:
			plain, err := newCell(c, order, false)
			return func(b array.Builder, s string) string {
				v, _, ok := commaNumber(s)
				if !ok {
					return "a number with a decimal comma"
				}
				return plain(b, strconv.FormatFloat(v, 'f', -1, 64))
			}, err
		}
	}
	if c.Encode != nil {
		return func(b array.Builder, s string) string {
			if err := c.Encode(b, s); err != nil {
				return err.Error()
			}
			return ""
		}, nil
	}
	switch t := c.Field.Type.(type) {
	case *arrow.Int8Type:
		return signed(8, func(b array.Builder, v int64) { b.(*array.Int8Builder).Append(int8(v)) }), nil
	case *arrow.Int16Type:
		return signed(16, func(b array.Builder, v int64) { b.(*array.Int16Builder).Append(int16(v)) }), nil
	case *arrow.Int32Type:
		return signed(32, func(b array.Builder, v int64) { b.(*array.Int32Builder).Append(int32(v)) }), nil
	case *arrow.Int64Type:
		return signed(64, func(b array.Builder, v int64) { b.(*array.Int64Builder).Append(v) }), nil
	case *arrow.Uint8Type:
		return unsigned(8, func(b array.Builder, v uint64) { b.(*array.Uint8Builder).Append(uint8(v)) }), nil
	case *arrow.Uint16Type:
		return unsigned(16, func(b array.Builder, v uint64) { b.(*array.Uint16Builder).Append(uint16(v)) }), nil
	case *arrow.Uint32Type:
		return unsigned(32, func(b array.Builder, v uint64) { b.(*array.Uint32Builder).Append(uint32(v)) }), nil
	case *arrow.Uint64Type:
		return unsigned(64, func(b array.Builder, v uint64) { b.(*array.Uint64Builder).Append(v) }), nil
	case *arrow.Float32Type:
		return float(32, func(b array.Builder, v float64) { b.(*array.Float32Builder).Append(float32(v)) }), nil
	case *arrow.Float64Type:
		return float(64, func(b array.Builder, v float64) { b.(*array.Float64Builder).Append(v) }), nil
	case *arrow.Decimal128Type:
		want := fmt.Sprintf("a number of at most %d digits, %d of them decimals", t.Precision, t.Scale)
		return func(b array.Builder, s string) string {
			v, err := decimal128.FromString(s, t.Precision, t.Scale)
			if err != nil || !looksNumeric(s) {
				return want
			}
			b.(*array.Decimal128Builder).Append(v)
			return ""
		}, nil
	case *arrow.Decimal256Type:
		want := fmt.Sprintf("a number of at most %d digits, %d of them decimals", t.Precision, t.Scale)
		return func(b array.Builder, s string) string {
			v, err := decimal256.FromString(s, t.Precision, t.Scale)
			if err != nil || !looksNumeric(s) {
				return want
			}
			b.(*array.Decimal256Builder).Append(v)
			return ""
		}, nil
	case *arrow.BooleanType:
		return func(b array.Builder, s string) string {
			v, ok := parseBool(s)
			if !ok && s != "0" && s != "1" {
				return "true or false"
			}
			b.(*array.BooleanBuilder).Append(v || s == "1")
			return ""
		}, nil
	case *arrow.Date32Type:
		return func(b array.Builder, s string) string {
			st, ok := parseStamp(s, order)
			if !ok || (st.hasTime && st.micros != 0) {
				return "a date (" + orderText(order) + ")"
			}
			b.(*array.Date32Builder).Append(arrow.Date32(st.days))
			return ""
		}, nil
	case *arrow.TimestampType:
		if t.Unit != arrow.Microsecond {
			break
		}
		return func(b array.Builder, s string) string {
			st, ok := parseStamp(s, order)
			if !ok {
				return "a date and time (" + orderText(order) + " HH:MM:SS)"
			}
			b.(*array.TimestampBuilder).Append(arrow.Timestamp(st.days*microsPerDay + st.micros))
			return ""
		}, nil
	case *arrow.StringType:
		return func(b array.Builder, s string) string {
			if !utf8.ValidString(s) {
				return "UTF-8 text"
			}
			if c.MaxLength > 0 && len(s) > c.MaxLength && utf8.RuneCountInString(s) > c.MaxLength {
				return fmt.Sprintf("at most %d characters long", c.MaxLength)
			}
			b.(*array.StringBuilder).Append(s)
			return ""
		}, nil
	case *arrow.BinaryType:
		return func(b array.Builder, s string) string {
			if c.MaxLength > 0 && len(s) > c.MaxLength {
				return fmt.Sprintf("at most %d bytes long", c.MaxLength)
			}
			b.(*array.BinaryBuilder).Append([]byte(s))
			return ""
		}, nil
	}
	return nil, fmt.Errorf("column %s: texts cannot be read into type %s", c.Field.Name, c.Field.Type)
}

func signed(bits int, put func(array.Builder, int64)) cell {
	return func(b array.Builder, s string) string {
		v, err := strconv.ParseInt(s, 10, bits)
		if err != nil {
			flag, ok := parseBool(s)
			if !ok || bits != 8 { // BOOLEAN is an 8-bit integer
				return rangeText("a whole number", bits)
			}
			if v = 0; flag {
				v = 1
			}
		}
		put(b, v)
		return ""
	}
}

func unsigned(bits int, put func(array.Builder, uint64)) cell {
	return func(b array.Builder, s string) string {
		v, err := strconv.ParseUint(s, 10, bits)
		if err != nil {
			return rangeText("a whole number, zero or more", bits)
		}
		put(b, v)
		return ""
	}
}

func rangeText(what string, bits int) string { return fmt.Sprintf("%s of %d bits", what, bits) }

func float(bits int, put func(array.Builder, float64)) cell {
	return func(b array.Builder, s string) string {
		v, err := strconv.ParseFloat(s, bits)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			if _, _, ok := commaNumber(s); ok {
				return "a number with a decimal point (--decimal-comma reads 1,5)"
			}
			return "a number"
		}
		put(b, v)
		return ""
	}
}

func orderText(o fieldOrder) string {
	return [nOrders]string{"YYYY-MM-DD", "MM/DD/YYYY", "DD/MM/YYYY"}[o]
}
