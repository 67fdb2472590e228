package sqltype

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/cockroachdb/apd/v3"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/sqltypes"
)

// KeyValue converts a SQL value of type t to the plain value that storage compares and looks up: int64, uint64,
// float64, string, []byte, arrow.Date32, arrow.Timestamp, arrow.Duration, decimal128.Num or decimal256.Num; nil stays nil.
// The value must already have the column's type: converting would round a bound away from what was asked.
func KeyValue(ctx context.Context, v any, t sql.Type) (any, error) {
	switch v := v.(type) {
	case nil:
		return nil, nil
	case int8:
		return int64(v), nil
	case int16:
		return int64(v), nil
	case int32:
		return int64(v), nil
	case int64:
		return v, nil
	case uint8:
		return uint64(v), nil
	case uint16:
		return uint64(v), nil
	case uint32:
		return uint64(v), nil
	case uint64:
		return v, nil
	case float32:
		return float64(v), nil
	case float64:
		return v, nil
	case string:
		if types.IsBinaryType(t) {
			return []byte(v), nil
		}
		return v, nil
	case []byte:
		if !types.IsBinaryType(t) {
			return string(v), nil
		}
		return v, nil
	case time.Time:
		if t.Type() == sqltypes.Date {
			return dateOf(v), nil
		}
		return arrow.Timestamp(v.UnixMicro()), nil
	case types.Timespan:
		return arrow.Duration(v), nil
	case *apd.Decimal:
		precision, scale := decimalShape(t)
		if precision <= decimal128Precision {
			return decimal128Of(v, precision, scale)
		}
		return decimal256Of(v, precision, scale)
	case sql.JSONWrapper:
		text, err := jsonText(ctx, v, t)
		return string(text), err
	case sql.AnyWrapper:
		u, err := v.UnwrapAny(ctx)
		if err != nil {
			return nil, err
		}
		return KeyValue(ctx, u, t)
	}
	return nil, fmt.Errorf("value of type %T cannot be part of a key", v)
}

// Collate returns the function that maps a text field's values to the bytes they compare as under the collation in the
// field's metadata, appended to dst: equal strings get equal bytes, and byte order is collation order. It returns nil
// where the text compares as its own bytes. It has the shape of storage's Collate option.
func Collate(f arrow.Field) func(dst, value []byte) []byte {
	i := f.Metadata.FindKey(MetadataKey)
	if i < 0 {
		return nil
	}
	t, err := ParseType(f.Metadata.Values()[i])
	if err != nil {
		return nil
	}
	c, ok := CollationOf(t)
	if !ok || ComparesAsBytes(c) {
		return nil
	}
	weight := c.Sorter()
	return func(dst, value []byte) []byte {
		for _, r := range string(value) {
			w := uint32(weight(r)) ^ 1<<31 // weights are signed; this keeps their order in unsigned bytes
			dst = append(dst, byte(w>>24), byte(w>>16), byte(w>>8), byte(w))
		}
		return dst
	}
}

// CollationOf returns the collation of a text type, false for types without one (ENUM and SET compare by number).
func CollationOf(t sql.Type) (sql.CollationID, bool) {
	s, ok := t.(sql.StringType)
	if !ok || !types.IsText(t) {
		return 0, false
	}
	return s.Collation(), true
}

// ComparesAsBytes tells whether the collation orders and equates strings as their UTF-8 bytes do.
func ComparesAsBytes(c sql.CollationID) bool {
	return c == sql.Collation_binary || strings.HasSuffix(c.Name(), "_bin") &&
		(strings.HasPrefix(c.Name(), "utf8") || strings.HasPrefix(c.Name(), "ascii"))
}

// EqualKeys tells whether two values as [KeyValue] returns them are the same value.
func EqualKeys(a, b any) bool {
	if x, ok := a.([]byte); ok {
		y, ok := b.([]byte)
		return ok && bytes.Equal(x, y)
	}
	return a == b
}
