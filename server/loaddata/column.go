package loaddata

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/cockroachdb/apd/v3"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/almanacdb/almanac/server/sqltype"
)

// A column converts texts for one column of the table.
type column struct {
	ordinal int
	sql     *sql.Column
	missing any // for a line that ends before it; nil is NULL

	builder array.Builder
	fast    func(text []byte) bool // appends a text of a usual form; false if it is another
	put     sqltype.Appender
	known   map[string]any // conversions of types with few values
}

// mostKnown bounds the conversions remembered for a column.
const mostKnown = 4096

func newColumn(mem memory.Allocator, ordinal int, col *sql.Column) (*column, error) {
	f, err := sqltype.FieldOf(col)
	if err != nil {
		return nil, err
	}
	c := &column{ordinal: ordinal, sql: col, builder: array.NewBuilder(mem, f.Type)}
	if c.put, err = sqltype.NewAppender(c.builder, col.Type); err != nil {
		c.builder.Release()
		return nil, err
	}
	c.fast = fastText(c.builder, col.Type)
	switch col.Type.Type() {
	case sqltypes.Enum, sqltypes.Set, sqltypes.Year, sqltypes.Time:
		c.known = map[string]any{}
	}
	return c, nil
}

// convert gives the value of a text. With a complaint, the value is the nearest one that the column can hold; it is nil
// where there is none, as for JSON.
func (c *column) convert(ctx context.Context, text []byte) (any, *complaint) {
	if v, ok := c.known[string(text)]; ok {
		return v, nil
	}
	v, wrong := c.convertAnew(ctx, string(text))
	if wrong == nil && c.known != nil && len(c.known) < mostKnown {
		c.known[string(text)] = v
	}
	return v, wrong
}

func (c *column) convertAnew(ctx context.Context, text string) (any, *complaint) {
	t := c.sql.Type
	switch t.Type() {
	case sqltypes.Date, sqltypes.Datetime, sqltypes.Timestamp, sqltypes.Time:
		v, inRange, err := t.Convert(ctx, text)
		if err == nil && inRange == sql.InRange && v != nil && text != "" {
			return v, nil
		}
		name := map[bool]string{true: "date", false: "datetime"}[t.Type() == sqltypes.Date]
		if t.Type() == sqltypes.Time {
			name = "time"
		}
		return t.Zero(), c.wrong(erWrongValue, "22007", "Incorrect "+name+" value: %s for column '%s' at row %%d", text)
	case sqltypes.TypeJSON:
		v, _, err := t.Convert(ctx, text)
		if err == nil {
			return v, nil
		}
		return nil, &complaint{erBadJSON, "22032", fmt.Sprintf("%s, in column '%s' at row %%d", escapePercent(err.Error()), c.sql.Name)}
	case sqltypes.Enum, sqltypes.Set:
		v, _, err := t.Convert(ctx, text)
		if err == nil && v != nil {
			return v, nil
		}
		var none any = uint64(0)
		if t.Type() == sqltypes.Enum {
			none = uint16(0)
		}
		return none, c.truncated()
	}
	if s, ok := t.(sql.StringType); ok {
		return c.convertString(ctx, s, text)
	}
	if (sql.IsNumberType(t) || types.IsDecimal(t)) && !types.IsYear(t) && t.Type() != sqltypes.Bit {
		return c.convertNumber(ctx, text)
	}
	v, inRange, err := t.Convert(ctx, text)
	if err == nil && inRange == sql.InRange && v != nil && (text != "" || t.Type() == sqltypes.Bit) {
		return v, nil
	}
	return t.Zero(), c.outOfRange()
}

func (c *column) convertString(ctx context.Context, t sql.StringType, text string) (any, *complaint) {
	if !types.IsTextOnly(t) {
		if most := t.MaxByteLength(); int64(len(text)) > most {
			return []byte(text[:most]), c.tooLong()
		}
		v, _, err := t.Convert(ctx, text)
		if err != nil {
			return t.Zero(), c.tooLong()
		}
		return v, nil
	}
	var wrong *complaint
	if n := validPrefix(text); n < len(text) {
		wrong = c.wrong(erWrongForField, "HY000", "Incorrect string value: %s for column '%s' at row %%d", text[n:])
		text = text[:n]
	}
	if most := t.MaxCharacterLength(); int64(len(text)) > most && int64(utf8.RuneCountInString(text)) > most {
		kept := 0
		for range most {
			_, n := utf8.DecodeRuneInString(text[kept:])
			kept += n
		}
		if wrong == nil && strings.TrimLeft(text[kept:], " ") != "" { // spaces too many are dropped, as the standard has it
			wrong = c.tooLong()
		}
		text = text[:kept]
	}
	v, inRange, err := t.Convert(ctx, text)
	if err != nil || inRange != sql.InRange || v == nil {
		if wrong == nil {
			wrong = c.wrong(erWrongForField, "HY000", "Incorrect string value: %s for column '%s' at row %%d", text)
		}
		return t.Zero(), wrong
	}
	return v, wrong
}

// validPrefix is the length of the UTF-8 text at the start of s.
func validPrefix(s string) int {
	if utf8.ValidString(s) {
		return len(s)
	}
	for i, r := range s {
		if r == utf8.RuneError {
			if _, n := utf8.DecodeRuneInString(s[i:]); n == 1 {
				return i
			}
		}
	}
	return len(s)
}

func (c *column) convertNumber(ctx context.Context, text string) (any, *complaint) {
	trimmed := strings.Trim(text, " \t")
	prefix := numberPrefix(trimmed)
	var wrong *complaint
	switch {
	case prefix == "":
		name := "integer"
		switch c.sql.Type.Type() {
		case sqltypes.Decimal:
			name = "decimal"
		case sqltypes.Float32:
			name = "float"
		case sqltypes.Float64:
			name = "double"
		}
		return c.sql.Type.Zero(), c.wrong(erWrongForField, "HY000", "Incorrect "+name+" value: %s for column '%s' at row %%d", text)
	case len(prefix) < len(trimmed):
		wrong = c.truncated()
	}
	v, ok := c.number(ctx, prefix)
	if !ok {
		return v, c.outOfRange()
	}
	return v, wrong
}

// number converts a text that is a number; not ok, and the nearest value, if it is out of the column's range.
func (c *column) number(ctx context.Context, text string) (any, bool) {
	var v any
	var inRange sql.ConvertInRange
	var err error
	if t, rounds := c.sql.Type.(sql.RoundingNumberType); rounds {
		v, inRange, err = t.ConvertRound(ctx, text)
	} else {
		v, inRange, err = c.sql.Type.Convert(ctx, text)
	}
	if d, ok := v.(*apd.Decimal); err == nil && v != nil && inRange == sql.InRange && (!ok || d.Form == apd.Finite) {
		switch f := v.(type) { // the engine calls infinity in range
		case float64:
			if math.IsInf(f, 0) {
				return math.Copysign(math.MaxFloat64, f), false
			}
		case float32:
			if math.IsInf(float64(f), 0) {
				return float32(math.Copysign(math.MaxFloat32, float64(f))), false
			}
		}
		return v, true
	}
	return c.limit(text[0] == '-'), false
}

// limit is the column's least or greatest value.
func (c *column) limit(least bool) any {
	signed := func(bits int) int64 {
		if least {
			return math.MinInt64 >> (64 - bits)
		}
		return math.MaxInt64 >> (64 - bits)
	}
	unsigned := func(bits int) uint64 {
		if least {
			return 0
		}
		return math.MaxUint64 >> (64 - bits)
	}
	switch t := c.sql.Type; t.Type() {
	case sqltypes.Int8:
		return int8(signed(8))
	case sqltypes.Int16:
		return int16(signed(16))
	case sqltypes.Int24:
		return int32(signed(24))
	case sqltypes.Int32:
		return int32(signed(32))
	case sqltypes.Int64:
		return signed(64)
	case sqltypes.Uint8:
		return uint8(unsigned(8))
	case sqltypes.Uint16:
		return uint16(unsigned(16))
	case sqltypes.Uint24:
		return uint32(unsigned(24))
	case sqltypes.Uint32:
		return uint32(unsigned(32))
	case sqltypes.Uint64:
		return unsigned(64)
	case sqltypes.Float32:
		return map[bool]float32{true: -math.MaxFloat32, false: math.MaxFloat32}[least]
	case sqltypes.Float64:
		return map[bool]float64{true: -math.MaxFloat64, false: math.MaxFloat64}[least]
	case sqltypes.Decimal:
		if d, ok := t.(sql.DecimalType); ok {
			v, _, err := apd.NewFromString(strings.Repeat("9", int(d.Precision())) + fmt.Sprintf("E-%d", d.Scale()))
			if err == nil {
				v.Negative = least
				return v
			}
		}
	}
	return c.sql.Type.Zero()
}

// numberPrefix is the longest start of s that is a decimal number, with a point and an exponent at most.
func numberPrefix(s string) string {
	i := 0
	if i < len(s) && (s[i] == '+' || s[i] == '-') {
		i++
	}
	start, digits := i, 0
	for ; i < len(s) && (s[i]-'0' <= 9 || s[i] == '.' && strings.IndexByte(s[start:i], '.') < 0); i++ {
		if s[i] != '.' {
			digits++
		}
	}
	if digits == 0 {
		return ""
	}
	if i < len(s) && s[i]|0x20 == 'e' {
		j := i + 1
		if j < len(s) && (s[j] == '+' || s[j] == '-') {
			j++
		}
		first := j
		for j < len(s) && s[j]-'0' <= 9 {
			j++
		}
		if j > first {
			i = j
		}
	}
	return s[:i]
}

// wrong is a complaint whose format takes the value and the column's name.
func (c *column) wrong(number int, state, format, value string) *complaint {
	return &complaint{number, state, fmt.Sprintf(format, escapePercent(quote([]byte(value))), escapePercent(c.sql.Name))}
}

func (c *column) truncated() *complaint {
	return &complaint{erTruncated, "01000", fmt.Sprintf("Data truncated for column '%s' at row %%d", escapePercent(c.sql.Name))}
}

func (c *column) tooLong() *complaint {
	return &complaint{erTooLong, "22001", fmt.Sprintf("Data too long for column '%s' at row %%d", escapePercent(c.sql.Name))}
}

func (c *column) outOfRange() *complaint {
	return &complaint{erOutOfRange, "22003", fmt.Sprintf("Out of range value for column '%s' at row %%d", escapePercent(c.sql.Name))}
}

func (c *column) isNull() *complaint {
	return &complaint{erCannotBeNull, "23000", fmt.Sprintf("Column '%s' cannot be null at row %%d", escapePercent(c.sql.Name))}
}

// escapePercent keeps the one %d of a complaint the only one.
func escapePercent(s string) string { return strings.ReplaceAll(s, "%d", "%\u200bd") }

// errNotStored is an appender's refusal of a converted value.
var errNotStored = errors.New("the value cannot be stored")

func (c *column) store(ctx context.Context, v any) error {
	if err := c.put(ctx, v); err != nil {
		return fmt.Errorf("column '%s': %w: %w", c.sql.Name, errNotStored, err)
	}
	return nil
}

// text lends bytes as a string for the length of a call.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
