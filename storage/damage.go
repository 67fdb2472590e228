package storage

import (
	"errors"
	"io/fs"
)

// DamagedTableError says which table an operation could not read. It wraps the cause: ErrCorrupt, or fs.ErrNotExist where a segment file is
// missing. Such a table can still be dropped, truncated and renamed, and all others are served.
type DamagedTableError struct {
	Table string // "db.table"
	Err   error
}

func (e *DamagedTableError) Error() string { return "table " + e.Table + ": " + e.Err.Error() }
func (e *DamagedTableError) Unwrap() error { return e.Err }

// blame adds the table's name to an error about its files.
func (d *tableDef) blame(err error) error {
	var already *DamagedTableError
	if err == nil || !errors.Is(err, ErrCorrupt) && !errors.Is(err, fs.ErrNotExist) || errors.As(err, &already) {
		return err
	}
	return &DamagedTableError{d.name(), err}
}

// damagedTable returns the error of a table whose logged changes could not be applied, nil when there is none. Until such a table is
// dropped or truncated, or opening finds its segment restored, the log must stay.
func (s *state) damagedTable() error {
	for _, t := range s.tables {
		if t.damage != nil {
			return t.damage
		}
	}
	return nil
}
