package sqltype

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/dolthub/go-mysql-server/sql"
)

// An Appender appends SQL values to a builder made for the column's field.
type Appender func(ctx context.Context, v any) error

// NewAppender returns the Appender of one column into b, whose type is that of [FieldOf] the column. NULL is a nil value.
func NewAppender(b array.Builder, t sql.Type) (Appender, error) {
	w, err := newWriter(b, t)
	if err != nil {
		return nil, err
	}
	return Appender(w), nil
}
