package storage

import (
	"errors"
	"fmt"
	"path/filepath"
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
	db := &DB{dir: dir, fs: opts.FS, opts: opts, cache: newBlockCache(1), segments: map[uint64]*segmentFile{}, pending: map[uint64]bool{}, logged: map[uint64]uint64{}}
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
	// The table of each segment, as far as manifest and log say.
	owner := map[uint64]string{}
	expected := map[uint64]partRef{}
	if r != nil && r.state != nil {
		for _, t := range r.state.tables {
			for _, p := range t.parts {
				if p.seg != nil {
					owner[p.seg.number] = t.def.name()
					expected[p.seg.number] = p
				}
			}
		}
	}
	present, err := db.numbered("segments", ".seg")
	if err != nil {
		return err
	}
	for _, n := range present {
		if p, ok := expected[n]; ok || r == nil {
			if err := checkSegment(db, n, p, owner[n], report); err != nil {
				return err
			}
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

func checkSegment(db *DB, number uint64, expected partRef, table string, report func(Problem)) error {
	name := "segments/" + segmentName(number)
	file, err := db.fs.Open(db.path(filepath.Join("segments", segmentName(number))))
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	defer file.Close()
	size, err := file.Size()
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	f, err := segment.Verify(file, size, func(offset int64, what error) {
		report(Problem{File: name, Offset: offset, Table: table, What: what.Error()})
	})
	if err != nil {
		return fmt.Errorf("storage: %s: %w", name, err)
	}
	if f == nil || expected.part == nil {
		return nil
	}
	if f.Rows != expected.rows {
		report(Problem{File: name, Table: table, What: fmt.Sprintf("has %d rows, its table expects %d", f.Rows, expected.rows)})
	} else if err := expected.seg.checkTypes(f); err != nil {
		report(Problem{File: name, Table: table, What: err.Error()})
	}
	return nil
}
