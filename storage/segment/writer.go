package segment

import (
	"fmt"
	"runtime"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"golang.org/x/sync/errgroup"

	"github.com/almanacdb/almanac/storage/columns"
	"github.com/almanacdb/almanac/storage/keys"
	"github.com/almanacdb/almanac/storage/vfs"
)

// DefaultCodec is the codec of new blocks; docs/adr/0003-storage-format.md has the measurements behind the choice.
const DefaultCodec = LZ4

// Writer writes one segment. Not safe for concurrent use.
type Writer struct {
	file   vfs.File
	footer Footer
	key    *keys.Encoder
	off    int64
	codec  Codec
	pool   sync.Pool
}

// NewWriter starts a segment in an empty file. key is the primary key if the rows come sorted by it, else nil; explicitIDs says that
// Add gets row ids.
func NewWriter(file vfs.File, tableID uint64, schema *arrow.Schema, key *keys.Encoder, explicitIDs bool) (*Writer, error) {
	return newWriter(file, tableID, schema, key, explicitIDs, DefaultCodec)
}

func newWriter(file vfs.File, tableID uint64, schema *arrow.Schema, key *keys.Encoder, explicitIDs bool, codec Codec) (*Writer, error) {
	w := &Writer{file: file, key: key, codec: codec, off: headerBytes}
	w.footer = Footer{TableID: tableID, Schema: schema, Sorted: key != nil, ExplicitIDs: explicitIDs}
	w.pool.New = func() any { return &encoder{codec: codec} }
	_, err := file.Write(header())
	return w, err
}

// Add writes one row group from the views of all columns. ids are the relative row ids of a segment with explicit ones.
func (w *Writer) Add(views []*columns.View, ids []uint64) error {
	rows := views[0].Len
	if rows == 0 {
		return nil
	}
	g := Group{Rows: rows, Columns: make([]ColumnStats, len(views))}
	if w.key != nil {
		g.FirstKey, _ = w.key.AppendRow(nil, views, 0)
		g.LastKey, _ = w.key.AppendRow(nil, views, rows-1)
	}
	blocks := make([][]byte, len(views))
	var work errgroup.Group
	work.SetLimit(runtime.GOMAXPROCS(0))
	for i, v := range views {
		work.Go(func() error {
			e := w.pool.Get().(*encoder)
			defer w.pool.Put(e)
			c := &g.Columns[i]
			c.Nulls = v.Nulls
			var err error
			blocks[i], c.Distinct, err = e.encode(nil, v)
			if err != nil {
				return fmt.Errorf("column %q: %w", w.footer.Schema.Field(i).Name, err)
			}
			c.Min, c.Max = bounds(v)
			return nil
		})
	}
	if err := work.Wait(); err != nil {
		return err
	}
	if w.footer.ExplicitIDs {
		e := w.pool.Get().(*encoder)
		defer w.pool.Put(e)
		b, _, err := e.encode(nil, columns.Of(deltas(ids)))
		if err != nil {
			return err
		}
		if g.RowIDs, err = w.write(b); err != nil {
			return err
		}
	}
	for i, b := range blocks {
		var err error
		if g.Columns[i].Block, err = w.write(b); err != nil {
			return err
		}
	}
	w.footer.Groups = append(w.footer.Groups, g)
	w.footer.Rows += rows
	return nil
}

func (w *Writer) write(b []byte) (Block, error) {
	at := Block{w.off, int64(len(b))}
	_, err := w.file.Write(b)
	w.off += int64(len(b))
	return at, err
}

// Rows returns the number of rows added.
func (w *Writer) Rows() int { return w.footer.Rows }

// Finish writes the footer and syncs the file; closing it and syncing its directory is the caller's. It returns the file's size.
func (w *Writer) Finish() (size int64, err error) {
	footer, err := w.footer.encode()
	if err != nil {
		return 0, err
	}
	if _, err := w.write(footer); err != nil {
		return 0, err
	}
	if _, err := w.write(trailer(footer)); err != nil {
		return 0, err
	}
	return w.off, w.file.Sync()
}

// deltas stores ids as differences, modulo 2^64, from the one before: runs of consecutive ids become runs of ones.
func deltas(ids []uint64) arrow.Array {
	b := make([]uint64, len(ids))
	prev := uint64(0)
	for i, id := range ids {
		b[i] = id - prev
		prev = id
	}
	return columns.FromUint64(b)
}
