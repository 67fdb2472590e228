package catalog

import (
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/sqltypes"
)

// duplicate is the engine's unique key error.
func (e *edits) duplicate(k int, row, existing sql.Row) error {
	key := e.def.keys[k]
	parts := make([]string, len(key.columns))
	for i, c := range key.columns {
		parts[i] = display(row[c], e.schema[c].Type)
	}
	return duplicateEntry(parts, e.def, e.def.spec.Keys[key.ordinal].Name, existing)
}

// duplicateEntry words a unique key error as MySQL does, which tools look for.
func duplicateEntry(values []string, def *definition, key string, existing sql.Row) error {
	primary := false
	for _, k := range def.spec.Keys {
		primary = primary || k.Primary && k.Name == key
	}
	text := fmt.Sprintf("Duplicate entry '%s' for key '%s.%s'", strings.Join(values, "-"), def.spec.Name, key)
	return sql.NewUniqueKeyErr(text, primary, existing)
}

// display is a value as it reads in a message.
func display(v any, t sql.Type) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case []byte:
		return string(v)
	case time.Time:
		if t.Type() == sqltypes.Date {
			return v.Format(time.DateOnly)
		}
		return v.Format(sql.TimestampDatetimeLayout)
	case *apd.Decimal:
		return v.Text('f')
	case uint16:
		if e, ok := t.(sql.EnumType); ok {
			if s, ok := e.At(int(v)); ok {
				return s
			}
		}
	}
	return fmt.Sprint(v)
}
