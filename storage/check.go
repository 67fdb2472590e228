package storage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/almanacdb/almanac/storage/segment"
	"github.com/almanacdb/almanac/storage/vfs"
	"github.com/almanacdb/almanac/storage/wal"
)

// Check reads every byte of a directory that no server has open (else ErrLocked), verifies all checksums and structures, and calls
// report for each piece of damage. It changes nothing. Leftovers of a crash, such as a torn end of the log or files of an unfinished
// transaction, are no damage. The error says what kept it from checking; damage alone is none. A nil file system is the operating
// system's.
func Check(dir string, fsys vfs.FS, report func(Problem)) error {
	opts := Options{FS: fsys}.withDefaults()
	if _, err := opts.FS.List(dir); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if is, _, err := holdsDatabase(opts.FS, dir); err != nil {
		return fmt.Errorf("storage: %w", err)
	} else if !is { // not even a LOCK may be left there
		return fmt.Errorf("%w: %s", ErrNotOurs, dir)
	}
	opts.MemoryLimit = 1 // nothing is kept
	db := newDB(dir, opts)
	lock, err := db.fs.Lock(db.path("LOCK"))
	if errors.Is(err, vfs.ErrLocked) {
		return fmt.Errorf("%w: %s", ErrLocked, dir)
	} else if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	db.lock = lock
	defer lock.Close()

	r, err := db.replay()
	if errors.Is(err, ErrCorrupt) {
		reportReplay(err, report)
	} else if err != nil {
		return err
	}
	// The segments that manifest and log name, and their tables.
	expected := map[uint64]*segmentFile{}
	owner := map[uint64]string{}
	if r != nil && r.state != nil {
		for _, t := range r.state.tables {
			for _, p := range t.parts {
				if p.seg != nil {
					expected[p.seg.number], owner[p.seg.number] = p.seg, t.def.name()
				}
			}
		}
	}
	present, err := db.numbered("segments", ".seg")
	if err != nil {
		return err
	}
	for _, n := range present {
		s := expected[n]
		if s == nil && r != nil {
			continue // a leftover
		}
		if s == nil {
			s = &segmentFile{number: n, dir: db.path("segments"), fs: db.fs}
		}
		err := s.verify(owner[n], report)
		s.close()
		if err != nil {
			return err
		}
	}
	for n, name := range owner {
		if !slices.Contains(present, n) {
			report(Problem{File: "segments/" + segmentName(n), Table: name, What: "file is missing"})
		}
	}
	return nil
}

// reportReplay turns the error of a replay into a problem at its place.
func reportReplay(err error, report func(Problem)) {
	p := Problem{File: "MANIFEST", What: err.Error()}
	var d *replayError
	if errors.As(err, &d) {
		p.File, p.What = d.file, d.err.Error()
		var at *wal.DamageError
		if errors.As(err, &at) {
			p.Offset, p.What = at.Offset, at.What
		}
	}
	report(p)
}

// replayError is damage in a log.
type replayError struct {
	file string
	err  error
}

func (e *replayError) Error() string { return fmt.Sprintf("%s %v", e.file, e.err) }
func (e *replayError) Unwrap() error { return e.err }

// Check verifies, while transactions go on, every byte of the segments of the newest committed state and of the manifest, and calls
// report for each piece of damage. The log is verified when it is replayed, and by the function Check on a closed directory or a copy.
func (db *DB) Check(ctx context.Context, report func(Problem)) error {
	s := db.published.Load()
	db.checkpointMu.Lock()
	content, err := vfs.ReadFile(db.fs, db.path("MANIFEST"))
	db.checkpointMu.Unlock()
	if err == nil {
		_, _, _, err = newDB(db.dir, db.opts).decodeManifest(content)
	}
	if err != nil {
		report(Problem{File: "MANIFEST", What: err.Error()})
	}
	for _, t := range s.tables {
		for _, p := range t.parts {
			if p.seg == nil {
				continue
			}
			if err := ctx.Err(); err != nil {
				return err
			}
			if db.ctx.Err() != nil {
				return ErrClosed
			}
			if err := p.seg.verify(t.def.name(), report); errors.Is(err, fs.ErrNotExist) {
				report(Problem{File: p.seg.name(), Table: t.def.name(), What: "file is missing"})
			} else if err != nil {
				return err
			}
		}
	}
	return nil
}

// verify reads every byte of the segment. Without a schema nothing is known of what the segment should be.
func (s *segmentFile) verify(table string, report func(Problem)) error {
	problem := func(offset int64, what error) {
		report(Problem{File: s.name(), Offset: offset, Table: table, What: what.Error()})
	}
	s.mu.Lock()
	file, err := s.handle()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	size, err := file.Size()
	if err != nil {
		return fmt.Errorf("storage: %s: %w", s.name(), err)
	}
	f, err := segment.Verify(file, size, problem)
	if err != nil {
		return fmt.Errorf("storage: %s: %w", s.name(), err)
	}
	if f == nil || s.schema == nil {
		return nil
	}
	if f.Rows != s.rows {
		problem(0, fmt.Errorf("has %d rows, its table expects %d", f.Rows, s.rows))
	} else if err := s.checkTypes(f); err != nil {
		problem(0, err)
	}
	return nil
}
