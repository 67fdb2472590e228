package storage

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/storage/vfs"
)

// Errors that callers test with errors.Is.
var (
	// ErrLocked says that another process (or another DB) has the directory open.
	ErrLocked = errors.New("storage: directory is in use by another server")
	// ErrConflict says that a transaction that committed after this one began changed what this one changed. Retry it.
	ErrConflict = errors.New("storage: another transaction changed the same data; try again")
	// ErrNoDatabase, ErrNoTable and ErrNoObject say that the name is unknown in the transaction's snapshot.
	ErrNoDatabase = errors.New("storage: no such database")
	ErrNoTable    = errors.New("storage: no such table")
	ErrNoObject   = errors.New("storage: no such object")
	// ErrExists says that a database or table of that name is there already.
	ErrExists = errors.New("storage: name is taken")
	// ErrNoRow says that a RowID names no row that this transaction can see.
	ErrNoRow = errors.New("storage: no such row")
	// ErrCorrupt is wrapped by every error about damaged bytes; the message names file and offset.
	ErrCorrupt = errors.New("storage: damaged file")
	// ErrClosed says that the DB, or the transaction, has ended.
	ErrClosed = errors.New("storage: closed")
	// ErrFailed says that the log could not be synced earlier: nothing more is committed until the directory is reopened.
	ErrFailed = errors.New("storage: log failed; reopen the directory")
	// ErrMemory says that a statement needs more memory than Options.MemoryLimit leaves it. The transaction is as before the call.
	ErrMemory = errors.New("storage: memory limit reached")
)

// DuplicateKeyError says that an appended row has the unique key of another row.
type DuplicateKeyError struct {
	Table, Key string
	Values     []any // of the key's columns, as in Table.Lookup
	// Row is the stored row in the way; it is meaningless when FirstBatchRow >= 0.
	Row RowID
	// BatchRow is the position in the refused batch of the row that collides, the first such row.
	BatchRow int
	// FirstBatchRow is the position of the earlier row of the same batch that has the key, or -1 if a stored row has it.
	FirstBatchRow int
}

func (e *DuplicateKeyError) Error() string {
	return fmt.Sprintf("storage: duplicate entry %v for key %s.%s", e.Values, e.Table, e.Key)
}

// Options of Open. The zero value is usable.
type Options struct {
	// FS holds the directory; nil is the operating system's file system.
	FS vfs.FS
	// Logger receives notes about recovery and background work; nil is slog.Default().
	Logger *slog.Logger
	// Collate returns, for a text field, a function that appends the comparison key of value to dst, so that two texts are equal
	// in a unique key if and only if their comparison keys are the same bytes; nil, or a nil result, compares bytes. It must give
	// the same result for the same field for the lifetime of the data: segments are stored in its order. Safe for concurrent use.
	Collate func(f arrow.Field) func(dst, value []byte) []byte
	// MemoryLimit bounds, in bytes, decoded blocks and indexes (half of it), committed rows not yet in segments (a quarter: commits
	// wait beyond it) and the rows of running transactions (a quarter: they spill early beyond half of that, and Append fails with
	// ErrMemory beyond all of it); 0 is 1 GiB. Not counted are batches that callers hold, and the one block a column that each
	// Scanner and background rewrite has in hand.
	MemoryLimit int64
	// CheckpointBytes is the length of the log at which a checkpoint starts in the background; 0 is 64 MiB.
	CheckpointBytes int64
	// SpillRows is the number of rows appended by a transaction to one table beyond which they go to segment files before the
	// commit; 0 is 1,048,576. SpillBytes is the same in bytes; 0 is 128 MiB or an eighth of MemoryLimit, whichever is less.
	SpillRows  int
	SpillBytes int64
}

// Object is a named value that its owner interprets: a view, an event, a procedure, a trigger, an account.
type Object struct {
	Name  string
	Value []byte
}

// TableSpec declares a table. Schema and slices are shared, never modify them.
type TableSpec struct {
	Database, Name string
	// Schema is the logical schema; text is utf8 here. Nullable=false is declared, not checked. Field metadata is kept.
	Schema *arrow.Schema
	// Keys of the table, the primary one (if any) first.
	Keys []Key
	// AutoIncrement is the ordinal of the column numbered automatically, -1 for none.
	AutoIncrement int
	// Meta is kept for the caller and not interpreted.
	Meta []byte
}

// Key is a primary, unique or plain key. A row with a NULL in any column of a unique key collides with none.
type Key struct {
	Name            string
	Columns         []int // ordinals in the schema
	Unique, Primary bool  // Primary implies unique
}

// RowID names a row for the lifetime of the row, across restarts and compaction; rows appended by a transaction have provisional
// ids, valid inside it until it commits. Ids are not reused.
type RowID uint64

// ScanOptions say what a scan reads. The zero value reads everything in storage order.
type ScanOptions struct {
	// Columns are the ordinals to read, in output order; nil is all, empty but not nil is none (batches that only count rows).
	Columns []int
	// RowIDs asks for Scanner.RowIDs.
	RowIDs bool
	// Ranges all hold for the rows returned. They are exact, and they prune blocks by their statistics.
	Ranges []Range
	// Key, if not nil, restricts the rows to a range of a key, which is searched rather than read through.
	Key *KeyRange
	// ByPrimaryKey returns rows in the order of the primary key (of the encoded key, see Table.EncodeKey).
	ByPrimaryKey bool
}

// Range restricts one column. Text and binary compare by bytes; push no range on text with another collation. NULL is in no range
// but one with Null; NaN sorts above every number.
//
// Lower and Upper are int64 or uint64 for integers (either kind, also for float columns), float64 for floats and integers, string or
// []byte for text and binary, arrow.Date32, arrow.Timestamp or arrow.Duration for their types, decimal128.Num or decimal256.Num at
// the column's scale for decimals, bool for booleans; nil leaves the side open.
type Range struct {
	Column               int
	Lower, Upper         any
	LowerOpen, UpperOpen bool // the bound itself is excluded
	Null                 bool // IS NULL; the other fields are ignored
}

// KeyRange is a range of a key's order: rows with given values in the key's leading columns and, perhaps, bounds on the column after
// those. It serves primary, unique and plain keys alike, and compares text under the columns' collations, as the key does.
type KeyRange struct {
	Key int // index in Spec().Keys
	// Prefix holds values, as for Table.EncodeKey, of the key's leading columns; nil is NULL here. It may be empty.
	Prefix []any
	// Lower and Upper bound the column after the prefix; nil leaves the side open. With a bound NULL is outside.
	Lower, Upper         any
	LowerOpen, UpperOpen bool // the bound itself is excluded
}

// Problem is something that Check found.
type Problem struct {
	File   string // relative to the directory
	Offset int64
	Table  string // "db.table" where it is known
	What   string
}

func (p Problem) String() string {
	if p.Table != "" {
		return fmt.Sprintf("%s at byte %d (table %s): %s", p.File, p.Offset, p.Table, p.What)
	}
	return fmt.Sprintf("%s at byte %d: %s", p.File, p.Offset, p.What)
}
