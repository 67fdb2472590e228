package functions

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/engine"
)

// Spec declares one table function.
type Spec struct {
	// Name is the SQL name in upper case, such as "FORECAST".
	Name string
	// Summary is one sentence; Doc a few paragraphs of Markdown.
	Summary, Doc string
	// Args are the positional arguments after source, in order (time column and value column included).
	Args []Arg
	// Options are the names of the options it takes beside its positional arguments.
	Options []Option
	// Output fixes the result columns from the bound call.
	Output func(*Bound) (*arrow.Schema, error)
	// columns are the result columns behind keys and time, for the documentation and the check of names; timeColumn
	// tells whether the time column comes before them, noKeys that the key columns do not.
	columns    []OutputColumn
	timeColumn bool
	noKeys     bool
	// yearly is set if a significant yearly season of daily data counts as a second period.
	yearly bool
	// check, if set, looks at options together once all are read; its error is a *badValue or *Error.
	check func(*call) error
	// Examples are SQL with the output expected, run by go test on the demo database.
	Examples []Example
	// Run computes the result. The reader yields rows ordered by key, then time; it does its work as it is read, polls ctx
	// and is released by the caller.
	Run func(ctx context.Context, env *Env, b *Bound) (array.RecordReader, error)
}

// OutputColumn is a result column behind keys and time.
type OutputColumn struct {
	Name string
	Type arrow.DataType
	// Doc is what the column means and when it is NULL.
	Doc string
}

// Columns lists the result columns behind the key columns and the time column.
func (s *Spec) Columns() []OutputColumn { return s.columns }

// HasTime tells whether the time column of the source comes before Columns.
func (s *Spec) HasTime() bool { return s.timeColumn }

// Relation is the source of a function call. The server satisfies it over a table, a view or a SELECT; tests over Arrow.
type Relation interface {
	// Name is how messages call the source: the table's name, or "the SELECT".
	Name() string
	// Schema gives the columns on offer. Field metadata is the server's and is passed on unchanged for columns that reach
	// the result.
	Schema() *arrow.Schema
	// Read streams the named columns, in that order, from one snapshot. Text may arrive as utf8 or dictionary(int32, utf8).
	Read(ctx context.Context, columns []string) (array.RecordReader, error)
}

// Env is what the server lends to a running function.
type Env struct {
	// Models are the models on offer, in the order of the documentation.
	Models []engine.ModelSpec
	// Memory allocates the result's batches; nil means memory.DefaultAllocator.
	Memory memory.Allocator
	// Workers is the number of goroutines to use; at least 1.
	Workers int
	// Progress, if set, is told how many series are done of how many. Safe for concurrent use.
	Progress func(done, total int)
	// Warn, if set, adds a warning to the statement (SHOW WARNINGS). Safe for concurrent use.
	Warn func(message string)
}
