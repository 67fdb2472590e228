package storage

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"

	"github.com/almanacdb/almanac/storage/columns"
	"github.com/almanacdb/almanac/storage/keys"
	"github.com/almanacdb/almanac/storage/segment"
)

// filter is a Range compiled for the type of its column: bounds in the column's own kind, both inclusive where that is possible.
type filter struct {
	column int
	class  columns.Class
	null   bool // IS NULL
	none   bool // nothing can match

	lo, hi   int64  // Signed
	ulo, uhi uint64 // Unsigned; Float by keys.FloatOrder

	blo, bhi       []byte // other classes, encoded as statistics; nil is open
	loOpen, hiOpen bool
	statLo, statHi []byte // bounds in the encoding of statistics; nil is open
}

func compileRange(def *tableDef, r Range) (*filter, error) {
	if r.Column < 0 || r.Column >= def.columns() {
		return nil, fmt.Errorf("storage: range on column %d of %d", r.Column, def.columns())
	}
	t := def.spec.Schema.Field(r.Column).Type
	f := &filter{column: r.Column, class: columns.ClassOf(t), null: r.Null}
	if r.Null {
		return f, nil
	}
	var err error
	switch f.class {
	case columns.Signed:
		err = f.signed(r)
	case columns.Unsigned:
		err = f.unsigned(r)
	case columns.Float:
		err = f.float(r)
	default:
		f.loOpen, f.hiOpen = r.LowerOpen, r.UpperOpen
		if r.Lower != nil {
			f.blo, err = segment.StatOf(t, r.Lower)
			f.blo = append([]byte{}, f.blo...)
		}
		if r.Upper != nil && err == nil {
			f.bhi, err = segment.StatOf(t, r.Upper)
			f.bhi = append([]byte{}, f.bhi...)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("storage: range on column %q: %w", def.spec.Schema.Field(r.Column).Name, err)
	}
	return f, nil
}

// integerEdge turns a bound into one among the integers: the smallest (or greatest) integer inside it, or none.
func integerEdge(v any, open, lower bool) (n int64, beyond int, err error) {
	switch x := v.(type) {
	case float64:
		return floatEdge(x, open, lower)
	case float32:
		return floatEdge(float64(x), open, lower)
	case uint64:
		if x > math.MaxInt64 {
			return 0, 1, nil
		}
	}
	n, ok := keys.Integer(v)
	if !ok {
		return 0, 0, fmt.Errorf("a %T is no bound for integers, dates or times", v)
	}
	if open {
		switch {
		case lower && n == math.MaxInt64:
			return 0, 1, nil
		case lower:
			n++
		case n == math.MinInt64:
			return 0, -1, nil
		default:
			n--
		}
	}
	return n, 0, nil
}

func floatEdge(x float64, open, lower bool) (n int64, beyond int, err error) {
	if x != x {
		return 0, 1, nil // NaN sorts above every number
	}
	whole := math.Floor(x)
	if lower {
		whole = math.Ceil(x)
	}
	if open && whole == x {
		if lower {
			whole++
		} else {
			whole--
		}
	}
	switch {
	case whole >= 1<<63:
		return 0, 1, nil
	case whole < -1<<63:
		return 0, -1, nil
	}
	return int64(whole), 0, nil
}

func (f *filter) signed(r Range) error {
	f.lo, f.hi = math.MinInt64, math.MaxInt64
	if r.Lower != nil {
		n, beyond, err := integerEdge(r.Lower, r.LowerOpen, true)
		if err != nil {
			return err
		}
		if f.none = beyond > 0; beyond == 0 {
			f.lo = n
		}
	}
	if r.Upper != nil {
		n, beyond, err := integerEdge(r.Upper, r.UpperOpen, false)
		if err != nil {
			return err
		}
		if f.none = f.none || beyond < 0; beyond == 0 {
			f.hi = n
		}
	}
	f.none = f.none || f.lo > f.hi
	if r.Lower != nil {
		f.statLo = binary.BigEndian.AppendUint64(nil, uint64(f.lo)^1<<63)
	}
	if r.Upper != nil {
		f.statHi = binary.BigEndian.AppendUint64(nil, uint64(f.hi)^1<<63)
	}
	return nil
}

func (f *filter) unsigned(r Range) error {
	f.uhi = math.MaxUint64
	edge := func(v any, open, lower bool) (n uint64, beyond int, err error) {
		if u, ok := v.(uint64); ok && u > math.MaxInt64 {
			switch {
			case !open:
			case lower && u == math.MaxUint64:
				return 0, 1, nil
			case lower:
				u++
			default:
				u--
			}
			return u, 0, nil
		}
		s, beyond, err := integerEdge(v, open, lower)
		if err != nil || beyond != 0 {
			return 0, beyond, err
		}
		if s < 0 {
			return 0, -1, nil
		}
		return uint64(s), 0, nil
	}
	if r.Lower != nil {
		n, beyond, err := edge(r.Lower, r.LowerOpen, true)
		if err != nil {
			return err
		}
		if f.none = beyond > 0; beyond == 0 {
			f.ulo = n
		}
	}
	if r.Upper != nil {
		n, beyond, err := edge(r.Upper, r.UpperOpen, false)
		if err != nil {
			return err
		}
		if f.none = f.none || beyond < 0; beyond == 0 {
			f.uhi = n
		}
	}
	f.none = f.none || f.ulo > f.uhi
	f.unsignedStats(r)
	return nil
}

func (f *filter) unsignedStats(r Range) {
	if r.Lower != nil {
		f.statLo = binary.BigEndian.AppendUint64(nil, f.ulo)
	}
	if r.Upper != nil {
		f.statHi = binary.BigEndian.AppendUint64(nil, f.uhi)
	}
}

func (f *filter) float(r Range) error {
	f.uhi = math.MaxUint64
	value := func(v any) (float64, error) {
		switch x := v.(type) {
		case float64:
			return x, nil
		case float32:
			return float64(x), nil
		case uint64:
			return float64(x), nil
		}
		if n, ok := keys.Integer(v); ok {
			return float64(n), nil
		}
		return 0, fmt.Errorf("a %T is no bound for floating-point numbers", v)
	}
	if r.Lower != nil {
		x, err := value(r.Lower)
		if err != nil {
			return err
		}
		if f.ulo = keys.FloatOrder(x); r.LowerOpen {
			f.none = f.ulo == math.MaxUint64
			f.ulo++
		}
	}
	if r.Upper != nil {
		x, err := value(r.Upper)
		if err != nil {
			return err
		}
		if f.uhi = keys.FloatOrder(x); r.UpperOpen {
			f.uhi-- // no float has order 0
		}
	}
	f.none = f.none || f.ulo > f.uhi
	f.unsignedStats(r)
	return nil
}

// excludes says that no row of a row group can match.
func (f *filter) excludes(c *segment.ColumnStats, rows int) bool {
	switch {
	case f.none:
		return true
	case f.null:
		return c.Nulls == 0
	case c.Nulls == rows:
		return true
	case c.Min == nil:
		return false
	}
	lo, hi := f.statLo, f.statHi
	if f.class != columns.Signed && f.class != columns.Unsigned && f.class != columns.Float {
		lo, hi = f.blo, f.bhi
	}
	return lo != nil && bytes.Compare(c.Max, lo) < 0 || hi != nil && bytes.Compare(c.Min, hi) > 0
}

// narrow keeps those of rows that match; rows is overwritten.
func (f *filter) narrow(v *columns.View, rows []int32) []int32 {
	out := rows[:0]
	if f.none {
		return out
	}
	if f.null {
		for _, i := range rows {
			if v.Null(int(i)) {
				out = append(out, i)
			}
		}
		return out
	}
	switch f.class {
	case columns.Signed:
		switch v.Width {
		case 4:
			return between(v, rows, max(f.lo, math.MinInt32), min(f.hi, math.MaxInt32), columns.Slice[int32](v))
		case 8:
			return between(v, rows, f.lo, f.hi, columns.Slice[int64](v))
		}
		for _, i := range rows {
			if x := v.Int(int(i)); x >= f.lo && x <= f.hi && !v.Null(int(i)) {
				out = append(out, i)
			}
		}
	case columns.Unsigned:
		for _, i := range rows {
			if x := v.Uint(int(i)); x >= f.ulo && x <= f.uhi && !v.Null(int(i)) {
				out = append(out, i)
			}
		}
	case columns.Float:
		for _, i := range rows {
			if x := keys.FloatOrder(v.Float(int(i))); x >= f.ulo && x <= f.uhi && !v.Null(int(i)) {
				out = append(out, i)
			}
		}
	default:
		if v.Dict != nil {
			match := make([]bool, v.Dict.Len)
			for i := range match {
				match[i] = !v.Dict.Null(i) && f.bytes(v.Dict.Bytes(i))
			}
			for _, i := range rows {
				if !v.Null(int(i)) && match[v.Codes[i]] {
					out = append(out, i)
				}
			}
			return out
		}
		var buf []byte
		for _, i := range rows {
			if v.Null(int(i)) {
				continue
			}
			var b []byte
			if f.class == columns.Bytes || f.class == columns.Fixed {
				b = v.Bytes(int(i))
			} else {
				buf = segment.AppendStat(buf[:0], v, int(i))
				b = buf
			}
			if f.bytes(b) {
				out = append(out, i)
			}
		}
	}
	return out
}

func between[T int32 | int64](v *columns.View, rows []int32, lo, hi int64, values []T) []int32 {
	out := rows[:0]
	if lo > hi {
		return out
	}
	l, h := T(lo), T(hi)
	if v.Nulls == 0 {
		for _, i := range rows {
			if x := values[i]; x >= l && x <= h {
				out = append(out, i)
			}
		}
		return out
	}
	for _, i := range rows {
		if x := values[i]; x >= l && x <= h && !v.Null(int(i)) {
			out = append(out, i)
		}
	}
	return out
}

func (f *filter) bytes(b []byte) bool {
	if f.blo != nil {
		if c := bytes.Compare(b, f.blo); c < 0 || c == 0 && f.loOpen {
			return false
		}
	}
	if f.bhi != nil {
		if c := bytes.Compare(b, f.bhi); c > 0 || c == 0 && f.hiOpen {
			return false
		}
	}
	return true
}
