package catalog

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/storage"
)

// Table is a table as one statement sees it: the definition is that of the moment it was resolved, rows are read from
// the session's transaction when a scan starts.
type Table struct {
	db         *Database
	def        *definition
	schema     sql.Schema // all columns, this value's own copy
	projection []int      // ordinals returned, in order; nil is all
	projected  sql.Schema
}

var (
	_ sql.Table                    = (*Table)(nil)
	_ sql.Databaseable             = (*Table)(nil)
	_ sql.CommentedTable           = (*Table)(nil)
	_ sql.ProjectedTable           = (*Table)(nil)
	_ sql.PrimaryKeyTable          = (*Table)(nil)
	_ sql.StatisticsTable          = (*Table)(nil)
	_ sql.IndexAddressableTable    = (*Table)(nil)
	_ sql.InsertableTable          = (*Table)(nil)
	_ sql.UpdatableTable           = (*Table)(nil)
	_ sql.DeletableTable           = (*Table)(nil)
	_ sql.ReplaceableTable         = (*Table)(nil)
	_ sql.TruncateableTable        = (*Table)(nil)
	_ sql.AutoIncrementTable       = (*Table)(nil)
	_ sql.CheckTable               = (*Table)(nil)
	_ sql.CheckAlterableTable      = (*Table)(nil)
	_ sql.AlterableTable           = (*Table)(nil)
	_ sql.RewritableTable          = (*Table)(nil)
	_ sql.PrimaryKeyAlterableTable = (*Table)(nil)
	_ sql.IndexAlterableTable      = (*Table)(nil)
	_ sql.CollationAlterableTable  = (*Table)(nil)
	_ sql.CommentAlterableTable    = (*Table)(nil)
)

func newTable(db *Database, def *definition) *Table {
	return &Table{db: db, def: def, schema: def.schema.Copy()}
}

// Name implements sql.Nameable.
func (t *Table) Name() string { return t.def.spec.Name }

// String implements fmt.Stringer.
func (t *Table) String() string { return t.def.spec.Name }

// Database implements sql.Databaseable.
func (t *Table) Database() string { return t.db.name }

// Spec returns the storage's definition of the table; its slices must not be modified.
func (t *Table) Spec() storage.TableSpec { return t.def.spec }

// Schema implements sql.Table: the projected columns.
func (t *Table) Schema(*sql.Context) sql.Schema {
	if t.projection != nil {
		return t.projected
	}
	return t.schema
}

// PrimaryKeySchema implements sql.PrimaryKeyTable: always all columns, also of a projected table.
func (t *Table) PrimaryKeySchema(*sql.Context) sql.PrimaryKeySchema {
	return sql.PrimaryKeySchema{Schema: t.schema, PkOrdinals: append([]int{}, t.def.pk...)}
}

// Collation implements sql.Table.
func (t *Table) Collation() sql.CollationID { return parseCollation(t.def.meta.Collation) }

// IsTemporary implements sql.TemporaryTable; the engine asks every table in a read-only transaction.
func (t *Table) IsTemporary() bool { return false }

// Comment implements sql.CommentedTable.
func (t *Table) Comment() string { return t.def.meta.Comment }

// WithProjections implements sql.ProjectedTable.
func (t *Table) WithProjections(_ *sql.Context, names []string) (sql.Table, error) {
	p := *t
	p.projection = make([]int, 0, len(names))
	p.projected = make(sql.Schema, 0, len(names))
	for _, name := range names {
		i := t.schema.IndexOfColName(name)
		if i < 0 {
			return nil, sql.ErrTableColumnNotFound.New(t.Name(), name)
		}
		p.projection = append(p.projection, i)
		p.projected = append(p.projected, t.schema[i])
	}
	return &p, nil
}

// Projections implements sql.ProjectedTable.
func (t *Table) Projections() []string {
	if t.projection == nil {
		return nil
	}
	names := make([]string, len(t.projected))
	for i, col := range t.projected {
		names[i] = col.Name
	}
	return names
}

// RowCount implements sql.StatisticsTable.
func (t *Table) RowCount(ctx *sql.Context) (uint64, bool, error) {
	var n int64
	err := t.read(ctx, func(st *storage.Table) error {
		n = st.NumRows()
		return nil
	})
	return uint64(max(n, 0)), err == nil, err
}

// DataLength implements sql.StatisticsTable.
func (t *Table) DataLength(ctx *sql.Context) (uint64, error) {
	var n int64
	err := t.read(ctx, func(st *storage.Table) error {
		n = st.Bytes()
		return nil
	})
	return uint64(max(n, 0)), err
}

// read runs fn on the table as the session's transaction sees it, its pending rows included.
func (t *Table) read(ctx *sql.Context, fn func(*storage.Table) error) error {
	st, release, err := t.open(ctx)
	if err != nil {
		return err
	}
	defer release()
	return fn(st)
}

// open is read for callers that keep the table open until they call release.
func (t *Table) open(ctx *sql.Context) (*storage.Table, func(), error) {
	if tx := transactionOf(ctx); tx != nil {
		if e := tx.edits[keyOf(t.db.name, t.Name())]; e != nil {
			if err := e.settle(ctx); err != nil {
				return nil, nil, err
			}
		}
	}
	txn, release := t.db.pro.acquire(ctx)
	st, err := txn.Table(t.db.name, t.Name())
	if err == nil {
		err = t.refresh(st)
	}
	if err != nil {
		release()
		return nil, nil, err
	}
	return st, release, nil
}

// refresh follows a change of the table's columns after it was resolved: ALTER TABLE … ADD COLUMN … CHECK (…) reads the
// rows it has just given a column.
func (t *Table) refresh(st *storage.Table) error {
	spec := st.Spec()
	if spec.Schema == t.def.spec.Schema {
		return nil
	}
	def, err := t.db.pro.definitions.get(spec)
	if err != nil {
		return err
	}
	if sameColumns(def.spec.Schema, t.def.spec.Schema) {
		return nil
	}
	names := t.Projections()
	t.def, t.schema = def, def.schema.Copy()
	if names == nil {
		return nil
	}
	p, err := t.WithProjections(nil, names)
	if err != nil {
		return err
	}
	t.projection, t.projected = p.(*Table).projection, p.(*Table).projected
	return nil
}

func sameColumns(a, b *arrow.Schema) bool {
	if a.NumFields() != b.NumFields() {
		return false
	}
	for i := range a.NumFields() {
		x, y := a.Field(i), b.Field(i)
		if x.Name != y.Name || !arrow.TypeEqual(x.Type, y.Type) {
			return false
		}
	}
	return true
}

// Open returns the storage table for reading its Arrow columns, as the session's transaction sees it: rows that the
// transaction has pending are handed to the storage first. Call release when done with it and its scanners. Tables of
// other types are for their own packages to read; see [Underlying].
func (t *Table) Open(ctx *sql.Context) (st *storage.Table, release func(), err error) {
	return t.open(ctx)
}

// Underlying returns the catalog's table beneath the engine's wrappers, false if t is another kind of table.
func Underlying(t sql.Table) (*Table, bool) {
	switch u := sql.GetUnderlyingTable(t).(type) {
	case *Table:
		return u, true
	case *IndexedTable:
		return u.Table, true
	}
	return nil, false
}

// partition is the table's only one. Its scan is open already: a cursor shows the rows of the moment it was opened.
type partition struct{ scan *partitionIter }

func (partition) Key() []byte { return []byte("all") }

type partitionIter struct {
	rows sql.RowIter // until someone takes it
	done bool
}

func (i *partitionIter) Next(*sql.Context) (sql.Partition, error) {
	if i.done {
		return nil, io.EOF
	}
	i.done = true
	return partition{i}, nil
}

func (i *partitionIter) Close(ctx *sql.Context) error {
	if i.rows == nil || i.done { // whoever has the partition closes its rows
		return nil
	}
	err := i.rows.Close(ctx)
	i.rows = nil
	return err
}

// Partitions implements sql.Table.
func (t *Table) Partitions(ctx *sql.Context) (sql.PartitionIter, error) {
	rows, err := t.scan(ctx, storage.ScanOptions{})
	if err != nil {
		return nil, err
	}
	return &partitionIter{rows: rows}, nil
}

// PartitionRows implements sql.Table.
func (t *Table) PartitionRows(ctx *sql.Context, p sql.Partition) (sql.RowIter, error) {
	all, ok := p.(partition)
	if !ok {
		return nil, fmt.Errorf("table %s has no partition %T", t.Name(), p)
	}
	if rows := all.scan.rows; rows != nil {
		all.scan.rows = nil
		return rows, nil
	}
	return t.scan(ctx, storage.ScanOptions{})
}

// scan starts a scan of the projected columns.
func (t *Table) scan(ctx *sql.Context, o storage.ScanOptions) (sql.RowIter, error) {
	st, release, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	o.Columns = t.projection
	return scanOpen(ctx, st, release, o, t.Schema(ctx))
}

func (t *Table) scanColumns(ctx *sql.Context, o storage.ScanOptions, cols sql.Schema) (sql.RowIter, error) {
	st, release, err := t.open(ctx)
	if err != nil {
		return nil, err
	}
	return scanOpen(ctx, st, release, o, cols)
}

func scanOpen(ctx *sql.Context, st *storage.Table, release func(), o storage.ScanOptions, cols sql.Schema) (sql.RowIter, error) {
	scanner, err := st.Scan(ctx, o)
	if err != nil {
		release()
		return nil, err
	}
	return &scanIter{RowIter: sqltype.NewRowIter(ctx, scanner, cols), release: release}, nil
}

type scanIter struct {
	sql.RowIter
	release func()
}

func (i *scanIter) Close(ctx *sql.Context) error {
	err := i.RowIter.Close(ctx)
	if i.release != nil {
		i.release()
		i.release = nil
	}
	return err
}

// rows reads an iterator to its end and closes it.
func rows(ctx *sql.Context, iter sql.RowIter) ([]sql.Row, error) {
	var all []sql.Row
	for {
		row, err := iter.Next(ctx)
		if errors.Is(err, io.EOF) {
			return all, iter.Close(ctx)
		}
		if err != nil {
			_ = iter.Close(ctx)
			return nil, err
		}
		all = append(all, row)
	}
}

// GetChecks implements sql.CheckTable.
func (t *Table) GetChecks(*sql.Context) ([]sql.CheckDefinition, error) {
	defs := make([]sql.CheckDefinition, len(t.def.meta.Checks))
	for i, c := range t.def.meta.Checks {
		defs[i] = sql.CheckDefinition{Name: c.Name, CheckExpression: c.Expression, Enforced: c.Enforced}
	}
	return defs, nil
}

func (t *Table) columnIndex(name string) int {
	for i, col := range t.schema {
		if strings.EqualFold(col.Name, name) {
			return i
		}
	}
	return -1
}
