// Package segment writes and reads immutable column files. A segment holds rows of one table in row groups of at most GroupRows rows;
// a block is one column of one row group, so that a reader fetches only the columns and groups it needs. Every byte is covered by a
// checksum. docs/format/segment.md draws the layout.
package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/storage/binenc"
	"github.com/almanacdb/almanac/storage/columns"
	"github.com/almanacdb/almanac/storage/keys"
)

const (
	// GroupRows is the number of rows at which a writer of segments ends a row group.
	GroupRows = 65536
	// GroupBytes is the number of bytes of text or values in one column at which it does.
	GroupBytes = 64 << 20

	// Version is the format version written and the highest one read.
	Version = 1

	magic       = "ALMSEG\r\n"
	headerBytes = 16 // magic, u32 version, u32 crc32c of the 12 bytes before
	trailBytes  = 24 // u64 footer length, u32 crc32c of footer and that length, u32 version, magic
	statBytes   = 64 // longer texts are shortened in the statistics
)

// Block says where a block lies in its file.
type Block struct {
	Offset int64
	Length int64
}

// ColumnStats describe one column of one row group.
type ColumnStats struct {
	Block
	Nulls int
	// Distinct counts the different values; 0 when not counted.
	Distinct int
	// Min and Max bound the values that are not NULL, encoded by AppendStat; texts may be shortened, Min downwards and Max upwards.
	// Both are nil where there is no value or no bound.
	Min, Max []byte
}

// Group describes one row group.
type Group struct {
	Rows int
	// FirstKey and LastKey are the encoded primary keys of the first and last row of a sorted segment.
	FirstKey, LastKey []byte
	// RowIDs holds the row ids where the segment has explicit ones.
	RowIDs  Block
	Columns []ColumnStats
}

// Footer describes a segment.
type Footer struct {
	TableID uint64
	Schema  *arrow.Schema
	Rows    int
	// Sorted says that rows ascend by the encoded primary key.
	Sorted bool
	// ExplicitIDs says that row ids are stored; otherwise row i has id i. Ids are relative to a base that the table's part list keeps.
	ExplicitIDs bool
	Groups      []Group
}

// AppendStat appends the encoding of row i for statistics: as in package keys, but text is the plain bytes.
func AppendStat(dst []byte, v *columns.View, i int) []byte {
	if v.Class == columns.Bytes || v.Class == columns.Fixed {
		return append(dst, v.Bytes(i)...)
	}
	one := keys.Encoder{Columns: []keys.Column{{Type: v.Type}}}
	enc, _ := one.AppendRow(dst, []*columns.View{v}, i)
	return append(dst, enc[len(dst)+1:]...)
}

// StatOf encodes a value as AppendStat does.
func StatOf(t arrow.DataType, value any) ([]byte, error) {
	switch x := value.(type) {
	case string:
		if c := columns.ClassOf(t); c == columns.Bytes || c == columns.Fixed {
			return []byte(x), nil
		}
	case []byte:
		if c := columns.ClassOf(t); c == columns.Bytes || c == columns.Fixed {
			return x, nil
		}
	}
	return keys.AppendValue(nil, t, value, nil)
}

// bounds returns the smallest and greatest value of a column as statistics.
func bounds(v *columns.View) (lo, hi []byte) {
	low, high := -1, -1
	var less func(i, j int) bool
	switch v.Class {
	case columns.Signed:
		less = func(i, j int) bool { return v.Int(i) < v.Int(j) }
	case columns.Unsigned:
		less = func(i, j int) bool { return v.Uint(i) < v.Uint(j) }
	case columns.Float:
		less = func(i, j int) bool { return keys.FloatOrder(v.Float(i)) < keys.FloatOrder(v.Float(j)) }
	case columns.Bytes, columns.Fixed:
		if v.Dict != nil {
			return textBounds(v)
		}
		less = func(i, j int) bool { return bytes.Compare(v.Bytes(i), v.Bytes(j)) < 0 }
	default:
		less = func(i, j int) bool { return bytes.Compare(AppendStat(nil, v, i), AppendStat(nil, v, j)) < 0 }
	}
	for i := range v.Len {
		if v.Null(i) {
			continue
		}
		if low < 0 {
			low, high = i, i
			continue
		}
		if less(i, low) {
			low = i
		} else if less(high, i) {
			high = i
		}
	}
	if low < 0 {
		return nil, nil
	}
	return shorten(v, AppendStat([]byte{}, v, low), AppendStat([]byte{}, v, high))
}

// textBounds looks at each dictionary entry in use once.
func textBounds(v *columns.View) (lo, hi []byte) {
	seen := make([]bool, v.Dict.Len)
	for i := range v.Len {
		if v.Null(i) || seen[v.Codes[i]] || v.Dict.Null(int(v.Codes[i])) {
			continue
		}
		seen[v.Codes[i]] = true
		s := v.Bytes(i)
		if lo == nil || bytes.Compare(s, lo) < 0 {
			lo = append([]byte{}, s...)
		}
		if hi == nil || bytes.Compare(s, hi) > 0 {
			hi = append([]byte{}, s...)
		}
	}
	if lo == nil {
		return nil, nil
	}
	return shorten(v, lo, hi)
}

func shorten(v *columns.View, lo, hi []byte) (_, _ []byte) {
	if v.Class != columns.Bytes {
		return lo, hi
	}
	lo = lo[:min(len(lo), statBytes)]
	if len(hi) > statBytes {
		hi = hi[:statBytes]
		for i := len(hi) - 1; ; i-- { // the next greater text of that length bounds every text that starts so
			if i < 0 {
				return nil, nil
			}
			if hi[i] != 0xff {
				hi[i]++
				hi = hi[:i+1]
				break
			}
		}
	}
	return lo, hi
}

func (f *Footer) encode() ([]byte, error) {
	var w binenc.Writer
	w.Uint(f.TableID)
	if err := EncodeSchema(&w, f.Schema); err != nil {
		return nil, err
	}
	w.Uint(uint64(f.Rows))
	w.Bool(f.Sorted)
	w.Bool(f.ExplicitIDs)
	w.Uint(uint64(len(f.Groups)))
	for _, g := range f.Groups {
		w.Uint(uint64(g.Rows))
		if f.Sorted {
			w.Bytes(g.FirstKey)
			w.Bytes(g.LastKey)
		}
		if f.ExplicitIDs {
			w.Uint(uint64(g.RowIDs.Offset))
			w.Uint(uint64(g.RowIDs.Length))
		}
		for _, c := range g.Columns {
			w.Uint(uint64(c.Offset))
			w.Uint(uint64(c.Length))
			w.Uint(uint64(c.Nulls))
			w.Uint(uint64(c.Distinct))
			w.Bool(c.Min != nil)
			if c.Min != nil {
				w.Bytes(c.Min)
				w.Bytes(c.Max)
			}
		}
	}
	return w.Buf, nil
}

// DecodeFooter reads a footer whose blocks must lie within [headerBytes, end). It never panics.
func DecodeFooter(b []byte, end int64) (*Footer, error) {
	r := &binenc.Reader{Buf: b}
	f := &Footer{TableID: r.Uint()}
	s, err := DecodeSchema(r)
	if err != nil {
		return nil, err
	}
	f.Schema = s
	f.Rows = int(r.Uint())
	f.Sorted, f.ExplicitIDs = r.Bool(), r.Bool()
	block := func() Block {
		b := Block{int64(r.Uint()), int64(r.Uint())}
		if b.Offset < headerBytes || b.Length < blockHeader || b.Length > maxBlockBytes*2 || b.Offset > end-b.Length {
			if r.Err == nil {
				r.Err = errors.New("a block lies outside the file")
			}
		}
		return b
	}
	rows := 0
	f.Groups = make([]Group, 0, r.Count(1+s.NumFields()*5))
	for range cap(f.Groups) {
		g := Group{Rows: int(r.Uint())}
		if g.Rows <= 0 || g.Rows > math.MaxInt32-rows {
			return nil, errors.New("a row group has an impossible number of rows")
		}
		rows += g.Rows
		if f.Sorted {
			g.FirstKey, g.LastKey = r.Bytes(), r.Bytes()
		}
		if f.ExplicitIDs {
			g.RowIDs = block()
		}
		g.Columns = make([]ColumnStats, s.NumFields())
		for i := range g.Columns {
			c := &g.Columns[i]
			c.Block = block()
			c.Nulls, c.Distinct = int(r.Uint()), int(r.Uint())
			if r.Bool() {
				c.Min, c.Max = r.Bytes(), r.Bytes()
			}
		}
		if r.Err != nil {
			return nil, r.Err
		}
		f.Groups = append(f.Groups, g)
	}
	if rows != f.Rows && r.Err == nil {
		return nil, errors.New("row groups do not add up to the number of rows")
	}
	return f, r.Done()
}

func header() []byte {
	b := append([]byte(magic), 0, 0, 0, 0, 0, 0, 0, 0)
	binary.LittleEndian.PutUint32(b[8:], Version)
	binary.LittleEndian.PutUint32(b[12:], binenc.Checksum(b[:12]))
	return b
}

func trailer(footer []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(footer)))
	b = binary.LittleEndian.AppendUint32(b, binenc.Checksum(footer, b))
	b = binary.LittleEndian.AppendUint32(b, Version)
	return append(b, magic...)
}
