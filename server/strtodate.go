package server

import (
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/expression"
	"github.com/dolthub/go-mysql-server/sql/expression/function"
)

// strToDate is STR_TO_DATE. Of NULL it is NULL, as in MySQL; the engine's fails there.
type strToDate struct{ *function.StrToDate }

func newStrToDate(_ *sql.Context, date, format sql.Expression) sql.Expression {
	return &strToDate{&function.StrToDate{Date: date, Format: format}}
}

// WithChildren implements sql.Expression.
func (s *strToDate) WithChildren(ctx *sql.Context, children ...sql.Expression) (sql.Expression, error) {
	if len(children) != 2 {
		return nil, sql.ErrInvalidArgumentNumber.New("STR_TO_DATE", 2, len(children))
	}
	return newStrToDate(ctx, children[0], children[1]), nil
}

// Eval implements sql.Expression.
func (s *strToDate) Eval(ctx *sql.Context, row sql.Row) (any, error) {
	arguments := make([]sql.Expression, 2)
	for i, e := range s.Children() {
		value, err := e.Eval(ctx, row)
		if err != nil || value == nil {
			return nil, err
		}
		arguments[i] = expression.NewLiteral(value, e.Type(ctx))
	}
	return (&function.StrToDate{Date: arguments[0], Format: arguments[1]}).Eval(ctx, row)
}
