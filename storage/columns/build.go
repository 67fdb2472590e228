package columns

import (
	"math"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// TextDictionary is the type of dictionary-encoded text in batches that leave storage.
var TextDictionary = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}

// DictionaryOf returns dictionary(int32, t).
func DictionaryOf(t arrow.DataType) *arrow.DictionaryType {
	if t.ID() == arrow.STRING {
		return TextDictionary
	}
	return &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: t}
}

// Builder collects rows of views into one plain array. The zero value is not usable: see NewBuilder.
type Builder struct {
	typ   arrow.DataType
	class Class
	width int
	n     int
	data  []byte
	offs  []int32
	bits  []byte
	valid []byte // allocated with the first NULL
	nulls int
}

// NewBuilder returns a builder for a logical (not dictionary) type with room for n rows.
func NewBuilder(t arrow.DataType, n int) *Builder {
	b := &Builder{typ: t, class: ClassOf(t)}
	switch b.class {
	case Bytes:
		b.offs = make([]int32, 1, n+1)
	case Bool:
		b.bits = make([]byte, 0, (n+7)/8)
	default:
		b.width = t.(arrow.FixedWidthDataType).Bytes()
		b.data = make([]byte, 0, n*b.width)
	}
	return b
}

// Len returns the number of rows so far.
func (b *Builder) Len() int { return b.n }

// DataLen returns the bytes of values so far.
func (b *Builder) DataLen() int { return len(b.data) }

// Room says whether the text of v's rows can be added without exceeding 32-bit offsets.
func (b *Builder) Room(v *View) bool {
	return b.class != Bytes || int64(len(b.data))+v.textBytes() < math.MaxInt32
}

func (v *View) textBytes() int64 {
	if v.Class != Bytes {
		return 0
	}
	if v.Dict == nil {
		return int64(v.Offs[v.Len] - v.Offs[0])
	}
	var n int64
	for i := range v.Len {
		if !v.Null(i) {
			n += int64(len(v.Bytes(i)))
		}
	}
	return n
}

// AppendRange adds rows [start, start+n) of v, which has the builder's logical type.
func (b *Builder) AppendRange(v *View, start, n int) {
	b.appendValidity(v, n, func(k int) int { return start + k })
	switch {
	case v.Dict != nil:
		for i := start; i < start+n; i++ {
			if !v.Null(i) {
				b.data = append(b.data, v.Bytes(i)...)
			}
			b.offs = append(b.offs, int32(len(b.data)))
		}
	case b.class == Bytes:
		if n == 0 {
			break
		}
		shift := int32(len(b.data)) - v.Offs[start]
		b.data = append(b.data, v.Data[v.Offs[start]:v.Offs[start+n]]...)
		for _, o := range v.Offs[start+1 : start+n+1] {
			b.offs = append(b.offs, o+shift)
		}
	case b.class == Bool:
		for i := start; i < start+n; i++ {
			b.appendBit(b.n+i-start, v.Bool(i))
		}
	default:
		b.data = append(b.data, v.Data[start*b.width:(start+n)*b.width]...)
	}
	b.n += n
}

// AppendRows adds the rows of v that are listed.
func (b *Builder) AppendRows(v *View, rows []int32) {
	b.appendValidity(v, len(rows), func(k int) int { return int(rows[k]) })
	switch {
	case b.class == Bytes:
		for _, i := range rows {
			if !v.Null(int(i)) {
				b.data = append(b.data, v.Bytes(int(i))...)
			}
			b.offs = append(b.offs, int32(len(b.data)))
		}
	case b.class == Bool:
		for k, i := range rows {
			b.appendBit(b.n+k, v.Bool(int(i)))
		}
	case b.width == 4:
		b.data = gather[uint32](b.data, v, rows)
	case b.width == 8:
		b.data = gather[uint64](b.data, v, rows)
	default:
		for _, i := range rows {
			b.data = append(b.data, v.Data[int(i)*b.width:(int(i)+1)*b.width]...)
		}
	}
	b.n += len(rows)
}

func gather[T uint32 | uint64](dst []byte, v *View, rows []int32) []byte {
	size := int(unsafe.Sizeof(T(0)))
	start := len(dst)
	dst = append(dst, make([]byte, len(rows)*size)...)
	if len(rows) == 0 {
		return dst
	}
	out := unsafe.Slice((*T)(unsafe.Pointer(&dst[start])), len(rows))
	in := Slice[T](v)
	for k, i := range rows {
		out[k] = in[i]
	}
	return dst
}

func (b *Builder) appendBit(i int, set bool) {
	for len(b.bits) <= i/8 {
		b.bits = append(b.bits, 0)
	}
	bitutil.SetBitTo(b.bits, i, set)
}

func (b *Builder) appendValidity(v *View, n int, row func(int) int) {
	if v.valid == nil {
		if b.valid != nil {
			b.growValid(b.n + n)
			bitutil.SetBitsTo(b.valid, int64(b.n), int64(n), true)
		}
		return
	}
	b.growValid(b.n + n)
	for k := range n {
		if v.Null(row(k)) {
			bitutil.ClearBit(b.valid, b.n+k)
			b.nulls++
		} else {
			bitutil.SetBit(b.valid, b.n+k)
		}
	}
}

func (b *Builder) growValid(n int) {
	if b.valid == nil {
		b.valid = make([]byte, (b.n+7)/8, (max(n, cap(b.offs))+7)/8)
		bitutil.SetBitsTo(b.valid, 0, int64(b.n), true)
	}
	for len(b.valid) < (n+7)/8 {
		b.valid = append(b.valid, 0)
	}
}

// Finish returns the array; the builder must not be used again.
func (b *Builder) Finish() arrow.Array {
	var valid *memory.Buffer
	if b.nulls > 0 {
		valid = memory.NewBufferBytes(b.valid)
	}
	var buffers []*memory.Buffer
	switch b.class {
	case Bytes:
		buffers = []*memory.Buffer{valid, Int32Buffer(b.offs), memory.NewBufferBytes(b.data)}
	case Bool:
		buffers = []*memory.Buffer{valid, memory.NewBufferBytes(b.bits)}
	default:
		buffers = []*memory.Buffer{valid, memory.NewBufferBytes(b.data)}
	}
	return Make(b.typ, b.n, b.nulls, buffers, nil)
}

// Make wraps buffers as an array. A dictionary type takes the array of its values.
func Make(t arrow.DataType, n, nulls int, buffers []*memory.Buffer, dict arrow.Array) arrow.Array {
	var d *array.Data
	if dict != nil {
		d = array.NewDataWithDictionary(t, n, buffers, nulls, 0, dict.Data().(*array.Data))
	} else {
		d = array.NewData(t, n, buffers, nil, nulls, 0)
	}
	a := array.MakeFromData(d)
	d.Release()
	return a
}

// Int32Buffer wraps int32 values without copying.
func Int32Buffer(s []int32) *memory.Buffer {
	return memory.NewBufferBytes(unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(s))), len(s)*4))
}

// Gather returns the listed rows as a new array, which shares the dictionary of a dictionary-encoded one.
func Gather(v *View, rows []int32) arrow.Array {
	if v.Dict == nil {
		b := NewBuilder(v.Type, len(rows))
		b.AppendRows(v, rows)
		return b.Finish()
	}
	codes := &Builder{typ: arrow.PrimitiveTypes.Int32, class: Signed, width: 4}
	codes.appendValidity(v, len(rows), func(k int) int { return int(rows[k]) })
	out := make([]int32, len(rows))
	for k, i := range rows {
		out[k] = v.Codes[i]
	}
	return withCodes(v, out, codes)
}

// Clone copies a view's rows to memory of their own. Text with a dictionary no longer than the rows keeps it (with int32 indices), any
// other text becomes plain.
func Clone(v *View) arrow.Array {
	if v.Dict == nil || v.Dict.Len > v.Len || v.Dict.Nulls > 0 {
		b := NewBuilder(v.Type, v.Len)
		b.AppendRange(v, 0, v.Len)
		return b.Finish()
	}
	codes := &Builder{typ: arrow.PrimitiveTypes.Int32, class: Signed, width: 4}
	codes.appendValidity(v, v.Len, func(k int) int { return k })
	own := *v
	dict := NewBuilder(v.Dict.Type, v.Dict.Len)
	dict.AppendRange(v.Dict, 0, v.Dict.Len)
	own.Dict = Of(dict.Finish())
	return withCodes(&own, append([]int32(nil), v.Codes...), codes)
}

func withCodes(v *View, codes []int32, validity *Builder) arrow.Array {
	var valid *memory.Buffer
	if validity.nulls > 0 {
		valid = memory.NewBufferBytes(validity.valid)
	}
	return Make(DictionaryOf(v.Type), len(codes), validity.nulls, []*memory.Buffer{valid, Int32Buffer(codes)}, v.Dict.array)
}

// Plain returns the array itself, or the plain form of a dictionary-encoded one. The caller owns a reference.
func Plain(a arrow.Array) arrow.Array {
	if a.DataType().ID() != arrow.DICTIONARY {
		a.Retain()
		return a
	}
	v := Of(a)
	b := NewBuilder(v.Type, v.Len)
	b.AppendRange(v, 0, v.Len)
	return b.Finish()
}

// FromUint64 wraps values as a uint64 array without copying.
func FromUint64(values []uint64) arrow.Array {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(values))), len(values)*8)
	return Make(arrow.PrimitiveTypes.Uint64, len(values), 0, []*memory.Buffer{nil, memory.NewBufferBytes(b)}, nil)
}
