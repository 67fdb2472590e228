// Package columns reads and builds Arrow columns of the types that tables hold, by memory layout rather than by type: fixed width,
// bit, and text or binary with 32-bit offsets, the last two also dictionary-encoded. Built arrays live on the Go heap, so that
// whoever forgets them frees them.
package columns

import (
	"fmt"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
)

// Class groups types whose values are held and compared alike.
type Class uint8

// The classes of column types.
const (
	Unsupported Class = iota
	Signed            // int8 … int64, date32, date64, time32, time64, timestamp, duration
	Unsigned          // uint8 … uint64
	Float             // float32, float64
	Decimal           // decimal128, decimal256
	Bytes             // utf8, binary
	Fixed             // fixed-size binary
	Bool
)

// ClassOf returns the class of a logical type; a dictionary has that of its values.
func ClassOf(t arrow.DataType) Class {
	switch t.ID() {
	case arrow.INT8, arrow.INT16, arrow.INT32, arrow.INT64, arrow.DATE32, arrow.DATE64, arrow.TIME32, arrow.TIME64, arrow.TIMESTAMP, arrow.DURATION:
		return Signed
	case arrow.UINT8, arrow.UINT16, arrow.UINT32, arrow.UINT64:
		return Unsigned
	case arrow.FLOAT32, arrow.FLOAT64:
		return Float
	case arrow.DECIMAL128, arrow.DECIMAL256:
		return Decimal
	case arrow.STRING, arrow.BINARY:
		return Bytes
	case arrow.FIXED_SIZE_BINARY:
		return Fixed
	case arrow.BOOL:
		return Bool
	case arrow.DICTIONARY:
		return ClassOf(t.(*arrow.DictionaryType).ValueType)
	}
	return Unsupported
}

// View gives direct access to the values of one array. It borrows the array's memory and does not retain it.
type View struct {
	Type  arrow.DataType // of the values: a dictionary's value type
	Class Class
	Len   int
	Width int     // bytes per value of fixed-width classes
	Data  []byte  // fixed-width values from row 0 on, or the bytes of text
	Offs  []int32 // text: row i is Data[Offs[i]:Offs[i+1]]
	Codes []int32 // dictionary: row i is Dict's row Codes[i]
	Dict  *View   // nil unless dictionary-encoded
	bits  []byte  // Bool values
	bit0  int
	valid []byte // validity bitmap, nil when there are no nulls
	null0 int
	Nulls int
	array arrow.Array
}

// Of returns a view of an array. The array must have a supported type (ClassOf of it is not Unsupported) and well-formed buffers.
func Of(a arrow.Array) *View {
	d := a.Data()
	v := &View{Type: a.DataType(), Class: ClassOf(a.DataType()), Len: a.Len(), array: a}
	buffers, offset := d.Buffers(), d.Offset()
	if n := a.NullN(); n > 0 && buffers[0] != nil && buffers[0].Len() > 0 {
		v.valid, v.null0, v.Nulls = buffers[0].Bytes(), offset, n
	}
	if a.Len() == 0 {
		v.Offs = []int32{0}
		if dict, ok := a.(*array.Dictionary); ok {
			v.Type = a.DataType().(*arrow.DictionaryType).ValueType
			v.Dict = Of(dict.Dictionary())
		}
		return v
	}
	switch t := a.DataType().(type) {
	case *arrow.DictionaryType:
		v.Type = t.ValueType
		dict := a.(*array.Dictionary)
		v.Dict = Of(dict.Dictionary())
		if t.IndexType.ID() == arrow.INT32 {
			v.Codes = ints32(buffers[1].Bytes())[offset : offset+v.Len]
			break
		}
		v.Codes = make([]int32, v.Len)
		for i := range v.Codes {
			if !v.Null(i) {
				v.Codes[i] = int32(dict.GetValueIndex(i))
			}
		}
	case *arrow.StringType, *arrow.BinaryType:
		v.Offs = ints32(buffers[1].Bytes())[offset : offset+v.Len+1]
		if buffers[2] != nil {
			v.Data = buffers[2].Bytes()
		}
	case *arrow.BooleanType:
		v.bits, v.bit0 = buffers[1].Bytes(), offset
	case arrow.FixedWidthDataType:
		v.Width = t.Bytes()
		v.Data = buffers[1].Bytes()[offset*v.Width : (offset+v.Len)*v.Width]
	}
	return v
}

// Views returns the views of all columns of a batch.
func Views(b arrow.RecordBatch) []*View {
	out := make([]*View, b.NumCols())
	for i := range out {
		out[i] = Of(b.Column(i))
	}
	return out
}

// Array returns the array that is viewed.
func (v *View) Array() arrow.Array { return v.array }

// Null says whether row i is NULL.
func (v *View) Null(i int) bool {
	return v.valid != nil && !bitutil.BitIsSet(v.valid, v.null0+i)
}

// Bytes returns the bytes of row i: text, or the raw little-endian bytes of a fixed-width value. Row i must not be NULL and the class
// not Bool. The result is only for reading.
func (v *View) Bytes(i int) []byte {
	if v.Dict != nil {
		return v.Dict.Bytes(int(v.Codes[i]))
	}
	if v.Class == Bytes {
		return v.Data[v.Offs[i]:v.Offs[i+1]]
	}
	return v.Data[i*v.Width : (i+1)*v.Width]
}

// Bool returns row i of a Bool column.
func (v *View) Bool(i int) bool { return bitutil.BitIsSet(v.bits, v.bit0+i) }

// Int returns row i of a Signed column.
func (v *View) Int(i int) int64 {
	switch v.Width {
	case 4:
		return int64(at[int32](v.Data, i))
	case 8:
		return at[int64](v.Data, i)
	case 2:
		return int64(at[int16](v.Data, i))
	default:
		return int64(at[int8](v.Data, i))
	}
}

// Uint returns row i of an Unsigned column.
func (v *View) Uint(i int) uint64 {
	switch v.Width {
	case 8:
		return at[uint64](v.Data, i)
	case 4:
		return uint64(at[uint32](v.Data, i))
	case 2:
		return uint64(at[uint16](v.Data, i))
	default:
		return uint64(at[uint8](v.Data, i))
	}
}

// Float returns row i of a Float column.
func (v *View) Float(i int) float64 {
	if v.Width == 4 {
		return float64(at[float32](v.Data, i))
	}
	return at[float64](v.Data, i)
}

// Decimal128 and Decimal256 return row i of a Decimal column of that width.
func (v *View) Decimal128(i int) decimal128.Num { return at[decimal128.Num](v.Data, i) }

// Decimal256 returns row i of a decimal256 column.
func (v *View) Decimal256(i int) decimal256.Num { return at[decimal256.Num](v.Data, i) }

// Value returns row i as nil, int64, uint64, float64, bool, string (utf8), []byte (binary; a copy), arrow.Date32, arrow.Timestamp,
// arrow.Duration, decimal128.Num or decimal256.Num.
func (v *View) Value(i int) any {
	if v.Null(i) {
		return nil
	}
	if v.Dict != nil {
		return v.Dict.Value(int(v.Codes[i]))
	}
	switch v.Class {
	case Signed:
		n := v.Int(i)
		switch v.Type.ID() {
		case arrow.DATE32:
			return arrow.Date32(n)
		case arrow.TIMESTAMP:
			return arrow.Timestamp(n)
		case arrow.DURATION:
			return arrow.Duration(n)
		}
		return n
	case Unsigned:
		return v.Uint(i)
	case Float:
		return v.Float(i)
	case Bool:
		return v.Bool(i)
	case Decimal:
		if v.Width == 16 {
			return v.Decimal128(i)
		}
		return v.Decimal256(i)
	case Bytes:
		if v.Type.ID() == arrow.STRING {
			return string(v.Bytes(i))
		}
	}
	return append([]byte{}, v.Bytes(i)...)
}

// Size estimates the bytes of memory that the rows take.
func (v *View) Size() int64 {
	var n int64
	switch {
	case v.Dict != nil:
		n = int64(v.Len)*4 + v.Dict.Size()
	case v.Class == Bytes:
		n = int64(v.Offs[v.Len]-v.Offs[0]) + int64(v.Len)*4
	case v.Class == Bool:
		n = int64(v.Len+7) / 8
	default:
		n = int64(v.Len) * int64(v.Width)
	}
	if v.valid != nil {
		n += int64(v.Len+7) / 8
	}
	return n
}

// Size estimates the bytes that the rows of a batch take.
func Size(b arrow.RecordBatch) int64 {
	var n int64
	for i := range int(b.NumCols()) {
		n += Of(b.Column(i)).Size()
	}
	return n
}

// CheckSchema refuses types that tables cannot hold.
func CheckSchema(s *arrow.Schema) error {
	for _, f := range s.Fields() {
		if c := ClassOf(f.Type); c == Unsupported || f.Type.ID() == arrow.DICTIONARY {
			return fmt.Errorf("storage: column %q has type %v, which tables do not hold", f.Name, f.Type)
		}
	}
	return nil
}

func ints32(b []byte) []int32 {
	return unsafe.Slice((*int32)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/4)
}

func at[T any](b []byte, i int) T {
	var zero T
	return *(*T)(unsafe.Pointer(&b[i*int(unsafe.Sizeof(zero))]))
}

// Slice returns fixed-width values as a slice of their Go type, whose size must be the view's width.
func Slice[T any](v *View) []T {
	if v.Len == 0 {
		return nil
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(v.Data))), v.Len)
}

// Validity returns the validity bitmap of the rows, from bit 0 on, in memory of its own; nil when there are no NULLs.
func (v *View) Validity() []byte {
	if v.valid == nil {
		return nil
	}
	out := make([]byte, (v.Len+7)/8)
	bitutil.CopyBitmap(v.valid, v.null0, v.Len, out, 0)
	return out
}
