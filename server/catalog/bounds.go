package catalog

import (
	"context"
	"time"

	"github.com/cockroachdb/apd/v3"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/storage"
)

// bounds is one engine range (an AND over the index's columns) in the storage's terms.
type bounds struct {
	push  []storage.Range // what the storage filters exactly
	empty bool            // no row can be in the range
	exact bool            // push says all; otherwise rows are to be checked against the engine's range
	equal []any           // storage values of the leading columns that are restricted to one value
	rest  bool            // columns after those are restricted too
}

// boundsOf translates a range. Text whose collation does not compare bytes, and bounds that the column's type cannot hold
// exactly, are left for the caller to check.
func (x *Index) boundsOf(ctx context.Context, rng sql.MySQLRange) bounds {
	b := bounds{exact: true}
	prefix := true
	for i, e := range rng {
		if i >= len(x.key.Columns) {
			break
		}
		c := x.key.Columns[i]
		r, kind := columnBounds(ctx, c, x.table.schema[c].Type, e)
		point := kind == boundPoint || kind == boundPointText
		if prefix && point {
			b.equal = append(b.equal, r.Lower)
		} else {
			prefix = false
			if kind != boundNone {
				b.rest = true
			}
		}
		switch kind {
		case boundEmpty:
			return bounds{empty: true, exact: true}
		case boundRange, boundPoint:
			b.push = append(b.push, r)
		case boundResidual, boundPointText:
			b.exact = false
		}
	}
	return b
}

type boundKind int

const (
	boundNone      boundKind = iota // all values, NULL too
	boundEmpty                      // none
	boundRange                      // the storage's Range says it
	boundPoint                      // the same, and it is one value
	boundPointText                  // one value under a collation: fit for a key look-up, not for the storage's ranges
	boundResidual                   // the storage cannot say it
)

func columnBounds(ctx context.Context, column int, t sql.Type, e sql.MySQLRangeColumnExpr) (storage.Range, boundKind) {
	r := storage.Range{Column: column}
	orNull := false
	var lower, upper any
	switch c := e.LowerBound.(type) {
	case sql.BelowNull:
		orNull = true
	case sql.AboveNull:
	case sql.Below:
		lower = c.Key
	case sql.Above:
		lower, r.LowerOpen = c.Key, true
	default:
		return r, boundEmpty
	}
	switch c := e.UpperBound.(type) {
	case sql.AboveAll:
		if orNull {
			return r, boundNone
		}
	case sql.Above:
		upper = c.Key
	case sql.Below:
		upper, r.UpperOpen = c.Key, true
	case sql.AboveNull:
		if !orNull {
			return r, boundEmpty
		}
		return storage.Range{Column: column, Null: true}, boundRange
	default:
		return r, boundEmpty
	}
	if orNull {
		return r, boundResidual // "less than x or NULL" takes two storage ranges
	}
	var ok bool
	if lower != nil {
		if r.Lower, ok = exactKey(ctx, lower, t); !ok {
			return r, boundResidual
		}
	}
	if upper != nil {
		if r.Upper, ok = exactKey(ctx, upper, t); !ok {
			return r, boundResidual
		}
	}
	one := r.Lower != nil && r.Upper != nil && !r.LowerOpen && !r.UpperOpen && sqltype.EqualKeys(r.Lower, r.Upper)
	if t.Type() == sqltypes.TypeJSON {
		return r, boundResidual
	}
	if c, text := sqltype.CollationOf(t); text && !sqltype.ComparesAsBytes(c) {
		if one {
			return r, boundPointText
		}
		return r, boundResidual
	}
	if one {
		return r, boundPoint
	}
	return r, boundRange
}

// exactKey is the storage value of a bound, false if the column's type has no such value: then rounding the bound would
// move rows across it.
func exactKey(ctx context.Context, key any, t sql.Type) (any, bool) {
	key, err := sql.UnwrapAny(ctx, key)
	if err != nil {
		return nil, false
	}
	v, inRange, err := t.Convert(ctx, key)
	if err != nil || inRange != sql.InRange || !sameValue(key, v) {
		return nil, false
	}
	k, err := sqltype.KeyValue(ctx, v, t)
	return k, err == nil && k != nil
}

// sameValue tells whether converting a to b kept its value.
func sameValue(a, b any) bool {
	switch a := a.(type) {
	case string:
		switch b := b.(type) {
		case string:
			return a == b
		case []byte:
			return a == string(b)
		}
		return false
	case []byte:
		switch b := b.(type) {
		case string:
			return string(a) == b
		case []byte:
			return string(a) == string(b)
		}
		return false
	case time.Time:
		b, ok := b.(time.Time)
		return ok && a.Equal(b)
	case types.Timespan:
		return a == b
	}
	x, okA := decimalOf(a)
	y, okB := decimalOf(b)
	return okA && okB && x.Cmp(y) == 0
}

func decimalOf(v any) (*apd.Decimal, bool) {
	switch v := v.(type) {
	case *apd.Decimal:
		return v, v.Form == apd.Finite
	case float32:
		return floatDecimal(float64(v))
	case float64:
		return floatDecimal(v)
	case int, int8, int16, int32, int64, uint, uint8, uint16, uint32, uint64, bool:
		d, err := types.InternalDecimalType.ConvertToDecimal(v)
		return d, err == nil
	}
	return nil, false
}

func floatDecimal(f float64) (*apd.Decimal, bool) {
	d := new(apd.Decimal)
	if _, err := d.SetFloat64(f); err != nil {
		return nil, false
	}
	return d, d.Form == apd.Finite
}
