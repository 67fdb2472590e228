package server

import (
	"strconv"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// weekToDate is STR_TO_DATE for formats that name a day by year, week and weekday, which the engine cannot read.
type weekToDate struct{ *function.StrToDate }

func newWeekToDate(ctx *sql.Context, text, format sql.Expression) sql.Expression {
	return &weekToDate{function.NewStrToDate(ctx, text, format).(*function.StrToDate)}
}

// Type implements sql.Expression.
func (w *weekToDate) Type(ctx *sql.Context) sql.Type {
	if literal, ok := w.Format.(*expression.Literal); ok {
		if format, ok := literal.Value().(string); ok && isWeekFormat(format) {
			return types.Date
		}
	}
	return w.StrToDate.Type(ctx)
}

// WithChildren implements sql.Expression.
func (w *weekToDate) WithChildren(ctx *sql.Context, children ...sql.Expression) (sql.Expression, error) {
	if len(children) != 2 {
		return nil, sql.ErrInvalidChildrenNumber.New(w, len(children), 2)
	}
	return newWeekToDate(ctx, children[0], children[1]), nil
}

// Eval implements sql.Expression.
func (w *weekToDate) Eval(ctx *sql.Context, row sql.Row) (any, error) {
	var values [2]string
	for i, e := range w.Children() {
		v, err := e.Eval(ctx, row)
		if err != nil || v == nil {
			return nil, err
		}
		v, _, err = types.LongText.Convert(ctx, v)
		if err != nil {
			return nil, err
		}
		if v, err = sql.UnwrapAny(ctx, v); err != nil {
			return nil, err
		}
		values[i] = v.(string)
	}
	if !isWeekFormat(values[1]) {
		return w.StrToDate.Eval(ctx, row)
	}
	date, ok := parseWeek(values[0], values[1])
	if !ok {
		ctx.Warn(1411, "Incorrect datetime value: '%s' for function %s", values[0], w.FunctionName())
		return nil, nil
	}
	return date, nil
}

func isWeekFormat(format string) bool {
	return strings.Contains(format, "%X") && strings.Contains(format, "%V") || strings.Contains(format, "%x") && strings.Contains(format, "%v")
}

// parseWeek reads text such as "202423 Sunday". With %X and %V, weeks begin on Sundays and week 1 with the first Sunday of the
// year; with %x and %v they are those of ISO 8601.
func parseWeek(text, format string) (time.Time, bool) {
	year, week, weekday := 0, 0, time.Weekday(-1)
	iso := strings.Contains(format, "%x")
	for format != "" {
		if format[0] != '%' || len(format) < 2 {
			if text == "" || text[0] != format[0] {
				return time.Time{}, false
			}
			text, format = text[1:], format[1:]
			continue
		}
		ok := false
		switch format[1] {
		case 'X', 'x':
			year, text, ok = leadingNumber(text, 4)
		case 'V', 'v':
			week, text, ok = leadingNumber(text, 2)
		case 'w':
			var n int
			n, text, ok = leadingNumber(text, 1)
			weekday = time.Weekday(n)
		case 'W', 'a':
			for d := time.Sunday; d <= time.Saturday && !ok; d++ {
				name := d.String()
				if format[1] == 'a' {
					name = name[:3]
				}
				if len(text) >= len(name) && strings.EqualFold(text[:len(name)], name) {
					weekday, text, ok = d, text[len(name):], true
				}
			}
		}
		if !ok {
			return time.Time{}, false
		}
		format = format[2:]
	}
	if year == 0 || week < 1 || week > 53 || weekday < time.Sunday || weekday > time.Saturday {
		return time.Time{}, false
	}
	if iso {
		// Week 1 is the one with 4 January; it begins on a Monday.
		fourth := time.Date(year, 1, 4, 0, 0, 0, 0, time.UTC)
		return fourth.AddDate(0, 0, (week-1)*7+monday(weekday)-monday(fourth.Weekday())), true
	}
	first := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)
	return first.AddDate(0, 0, (7-int(first.Weekday()))%7+(week-1)*7+int(weekday)), true
}

// monday counts the days since Monday.
func monday(d time.Weekday) int { return (int(d) + 6) % 7 }

func leadingNumber(text string, most int) (n int, rest string, ok bool) {
	i := 0
	for i < len(text) && i < most && text[i] >= '0' && text[i] <= '9' {
		i++
	}
	n, err := strconv.Atoi(text[:i])
	return n, text[i:], err == nil
}
