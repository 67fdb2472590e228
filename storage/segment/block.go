package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/almanacdb/almanac/storage/binenc"
	"github.com/almanacdb/almanac/storage/columns"
)

// A block holds one column of one row group:
//
//	u32 crc32c of everything after it | u8 codec | u8 encoding | u8 buffers | u8 filter | u32 rows | u32 nulls | u32 dictionary rows |
//	u32 raw length | u32 body length | u32 length of each buffer | body
//
// Integers are little-endian. The body is the concatenation of the Arrow buffers, each padded to 8 bytes, compressed as one piece:
// decompressing it yields the column's memory, and nothing is converted but the byte shuffle undone.
const (
	blockHeader   = 28
	maxBlockBytes = 1 << 31
)

// Codec names how the body of a block is compressed.
type Codec uint8

// The codecs of format version 1.
const (
	Raw  Codec = 0
	LZ4  Codec = 1
	Zstd Codec = 2
)

// Encodings of a block.
const (
	encodingPlain      = 0 // validity, values | validity, offsets, bytes
	encodingDictionary = 1 // validity, int32 codes, dictionary offsets, dictionary bytes
)

// shuffled says that fixed-width buffers are stored byte plane by byte plane: all first bytes, then all second bytes, …. Neighbouring
// values differ in few planes, so that the codec sees long runs.
const shuffled = 1

var zstdEncoder, zstdDecoder = sync.OnceValue(func() *zstd.Encoder {
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(runtime.GOMAXPROCS(0)))
	if err != nil {
		panic(err) // only wrong options fail
	}
	return e
}), sync.OnceValue(func() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxBlockBytes))
	if err != nil {
		panic(err)
	}
	return d
})

// encoder builds blocks and keeps its scratch between them.
type encoder struct {
	codec   Codec
	raw     []byte
	packed  []byte
	lz4     lz4.Compressor
	dict    map[string]int32
	entries [][]byte
	codes   []int32
}

// encode appends the block of v's rows to dst and says how many different texts there are (0 when not counted).
func (e *encoder) encode(dst []byte, v *columns.View) (out []byte, distinct int, err error) {
	e.raw = e.raw[:0]
	var lengths []int
	add := func(b []byte, width int) {
		lengths = append(lengths, len(b))
		start := len(e.raw)
		e.raw = append(e.raw, make([]byte, (len(b)+7)&^7)...)
		if width > 1 {
			shuffle(e.raw[start:start+len(b)], b, width)
		} else {
			copy(e.raw[start:], b)
		}
	}
	encoding, dictRows := byte(encodingPlain), 0
	valid := v.Validity()
	dictionary := v.Type.ID() == arrow.STRING && v.Class == columns.Bytes && e.buildDictionary(v)
	add(valid, 1)
	switch {
	case dictionary:
		encoding, dictRows = encodingDictionary, len(e.entries)
		offs := make([]int32, 1, len(e.entries)+1)
		var text []byte
		for _, s := range e.entries {
			text = append(text, s...)
			offs = append(offs, int32(len(text)))
		}
		add(columns.Int32Buffer(e.codes).Bytes(), 4)
		add(columns.Int32Buffer(offs).Bytes(), 4)
		add(text, 1)
	case v.Dict != nil:
		b := columns.NewBuilder(v.Type, v.Len)
		b.AppendRange(v, 0, v.Len)
		p := columns.Of(b.Finish())
		add(columns.Int32Buffer(p.Offs).Bytes(), 4)
		add(p.Data[:p.Offs[p.Len]], 1)
	case v.Class == columns.Bytes:
		offs := v.Offs
		if offs[0] != 0 {
			offs = make([]int32, len(v.Offs))
			for i, o := range v.Offs {
				offs[i] = o - v.Offs[0]
			}
		}
		add(columns.Int32Buffer(offs).Bytes(), 4)
		add(v.Data[v.Offs[0]:v.Offs[v.Len]], 1)
	case v.Class == columns.Bool:
		bits := make([]byte, (v.Len+7)/8)
		for i := range v.Len {
			if v.Bool(i) {
				bits[i/8] |= 1 << (i % 8)
			}
		}
		add(bits, 1)
	default:
		add(v.Data, v.Width)
	}
	if len(e.raw) >= maxBlockBytes {
		return dst, 0, fmt.Errorf("a column of %d rows has %d bytes; a block holds at most %d", v.Len, len(e.raw), maxBlockBytes)
	}
	body, codec, err := e.compress()
	if err != nil {
		return dst, 0, err
	}
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0, byte(codec), encoding, byte(len(lengths)), shuffled)
	for _, n := range []int{v.Len, v.Nulls, dictRows, len(e.raw), len(body)} {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	}
	for _, n := range lengths {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(n))
	}
	dst = append(dst, body...)
	binary.LittleEndian.PutUint32(dst[start:], binenc.Checksum(dst[start+4:]))
	return dst, dictRows, nil
}

func (e *encoder) compress() ([]byte, Codec, error) {
	switch e.codec {
	case LZ4:
		if n := lz4.CompressBlockBound(len(e.raw)); cap(e.packed) < n {
			e.packed = make([]byte, n)
		}
		n, err := e.lz4.CompressBlock(e.raw, e.packed[:cap(e.packed)])
		if err != nil {
			return nil, 0, fmt.Errorf("lz4: %w", err)
		}
		if n > 0 && n < len(e.raw) {
			return e.packed[:n], LZ4, nil
		}
	case Zstd:
		e.packed = zstdEncoder().EncodeAll(e.raw, e.packed[:0])
		if len(e.packed) < len(e.raw) {
			return e.packed, Zstd, nil
		}
	}
	return e.raw, Raw, nil
}

// buildDictionary numbers the different texts in order of appearance; it gives up, and returns false, when more than half of the rows
// are different, for then the dictionary would cost more than it saves.
func (e *encoder) buildDictionary(v *columns.View) bool {
	if e.dict == nil {
		e.dict = map[string]int32{}
	}
	clear(e.dict)
	e.entries, e.codes = e.entries[:0], e.codes[:0]
	limit := v.Len/2 + 1
	number := func(s []byte) int32 {
		code, ok := e.dict[string(s)]
		if !ok {
			code = int32(len(e.entries))
			e.dict[string(s)] = code
			e.entries = append(e.entries, s)
		}
		return code
	}
	if v.Dict != nil {
		known := make([]int32, v.Dict.Len)
		for i := range known {
			known[i] = -1
		}
		for i := range v.Len {
			if v.Null(i) || v.Dict.Null(int(v.Codes[i])) {
				e.codes = append(e.codes, 0)
				continue
			}
			k := &known[v.Codes[i]]
			if *k < 0 {
				if *k = number(v.Dict.Bytes(int(v.Codes[i]))); len(e.entries) > limit {
					return false
				}
			}
			e.codes = append(e.codes, *k)
		}
		return true
	}
	var last []byte
	var code int32 = -1
	for i := range v.Len {
		if v.Null(i) {
			e.codes = append(e.codes, 0)
			continue
		}
		s := v.Bytes(i)
		if code < 0 || string(s) != string(last) {
			last, code = s, number(s)
			if len(e.entries) > limit {
				return false
			}
		}
		e.codes = append(e.codes, code)
	}
	return true
}

var encoders = sync.Pool{New: func() any { return new(encoder) }}

// EncodeBlock appends a column as a block to dst, for use outside segments: the log holds rows in the same form.
func EncodeBlock(dst []byte, v *columns.View, codec Codec) ([]byte, error) {
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.codec = codec
	dst, _, err := e.encode(dst, v)
	clear(e.entries) // they point into v
	return dst, err
}

// DecodeBlock checks a block and returns its column, of logical type t or dictionary(int32, t). It never panics.
func DecodeBlock(block []byte, t arrow.DataType) (arrow.Array, error) { return decodeBlock(block, t) }

// decodeBlock checks a block and returns its array of logical type t (or its dictionary form). The array owns new memory.
func decodeBlock(block []byte, t arrow.DataType) (arrow.Array, error) {
	if len(block) < blockHeader {
		return nil, errors.New("block is cut short")
	}
	if got, want := binenc.Checksum(block[4:]), binary.LittleEndian.Uint32(block); got != want {
		return nil, fmt.Errorf("block has checksum %08x, recorded is %08x", got, want)
	}
	codec, encoding, nbuf, filter := Codec(block[4]), block[5], int(block[6]), block[7]
	var field [5]int
	for i := range field {
		n := binary.LittleEndian.Uint32(block[8+4*i:])
		if n > math.MaxInt32 {
			return nil, errors.New("block header holds an impossible number")
		}
		field[i] = int(n)
	}
	rows, nulls, dictRows, rawLen, bodyLen := field[0], field[1], field[2], field[3], field[4]
	if filter != shuffled || len(block) != blockHeader+4*nbuf+bodyLen || nulls > rows {
		return nil, errors.New("block header contradicts the block's length")
	}
	raw, err := decompress(codec, block[blockHeader+4*nbuf:], rawLen)
	if err != nil {
		return nil, err
	}
	class := columns.ClassOf(t)
	widths, err := bufferWidths(encoding, class, t)
	if err != nil || len(widths) != nbuf {
		return nil, fmt.Errorf("block has %d buffers in encoding %d, which type %v does not", nbuf, encoding, t)
	}
	buffers := make([][]byte, nbuf)
	off := 0
	for i := range buffers {
		n := int(binary.LittleEndian.Uint32(block[blockHeader+4*i:]))
		if n < 0 || n > rawLen-off {
			return nil, errors.New("buffers exceed the block")
		}
		buffers[i] = raw[off : off+n : off+n]
		off += (n + 7) &^ 7
		if widths[i] > 1 {
			if n%widths[i] != 0 {
				return nil, errors.New("buffer is not a whole number of values")
			}
			out := make([]byte, n)
			unshuffle(out, buffers[i], widths[i])
			buffers[i] = out
		}
		off = min(off, rawLen)
	}
	return assemble(t, class, encoding, rows, nulls, dictRows, buffers)
}

func bufferWidths(encoding byte, class columns.Class, t arrow.DataType) ([]int, error) {
	switch {
	case encoding == encodingDictionary && t.ID() == arrow.STRING:
		return []int{1, 4, 4, 1}, nil
	case encoding != encodingPlain || class == columns.Unsupported:
		return nil, errors.New("unknown encoding")
	case class == columns.Bytes:
		return []int{1, 4, 1}, nil
	case class == columns.Bool:
		return []int{1, 1}, nil
	}
	return []int{1, t.(arrow.FixedWidthDataType).Bytes()}, nil
}

func decompress(codec Codec, body []byte, rawLen int) ([]byte, error) {
	switch codec {
	case Raw:
		if len(body) != rawLen {
			return nil, errors.New("uncompressed block has the wrong length")
		}
		return body, nil
	case LZ4:
		if rawLen > 256*len(body)+64 { // the densest LZ4 sequence
			return nil, errors.New("compressed block announces too many bytes")
		}
		raw := make([]byte, rawLen)
		n, err := lz4.UncompressBlock(body, raw)
		if err != nil || n != rawLen {
			return nil, errors.New("compressed block does not unpack (lz4)")
		}
		return raw, nil
	case Zstd:
		// A frame can hold far more than its length suggests: the header says how much before memory is reserved.
		var h zstd.Header
		if err := h.Decode(body); err != nil || !h.HasFCS || h.FrameContentSize != uint64(rawLen) {
			return nil, errors.New("compressed block contradicts its length (zstd)")
		}
		raw, err := zstdDecoder().DecodeAll(body, nil)
		if err != nil || len(raw) != rawLen {
			return nil, errors.New("compressed block does not unpack (zstd)")
		}
		return raw, nil
	}
	return nil, fmt.Errorf("unknown codec %d", codec)
}

func assemble(t arrow.DataType, class columns.Class, encoding byte, rows, nulls, dictRows int, buffers [][]byte) (arrow.Array, error) {
	wrong := errors.New("buffers do not fit the number of rows")
	var valid *memory.Buffer
	if nulls > 0 {
		if len(buffers[0]) < (rows+7)/8 {
			return nil, wrong
		}
		valid = memory.NewBufferBytes(buffers[0])
	}
	switch {
	case encoding == encodingDictionary:
		if len(buffers[1]) != 4*rows {
			return nil, wrong
		}
		dict, err := textArray(t, dictRows, nil, 0, buffers[2], buffers[3])
		if err != nil {
			return nil, err
		}
		a := columns.Make(columns.DictionaryOf(t), rows, nulls, []*memory.Buffer{valid, memory.NewBufferBytes(buffers[1])}, dict)
		v := columns.Of(a)
		for i, c := range v.Codes {
			if uint32(c) >= uint32(dictRows) && !v.Null(i) {
				return nil, errors.New("dictionary code out of range")
			}
		}
		return a, nil
	case class == columns.Bytes:
		return textArray(t, rows, valid, nulls, buffers[1], buffers[2])
	case class == columns.Bool:
		if len(buffers[1]) < (rows+7)/8 {
			return nil, wrong
		}
	default:
		if len(buffers[1]) != rows*t.(arrow.FixedWidthDataType).Bytes() {
			return nil, wrong
		}
	}
	return columns.Make(t, rows, nulls, []*memory.Buffer{valid, memory.NewBufferBytes(buffers[1])}, nil), nil
}

func textArray(t arrow.DataType, rows int, valid *memory.Buffer, nulls int, offsets, text []byte) (arrow.Array, error) {
	if len(offsets) != 4*(rows+1) {
		return nil, errors.New("text offsets do not fit the number of rows")
	}
	prev := uint32(0)
	for i := range rows + 1 {
		o := binary.LittleEndian.Uint32(offsets[4*i:])
		if o < prev || o > uint32(len(text)) {
			return nil, errors.New("text offsets out of order")
		}
		prev = o
	}
	return columns.Make(t, rows, nulls, []*memory.Buffer{valid, memory.NewBufferBytes(offsets), memory.NewBufferBytes(text)}, nil), nil
}

// shuffle writes the byte planes of src, values of the given width, to dst of the same length.
func shuffle(dst, src []byte, width int) {
	n := len(src) / width
	for k := range width {
		plane := dst[k*n : (k+1)*n]
		for i, j := 0, k; i < n; i, j = i+1, j+width {
			plane[i] = src[j]
		}
	}
}

// unshuffle is the inverse of shuffle.
func unshuffle(dst, src []byte, width int) {
	n := len(src) / width
	switch width {
	case 4:
		a, b, c, d := src[:n], src[n:2*n], src[2*n:3*n], src[3*n:4*n]
		for i := range a {
			binary.LittleEndian.PutUint32(dst[4*i:], uint32(a[i])|uint32(b[i])<<8|uint32(c[i])<<16|uint32(d[i])<<24)
		}
	case 8:
		a, b, c, d := src[:n], src[n:2*n], src[2*n:3*n], src[3*n:4*n]
		e, f, g, h := src[4*n:5*n], src[5*n:6*n], src[6*n:7*n], src[7*n:8*n]
		for i := range a {
			lo := uint32(a[i]) | uint32(b[i])<<8 | uint32(c[i])<<16 | uint32(d[i])<<24
			hi := uint32(e[i]) | uint32(f[i])<<8 | uint32(g[i])<<16 | uint32(h[i])<<24
			binary.LittleEndian.PutUint64(dst[8*i:], uint64(lo)|uint64(hi)<<32)
		}
	default:
		for k := range width {
			for i, j := 0, k; i < n; i, j = i+1, j+width {
				dst[j] = src[k*n+i]
			}
		}
	}
}
