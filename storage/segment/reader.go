package segment

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/storage/binenc"
	"github.com/almanacdb/almanac/storage/columns"
)

// DamageError says what is wrong with a segment file and where.
type DamageError struct {
	Offset int64
	What   error
}

func (e *DamageError) Error() string { return fmt.Sprintf("at byte %d: %v", e.Offset, e.What) }
func (e *DamageError) Unwrap() error { return e.What }

// ReadFooter reads header and footer of a segment of the given size. Damage is a *DamageError; other errors are the file's.
func ReadFooter(r io.ReaderAt, size int64) (*Footer, error) {
	f, _, err := readFooter(r, size)
	return f, err
}

func readFooter(r io.ReaderAt, size int64) (_ *Footer, footerAt int64, err error) {
	if size < headerBytes+trailBytes {
		return nil, 0, &DamageError{0, fmt.Errorf("file of %d bytes is too short for a segment", size)}
	}
	head := make([]byte, headerBytes)
	if err := readFull(r, head, 0); err != nil {
		return nil, 0, err
	}
	if string(head[:8]) != magic {
		return nil, 0, &DamageError{0, errors.New("not a segment file")}
	}
	if got, want := binenc.Checksum(head[:12]), binary.LittleEndian.Uint32(head[12:]); got != want {
		return nil, 0, &DamageError{8, errors.New("header checksum is wrong")}
	}
	if v := binary.LittleEndian.Uint32(head[8:]); v != Version {
		return nil, 0, &DamageError{8, fmt.Errorf("format version %d; this program reads version %d", v, Version)}
	}
	// Most footers fit the first read.
	tail := make([]byte, min(size-headerBytes, 64<<10))
	if err := readFull(r, tail, size-int64(len(tail))); err != nil {
		return nil, 0, err
	}
	t := tail[len(tail)-trailBytes:]
	if string(t[16:]) != magic || binary.LittleEndian.Uint32(t[12:]) != Version {
		return nil, 0, &DamageError{size - trailBytes, errors.New("the end of the file is not that of a segment")}
	}
	n := binary.LittleEndian.Uint64(t)
	if n > uint64(size-headerBytes-trailBytes) {
		return nil, 0, &DamageError{size - trailBytes, errors.New("footer length exceeds the file")}
	}
	footerAt = size - trailBytes - int64(n)
	var footer []byte
	if int64(n)+trailBytes <= int64(len(tail)) {
		footer = tail[int64(len(tail))-trailBytes-int64(n) : len(tail)-trailBytes]
	} else {
		footer = make([]byte, n)
		if err := readFull(r, footer, footerAt); err != nil {
			return nil, 0, err
		}
	}
	if binenc.Checksum(footer, t[:8]) != binary.LittleEndian.Uint32(t[8:]) {
		return nil, 0, &DamageError{footerAt, errors.New("footer checksum is wrong")}
	}
	f, err := DecodeFooter(footer, footerAt)
	if err != nil {
		return nil, 0, &DamageError{footerAt, fmt.Errorf("footer: %w", err)}
	}
	return f, footerAt, nil
}

// ReadColumn reads and checks the block of one column of one row group: an array of the schema's type, or of dictionary(int32, utf8).
func (f *Footer) ReadColumn(r io.ReaderAt, group, column int) (arrow.Array, error) {
	b := f.Groups[group].Columns[column].Block
	a, err := readBlock(r, b, f.Schema.Field(column).Type)
	if err != nil {
		return nil, err
	}
	if a.Len() != f.Groups[group].Rows {
		return nil, &DamageError{b.Offset, errors.New("block has another number of rows than its row group")}
	}
	return a, nil
}

// ReadRowIDs reads the relative row ids of one row group of a segment with explicit ids.
func (f *Footer) ReadRowIDs(r io.ReaderAt, group int) ([]uint64, error) {
	b := f.Groups[group].RowIDs
	a, err := readBlock(r, b, arrow.PrimitiveTypes.Uint64)
	if err != nil {
		return nil, err
	}
	if a.Len() != f.Groups[group].Rows || a.NullN() > 0 {
		return nil, &DamageError{b.Offset, errors.New("row ids do not fit their row group")}
	}
	v := columns.Of(a)
	ids := make([]uint64, v.Len)
	id := uint64(0)
	for i := range ids {
		id += v.Uint(i)
		ids[i] = id
	}
	return ids, nil
}

func readBlock(r io.ReaderAt, b Block, t arrow.DataType) (arrow.Array, error) {
	raw := make([]byte, b.Length)
	if err := readFull(r, raw, b.Offset); err != nil {
		return nil, err
	}
	a, err := decodeBlock(raw, t)
	if err != nil {
		return nil, &DamageError{b.Offset, err}
	}
	return a, nil
}

func readFull(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		return &DamageError{off + int64(n), io.ErrUnexpectedEOF}
	}
	return err
}

// Verify reads every byte of a segment and calls report for each piece of damage; it returns the footer if that is sound. Errors of
// the file itself end it.
func Verify(r io.ReaderAt, size int64, report func(offset int64, what error)) (*Footer, error) {
	f, footerAt, err := readFooter(r, size)
	var damage *DamageError
	if errors.As(err, &damage) {
		report(damage.Offset, damage.What)
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	next := int64(headerBytes)
	check := func(b Block, read func() error) error {
		if b.Offset != next {
			report(next, fmt.Errorf("blocks leave a gap or overlap: expected a block here, the footer names byte %d", b.Offset))
		}
		next = b.Offset + b.Length
		err := read()
		if errors.As(err, &damage) {
			report(damage.Offset, damage.What)
			return nil
		}
		return err
	}
	for g := range f.Groups {
		if f.ExplicitIDs {
			err := check(f.Groups[g].RowIDs, func() error { _, err := f.ReadRowIDs(r, g); return err })
			if err != nil {
				return f, err
			}
		}
		for c := range f.Groups[g].Columns {
			err := check(f.Groups[g].Columns[c].Block, func() error { _, err := f.ReadColumn(r, g, c); return err })
			if err != nil {
				return f, err
			}
		}
	}
	if next != footerAt {
		report(next, errors.New("bytes between the last block and the footer belong to nothing"))
	}
	return f, nil
}
