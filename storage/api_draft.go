package storage

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/almanacdb/almanac/storage/vfs"
)

var errDraft = errors.New("storage: not there yet")

type DB struct{}

func Open(dir string, opts Options) (*DB, error)    { return nil, errDraft }
func (db *DB) Close() error                         { return errDraft }
func (db *DB) Dir() string                          { return "" }
func (db *DB) Begin() *Txn                          { return nil }
func (db *DB) Checkpoint(ctx context.Context) error { return errDraft }

type Txn struct{}
type Savepoint struct{}

func (t *Txn) Commit(ctx context.Context) error { return errDraft }
func (t *Txn) Rollback()                        {}
func (t *Txn) Dirty() bool                      { return false }
func (t *Txn) Savepoint() Savepoint             { return Savepoint{} }
func (t *Txn) RollbackTo(s Savepoint)           {}

func (t *Txn) Databases() []string                                       { return nil }
func (t *Txn) CreateDatabase(name string, meta []byte) error             { return errDraft }
func (t *Txn) DropDatabase(name string) error                            { return errDraft }
func (t *Txn) DatabaseMeta(name string) ([]byte, bool)                   { return nil, false }
func (t *Txn) SetDatabaseMeta(name string, meta []byte) error            { return errDraft }
func (t *Txn) PutObject(kind, database, name string, value []byte) error { return errDraft }
func (t *Txn) DeleteObject(kind, database, name string) error            { return errDraft }
func (t *Txn) Object(kind, database, name string) ([]byte, bool)         { return nil, false }
func (t *Txn) Objects(kind, database string) []Object                    { return nil }
func (t *Txn) Tables(database string) []string                           { return nil }
func (t *Txn) Table(database, name string) (*Table, error)               { return nil, errDraft }
func (t *Txn) CreateTable(spec TableSpec) error                          { return errDraft }
func (t *Txn) DropTable(database, name string) error                     { return errDraft }
func (t *Txn) RenameTable(database, from, toDatabase, to string) error   { return errDraft }
func (t *Txn) AlterTable(database, name string, spec TableSpec, rows array.RecordReader) error {
	return errDraft
}

type Table struct{}

func (t *Table) Spec() TableSpec                                           { return TableSpec{} }
func (t *Table) ID() uint64                                                { return 0 }
func (t *Table) Version() uint64                                           { return 0 }
func (t *Table) NumRows() int64                                            { return 0 }
func (t *Table) Bytes() int64                                              { return 0 }
func (t *Table) Segments() int                                             { return 0 }
func (t *Table) Scan(ctx context.Context, o ScanOptions) (*Scanner, error) { return nil, errDraft }
func (t *Table) Lookup(ctx context.Context, key int, values []any) (RowID, bool, error) {
	return 0, false, errDraft
}
func (t *Table) Row(ctx context.Context, id RowID) (arrow.RecordBatch, error) { return nil, errDraft }
func (t *Table) Append(ctx context.Context, b arrow.RecordBatch) error        { return errDraft }
func (t *Table) Delete(ctx context.Context, rows []RowID) error               { return errDraft }
func (t *Table) Truncate() error                                              { return errDraft }
func (t *Table) NextAutoIncrement() uint64                                    { return 0 }
func (t *Table) ReserveAutoIncrement(n int) (first uint64)                    { return 0 }
func (t *Table) SetAutoIncrement(next uint64) error                           { return errDraft }
func (t *Table) EncodeKey(dst []byte, key int, values []any) (enc []byte, hasNull bool, err error) {
	return nil, false, errDraft
}

// Scanner implements array.RecordReader.
type Scanner struct{}

var _ array.RecordReader = (*Scanner)(nil)

func (s *Scanner) Retain()                        {}
func (s *Scanner) Release()                       {}
func (s *Scanner) Schema() *arrow.Schema          { return nil }
func (s *Scanner) Next() bool                     { return false }
func (s *Scanner) RecordBatch() arrow.RecordBatch { return nil }
func (s *Scanner) Record() arrow.RecordBatch      { return nil }
func (s *Scanner) Err() error                     { return errDraft }
func (s *Scanner) RowIDs() []RowID                { return nil }

func Check(dir string, fs vfs.FS, report func(Problem)) error { return errDraft }
