package functions

import (
	"github.com/apache/arrow-go/v18/arrow"
)

// Shorthand of the column types that functions add.
var (
	whole = arrow.PrimitiveTypes.Int64
	real  = arrow.PrimitiveTypes.Float64
	text  = arrow.BinaryTypes.String
)

// outputSchema is the Output of every function: keys, the time column if the function has one, then the Spec's columns. Fields of
// the source pass unchanged.
func outputSchema(b *Bound) (*arrow.Schema, error) {
	fields := make([]arrow.Field, 0, len(b.Keys)+1+len(b.Spec.columns))
	keys := b.Keys
	if b.Spec.noKeys {
		keys = nil
	}
	for _, k := range keys {
		fields = append(fields, plainField(k.Field))
	}
	if b.Spec.timeColumn {
		fields = append(fields, b.Time.Field)
	}
	for _, c := range b.Spec.columns {
		fields = append(fields, arrow.Field{Name: c.Name, Type: c.Type, Nullable: true})
	}
	return arrow.NewSchema(fields, nil), nil
}

// plainField is the field with a dictionary's value type in place of the dictionary.
func plainField(f arrow.Field) arrow.Field {
	if d, isDictionary := f.Type.(*arrow.DictionaryType); isDictionary {
		f.Type = d.ValueType
	}
	return f
}

// timeArg and valueArg open the arguments of every function.
func timeArg() Arg {
	return Arg{Name: "time_column", Kind: TimeColumn, Doc: "the name, in quotes, of the column with the time of each row: DATE, DATETIME, TIMESTAMP or a whole number"}
}

func valueArg() Arg {
	return Arg{Name: "value_column", Kind: ValueColumn, Doc: "the name, in quotes, of the numeric column to look at"}
}

func horizonArg() Arg {
	return Arg{Name: "horizon", Kind: Horizon, Doc: "how many steps to forecast, 1 to 100000"}
}

const statusDoc = "`ok`, or in words what was done (such as `212 days without a row counted as zero`) or why there is no result"
