package export

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// cell appends the CSV field of one row that is not NULL.
type cell func(dst []byte, row int) []byte

func newCell(a arrow.Array) (cell, error) {
	switch a := a.(type) {
	case *array.String:
		return func(dst []byte, i int) []byte { return appendText(dst, a.Value(i)) }, nil
	case *array.Binary:
		return func(dst []byte, i int) []byte { return appendText(dst, string(a.Value(i))) }, nil
	case *array.Dictionary:
		values, ok := a.Dictionary().(*array.String)
		if !ok {
			return nil, fmt.Errorf("dictionary of %s", a.Dictionary().DataType())
		}
		return func(dst []byte, i int) []byte {
			if k := a.GetValueIndex(i); !values.IsNull(k) {
				return appendText(dst, values.Value(k))
			}
			return append(dst, "NULL"...)
		}, nil
	}
	return NumberText(a)
}

// appendText appends a text, quoted if the bare text would be read as something else.
func appendText(dst []byte, s string) []byte {
	if s != "" && s != "NULL" && s != `\N` && !strings.ContainsAny(s, ",\"\r\n") && s[0] != ' ' && s[len(s)-1] != ' ' &&
		s[0] != '\t' && s[len(s)-1] != '\t' && !strings.HasPrefix(s, "\ufeff") {
		return append(dst, s...)
	}
	dst = append(dst, '"')
	for {
		i := strings.IndexByte(s, '"')
		if i < 0 {
			break
		}
		dst = append(append(dst, s[:i]...), `""`...)
		s = s[i+1:]
	}
	return append(append(dst, s...), '"')
}

// NumberText returns the function that appends the text of a number, a date or a time that is not NULL, exactly: SQL reads the
// same value back. Texts and binaries are not its business.
func NumberText(a arrow.Array) (func(dst []byte, row int) []byte, error) {
	switch a := a.(type) {
	case *array.Null:
		return func(dst []byte, _ int) []byte { return dst }, nil
	case *array.Boolean:
		return func(dst []byte, i int) []byte {
			if a.Value(i) {
				return append(dst, '1')
			}
			return append(dst, '0')
		}, nil
	case *array.Int8:
		return signedText(a.Int8Values()), nil
	case *array.Int16:
		return signedText(a.Int16Values()), nil
	case *array.Int32:
		return signedText(a.Int32Values()), nil
	case *array.Int64:
		return signedText(a.Int64Values()), nil
	case *array.Uint8:
		return unsignedText(a.Uint8Values()), nil
	case *array.Uint16:
		return unsignedText(a.Uint16Values()), nil
	case *array.Uint32:
		return unsignedText(a.Uint32Values()), nil
	case *array.Uint64:
		return unsignedText(a.Uint64Values()), nil
	case *array.Float32:
		return func(dst []byte, i int) []byte { return strconv.AppendFloat(dst, float64(a.Value(i)), 'g', -1, 32) }, nil
	case *array.Float64:
		return func(dst []byte, i int) []byte { return strconv.AppendFloat(dst, a.Value(i), 'g', -1, 64) }, nil
	case *array.Decimal128:
		scale := int(a.DataType().(arrow.DecimalType).GetScale())
		return func(dst []byte, i int) []byte {
			v := a.Value(i)
			if lo, hi := v.LowBits(), v.HighBits(); hi == int64(lo)>>63 { // most fit a machine word
				return appendScaled(dst, strconv.AppendInt(nil, int64(lo), 10), scale)
			}
			return appendScaled(dst, v.BigInt().Append(nil, 10), scale)
		}, nil
	case *array.Decimal256:
		scale := int(a.DataType().(arrow.DecimalType).GetScale())
		return func(dst []byte, i int) []byte { return appendScaled(dst, a.Value(i).BigInt().Append(nil, 10), scale) }, nil
	case *array.Date32:
		return func(dst []byte, i int) []byte { return appendDate(dst, int64(a.Value(i))) }, nil
	case *array.Timestamp:
		if a.DataType().(*arrow.TimestampType).Unit == arrow.Microsecond {
			return func(dst []byte, i int) []byte { return appendStamp(dst, int64(a.Value(i))) }, nil
		}
	}
	return nil, fmt.Errorf("type %s has no text", a.DataType())
}

func signedText[T int8 | int16 | int32 | int64](v []T) func([]byte, int) []byte {
	return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, int64(v[i]), 10) }
}

func unsignedText[T uint8 | uint16 | uint32 | uint64](v []T) func([]byte, int) []byte {
	return func(dst []byte, i int) []byte { return strconv.AppendUint(dst, uint64(v[i]), 10) }
}

// appendScaled puts the decimal point into the digits of a whole number.
func appendScaled(dst, digits []byte, scale int) []byte {
	if digits[0] == '-' {
		dst, digits = append(dst, '-'), digits[1:]
	}
	if scale <= 0 {
		dst = append(dst, digits...)
		for ; scale < 0 && string(digits) != "0"; scale++ {
			dst = append(dst, '0')
		}
		return dst
	}
	if whole := len(digits) - scale; whole > 0 {
		dst, digits = append(dst, digits[:whole]...), digits[whole:]
	} else {
		dst = append(dst, '0')
	}
	dst = append(dst, '.')
	for n := len(digits); n < scale; n++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

const (
	microsPerDay = 86_400_000_000
	zeroDay      = -719528 // how SQL's date of zeros is held: the first day of year 0, which no date written by a person is
)

// appendDate appends YYYY-MM-DD of a day counted from 1970-01-01, in the proleptic Gregorian calendar.
func appendDate(dst []byte, days int64) []byte {
	if days == zeroDay {
		return append(dst, "0000-00-00"...)
	}
	// Years begin in March here, so that the leap day is the last of its year; eras of 400 years repeat exactly.
	z := days + 719468
	era := floorDiv(z, 146097)
	day := z - era*146097
	year := (day - day/1460 + day/36524 - day/146096) / 365
	dayOfYear := day - (365*year + year/4 - year/100)
	month := (5*dayOfYear + 2) / 153
	d := dayOfYear - (153*month+2)/5 + 1
	y := year + era*400
	if month += 3; month > 12 {
		month -= 12
		y++
	}
	if y < 0 {
		dst, y = append(dst, '-'), -y
	}
	dst = appendPadded(dst, y, 4)
	dst = append(dst, '-')
	dst = appendPadded(dst, month, 2)
	dst = append(dst, '-')
	return appendPadded(dst, d, 2)
}

func appendStamp(dst []byte, micros int64) []byte {
	days := floorDiv(micros, microsPerDay)
	dst = append(appendDate(dst, days), ' ')
	return AppendClock(dst, micros-days*microsPerDay)
}

// AppendClock appends microseconds as HH:MM:SS, with a sign if negative and six decimals if there is a fraction. Hours go on
// beyond 24.
func AppendClock(dst []byte, micros int64) []byte {
	if micros < 0 {
		dst, micros = append(dst, '-'), -micros
	}
	seconds, fraction := micros/1_000_000, micros%1_000_000
	dst = append(appendPadded(dst, seconds/3600, 2), ':')
	dst = append(appendPadded(dst, seconds/60%60, 2), ':')
	dst = appendPadded(dst, seconds%60, 2)
	if fraction != 0 {
		dst = appendPadded(append(dst, '.'), fraction, 6)
	}
	return dst
}

func appendPadded(dst []byte, v int64, width int) []byte {
	var b [20]byte
	digits := strconv.AppendInt(b[:0], v, 10)
	for n := len(digits); n < width; n++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
