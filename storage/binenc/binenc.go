// Package binenc writes and reads the small structures of storage's files: unsigned varints, length-prefixed byte strings, flags.
package binenc

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
)

// ErrShort says that a structure ends early or announces more bytes than there are.
var ErrShort = errors.New("structure is cut short")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Checksum returns the CRC-32C of the pieces in order.
func Checksum(pieces ...[]byte) uint32 {
	var c uint32
	for _, p := range pieces {
		c = crc32.Update(c, castagnoli, p)
	}
	return c
}

// Writer appends to Buf.
type Writer struct{ Buf []byte }

// Uint writes an unsigned varint.
func (w *Writer) Uint(v uint64) { w.Buf = binary.AppendUvarint(w.Buf, v) }

// Int writes a zig-zag varint.
func (w *Writer) Int(v int64) { w.Buf = binary.AppendVarint(w.Buf, v) }

// Bytes writes a length and the bytes.
func (w *Writer) Bytes(b []byte) {
	w.Uint(uint64(len(b)))
	w.Buf = append(w.Buf, b...)
}

// String writes a string as Bytes does.
func (w *Writer) String(s string) {
	w.Uint(uint64(len(s)))
	w.Buf = append(w.Buf, s...)
}

// Bool writes one byte.
func (w *Writer) Bool(b bool) {
	if b {
		w.Buf = append(w.Buf, 1)
	} else {
		w.Buf = append(w.Buf, 0)
	}
}

// Reader takes values off the front of Buf. After the first error every read returns zero and Err stays.
type Reader struct {
	Buf []byte
	Err error
}

func (r *Reader) fail() {
	r.Buf = nil
	if r.Err == nil {
		r.Err = ErrShort
	}
}

// Uint reads an unsigned varint.
func (r *Reader) Uint() uint64 {
	v, n := binary.Uvarint(r.Buf)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.Buf = r.Buf[n:]
	return v
}

// Int reads a zig-zag varint.
func (r *Reader) Int() int64 {
	v, n := binary.Varint(r.Buf)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.Buf = r.Buf[n:]
	return v
}

// Count reads a varint that announces that many items of at least size bytes each, and fails when they cannot be there.
func (r *Reader) Count(size int) int {
	n := r.Uint()
	if n > uint64(len(r.Buf)/max(size, 1)) {
		r.fail()
		return 0
	}
	return int(n)
}

// Bytes reads a byte string; it shares memory with Buf.
func (r *Reader) Bytes() []byte {
	n := r.Count(1)
	b := r.Buf[:n:n]
	r.Buf = r.Buf[n:]
	return b
}

// String reads a string.
func (r *Reader) String() string { return string(r.Bytes()) }

// Bool reads one byte, which must be 0 or 1.
func (r *Reader) Bool() bool {
	b := r.Byte()
	if b > 1 {
		r.fail()
	}
	return b == 1
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if len(r.Buf) == 0 {
		r.fail()
		return 0
	}
	b := r.Buf[0]
	r.Buf = r.Buf[1:]
	return b
}

// Done fails unless everything has been read, and returns the first error.
func (r *Reader) Done() error {
	if r.Err == nil && len(r.Buf) > 0 {
		r.Err = errors.New("structure has bytes left over")
	}
	return r.Err
}
