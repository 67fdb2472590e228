package calendar

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Errors of Axis. Match with errors.Is.
var (
	// ErrTimeType means that a column's type is neither a date, a timestamp nor an integer.
	ErrTimeType = errors.New("not a time column")
	// ErrTimeRange means that a time cannot be held: its year is beyond 9999, or the integer type is too small.
	ErrTimeRange = errors.New("time out of range")
	// ErrTimeSyntax means that the text of a time could not be read.
	ErrTimeSyntax = errors.New("time not understood")
)

// The calendar axis ends where MySQL's DATE and DATETIME do: years 0 to 9999.
var (
	minTime = time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	maxTime = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro() - 1
)

// Axis maps the values of an Arrow time column to int64 and back: microseconds since 1970-01-01 for dates and
// timestamps, the number itself for integers. The zero value is not valid: use NewAxis.
type Axis struct {
	typ   arrow.DataType
	scale int64 // microseconds per stored unit; negative: stored units per microsecond; 0: integer
	min   int64
	max   int64
}

// NewAxis accepts date32, date64, timestamp of any unit and all integer types; other types give ErrTimeType. A zone of a
// timestamp is ignored: its values are UTC.
func NewAxis(typ arrow.DataType) (Axis, error) {
	a := Axis{typ: typ, min: minTime, max: maxTime}
	switch t := typ.(type) {
	case *arrow.Date32Type:
		a.scale = MicrosPerDay
	case *arrow.Date64Type:
		a.scale = 1000
	case *arrow.TimestampType:
		switch t.Unit {
		case arrow.Second:
			a.scale = MicrosPerSecond
		case arrow.Millisecond:
			a.scale = 1000
		case arrow.Microsecond:
			a.scale = 1
		case arrow.Nanosecond:
			a.scale = -1000
			a.min, a.max = math.MinInt64/1000, math.MaxInt64/1000
		}
	case *arrow.Int8Type:
		a.min, a.max = math.MinInt8, math.MaxInt8
	case *arrow.Int16Type:
		a.min, a.max = math.MinInt16, math.MaxInt16
	case *arrow.Int32Type:
		a.min, a.max = math.MinInt32, math.MaxInt32
	case *arrow.Int64Type:
		// One short at both ends: Grid.Time saturates there.
		a.min, a.max = math.MinInt64+1, math.MaxInt64-1
	case *arrow.Uint8Type:
		a.min, a.max = 0, math.MaxUint8
	case *arrow.Uint16Type:
		a.min, a.max = 0, math.MaxUint16
	case *arrow.Uint32Type:
		a.min, a.max = 0, math.MaxUint32
	case *arrow.Uint64Type:
		a.min, a.max = 0, math.MaxInt64-1
	default:
		return Axis{}, fmt.Errorf("%w: type %s; a date, datetime, timestamp or whole number is needed", ErrTimeType, typ)
	}
	return a, nil
}

// Type is the Arrow type of the column.
func (a Axis) Type() arrow.DataType { return a.typ }

// IsInteger reports whether the axis is a plain whole number rather than calendar time.
func (a Axis) IsInteger() bool { return a.scale == 0 }

// AppendValues appends the axis value of each element of col to dst and returns it. col has the axis' type. The value of a NULL
// is arbitrary: the caller looks at the validity bitmap. A valid value outside the axis' range gives ErrTimeRange.
func (a Axis) AppendValues(dst []int64, col arrow.Array) ([]int64, error) {
	from := len(dst)
	switch c := col.(type) {
	case *array.Date32:
		for _, v := range c.Date32Values() {
			dst = append(dst, int64(v)*MicrosPerDay)
		}
	case *array.Date64:
		for _, v := range c.Date64Values() {
			dst = append(dst, scaleUp(int64(v), 1000))
		}
	case *array.Timestamp:
		switch {
		case a.scale == 1:
			for _, v := range c.TimestampValues() {
				dst = append(dst, int64(v))
			}
		case a.scale > 1:
			for _, v := range c.TimestampValues() {
				dst = append(dst, scaleUp(int64(v), a.scale))
			}
		default:
			for _, v := range c.TimestampValues() {
				dst = append(dst, floorDiv(int64(v), -a.scale))
			}
		}
	case *array.Int8:
		dst = appendInts(dst, c.Int8Values())
	case *array.Int16:
		dst = appendInts(dst, c.Int16Values())
	case *array.Int32:
		dst = appendInts(dst, c.Int32Values())
	case *array.Int64:
		dst = append(dst, c.Int64Values()...)
	case *array.Uint8:
		dst = appendInts(dst, c.Uint8Values())
	case *array.Uint16:
		dst = appendInts(dst, c.Uint16Values())
	case *array.Uint32:
		dst = appendInts(dst, c.Uint32Values())
	case *array.Uint64:
		for _, v := range c.Uint64Values() {
			dst = append(dst, int64(min(v, math.MaxInt64)))
		}
	default:
		return dst, fmt.Errorf("%w: type %s", ErrTimeType, col.DataType())
	}
	for i, v := range dst[from:] {
		if (v < a.min || v > a.max) && col.IsValid(i) {
			return dst, fmt.Errorf("%w: %s", ErrTimeRange, col.ValueStr(i))
		}
	}
	return dst, nil
}

func appendInts[T int8 | int16 | int32 | uint8 | uint16 | uint32](dst []int64, values []T) []int64 {
	for _, v := range values {
		dst = append(dst, int64(v))
	}
	return dst
}

// scaleUp multiplies and saturates, so that the range check sees what would overflow.
func scaleUp(v, scale int64) int64 {
	if v > math.MaxInt64/scale {
		return math.MaxInt64
	}
	if v < math.MinInt64/scale {
		return math.MinInt64
	}
	return v * scale
}

// Append appends axis value v to a builder of the axis' type. A value that the type or a MySQL calendar cannot hold
// gives ErrTimeRange; a builder of another type ErrTimeType.
func (a Axis) Append(b array.Builder, v int64) error {
	if v < a.min || v > a.max {
		if a.IsInteger() {
			return fmt.Errorf("%w: %d does not fit type %s", ErrTimeRange, v, a.typ)
		}
		return fmt.Errorf("%w: year beyond what type %s holds", ErrTimeRange, a.typ)
	}
	switch b := b.(type) {
	case *array.Date32Builder:
		b.Append(arrow.Date32(floorDiv(v, MicrosPerDay)))
	case *array.Date64Builder:
		b.Append(arrow.Date64(floorDiv(v, 1000)))
	case *array.TimestampBuilder:
		switch {
		case a.scale > 0:
			b.Append(arrow.Timestamp(floorDiv(v, a.scale)))
		case a.scale < 0:
			b.Append(arrow.Timestamp(v * -a.scale))
		default:
			return fmt.Errorf("%w: builder of %s for an axis of %s", ErrTimeType, b.Type(), a.typ)
		}
	case *array.Int8Builder:
		b.Append(int8(v))
	case *array.Int16Builder:
		b.Append(int16(v))
	case *array.Int32Builder:
		b.Append(int32(v))
	case *array.Int64Builder:
		b.Append(v)
	case *array.Uint8Builder:
		b.Append(uint8(v))
	case *array.Uint16Builder:
		b.Append(uint16(v))
	case *array.Uint32Builder:
		b.Append(uint32(v))
	case *array.Uint64Builder:
		b.Append(uint64(v))
	default:
		return fmt.Errorf("%w: builder of %s", ErrTimeType, b.Type())
	}
	return nil
}

// Format writes an axis value as SQL would: "2024-01-31" for dates, "2024-01-31 10:00:00" (with a fraction only where there is one) for
// timestamps, the number for integers.
func (a Axis) Format(v int64) string {
	if a.IsInteger() {
		return strconv.FormatInt(v, 10)
	}
	t := time.UnixMicro(v).UTC()
	switch a.typ.ID() {
	case arrow.DATE32, arrow.DATE64:
		return t.Format("2006-01-02")
	}
	return t.Format("2006-01-02 15:04:05.999999")
}

// ParseCutoff reads the text of a cutoff and returns the last axis value that it includes: a date alone includes its whole day, a
// date with a time only that instant. Dates are written 2024-01-31, times 2024-01-31 10:00, 10:00:00 or 10:00:00.5 (a T may stand
// between); integer axes take a whole number. Errors wrap ErrTimeSyntax.
func (a Axis) ParseCutoff(text string) (int64, error) {
	s := strings.TrimSpace(text)
	if a.IsInteger() {
		v, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%w: %q is not a whole number, as the time column is", ErrTimeSyntax, text)
		}
		return v, nil
	}
	if t, err := time.Parse("2006-01-02", s); err == nil {
		return t.UnixMicro() + MicrosPerDay - 1, nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04:05Z07:00", "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UnixMicro(), nil
		}
	}
	return 0, fmt.Errorf("%w: %q; write 2024-01-31 or 2024-01-31 10:00:00", ErrTimeSyntax, text)
}

// floorDiv divides rounding towards minus infinity; d > 0.
func floorDiv(v, d int64) int64 {
	q := v / d
	if v%d < 0 {
		q--
	}
	return q
}

// floorMod is the remainder of floorDiv, in [0, d).
func floorMod(v, d int64) int64 {
	r := v % d
	if r < 0 {
		r += d
	}
	return r
}
