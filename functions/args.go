package functions

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/engine"
)

// Value is one evaluated argument as the server hands it over: nil (SQL NULL), string, bool, any Go integer, float64 (DECIMAL
// arguments are converted), time.Time, map[string]any or []any (decoded JSON), or Unbound.
type Value = any

// Unbound stands for a `?` whose value is not known yet, while a statement is being prepared. The call then binds
// provisionally: everything that is known is checked and the output columns are those of the defaults.
type Unbound struct{}

// Kind is what a positional argument must be.
type Kind uint8

// The kinds of positional arguments.
const (
	TimeColumn  Kind = iota // a column name: date, datetime, timestamp or whole number
	ValueColumn             // a column name: any number
	Horizon                 // a whole number of steps, 1 to MaxHorizon
	Clusters                // a whole number of clusters from 1, or 'auto'
)

// MaxHorizon is the largest number of steps one call may forecast.
const MaxHorizon = 100_000

// Arg declares one positional argument after the source.
type Arg struct {
	// Name as the documentation and messages call it, such as "time_column".
	Name string
	// Doc is one sentence.
	Doc  string
	Kind Kind
}

// Option declares one key of the options argument.
type Option struct {
	// Name is the key, lower case.
	Name string
	// Doc says in a sentence or two what the option does.
	Doc string
	// Values shows what may be given, such as "auto | zero | null".
	Values string
	// Default is what holds when the option is absent, as it would be written.
	Default string
	// OneOf lists the words accepted, if the option takes only words; messages suggest the nearest.
	OneOf []string
	// set reads the setting into the call being bound; its error is a *badValue.
	set func(c *call, s setting) error
}

// Example is a runnable statement of the documentation.
type Example struct {
	// Title says in a few words what the example shows.
	Title string
	// SQL runs against the demo database (tables demo.sales and demo.airline).
	SQL string
	// Output is the result as a command-line client draws it, floats to six significant digits. All fills it in from the
	// folder examples, which a test on the demo database holds to what the server answers.
	Output string
}

// Column is a column of the source that a call names.
type Column struct {
	// Index is the column's place in Relation.Schema.
	Index int
	Field arrow.Field
}

// Bound is one call with its arguments checked. It is immutable once Bind has returned, and safe for concurrent use.
type Bound struct {
	Spec     *Spec
	Relation Relation
	Time     Column
	Value    Column
	// Keys are the columns of option by, in the order given; empty for a single series.
	Keys []Column
	// Horizon is the number of steps; 0 where the function takes none or it is Unbound.
	Horizon int
	// Clusters is k; 0 means auto.
	Clusters int
	// Options holds every option with defaults filled in.
	Options Options
	// Provisional is set when an argument was Unbound: Output works, Run refuses.
	Provisional bool
	// schema is the result of Spec.Output.
	schema *arrow.Schema
	// model is what option model names, where the function takes one.
	model boundModel
}

// boundModel is a model ready to fit and the text that named it.
type boundModel struct {
	text  string
	model engine.Model
	spec  engine.ModelSpec
}

// Schema is the output schema of the call. The same as b.Spec.Output(b).
func (b *Bound) Schema() *arrow.Schema { return b.schema }
