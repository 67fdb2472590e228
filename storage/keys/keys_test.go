package keys

import (
	"bytes"
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/storage/columns"
)

// TestOrder compares the order of encodings with that of the values, and encodings of rows with those of values.
func TestOrder(t *testing.T) {
	mem := memory.NewGoAllocator()
	i, f, s := array.NewInt16Builder(mem), array.NewFloat64Builder(mem), array.NewStringBuilder(mem)
	d := array.NewDecimal128Builder(mem, &arrow.Decimal128Type{Precision: 38, Scale: 2})
	ascending := []func(){
		func() { i.AppendNull(); f.AppendNull(); s.AppendNull(); d.AppendNull() },
	}
	ints := []int16{math.MinInt16, -1, 0, 1, math.MaxInt16}
	floats := []float64{math.Inf(-1), -1, 0, math.SmallestNonzeroFloat64, math.NaN()}
	texts := []string{"", "a", "a\x00", "a\x00\x00", "a\x01"}
	decimals := []int64{math.MinInt64, -256, 0, 255, math.MaxInt64}
	for k := range ints {
		ascending = append(ascending, func() {
			i.Append(ints[k])
			f.Append(floats[k])
			s.Append(texts[k])
			d.Append(decimal128.FromI64(decimals[k]))
		})
	}
	for _, add := range ascending {
		add()
	}
	arrays := []arrow.Array{i.NewArray(), f.NewArray(), s.NewArray(), d.NewArray()}
	views := make([]*columns.View, len(arrays))
	for c, a := range arrays {
		views[c] = columns.Of(a)
	}
	for c, a := range arrays {
		e := &Encoder{Columns: []Column{{Ordinal: c, Type: a.DataType()}}}
		for x := range a.Len() {
			enc, null := e.AppendRow(nil, views, x)
			other, null2, err := e.AppendValues(nil, []any{views[c].Value(x)})
			if err != nil || null != null2 || !bytes.Equal(enc, other) || null != (x == 0) {
				t.Fatalf("column %d row %d: %x, from the value %x, %v", c, x, enc, other, err)
			}
			for y := range a.Len() {
				enc2, _ := e.AppendRow(nil, views, y)
				want := 0
				switch {
				case x < y:
					want = -1
				case x > y:
					want = 1
				}
				if bytes.Compare(enc, enc2) != want || e.Compare(views, x, views, y) != want {
					t.Fatalf("column %d: rows %d and %d: %x %x", c, x, y, enc, enc2)
				}
				// The order holds with another column before and after, equal or not.
				two := &Encoder{Columns: []Column{{Ordinal: c, Type: a.DataType()}, {Ordinal: 2, Type: arrays[2].DataType()}}}
				p, _ := two.AppendRow(nil, views, x)
				q, _ := two.AppendRow(nil, views, y)
				if bytes.Compare(p, q) != want {
					t.Fatalf("columns %d, 2: rows %d and %d", c, x, y)
				}
			}
		}
	}
}

func TestZeroesAreEqual(t *testing.T) {
	e := &Encoder{Columns: []Column{{Type: arrow.PrimitiveTypes.Float64}}}
	a, _, _ := e.AppendValues(nil, []any{0.0})
	b, _, _ := e.AppendValues(nil, []any{math.Copysign(0, -1)})
	if !bytes.Equal(a, b) {
		t.Fatal("-0 and 0 differ")
	}
}

func TestWrongValues(t *testing.T) {
	for typ, v := range map[arrow.DataType]any{
		arrow.PrimitiveTypes.Int64: "x", arrow.PrimitiveTypes.Uint8: int64(-1), arrow.BinaryTypes.String: 1.5, arrow.FixedWidthTypes.Date32: 1.5,
	} {
		e := &Encoder{Columns: []Column{{Type: typ}}}
		if _, _, err := e.AppendValues(nil, []any{v}); err == nil {
			t.Errorf("%v accepts %T", typ, v)
		}
	}
}
