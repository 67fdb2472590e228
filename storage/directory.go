package storage

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/almanacdb/almanac/storage/vfs"
)

// ErrNotOurs tells that a directory holds other files than a database's, which must not be mixed with one.
var ErrNotOurs = errors.New("storage: directory holds no database")

// holdsDatabase tells whether a directory is one that Open has made, and whether there is nothing in it that speaks against
// making one. What a mount point or an operator prepares (lost+found, hidden files, the directory of files to load) does
// not. A directory that is not there is as good as an empty one.
func holdsDatabase(fsys vfs.FS, dir string) (is, free bool, err error) {
	names, err := fsys.List(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return false, true, nil
	}
	if err != nil {
		return false, false, err
	}
	free = true
	for _, name := range names {
		switch {
		case name == "MANIFEST" || name == "log" || name == "segments":
			is = true
		case name == "LOCK" || name == "lost+found" || name == "files" || strings.HasPrefix(name, "."):
		default:
			free = false
		}
	}
	return is, free, nil
}

// refuseForeign returns ErrNotOurs for a directory with somebody else's files.
func refuseForeign(fsys vfs.FS, dir string) error {
	is, free, err := holdsDatabase(fsys, dir)
	if err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if !is && !free {
		return fmt.Errorf("%w but other files: %s", ErrNotOurs, dir)
	}
	return nil
}
