package segment

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/almanacdb/almanac/storage/binenc"
	"github.com/almanacdb/almanac/storage/columns"
	"github.com/almanacdb/almanac/storage/vfs"
)

// sample writes a segment of two row groups with explicit ids and returns its bytes and what went in.
func sample(t testing.TB, codec Codec) ([]byte, []arrow.Array, [][]uint64) {
	t.Helper()
	cols := codecColumns(600)
	names := []string{"counts", "dates", "prices", "noise", "ids", "notes"}
	fields := make([]arrow.Field, len(names))
	arrays := make([]arrow.Array, len(names))
	for i, n := range names {
		arrays[i] = cols[n]
		fields[i] = arrow.Field{Name: n, Type: cols[n].DataType(), Nullable: true}
	}
	fs := vfs.NewMem()
	if err := fs.MkdirAll("/"); err != nil {
		t.Fatal(err)
	}
	file, err := fs.Create("/s")
	if err != nil {
		t.Fatal(err)
	}
	w, err := newWriter(file, 7, arrow.NewSchema(fields, nil), nil, true, codec)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(5, 6))
	var ids [][]uint64
	for _, span := range [][2]int64{{0, 400}, {400, 600}} {
		views := make([]*columns.View, len(arrays))
		for i, a := range arrays {
			views[i] = columns.Of(array.NewSlice(a, span[0], span[1]))
		}
		var group []uint64
		for range span[1] - span[0] {
			group = append(group, rng.Uint64N(1<<40))
		}
		ids = append(ids, group)
		if err := w.Add(views, group); err != nil {
			t.Fatal(err)
		}
	}
	size, err := w.Finish()
	if err != nil {
		t.Fatal(err)
	}
	b, err := vfs.ReadFile(fs, "/s")
	if err != nil || int64(len(b)) != size {
		t.Fatal(len(b), size, err)
	}
	return b, arrays, ids
}

func TestRoundTrip(t *testing.T) {
	for _, codec := range []Codec{Raw, LZ4, Zstd} {
		b, arrays, ids := sample(t, codec)
		r := bytes.NewReader(b)
		f, err := ReadFooter(r, int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		if f.TableID != 7 || f.Rows != 600 || len(f.Groups) != 2 || f.Sorted || !f.ExplicitIDs {
			t.Fatalf("%+v", f)
		}
		start := 0
		for g, group := range f.Groups {
			got, err := f.ReadRowIDs(r, g)
			if err != nil || !slices.Equal(got, ids[g]) {
				t.Fatal("row ids", err)
			}
			for c, want := range arrays {
				a, err := f.ReadColumn(r, g, c)
				if err != nil {
					t.Fatal(err)
				}
				plain := columns.Plain(a)
				if !array.Equal(plain, array.NewSlice(want, int64(start), int64(start+group.Rows))) {
					t.Fatalf("codec %d, column %d differs", codec, c)
				}
				v := columns.Of(a)
				for i := range v.Len {
					s := AppendStat(nil, v, i)
					if bytes.Compare(s, group.Columns[c].Min) < 0 || bytes.Compare(s, group.Columns[c].Max) > 0 {
						t.Fatalf("column %d: row %d is outside the statistics", c, i)
					}
				}
			}
			start += group.Rows
		}
		if _, err := Verify(r, int64(len(b)), func(at int64, what error) { t.Fatal(at, what) }); err != nil {
			t.Fatal(err)
		}
	}
}

func TestShuffle(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, width := range []int{2, 4, 8, 16, 32} {
		for _, n := range []int{0, 1, 3, 100} {
			in := make([]byte, n*width)
			for i := range in {
				in[i] = byte(rng.Uint32())
			}
			planes, out := make([]byte, len(in)), make([]byte, len(in))
			shuffle(planes, in, width)
			unshuffle(out, planes, width)
			if !bytes.Equal(in, out) {
				t.Fatalf("width %d, %d values", width, n)
			}
		}
	}
}

// FuzzSegment feeds damaged segments to the reader: errors are fine, panics and endless memory are not. Checksums are not repaired, so
// FuzzBlock and FuzzFooter look behind them.
func FuzzSegment(f *testing.F) {
	b, _, _ := sample(f, LZ4)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = Verify(bytes.NewReader(b), int64(len(b)), func(int64, error) {})
	})
}

// FuzzBlock decodes blocks whose checksum is made right.
func FuzzBlock(f *testing.F) {
	types := []arrow.DataType{arrow.PrimitiveTypes.Int64, arrow.FixedWidthTypes.Date32, arrow.PrimitiveTypes.Float64, arrow.PrimitiveTypes.Float64, arrow.BinaryTypes.String, arrow.BinaryTypes.String}
	for _, codec := range []Codec{Raw, LZ4, Zstd} {
		b, _, _ := sample(f, codec)
		footer, err := ReadFooter(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			f.Fatal(err)
		}
		for c := range types {
			at := footer.Groups[1].Columns[c].Block
			f.Add(b[at.Offset+4:at.Offset+at.Length], uint8(c))
		}
	}
	f.Fuzz(func(t *testing.T, rest []byte, which uint8) {
		block := withChecksum(rest)
		a, err := decodeBlock(block, types[int(which)%len(types)])
		if err != nil {
			return
		}
		if err := array.ValidateFull(a); err != nil {
			t.Fatalf("an unsound array: %v", err)
		}
		v := columns.Of(a)
		for i := range v.Len {
			_ = v.Value(i)
		}
	})
}

// FuzzFooter decodes footers.
func FuzzFooter(f *testing.F) {
	b, _, _ := sample(f, LZ4)
	footer, err := ReadFooter(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		f.Fatal(err)
	}
	raw, err := footer.encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(raw)
	f.Fuzz(func(t *testing.T, b []byte) {
		_, _ = DecodeFooter(b, 1<<20)
	})
}

func withChecksum(rest []byte) []byte {
	sum := binenc.Checksum(rest)
	return append([]byte{byte(sum), byte(sum >> 8), byte(sum >> 16), byte(sum >> 24)}, rest...)
}
