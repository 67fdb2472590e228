package series

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A keyColumn numbers the distinct values of one key column in the order they come: its codes. Code 0 is NULL.
type keyColumn struct {
	field arrow.Field
	// values numbers the values of the column's type, or of a dictionary's values; made from the first batch.
	values distinct

	// A dictionary's index to code, filled as indices come up; ^0 is not yet known.
	dictionary arrow.ArrayData
	codes      []uint32
}

// distinct numbers the distinct values of one Arrow type, from code 1.
type distinct interface {
	// code returns the code of element i, which is valid.
	code(col arrow.Array, i int) uint32
	// count is the number of codes given, NULL included.
	count() int
	// order sorts codes ascending by value.
	order(codes []uint32)
	// build makes the array of those codes; 0 becomes NULL.
	build(mem memory.Allocator, codes []uint32) arrow.Array
}

const unknownCode = math.MaxUint32

// newKeyColumn prepares for a column declared with that field. Dictionaries count as their values.
func newKeyColumn(field arrow.Field) (*keyColumn, error) {
	if d, ok := field.Type.(*arrow.DictionaryType); ok {
		field.Type = d.ValueType
	}
	values := newDistinct(field.Type)
	if values == nil {
		return nil, &ColumnError{Column: field.Name, Role: "key", Reason: "type " + field.Type.String() + " cannot tell series apart"}
	}
	return &keyColumn{field: field, values: values}, nil
}

// encode writes the code of every element of col to dst.
func (k *keyColumn) encode(dst []uint32, col arrow.Array) error {
	typ := col.DataType()
	if d, ok := typ.(*arrow.DictionaryType); ok {
		typ = d.ValueType
	}
	if !arrow.TypeEqual(typ, k.field.Type) {
		return &ColumnError{Column: k.field.Name, Role: "key", Reason: "declared " + k.field.Type.String() + " but arrived as " + col.DataType().String()}
	}
	switch c := col.(type) {
	case *array.Dictionary:
		k.encodeDictionary(dst, c)
	case *array.String:
		// Sorted sources repeat a key row after row: comparing is cheaper than hashing.
		last, lastCode := "", uint32(unknownCode)
		nulls := c.NullN() > 0
		for i := range dst {
			if nulls && c.IsNull(i) {
				dst[i] = 0
				continue
			}
			if v := c.Value(i); v != last || lastCode == unknownCode {
				last, lastCode = v, k.values.code(c, i)
			}
			dst[i] = lastCode
		}
	default:
		nulls := col.NullN() > 0 || col.DataType().ID() == arrow.NULL
		for i := range dst {
			if nulls && col.IsNull(i) {
				dst[i] = 0
			} else {
				dst[i] = k.values.code(col, i)
			}
		}
	}
	return nil
}

func (k *keyColumn) encodeDictionary(dst []uint32, c *array.Dictionary) {
	values := c.Dictionary()
	if values.Data() != k.dictionary {
		k.dictionary = values.Data()
		k.codes = slices.Grow(k.codes[:0], values.Len())[:values.Len()]
		for i := range k.codes {
			k.codes[i] = unknownCode
		}
	}
	nulls := c.NullN() > 0
	lookup := func(i, index int) uint32 {
		if nulls && c.IsNull(i) {
			return 0
		}
		code := k.codes[index]
		if code == unknownCode {
			code = 0
			if values.IsValid(index) {
				code = k.values.code(values, index)
			}
			k.codes[index] = code
		}
		return code
	}
	if indices, ok := c.Indices().(*array.Int32); ok {
		for i, index := range indices.Int32Values() {
			dst[i] = lookup(i, int(index))
		}
		return
	}
	for i := range dst {
		if nulls && c.IsNull(i) {
			dst[i] = 0
			continue
		}
		dst[i] = lookup(i, c.GetValueIndex(i))
	}
}

// ranks gives each code its place in ascending order, NULL first.
func (k *keyColumn) ranks() []uint32 {
	n := k.values.count()
	codes := make([]uint32, n)
	for i := range codes {
		codes[i] = uint32(i)
	}
	k.values.order(codes[1:])
	ranks := make([]uint32, n)
	for place, code := range codes {
		ranks[code] = uint32(place)
	}
	return ranks
}

// newDistinct chooses how values of a type are told apart and ordered; nil for nested types.
func newDistinct(typ arrow.DataType) distinct {
	switch typ.ID() {
	case arrow.STRING, arrow.LARGE_STRING, arrow.STRING_VIEW, arrow.BINARY, arrow.LARGE_BINARY, arrow.BINARY_VIEW:
		return &textKeys{typ: typ, codes: map[string]uint32{}, values: []string{""}}
	case arrow.BOOL:
		return &boolKeys{}
	case arrow.NULL:
		return nullKeys{}
	}
	fixed, ok := typ.(arrow.FixedWidthDataType)
	if !ok || typ.ID() == arrow.DICTIONARY || typ.ID() == arrow.EXTENSION {
		return nil
	}
	k := &fixedKeys{typ: typ, width: fixed.BitWidth() / 8, compare: comparison(typ)}
	if k.compare == nil {
		return nil
	}
	if k.width <= 8 && typ.ID() != arrow.FIXED_SIZE_BINARY {
		k.words = map[uint64]uint32{}
	} else {
		k.wide = map[string]uint32{}
	}
	return k
}

// textKeys are strings and byte strings, ordered bytewise.
type textKeys struct {
	typ    arrow.DataType
	codes  map[string]uint32
	values []string
}

func (k *textKeys) code(col arrow.Array, i int) uint32 {
	var v string
	switch c := col.(type) {
	case *array.String:
		v = c.Value(i)
	case *array.LargeString:
		v = c.Value(i)
	case *array.StringView:
		v = c.Value(i)
	case interface{ Value(int) []byte }:
		raw := c.Value(i)
		if code, ok := k.codes[string(raw)]; ok {
			return code
		}
		v = string(raw)
	}
	code, ok := k.codes[v]
	if !ok {
		v = strings.Clone(v) // the batch's memory goes
		code = uint32(len(k.values))
		k.codes[v] = code
		k.values = append(k.values, v)
	}
	return code
}

func (k *textKeys) count() int { return len(k.values) }

func (k *textKeys) order(codes []uint32) {
	sortBy(codes, func(a, b uint32) int { return cmp.Compare(k.values[a], k.values[b]) })
}

func (k *textKeys) build(mem memory.Allocator, codes []uint32) arrow.Array {
	b := array.NewBuilder(mem, k.typ)
	defer b.Release()
	b.Reserve(len(codes))
	for _, code := range codes {
		if code == 0 {
			b.AppendNull()
			continue
		}
		switch b := b.(type) {
		case array.StringLikeBuilder:
			b.Append(k.values[code])
		case array.BinaryLikeBuilder:
			b.Append([]byte(k.values[code]))
		}
	}
	return b.NewArray()
}

// fixedKeys are values of fixed width, kept as their little-endian bytes: integers, floats, decimals, dates, times.
type fixedKeys struct {
	typ     arrow.DataType
	width   int
	compare func(a, b []byte) int
	words   map[uint64]uint32 // widths up to 8
	wide    map[string]uint32 // wider ones
	bytes   []byte            // the value of code c is bytes[(c-1)*width : c*width]
	// The value before: sources ordered by key repeat it.
	lastWord uint64
	lastCode uint32
}

func (k *fixedKeys) code(col arrow.Array, i int) uint32 {
	data := col.Data()
	at := (data.Offset() + i) * k.width
	raw := data.Buffers()[1].Bytes()[at : at+k.width]
	if k.words == nil {
		code, ok := k.wide[string(raw)]
		if !ok {
			code = k.add(raw)
			k.wide[string(raw)] = code
		}
		return code
	}
	word := k.word(raw)
	if word == k.lastWord && k.lastCode != 0 {
		return k.lastCode
	}
	code, ok := k.words[word]
	if !ok {
		var canonical [8]byte
		binary.LittleEndian.PutUint64(canonical[:], word)
		code = k.add(canonical[:k.width])
		k.words[word] = code
	}
	k.lastWord, k.lastCode = word, code
	return code
}

// word loads a value; the two zeros of floats are one key, and so are all NaN.
func (k *fixedKeys) word(raw []byte) uint64 {
	switch k.width {
	case 1:
		return uint64(raw[0])
	case 2:
		return uint64(binary.LittleEndian.Uint16(raw))
	case 4:
		w := binary.LittleEndian.Uint32(raw)
		if k.typ.ID() == arrow.FLOAT32 {
			if f := math.Float32frombits(w); f == 0 {
				w = 0
			} else if f != f {
				w = math.Float32bits(float32(math.NaN()))
			}
		}
		return uint64(w)
	}
	w := binary.LittleEndian.Uint64(raw)
	if k.typ.ID() == arrow.FLOAT64 {
		if f := math.Float64frombits(w); f == 0 {
			w = 0
		} else if f != f {
			w = math.Float64bits(math.NaN())
		}
	}
	return w
}

func (k *fixedKeys) add(raw []byte) uint32 {
	k.bytes = append(k.bytes, raw...)
	return uint32(len(k.bytes) / k.width)
}

func (k *fixedKeys) value(code uint32) []byte {
	return k.bytes[int(code-1)*k.width : int(code)*k.width]
}

func (k *fixedKeys) count() int { return len(k.bytes)/k.width + 1 }

func (k *fixedKeys) order(codes []uint32) {
	sortBy(codes, func(a, b uint32) int { return k.compare(k.value(a), k.value(b)) })
}

func (k *fixedKeys) build(mem memory.Allocator, codes []uint32) arrow.Array {
	values := memory.NewResizableBuffer(mem)
	defer values.Release()
	values.Resize(len(codes) * k.width)
	valid := memory.NewResizableBuffer(mem)
	defer valid.Release()
	valid.Resize(int(bitutil.BytesForBits(int64(len(codes)))))
	clear(values.Bytes())
	clear(valid.Bytes())
	nulls := 0
	for i, code := range codes {
		if code == 0 {
			nulls++
			continue
		}
		copy(values.Bytes()[i*k.width:], k.value(code))
		bitutil.SetBit(valid.Bytes(), i)
	}
	data := array.NewData(k.typ, len(codes), []*memory.Buffer{valid, values}, nil, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data)
}

// comparison orders the little-endian bytes of values of a type; nil if the type has no order here.
func comparison(typ arrow.DataType) func(a, b []byte) int {
	signed := func(a, b []byte) int {
		last := len(a) - 1
		if c := cmp.Compare(int8(a[last]), int8(b[last])); c != 0 {
			return c
		}
		for i := last - 1; i >= 0; i-- {
			if c := cmp.Compare(a[i], b[i]); c != 0 {
				return c
			}
		}
		return 0
	}
	switch typ.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.DATE32, arrow.DATE64, arrow.TIMESTAMP, arrow.TIME32, arrow.TIME64,
		arrow.DURATION, arrow.DECIMAL32, arrow.DECIMAL64, arrow.DECIMAL128, arrow.DECIMAL256:
		return signed
	case arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64:
		return func(a, b []byte) int {
			for i := len(a) - 1; i >= 0; i-- {
				if c := cmp.Compare(a[i], b[i]); c != 0 {
					return c
				}
			}
			return 0
		}
	case arrow.FLOAT32:
		return func(a, b []byte) int {
			return cmp.Compare(math.Float32frombits(binary.LittleEndian.Uint32(a)), math.Float32frombits(binary.LittleEndian.Uint32(b)))
		}
	case arrow.FLOAT64:
		return func(a, b []byte) int {
			return cmp.Compare(math.Float64frombits(binary.LittleEndian.Uint64(a)), math.Float64frombits(binary.LittleEndian.Uint64(b)))
		}
	case arrow.FIXED_SIZE_BINARY:
		return bytes.Compare
	}
	return nil
}

// boolKeys are false (code 1) and true (code 2).
type boolKeys struct{}

func (*boolKeys) code(col arrow.Array, i int) uint32 {
	if col.(*array.Boolean).Value(i) {
		return 2
	}
	return 1
}

func (*boolKeys) count() int { return 3 }

func (*boolKeys) order([]uint32) {}

func (*boolKeys) build(mem memory.Allocator, codes []uint32) arrow.Array {
	b := array.NewBooleanBuilder(mem)
	defer b.Release()
	for _, code := range codes {
		if code == 0 {
			b.AppendNull()
		} else {
			b.Append(code == 2)
		}
	}
	return b.NewArray()
}

// nullKeys is the column of type null: one group.
type nullKeys struct{}

func (nullKeys) code(arrow.Array, int) uint32 { return 0 }

func (nullKeys) count() int { return 1 }

func (nullKeys) order([]uint32) {}

func (nullKeys) build(_ memory.Allocator, codes []uint32) arrow.Array {
	return array.NewNull(len(codes))
}

// sortBy sorts codes unless they are in order, as those of a sorted source are.
func sortBy(codes []uint32, compare func(a, b uint32) int) {
	if !slices.IsSortedFunc(codes, compare) {
		slices.SortFunc(codes, compare)
	}
}
