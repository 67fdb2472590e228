package server

import (
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/server/catalog"
	"github.com/almanacdb/almanac/server/tablefunc"
	"github.com/almanacdb/almanac/storage"
)

// columnsOf lets table functions read a stored table as Arrow columns.
func columnsOf(t sql.Table) tablefunc.ArrowTable {
	stored, ok := catalog.Underlying(t)
	if !ok {
		return nil
	}
	return storedColumns{stored}
}

type storedColumns struct{ table *catalog.Table }

// ArrowReader implements tablefunc.ArrowTable.
func (c storedColumns) ArrowReader(ctx *sql.Context, columns []string) (array.RecordReader, error) {
	table, release, err := c.table.Open(ctx)
	if err != nil {
		return nil, err
	}
	fields := table.Spec().Schema.Fields()
	places := make([]int, len(columns))
	for i, name := range columns {
		places[i] = -1
		for j, f := range fields {
			if strings.EqualFold(f.Name, name) {
				places[i] = j
			}
		}
		if places[i] < 0 {
			release()
			return nil, fmt.Errorf("table %s has no column '%s'", c.table.Name(), name)
		}
	}
	scanner, err := table.Scan(ctx, storage.ScanOptions{Columns: places})
	if err != nil {
		release()
		return nil, err
	}
	r := &releasing{Scanner: scanner, release: release}
	r.refs.Store(1)
	return r, nil
}

// releasing lets the table go with the last reference to its scanner.
type releasing struct {
	*storage.Scanner
	refs    atomic.Int64
	release func()
}

// Retain implements array.RecordReader.
func (r *releasing) Retain() { r.refs.Add(1) }

// Release implements array.RecordReader.
func (r *releasing) Release() {
	if r.refs.Add(-1) != 0 {
		return
	}
	r.Scanner.Release()
	r.release()
}
