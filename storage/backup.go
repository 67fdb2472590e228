package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"

	"github.com/almanacdb/almanac/storage/vfs"
	"github.com/almanacdb/almanac/storage/wal"
)

// Backup copies the newest committed state into an empty directory of the same file system interface, which it makes if it is not there.
// Transactions go on meanwhile; what they commit after the start is not in the copy. The copy is a directory of its own, with nothing
// to replay, that Open and Check take; it shares no file with the original. Every byte of it is verified in the end.
//
// If the context ends or a file cannot be written, what was copied is removed; a copy that cannot be read back is kept. If rows of the original are damaged, the error
// wraps ErrCorrupt and names their tables; the copy is kept, for it has all the others.
func (db *DB) Backup(ctx context.Context, dir string) error {
	if db.ctx.Err() != nil {
		return ErrClosed
	}
	s := db.published.Load()
	if err := db.backup(ctx, dir, s); err != nil {
		if db.ctx.Err() != nil {
			return ErrClosed
		}
		return fmt.Errorf("storage: backup to %s: %w", dir, err)
	}
	var damage error
	err := Check(dir, db.fs, func(p Problem) { damage = errors.Join(damage, errors.New(p.String())) })
	if err == nil && damage != nil {
		err = fmt.Errorf("%w: %w", ErrCorrupt, damage)
	}
	if err != nil {
		return fmt.Errorf("storage: backup to %s: %w", dir, err)
	}
	return nil
}

func (db *DB) backup(ctx context.Context, dir string, s *state) (err error) {
	to := newDB(dir, db.opts)
	if err := to.fs.MkdirAll(dir); err != nil {
		return err
	}
	names, err := to.fs.List(dir)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		return fmt.Errorf("the directory is not empty: it has %s", names[0])
	}
	lock, err := to.fs.Lock(to.path("LOCK"))
	if err != nil {
		return err
	}
	var written []string
	defer func() {
		for _, f := range to.segments {
			f.close()
		}
		if err != nil {
			for _, name := range append(written, "MANIFEST", "MANIFEST.tmp") {
				_ = to.fs.Remove(to.path(name))
			}
		}
		lock.Close()
	}()
	for _, d := range []string{"log", "segments"} {
		if err := to.fs.MkdirAll(to.path(d)); err != nil {
			return err
		}
	}
	for n := range s.files() {
		to.nextFile.Store(max(to.nextFile.Load(), n))
	}
	to.nextFile.Add(1)

	var rewrites []rewrite
	for id, t := range s.tables {
		r := rewrite{table: id}
		for _, p := range t.parts {
			if p.mem != nil {
				r.source = append(r.source, p)
				continue
			}
			name := filepath.Join("segments", segmentName(p.seg.number))
			written = append(written, name)
			if err := p.seg.copyTo(ctx, to.fs, to.path(name)); err != nil {
				return fmt.Errorf("table %s: %w", t.def.name(), err)
			}
		}
		if len(r.source) == 0 {
			continue
		}
		parts, err := to.writeSegments(ctx, t.def, r.source)
		for _, p := range parts {
			written = append(written, filepath.Join("segments", segmentName(p.seg.number)))
			r.result = append(r.result, partRef{part: p})
		}
		if err != nil {
			return fmt.Errorf("table %s: %w", t.def.name(), err)
		}
		rewrites = append(rewrites, r)
	}
	if s, err = replaceParts(s, rewrites); err != nil {
		return err
	}
	const first = 1
	written = append(written, filepath.Join("log", logName(first)))
	l, err := wal.Create(to.fs, to.path(filepath.Join("log", logName(first))), s.seq+1)
	if err != nil {
		return err
	}
	l.Close()
	for _, d := range []string{to.path("segments"), to.path("log"), dir, filepath.Dir(filepath.Clean(dir))} {
		if err := to.fs.SyncDir(d); err != nil {
			return err
		}
	}
	// The manifest comes last: without it the directory does not open.
	return to.publishManifest(s, first)
}

// copyTo copies the file, also when it has been removed meanwhile.
func (s *segmentFile) copyTo(ctx context.Context, fsys vfs.FS, name string) error {
	s.mu.Lock()
	from, err := s.handle()
	s.mu.Unlock()
	if err != nil {
		return err
	}
	size, err := from.Size()
	if err != nil {
		return err
	}
	out, err := fsys.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if cerr := out.Close(); err == nil {
			err = cerr
		}
	}()
	buf := make([]byte, min(size, 1<<20))
	for at := int64(0); at < size; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := from.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		if n == 0 {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return fmt.Errorf("reading %s: %w", s.name(), err)
		}
		if _, err := out.Write(buf[:n]); err != nil {
			return err
		}
		at += int64(n)
	}
	return out.Sync()
}
