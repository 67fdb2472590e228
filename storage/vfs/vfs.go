// Package vfs is the only place where storage touches the operating system. An FS is a small set of file operations with the
// durability rules of POSIX spelt out, so that tests can stand in a file system that loses power or returns errors.
//
// Durability: bytes written to a File survive a crash only after its Sync; a file's creation, renaming or removal survives only after
// SyncDir of its directory. Rename replaces atomically.
package vfs

import (
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
)

// FS is a file system. All methods are safe for concurrent use. Errors satisfy errors.Is with fs.ErrNotExist and friends.
type FS interface {
	// Create makes a new empty file for writing, replacing one of that name.
	Create(name string) (File, error)
	// Open opens a file for reading.
	Open(name string) (File, error)
	// OpenAppend opens an existing file so that Write adds at its end.
	OpenAppend(name string) (File, error)
	// Rename moves a file within one file system and replaces the target atomically.
	Rename(from, to string) error
	// Remove deletes a file. Files that have it open go on reading it.
	Remove(name string) error
	// List returns the base names in a directory, sorted.
	List(dir string) ([]string, error)
	// MkdirAll makes a directory and its parents.
	MkdirAll(dir string) error
	// SyncDir makes creations, renames and removals in a directory durable.
	SyncDir(dir string) error
	// Lock takes an exclusive advisory lock, creating the file if needed, and fails with ErrLocked at once if it is taken.
	Lock(name string) (io.Closer, error)
	// Stat returns the size of a file in bytes.
	Stat(name string) (size int64, err error)
}

// File is an open file. ReadAt may be called concurrently with anything; the writing methods may not be called concurrently.
type File interface {
	io.ReaderAt
	// Write appends at the current end of what was written.
	io.Writer
	// Truncate cuts the file to size; the next Write goes there.
	Truncate(size int64) error
	// Sync makes everything written durable.
	Sync() error
	// Size returns the present size in bytes.
	Size() (int64, error)
	Close() error
}

// ErrLocked is returned by FS.Lock when somebody else holds the lock.
var ErrLocked = errLocked{}

type errLocked struct{}

func (errLocked) Error() string { return "file is locked" }

// ReadFile returns all bytes of a file.
func ReadFile(fsys FS, name string) ([]byte, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	b := make([]byte, size)
	n, err := f.ReadAt(b, 0)
	if int64(n) == size {
		return b, nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = &fs.PathError{Op: "read", Path: name, Err: io.ErrUnexpectedEOF}
	}
	return nil, err
}

// Publish writes a file so that after any crash either the old or the new content is there, whole: write a temporary file, sync it,
// rename it, sync the directory.
func Publish(fsys FS, name string, content []byte) error {
	tmp := name + ".tmp"
	f, err := fsys.Create(tmp)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return err
	}
	if err := fsys.Rename(tmp, name); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(name))
}

// IsTemp says whether a name is that of an unfinished Publish.
func IsTemp(name string) bool { return strings.HasSuffix(name, ".tmp") }
