package ingest

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
)

// guess narrows down what a CSV column can be, value by value.
type guess struct {
	values, nulls     int64
	notInt, notFloat  bool
	notBool, notStamp bool
	hasTime           bool
	wrongOrder        [nOrders]bool
	notComma, comma   bool // numbers with a decimal comma: refuted, seen
	numbers           int64
	odd               string // the first value that is no number
	oddLine           int64
	maxLength         int
}

// add takes one text that is not NULL and the line it stands on.
func (g *guess) add(s string, line func() int64) {
	g.values++
	if n := len(s); n > g.maxLength {
		g.maxLength = max(g.maxLength, utf8.RuneCountInString(s))
	}
	if !g.notInt && !isInteger(s) {
		g.notInt = true
	}
	if !g.notFloat && g.notInt && !isFloat(s) {
		g.notFloat = true
	}
	if isInteger(s) || isFloat(s) {
		g.numbers++
	} else if g.odd == "" {
		g.odd, g.oddLine = s, line()
	}
	if !g.notComma {
		_, comma, ok := commaNumber(s)
		g.notComma, g.comma = !ok, g.comma || comma
	}
	if !g.notBool {
		if _, ok := parseBool(s); !ok {
			g.notBool = true
		}
	}
	if !g.notStamp {
		any := false
		for o := range nOrders {
			if g.wrongOrder[o] {
				continue
			}
			st, ok := parseStamp(s, o)
			if !ok {
				g.wrongOrder[o] = true
				continue
			}
			any = true
			g.hasTime = g.hasTime || st.hasTime
		}
		g.notStamp = !any
	}
}

// infer decides. A column without any value is text.
func (g *guess) infer(name string) (Inferred, fieldOrder) {
	out := Inferred{Field: arrow.Field{Name: name, Nullable: g.nulls > 0 || g.values == 0}}
	order := yearFirst
	switch {
	case g.values == 0:
		out.Field.Type = arrow.BinaryTypes.String
		out.Note = "no value in the whole file: taken as text"
	case !g.notInt:
		out.Field.Type = arrow.PrimitiveTypes.Int64
	case !g.notFloat:
		out.Field.Type = arrow.PrimitiveTypes.Float64
	case !g.notComma && g.comma:
		out.Field.Type = arrow.PrimitiveTypes.Float64
		out.Note = fmt.Sprintf("numbers such as %s are read with a decimal comma", quote(g.odd))
	case !g.notBool:
		out.Field.Type = arrow.FixedWidthTypes.Boolean
	case !g.notStamp:
		out.Field.Type = arrow.FixedWidthTypes.Date32
		if g.hasTime {
			out.Field.Type = &arrow.TimestampType{Unit: arrow.Microsecond}
		}
		switch {
		case !g.wrongOrder[yearFirst]:
		case g.wrongOrder[monthFirst]:
			order = dayFirst
		case g.wrongOrder[dayFirst]:
			order = monthFirst
		default: // every value fits both
			order = monthFirst
			out.Note = "dates could be month/day/year or day/month/year: taken as month/day/year; --date-order dmy says otherwise"
		}
	default:
		out.Field.Type = arrow.BinaryTypes.String
		out.MaxLength = g.maxLength
		if g.numbers > g.values/2 {
			out.Note = fmt.Sprintf("taken as text, because %s in line %d is not a number; name the texts that mean NULL with --null", quote(g.odd), g.oddLine)
		}
	}
	return out, order
}

// isInteger takes plain whole numbers. A leading zero, as in '007', marks a code that must keep its digits.
func isInteger(s string) bool {
	digits := s
	if s != "" && s[0] == '-' {
		digits = s[1:]
	}
	if digits == "" || (digits[0] == '0' && len(digits) > 1) || len(digits) > 19 {
		return false
	}
	for i := range len(digits) {
		if digits[i]-'0' > 9 {
			return false
		}
	}
	if len(digits) < 19 {
		return true
	}
	_, err := strconv.ParseInt(s, 10, 64)
	return err == nil
}

// isFloat takes decimal numbers, also in exponent form; NaN and infinities are text, and so are codes such as '007' and whole numbers
// too long for a float to keep.
func isFloat(s string) bool {
	if !looksNumeric(s) {
		return false
	}
	_, err := strconv.ParseFloat(s, 64)
	return err == nil
}

func looksNumeric(s string) bool {
	i := 0
	if i < len(s) && (s[i] == '-' || s[i] == '+') {
		i++
	}
	start := i
	for i < len(s) && s[i]-'0' <= 9 {
		i++
	}
	whole := i - start
	if whole > 1 && s[start] == '0' {
		return false
	}
	if i == len(s) {
		return whole > 0 && whole < 19
	}
	return s[i] == '.' || s[i] == 'e' || s[i] == 'E'
}

// parseBool takes the words for true and false; 0 and 1 are numbers.
func parseBool(s string) (value, ok bool) {
	switch s {
	case "true", "TRUE", "True", "yes", "YES", "Yes":
		return true, true
	case "false", "FALSE", "False", "no", "NO", "No":
		return false, true
	}
	return false, false
}

// commaNumber reads a number with a decimal comma and, if anything, points between its thousands: 1.234,5. comma tells that the
// text cannot be meant otherwise: 1,234 could.
func commaNumber(s string) (value float64, comma, ok bool) {
	whole, fraction, found := strings.Cut(s, ",")
	if groups := strings.Split(whole, "."); len(groups) > 1 {
		for _, g := range groups[1:] {
			if len(g) != 3 {
				return 0, false, false
			}
		}
		whole = strings.Join(groups, "")
	}
	text := whole
	if found {
		text += "." + fraction
	}
	if whole == "" || strings.ContainsAny(fraction, ".,eE+-") || !looksNumeric(text) {
		return 0, false, false
	}
	value, err := strconv.ParseFloat(text, 64)
	return value, found && len(fraction) != 3, err == nil
}
