package bulk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/server/catalog"
	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/storage"
)

// ErrRefused means that the table's rules, its name or its rows do not allow the load; the message says what to do.
var ErrRefused = errors.New("import refused")

// Local loads into the storage of this process. Safe for concurrent use.
type Local struct {
	db   *storage.DB
	owns bool
}

// NewLocal loads into db, which stays the caller's.
func NewLocal(db *storage.DB) *Local { return &Local{db: db} }

// OpenLocal opens a data directory that no server holds (else storage.ErrLocked).
func OpenLocal(dir string, o storage.Options) (*Local, error) {
	o.Collate = sqltype.Collate
	db, err := storage.Open(dir, o)
	if err != nil {
		return nil, err
	}
	return &Local{db: db, owns: true}, nil
}

// Close closes the directory if OpenLocal opened it.
func (l *Local) Close() error {
	if l.owns {
		return l.db.Close()
	}
	return nil
}

// Target describes an existing table, or says why rows may not be loaded into it.
func (l *Local) Target(_ context.Context, database, table string) (*Target, error) {
	txn := l.db.Begin()
	defer txn.Rollback()
	t, err := txn.Table(database, table)
	if err != nil {
		return nil, err
	}
	spec := t.Spec()
	rule, err := catalog.RowRule(txn, spec)
	if err != nil {
		return nil, err
	}
	if rule != "" {
		return nil, fmt.Errorf("%w: table %s.%s has %s, which import does not run; use LOAD DATA LOCAL INFILE from a client", ErrRefused, database, table, rule)
	}
	out := &Target{Database: spec.Database, Table: spec.Name, Fields: spec.Schema.Fields(), AutoIncrement: spec.AutoIncrement}
	out.Defaults = make([]bool, len(out.Fields))
	for i := range out.Fields {
		if out.Defaults[i], err = catalog.HasDefault(spec, i); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Load appends all rows in one transaction.
func (l *Local) Load(ctx context.Context, t *Target, rows array.RecordReader) (int64, error) {
	txn := l.db.Begin()
	defer txn.Rollback()
	if t.Create {
		if err := create(txn, t); err != nil {
			return 0, err
		}
	}
	table, err := txn.Table(t.Database, t.Table)
	if err != nil {
		return 0, err
	}
	spec := table.Spec()
	if rule, err := catalog.RowRule(txn, spec); err != nil || rule != "" {
		return 0, errors.Join(err, fmt.Errorf("%w: the table has %s", ErrRefused, rule))
	}
	t.AutoIncrement = spec.AutoIncrement
	var loaded int64
	for rows.Next() {
		b, err := t.align(ctx, rows.RecordBatch(), spec.Schema, memory.DefaultAllocator, table.ReserveAutoIncrement)
		if err != nil {
			return 0, err
		}
		err = table.Append(ctx, b)
		b.Release()
		if err != nil {
			return 0, describe(err, loaded, t.Create)
		}
		loaded += rows.RecordBatch().NumRows()
	}
	if err := rows.Err(); err != nil {
		return 0, err
	}
	return loaded, describe(txn.Commit(ctx), 0, t.Create)
}

// create makes the table, and its database where there is none.
func create(txn *storage.Txn, t *Target) error {
	if t.Database == "" || t.Table == "" {
		return fmt.Errorf("%w: name the table as database.table", ErrRefused)
	}
	for _, reserved := range []string{"information_schema", "mysql", "performance_schema", "sys", "almanac"} {
		if strings.EqualFold(t.Database, reserved) {
			return fmt.Errorf("%w: database %s is the server's own; choose another", ErrRefused, reserved)
		}
	}
	known := false
	for _, name := range txn.Databases() {
		known = known || strings.EqualFold(name, t.Database)
	}
	if !known {
		if err := txn.CreateDatabase(t.Database, nil); err != nil {
			return err
		}
	}
	schema := sql.PrimaryKeySchema{}
	for _, f := range t.Fields {
		col, err := sqltype.ColumnOf(f)
		if err != nil {
			return err
		}
		schema.Schema = append(schema.Schema, col)
	}
	for _, k := range t.PrimaryKey {
		for i, col := range schema.Schema {
			if strings.EqualFold(col.Name, k) {
				col.PrimaryKey = true
				schema.PkOrdinals = append(schema.PkOrdinals, i)
			}
		}
	}
	spec, err := catalog.NewTableSpec(t.Database, t.Table, schema)
	if err != nil {
		return err
	}
	err = txn.CreateTable(spec)
	if errors.Is(err, storage.ErrExists) {
		return fmt.Errorf("%w: table %s.%s exists already; leave out --create to add the rows to it, or drop it first", ErrRefused, t.Database, t.Table)
	}
	return err
}

// describe turns a key that is there already into a sentence. before is the number of rows loaded before the refused batch, created
// tells that the table was empty.
func describe(err error, before int64, created bool) error {
	var dup *storage.DuplicateKeyError
	if !errors.As(err, &dup) {
		return err
	}
	values := make([]string, len(dup.Values))
	for i, v := range dup.Values {
		values[i] = plain(v)
	}
	what := "the table has that row already; delete it first, or load the file into a new table and use REPLACE … SELECT"
	if dup.FirstBatchRow >= 0 || created {
		what = "the files hold that key twice"
	}
	return fmt.Errorf("%w: row %d of the data repeats key %s of %s (%s): %s", ErrRefused, before+int64(dup.BatchRow)+1, dup.Key, dup.Table, strings.Join(values, ", "), what)
}

func plain(v any) string {
	switch v := v.(type) {
	case arrow.Date32:
		return v.FormattedString()
	case arrow.Timestamp:
		return v.ToTime(arrow.Microsecond).Format("2006-01-02 15:04:05.999999")
	case []byte:
		return fmt.Sprintf("%x", v)
	}
	return fmt.Sprint(v)
}

var errAutoIncrement = fmt.Errorf("%w: the AUTO_INCREMENT column has no number left; widen its type", ErrRefused)
