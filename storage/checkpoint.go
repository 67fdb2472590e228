package storage

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"

	"github.com/almanacdb/almanac/storage/vfs"
	"github.com/almanacdb/almanac/storage/wal"
)

// Checkpoint writes the rows that are in memory to segments, publishes the manifest, removes the logs that it makes unnecessary, and then
// merges segments that overlap, are small, or have many deleted rows. Readers and committers go on meanwhile. It runs by itself when
// the log is long, and, without merging, at Close; calling it is never necessary.
func (db *DB) Checkpoint(ctx context.Context) error {
	db.commitMu.Lock()
	closed := db.closed
	db.commitMu.Unlock()
	if closed {
		return ErrClosed
	}
	if err := db.checkpoint(ctx); err != nil {
		return err
	}
	return db.compact(ctx)
}

// rewrite replaces parts of one table by new segments with the same rows.
type rewrite struct {
	table  uint64
	source []partRef // as of the checkpoint's state
	result []partRef
}

// checkpoint writes what is in memory to segments and publishes a manifest, in which compacted segments take the place of their sources.
// If it fails their files are removed.
func (db *DB) checkpoint(ctx context.Context, compacted ...rewrite) error {
	db.checkpointMu.Lock()
	defer db.checkpointMu.Unlock()
	written := newFiles(compacted)
	defer func() { db.settle(written) }()
	if db.ended {
		db.dropFiles(written)
		return ErrClosed
	}
	if err := db.published.Load().damagedTable(); err != nil {
		db.dropFiles(written)
		return fmt.Errorf("storage: the log stays until a damaged table is dropped, or its segment restored: %w", err)
	}
	s, err := db.rotate(len(compacted) > 0)
	if err != nil || s == nil {
		db.dropFiles(written)
		return err
	}
	rewrites, err := db.rewriteMemory(ctx, s)
	rewrites = append(rewrites, compacted...)
	written = newFiles(rewrites)
	if err == nil && len(written) > 0 {
		err = db.fs.SyncDir(db.path("segments"))
	}
	next := s
	if err == nil {
		next, err = replaceParts(s, rewrites)
	}
	number := db.logNumber // only checkpoints change it
	if err == nil {
		err = db.publishManifest(next, number)
	}
	if err != nil {
		db.commitMu.Lock()
		db.frozen = 0
		db.commitMu.Unlock()
		// The manifest may have been renamed into place although its directory could not be synced: keep the files it names.
		if next == s || !db.manifestMayName(written) {
			db.dropFiles(written)
		}
		return fmt.Errorf("storage: checkpoint: %w", err)
	}
	return db.install(rewrites, next, number)
}

// newFiles lists the segments that rewrites have made.
func newFiles(rewrites []rewrite) []uint64 {
	var files []uint64
	for _, r := range rewrites {
		for _, p := range r.result {
			files = append(files, p.seg.number)
		}
	}
	return files
}

// manifestMayName reads the manifest back and says whether it refers to one of the files, or cannot be read.
func (db *DB) manifestMayName(files []uint64) bool {
	content, err := vfs.ReadFile(db.fs, db.path("MANIFEST"))
	if err != nil {
		return true
	}
	s, _, _, err := db.decodeManifest(content)
	if err != nil {
		return true
	}
	used := s.files()
	return slices.ContainsFunc(files, func(n uint64) bool { return used[n] })
}

// drain locks syncMu and commitMu with nothing queued, so that tip and published state are one.
func (db *DB) drain() (unlock func()) {
	db.syncMu.Lock()
	for {
		db.commitMu.Lock()
		if len(db.queue) == 0 {
			return func() {
				db.commitMu.Unlock()
				db.syncMu.Unlock()
			}
		}
		db.commitMu.Unlock()
		db.writeQueue()
	}
}

// rotate starts a new log and returns the state at its beginning; nil when the manifest has that state already, unless force is
// set.
func (db *DB) rotate(force bool) (*state, error) {
	defer db.drain()()
	s := db.tip
	if s.seq == db.manifest.seq && db.failed == nil && !force {
		return nil, nil
	}
	if db.log.Size() > wal.HeaderBytes || db.log.Broken() != nil {
		l, err := wal.Create(db.fs, db.path(filepath.Join("log", logName(db.logNumber+1))), s.seq+1)
		if err != nil {
			return nil, fmt.Errorf("storage: starting a log: %w", err)
		}
		if err := db.fs.SyncDir(db.path("log")); err != nil {
			l.Close()
			return nil, fmt.Errorf("storage: starting a log: %w", err)
		}
		db.olderLogs += db.log.Size()
		db.log.Close()
		db.log = l
		db.logNumber++
	}
	db.frozen = s.seq
	return s, nil
}

// rewriteMemory writes what is in memory to segments. What it returns has been written also when err is not nil.
func (db *DB) rewriteMemory(ctx context.Context, s *state) ([]rewrite, error) {
	var out []rewrite
	for id, t := range s.tables {
		r := rewrite{table: id}
		for _, p := range t.parts {
			if p.mem != nil {
				r.source = append(r.source, p)
			}
		}
		if len(r.source) == 0 {
			continue
		}
		parts, err := db.writeSegments(ctx, t.def, r.source)
		for _, p := range parts {
			r.result = append(r.result, partRef{part: p})
		}
		out = append(out, r)
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

// replaceParts returns s with the results of rewrites in place of their sources. Rows deleted since then are deleted in the results.
func replaceParts(s *state, rewrites []rewrite) (*state, error) {
	b := s.edit()
	for _, r := range rewrites {
		t := b.tables[r.table]
		if t == nil {
			continue // dropped meanwhile
		}
		n := *t
		was := map[*part]partRef{}
		for _, p := range r.source {
			was[p.part] = p
		}
		n.parts = nil
		var gone []uint64
		present := 0
		for _, p := range t.parts {
			before, ok := was[p.part]
			if !ok {
				n.parts = append(n.parts, p)
				continue
			}
			present++
			var err error
			if gone, err = deletedIDs(gone, before, p, true); err != nil {
				return nil, err
			}
			delete(was, p.part)
		}
		if present == 0 {
			continue // emptied or replaced meanwhile
		}
		for _, p := range was { // all rows deleted meanwhile
			var err error
			if gone, err = deletedIDs(gone, p, partRef{}, false); err != nil {
				return nil, err
			}
		}
		n.parts = append(n.parts, r.result...)
		slices.SortFunc(n.parts, func(a, b partRef) int { return cmp.Compare(a.rowBase, b.rowBase) })
		if len(gone) > 0 {
			slices.Sort(gone)
			var err error
			if n.parts, err = deleteRows(&n, gone); err != nil {
				return nil, err
			}
		}
		b.setTables()[r.table] = &n
	}
	return b.done(), nil
}

// install makes the rewritten parts those of the newest state, and removes files that neither it nor the manifest needs.
func (db *DB) install(rewrites []rewrite, manifest *state, number uint64) error {
	unlock := db.drain()
	defer unlock()
	next, err := replaceParts(db.tip, rewrites)
	if err != nil {
		db.frozen = 0
		return err // the state goes on with its parts in memory; the manifest is right too
	}
	obsolete := db.unreferenced(manifest.seq, next.files(), manifest.files())
	db.tip = next
	db.published.Store(next)
	db.frozen = 0
	db.failed = nil
	db.memoryBytes = 0
	for _, t := range next.tables {
		db.memoryBytes += t.memoryBytes()
	}
	db.olderLogs = 0
	db.dropFiles(obsolete)
	if logs, err := db.numbered("log", ".log"); err == nil {
		for _, n := range logs {
			if n < number {
				_ = db.fs.Remove(db.path(filepath.Join("log", logName(n))))
			}
		}
	}
	return nil
}
