package segment

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/storage/binenc"
)

// Type codes of format version 1, one byte each, followed by the parameters of the type: a unit (0 s, 1 ms, 2 µs, 3 ns), precision and
// scale, or a width as varints, a time zone as a string.
const (
	codeBool = 1 + iota
	codeInt8
	codeInt16
	codeInt32
	codeInt64
	codeUint8
	codeUint16
	codeUint32
	codeUint64
	codeFloat32
	codeFloat64
	codeDecimal128 // precision, scale
	codeDecimal256 // precision, scale
	codeDate32
	codeDate64
	codeTime32    // unit
	codeTime64    // unit
	codeTimestamp // unit, time zone
	codeDuration  // unit
	codeUtf8
	codeBinary
	codeFixedBinary // width
)

// simpleTypes have no parameters.
var simpleTypes = map[byte]arrow.DataType{
	codeBool: arrow.FixedWidthTypes.Boolean,
	codeInt8: arrow.PrimitiveTypes.Int8, codeInt16: arrow.PrimitiveTypes.Int16, codeInt32: arrow.PrimitiveTypes.Int32, codeInt64: arrow.PrimitiveTypes.Int64,
	codeUint8: arrow.PrimitiveTypes.Uint8, codeUint16: arrow.PrimitiveTypes.Uint16, codeUint32: arrow.PrimitiveTypes.Uint32, codeUint64: arrow.PrimitiveTypes.Uint64,
	codeFloat32: arrow.PrimitiveTypes.Float32, codeFloat64: arrow.PrimitiveTypes.Float64,
	codeDate32: arrow.FixedWidthTypes.Date32, codeDate64: arrow.FixedWidthTypes.Date64,
	codeUtf8: arrow.BinaryTypes.String, codeBinary: arrow.BinaryTypes.Binary,
}

// EncodeSchema appends a schema: its metadata, then each field's name, nullability, type and metadata.
func EncodeSchema(w *binenc.Writer, s *arrow.Schema) error {
	encodeMetadata(w, s.Metadata())
	w.Uint(uint64(s.NumFields()))
	for _, f := range s.Fields() {
		w.String(f.Name)
		w.Bool(f.Nullable)
		if err := encodeType(w, f.Type); err != nil {
			return err
		}
		encodeMetadata(w, f.Metadata)
	}
	return nil
}

func encodeMetadata(w *binenc.Writer, m arrow.Metadata) {
	w.Uint(uint64(m.Len()))
	for i, k := range m.Keys() {
		w.String(k)
		w.String(m.Values()[i])
	}
}

func encodeType(w *binenc.Writer, t arrow.DataType) error {
	code := func(c byte, parameters ...int64) error {
		w.Buf = append(w.Buf, c)
		for _, p := range parameters {
			w.Int(p)
		}
		return nil
	}
	switch t := t.(type) {
	case *arrow.Decimal128Type:
		return code(codeDecimal128, int64(t.Precision), int64(t.Scale))
	case *arrow.Decimal256Type:
		return code(codeDecimal256, int64(t.Precision), int64(t.Scale))
	case *arrow.Time32Type:
		return code(codeTime32, int64(t.Unit))
	case *arrow.Time64Type:
		return code(codeTime64, int64(t.Unit))
	case *arrow.TimestampType:
		_ = code(codeTimestamp, int64(t.Unit))
		w.String(t.TimeZone)
		return nil
	case *arrow.DurationType:
		return code(codeDuration, int64(t.Unit))
	case *arrow.FixedSizeBinaryType:
		return code(codeFixedBinary, int64(t.ByteWidth))
	}
	for c, s := range simpleTypes {
		if arrow.TypeEqual(s, t) {
			return code(c)
		}
	}
	return fmt.Errorf("storage: type %v has no place in the format", t)
}

// DecodeSchema reads what EncodeSchema wrote.
func DecodeSchema(r *binenc.Reader) (*arrow.Schema, error) {
	meta := decodeMetadata(r)
	fields := make([]arrow.Field, r.Count(4))
	for i := range fields {
		f := &fields[i]
		f.Name, f.Nullable = r.String(), r.Bool()
		var err error
		if f.Type, err = decodeType(r); err != nil {
			return nil, err
		}
		f.Metadata = decodeMetadata(r)
	}
	if r.Err != nil {
		return nil, r.Err
	}
	return arrow.NewSchema(fields, &meta), nil
}

func decodeMetadata(r *binenc.Reader) arrow.Metadata {
	n := r.Count(2)
	if n == 0 {
		return arrow.Metadata{}
	}
	keys, values := make([]string, n), make([]string, n)
	for i := range keys {
		keys[i], values[i] = r.String(), r.String()
	}
	return arrow.NewMetadata(keys, values)
}

func decodeType(r *binenc.Reader) (arrow.DataType, error) {
	c := r.Byte()
	if t := simpleTypes[c]; t != nil {
		return t, nil
	}
	wrong := errors.New("schema has an impossible type")
	unit := func() arrow.TimeUnit {
		u := r.Int()
		if u < 0 || u > 3 {
			r.Err = wrong
			u = 0
		}
		return arrow.TimeUnit(u)
	}
	switch c {
	case codeDecimal128, codeDecimal256:
		precision, scale := r.Int(), r.Int()
		if precision < 1 || precision > 76 || scale < -76 || scale > 76 || c == codeDecimal128 && precision > 38 {
			return nil, wrong
		}
		if c == codeDecimal128 {
			return &arrow.Decimal128Type{Precision: int32(precision), Scale: int32(scale)}, r.Err
		}
		return &arrow.Decimal256Type{Precision: int32(precision), Scale: int32(scale)}, r.Err
	case codeTime32:
		return &arrow.Time32Type{Unit: unit()}, r.Err
	case codeTime64:
		return &arrow.Time64Type{Unit: unit()}, r.Err
	case codeTimestamp:
		return &arrow.TimestampType{Unit: unit(), TimeZone: r.String()}, r.Err
	case codeDuration:
		return &arrow.DurationType{Unit: unit()}, r.Err
	case codeFixedBinary:
		width := r.Int()
		if width < 1 || width > 1<<20 {
			return nil, wrong
		}
		return &arrow.FixedSizeBinaryType{ByteWidth: int(width)}, r.Err
	}
	if r.Err != nil {
		return nil, r.Err
	}
	return nil, wrong
}
