// Package ingest reads files of sales data into Arrow batches: CSV (plain or gzipped), Parquet and Arrow IPC. It finds a CSV
// file's dialect and column types by reading all of it, and reports a bad value with its file, line, column and text.
//
// A caller opens a File, asks it for its Columns (inferred or stored in the file), decides on the target columns and reads them as
// record batches of exactly the target types. Files are only read.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// ErrFormat means that a file's format is not one of those understood.
var ErrFormat = errors.New("unknown file format")

// ValueError is a value that does not fit its column.
type ValueError struct {
	File   string
	Line   int64  // line of a text file, from 1; 0 if unknown
	Row    int64  // row of a columnar file, from 1; 0 for text files
	Column string // the column's name
	Value  string // the text as found
	Want   string // what the column takes, such as "a whole number"
}

// Error names file, place, column and value.
func (e *ValueError) Error() string {
	place := fmt.Sprintf("line %d", e.Line)
	if e.Row > 0 {
		place = fmt.Sprintf("row %d", e.Row)
	}
	return fmt.Sprintf("%s, %s, column %s: %s is not %s", e.File, place, e.Column, quote(e.Value), e.Want)
}

// RowError is a line that cannot be split into the file's columns.
type RowError struct {
	File   string
	Line   int64
	Reason string
}

// Error names file and line.
func (e *RowError) Error() string { return fmt.Sprintf("%s, line %d: %s", e.File, e.Line, e.Reason) }

// Options say how to read files. The zero value finds everything out.
type Options struct {
	// Delimiter of a CSV file; 0 means find it (comma, semicolon, tab or bar).
	Delimiter rune
	// NoHeader says that a CSV file's first line is data. Columns are then called column_1, column_2, …
	NoHeader bool
	// Null are the texts that mean NULL, quoted or not; nil means the empty field, NULL and \N, which in quotes are values of a
	// column of texts.
	Null []string
	// Charset is the IANA name of a CSV file's character set; empty means UTF-8.
	Charset string
	// DateOrder is the order of a CSV file's dates: "ymd", "mdy" or "dmy"; empty means find it. ISO dates are read in any case.
	DateOrder string
	// DecimalComma says that numbers of a CSV file have a comma before their decimals, and points between thousands if anything.
	DecimalComma bool
	// BatchRows is the number of rows a batch holds at most; 0 means 65,536.
	BatchRows int
	// Progress, if set, is called now and then with the bytes read so far of the file's size on disk.
	Progress func(read, size int64)
	// Mem allocates the batches; nil means Go's allocator.
	Mem memory.Allocator
}

func (o Options) batchRows() int {
	if o.BatchRows > 0 {
		return o.BatchRows
	}
	return 1 << 16
}

func (o Options) mem() memory.Allocator {
	if o.Mem != nil {
		return o.Mem
	}
	return memory.DefaultAllocator
}

// Column is a target column: what a file's column of the same name is converted to.
type Column struct {
	// Field gives name, Arrow type and whether NULL is allowed.
	Field arrow.Field
	// MaxLength is the most characters a text may have; 0 means any.
	MaxLength int
	// Encode, if set, appends a CSV text to the builder in place of the conversion built in (for types that only the caller
	// knows, such as enumerations). Its error says what the column takes.
	Encode func(b array.Builder, text string) error
	// Text says that the values are texts though the Arrow type is not (an enumeration): in quotes, "" and "NULL" are values.
	Text bool
}

func (c Column) isText() bool {
	id := c.Field.Type.ID()
	return c.Text || c.Encode == nil && (id == arrow.STRING || id == arrow.BINARY)
}

// Inferred is a column as a file shows it.
type Inferred struct {
	// Field has the narrowest natural type: int64, float64, bool, date32, timestamp[us] or utf8 for CSV, the stored type for
	// others. Nullable tells whether a NULL was seen.
	Field arrow.Field
	// MaxLength is the length in characters of the longest text seen; 0 for other types.
	MaxLength int
	// Note warns of a choice a person should check; empty if nothing.
	Note string
}

// File is an open source of rows. It is not safe for concurrent use.
type File interface {
	// Columns tells the file's columns. A CSV file is read to its end for it.
	Columns(ctx context.Context) ([]Inferred, error)
	// Read streams all rows as batches whose columns are exactly target, in that order. Columns of the file that target does
	// not name are left out; a target column that the file lacks is filled with NULL (an error if it takes none). The
	// reader is released by the caller; its Err holds a *ValueError or *RowError.
	Read(ctx context.Context, target []Column) (array.RecordReader, error)
	// Names lists the file's columns in order without reading its rows.
	Names() []string
}

// Open recognises the file's format by its name (.csv, .tsv, .txt, each also with .gz; .parquet; .arrow, .ipc, .feather) and reads
// its header.
func Open(path string, o Options) (File, error) {
	if st, err := os.Stat(path); err != nil {
		return nil, err
	} else if st.IsDir() {
		return nil, fmt.Errorf("%s is a folder: name its files, or use a pattern such as %s", path, filepath.Join(path, "*.csv"))
	}
	name := strings.ToLower(path)
	switch {
	case hasSuffix(name, ".csv", ".csv.gz", ".tsv", ".tsv.gz", ".txt", ".txt.gz"):
		return openCSV(path, o)
	case hasSuffix(name, ".parquet", ".pq"):
		return openParquet(path, o)
	case hasSuffix(name, ".arrow", ".ipc", ".feather"):
		return openIPC(path, o)
	}
	return nil, fmt.Errorf("%s: %w; use .csv, .csv.gz, .tsv, .parquet or .arrow", path, ErrFormat)
}

func hasSuffix(s string, suffixes ...string) bool {
	for _, x := range suffixes {
		if strings.HasSuffix(s, x) {
			return true
		}
	}
	return false
}

// matchColumns finds the file's column for each target column, by name without regard to case; -1 where there is none.
func matchColumns(file string, names []string, target []Column) ([]int, error) {
	at := make([]int, len(target))
	found := 0
	for i, c := range target {
		at[i] = -1
		for j, n := range names {
			if strings.EqualFold(n, c.Field.Name) {
				at[i] = j
				found++
				break
			}
		}
		if at[i] < 0 && !c.Field.Nullable {
			return nil, fmt.Errorf("%s has no column %s, which must not be NULL; its columns are %s", file, c.Field.Name, strings.Join(names, ", "))
		}
	}
	if found == 0 {
		return nil, fmt.Errorf("%s has none of the table's columns; its columns are %s", file, strings.Join(names, ", "))
	}
	return at, nil
}

// quote shows a value in a message, shortened if long.
func quote(s string) string {
	const most = 60
	if r := []rune(s); len(r) > most {
		s = string(r[:most]) + "…"
	}
	return "'" + s + "'"
}
