package storage

import (
	"cmp"
	"context"
	"path/filepath"
	"slices"

	"github.com/almanacdb/almanac/storage/columns"
	"github.com/almanacdb/almanac/storage/keys"
	"github.com/almanacdb/almanac/storage/segment"
	"github.com/almanacdb/almanac/storage/vfs"
)

// segmentRows is the number of rows at which a segment is full.
const segmentRows = 16 * segment.GroupRows

// maybeSpill writes the rows that a transaction holds in memory for one table to segment files when they are many. added is the size of
// those that account has not seen yet.
func (t *Table) maybeSpill(ctx context.Context, added int64) error {
	e := *t.txn.edit(t.id)
	var local, rest []partRef
	rows, size := 0, int64(0)
	for _, p := range e.view.parts {
		if p.mem != nil && p.rowBase&localRow != 0 {
			local = append(local, p)
			rows += p.rows
			size += p.part.bytes
		} else {
			rest = append(rest, p)
		}
	}
	if rows < t.txn.db.opts.SpillRows && size < t.txn.db.spillBytes(added) {
		return nil
	}
	parts, err := t.txn.db.writeSegments(ctx, e.view.def, local)
	for _, p := range parts {
		t.txn.files = append(t.txn.files, p.seg.number)
		rest = append(rest, partRef{part: p})
	}
	if err != nil {
		return err
	}
	v := *e.view
	v.parts = rest
	e.view = &v
	t.txn.edits[t.id] = &e
	return nil
}

// writeSegments writes the live rows of parts to new segments, in the order of the primary key if there is one, and syncs the files;
// the directory is the caller's to sync. Row ids stay. The parts returned are also valid when err is not nil: their files exist.
func (db *DB) writeSegments(ctx context.Context, def *tableDef, sources []partRef) (parts []*part, err error) {
	sources = slices.SortedFunc(slices.Values(sources), func(a, b partRef) int { return cmp.Compare(a.rowBase, b.rowBase) })
	all := make([]int, def.columns())
	for i := range all {
		all[i] = i
	}
	w := segmentWriter{db: db, def: def}
	key := def.primary
	if inOrder(def, sources) {
		key = nil // concatenation keeps ids dense and copies least
	} else {
		w.explicit = true
		w.base = sources[0].rowBase
		for _, s := range sources {
			w.span = max(w.span, s.rowBase+s.rowSpan-w.base)
		}
	}
	m, err := newMerger(def, sources, key, all, nil)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			w.abandon()
		}
	}()
	limit := groupRows(sources)
	for {
		views, ids, err := m.next(ctx, limit)
		if err != nil {
			return w.parts, err
		}
		if views == nil {
			break
		}
		if err := w.add(views, ids); err != nil {
			return w.parts, err
		}
	}
	return w.parts, w.finish()
}

// groupRows bounds row groups of wide rows by bytes.
func groupRows(sources []partRef) int {
	rows, size := int64(1), int64(0)
	for _, s := range sources {
		rows += int64(s.rows)
		size += s.part.bytes
	}
	perRow := size/rows + 1
	return int(max(1, min(segment.GroupRows, segment.GroupBytes/perRow)))
}

// inOrder says whether in-memory parts, one after the other, hold every id from first to last, and ascend by the primary key.
func inOrder(def *tableDef, sources []partRef) bool {
	for i, s := range sources {
		if s.mem == nil || s.deleted != nil {
			return false
		}
		if i > 0 && sources[i-1].rowBase+sources[i-1].rowSpan != s.rowBase {
			return false
		}
		if def.primary == nil {
			continue
		}
		e := def.primary.encoder
		if !e.Ascending(s.mem) || i > 0 && e.Compare(sources[i-1].mem, sources[i-1].rows-1, s.mem, 0) >= 0 {
			return false
		}
	}
	return true
}

// segmentWriter cuts a stream of row groups into segments.
type segmentWriter struct {
	db       *DB
	def      *tableDef
	explicit bool
	base     uint64 // of explicit ids
	span     uint64
	parts    []*part

	file   vfs.File
	number uint64
	w      *segment.Writer
	first  uint64
}

func (w *segmentWriter) add(views []*columns.View, ids []uint64) error {
	if w.w == nil {
		w.number = w.db.newFile()
		file, err := w.db.fs.Create(filepath.Join(w.db.dir, "segments", segmentName(w.number)))
		if err != nil {
			return err
		}
		w.file, w.first = file, ids[0]
		var key *keys.Encoder
		if w.def.primary != nil {
			key = w.def.primary.encoder
		}
		if w.w, err = segment.NewWriter(file, w.def.id, w.def.spec.Schema, key, w.explicit); err != nil {
			return err
		}
	}
	if w.explicit {
		rel := make([]uint64, len(ids))
		for i, id := range ids {
			rel[i] = id - w.base
		}
		ids = rel
	}
	if err := w.w.Add(views, ids); err != nil {
		return err
	}
	if w.w.Rows() >= segmentRows {
		return w.finish()
	}
	return nil
}

func (w *segmentWriter) finish() error {
	if w.w == nil {
		return nil
	}
	size, err := w.w.Finish()
	if err != nil {
		return err
	}
	rows := w.w.Rows()
	p := &part{rowBase: w.first, rowSpan: uint64(rows), rows: rows, bytes: size, cache: &partCache{}}
	if w.explicit {
		p.rowBase, p.rowSpan = w.base, w.span
	}
	err = w.file.Close()
	w.file, w.w = nil, nil
	p.seg = w.db.segment(w.number, rows, w.def.spec.Schema)
	w.parts = append(w.parts, p)
	return err
}

// abandon removes the unfinished file.
func (w *segmentWriter) abandon() {
	if w.file != nil {
		w.file.Close()
		w.db.dropFiles([]uint64{w.number})
	}
}
