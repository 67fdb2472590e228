package server

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function"
	"github.com/dolthub/go-mysql-server/sql/types"
)

// calendarFunctions are MySQL's functions of dates and times that the engine lacks, or types as text; BI tools write them to
// group by quarter, year or week.
func calendarFunctions() []sql.Function {
	return []sql.Function{
		scalarFunction("makedate", 2, types.Date, makeDate),
		scalarFunction("maketime", 3, types.Time, makeTime),
		scalarFunction("sec_to_time", 1, types.Time, func(_ *sql.Context, a []any) (any, error) {
			seconds, err := number(a[0])
			return timespan(seconds), err
		}),
		scalarFunction("period_add", 2, types.Int64, func(_ *sql.Context, a []any) (any, error) {
			months, err := periodMonths(a[0])
			if err != nil {
				return nil, err
			}
			n, err := whole(a[1])
			months += n
			return months/12*100 + months%12 + 1, err
		}),
		scalarFunction("period_diff", 2, types.Int64, func(_ *sql.Context, a []any) (any, error) {
			first, err := periodMonths(a[0])
			if err != nil {
				return nil, err
			}
			second, err := periodMonths(a[1])
			return first - second, err
		}),
		scalarFunction("addtime", 2, nil, func(ctx *sql.Context, a []any) (any, error) { return shift(ctx, a, 1) }),
		scalarFunction("subtime", 2, nil, func(ctx *sql.Context, a []any) (any, error) { return shift(ctx, a, -1) }),
		sql.Function0{Name: "session_user", Fn: function.NewUser},
		sql.Function0{Name: "system_user", Fn: function.NewUser},
		sql.Function0{Name: "curdate", Fn: func(ctx *sql.Context) sql.Expression { return newToday(function.NewCurrDate(ctx)) }},
		sql.Function0{Name: "current_date", Fn: func(ctx *sql.Context) sql.Expression { return newToday(function.NewCurrentDate(ctx)) }},
		sql.Function2{Name: "str_to_date", Fn: newWeekToDate},
		sql.FunctionN{Name: "concat", Fn: withDatesAsText(function.NewConcat)},
		sql.FunctionN{Name: "concat_ws", Fn: withDatesAsText(function.NewConcatWithSeparator)},
	}
}

func number(v any) (float64, error) {
	f, _, err := types.Float64.Convert(context.Background(), v)
	if err != nil {
		return 0, err
	}
	return f.(float64), nil
}

func whole(v any) (int64, error) {
	n, _, err := types.Int64.Convert(context.Background(), v)
	if err != nil {
		return 0, err
	}
	return n.(int64), nil
}

// fullYear reads years of two digits as MySQL does.
func fullYear(year int64) int64 {
	switch {
	case year < 70:
		return year + 2000
	case year < 100:
		return year + 1900
	}
	return year
}

func makeDate(_ *sql.Context, a []any) (any, error) {
	year, err := whole(a[0])
	if err != nil {
		return nil, err
	}
	day, err := whole(a[1])
	if err != nil || day <= 0 || day > 9999*366 || year < 0 || year > 9999 {
		return nil, err
	}
	date := time.Date(int(fullYear(year)), 1, int(day), 0, 0, 0, 0, time.UTC)
	if date.Year() > 9999 {
		return nil, nil
	}
	return date, nil
}

func makeTime(_ *sql.Context, a []any) (any, error) {
	hour, err := whole(a[0])
	if err != nil {
		return nil, err
	}
	minute, err := whole(a[1])
	if err != nil {
		return nil, err
	}
	second, err := number(a[2])
	if err != nil || minute < 0 || minute > 59 || second < 0 || second >= 60 {
		return nil, err
	}
	rest := float64(minute)*60 + second
	if hour < 0 {
		rest = -rest
	}
	return timespan(float64(hour)*3600 + rest), nil
}

// timespan is a TIME of so many seconds, cut to MySQL's range.
func timespan(seconds float64) types.Timespan {
	const most = 838*3600 + 59*60 + 59
	return types.Timespan(min(max(seconds, -most), most) * 1e6)
}

// periodMonths reads a period as YYYYMM or YYMM and counts its months.
func periodMonths(v any) (int64, error) {
	period, err := whole(v)
	if err != nil {
		return 0, err
	}
	month := period % 100
	if period < 0 || month < 1 || month > 12 {
		return 0, fmt.Errorf("incorrect arguments to period_add or period_diff: %d is no period\nFix: write it as YYYYMM, such as 202403", period)
	}
	return fullYear(period/100)*12 + month - 1, nil
}

// shift adds a time to a date and time or to a time. Text gives text, as in MySQL; what fits neither gives NULL.
func shift(ctx *sql.Context, a []any, sign types.Timespan) (any, error) {
	by, ok := span(a[1])
	if !ok {
		return nil, nil
	}
	by *= sign
	if moment, ok := a[0].(time.Time); ok {
		return moment.Add(by.AsTimeDuration()), nil
	}
	if text, ok := a[0].(string); ok && strings.Count(text, "-") > 1 {
		moment, _, err := types.DatetimeMaxPrecision.Convert(ctx, text)
		if err != nil || moment == nil {
			return nil, nil
		}
		return moment.(time.Time).Add(by.AsTimeDuration()).Format("2006-01-02 15:04:05.999999"), nil
	}
	from, ok := span(a[0])
	if !ok {
		return nil, nil
	}
	sum := timespan(float64(from+by) / 1e6)
	if _, ok := a[0].(string); ok {
		return sum.String(), nil
	}
	return sum, nil
}

// span reads a TIME, which as text may begin with a number of days: '1 12:00:00'.
func span(v any) (types.Timespan, bool) {
	days := int64(0)
	if text, ok := v.(string); ok {
		if before, after, found := strings.Cut(strings.TrimSpace(text), " "); found {
			n, err := strconv.ParseInt(before, 10, 16)
			if err != nil || n < 0 {
				return 0, false
			}
			days, v = n, after
		}
	}
	t, err := types.Time.ConvertToTimespan(v)
	return t + types.Timespan(days*24*int64(time.Hour/time.Microsecond)), err == nil
}

// scalarFunction makes a function of n arguments that is NULL where one is NULL. Without a type, it has that of its first
// argument where this is a time or a date and time, and is text otherwise.
func scalarFunction(name string, n int, typ sql.Type, eval func(*sql.Context, []any) (any, error)) sql.Function {
	return sql.FunctionN{Name: name, Fn: func(ctx *sql.Context, args ...sql.Expression) (sql.Expression, error) {
		if len(args) != n {
			return nil, sql.ErrInvalidArgumentNumber.New(strings.ToUpper(name), n, len(args))
		}
		return &scalar{NaryExpression: expression.NaryExpression{ChildExpressions: args}, name: name, typ: typ, eval: eval}, nil
	}}
}

type scalar struct {
	expression.NaryExpression
	name string
	typ  sql.Type
	eval func(*sql.Context, []any) (any, error)
}

var _ sql.FunctionExpression = (*scalar)(nil)

// FunctionName implements sql.FunctionExpression.
func (s *scalar) FunctionName() string { return s.name }

// Description implements sql.FunctionExpression.
func (s *scalar) Description() string { return "computes with dates and times as MySQL does." }

// String implements sql.Expression.
func (s *scalar) String() string {
	args := make([]string, len(s.ChildExpressions))
	for i, e := range s.ChildExpressions {
		args[i] = e.String()
	}
	return s.name + "(" + strings.Join(args, ",") + ")"
}

// Type implements sql.Expression.
func (s *scalar) Type(ctx *sql.Context) sql.Type {
	if s.typ != nil {
		return s.typ
	}
	switch first := s.ChildExpressions[0].Type(ctx); {
	case types.IsTimespan(first):
		return types.Time
	case types.IsTime(first):
		return types.DatetimeMaxPrecision
	}
	return types.LongText
}

// IsNullable implements sql.Expression.
func (s *scalar) IsNullable(*sql.Context) bool { return true }

// Eval implements sql.Expression.
func (s *scalar) Eval(ctx *sql.Context, row sql.Row) (any, error) {
	args := make([]any, len(s.ChildExpressions))
	for i, e := range s.ChildExpressions {
		v, err := e.Eval(ctx, row)
		if err != nil {
			return nil, err
		}
		if args[i], err = sql.UnwrapAny(ctx, v); err != nil || args[i] == nil {
			return nil, err
		}
	}
	return s.eval(ctx, args)
}

// WithChildren implements sql.Expression.
func (s *scalar) WithChildren(_ *sql.Context, children ...sql.Expression) (sql.Expression, error) {
	if len(children) != len(s.ChildExpressions) {
		return nil, sql.ErrInvalidChildrenNumber.New(s, len(children), len(s.ChildExpressions))
	}
	changed := *s
	changed.ChildExpressions = children
	return &changed, nil
}

// CollationCoercibility implements sql.CollationCoercible.
func (s *scalar) CollationCoercibility(*sql.Context) (sql.CollationID, byte) {
	return sql.Collation_binary, 5
}

// today is CURDATE() as a DATE; the engine's is text.
type today struct{ sql.FunctionExpression }

func newToday(e sql.Expression) sql.Expression { return &today{e.(sql.FunctionExpression)} }

// Type implements sql.Expression.
func (t *today) Type(*sql.Context) sql.Type { return types.Date }

// Eval implements sql.Expression.
func (t *today) Eval(ctx *sql.Context, _ sql.Row) (any, error) {
	now := ctx.QueryTime()
	return time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, time.UTC), nil
}

// WithChildren implements sql.Expression.
func (t *today) WithChildren(_ *sql.Context, children ...sql.Expression) (sql.Expression, error) {
	if len(children) != 0 {
		return nil, sql.ErrInvalidChildrenNumber.New(t, len(children), 0)
	}
	return t, nil
}

// CollationCoercibility implements sql.CollationCoercible.
func (t *today) CollationCoercibility(*sql.Context) (sql.CollationID, byte) {
	return sql.Collation_binary, 5
}

// withDatesAsText lets a function of texts see a DATE without a time of day.
func withDatesAsText(create sql.CreateFuncNArgs) sql.CreateFuncNArgs {
	return func(ctx *sql.Context, args ...sql.Expression) (sql.Expression, error) {
		for i, e := range args {
			if e.Resolved() && types.IsDateType(e.Type(ctx)) {
				args[i] = function.NewDateFormat(ctx, e, expression.NewLiteral("%Y-%m-%d", types.LongText))
			}
		}
		return create(ctx, args...)
	}
}
