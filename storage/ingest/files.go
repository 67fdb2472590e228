package ingest

import (
	"context"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// Files are several files of the same columns, read one after another as one.
type Files []File

// Names are the columns that any file has, in the order of their first appearance.
func (fs Files) Names() []string {
	var out []string
	seen := map[string]bool{}
	for _, f := range fs {
		for _, n := range f.Names() {
			if !seen[strings.ToLower(n)] {
				seen[strings.ToLower(n)] = true
				out = append(out, n)
			}
		}
	}
	return out
}

// Columns infers the columns that hold the values of every file: a type that differs between files becomes the wider one, or text.
func (fs Files) Columns(ctx context.Context) ([]Inferred, error) {
	var out []Inferred
	for i, f := range fs {
		columns, err := f.Columns(ctx)
		if err != nil {
			return nil, err
		}
		for _, c := range columns {
			at := -1
			for j := range out {
				if strings.EqualFold(out[j].Field.Name, c.Field.Name) {
					at = j
				}
			}
			if at < 0 {
				c.Field.Nullable = c.Field.Nullable || i > 0
				out = append(out, c)
			} else {
				out[at] = merge(out[at], c)
			}
		}
		for j := range out {
			if !hasName(columns, out[j].Field.Name) {
				out[j].Field.Nullable = true
			}
		}
	}
	return out, nil
}

func hasName(columns []Inferred, name string) bool {
	for _, c := range columns {
		if strings.EqualFold(c.Field.Name, name) {
			return true
		}
	}
	return false
}

// otherTextLength bounds the text of a number, date or boolean.
const otherTextLength = 40

func merge(a, b Inferred) Inferred {
	out := a
	out.Field.Nullable = a.Field.Nullable || b.Field.Nullable
	out.MaxLength = max(a.MaxLength, b.MaxLength)
	if out.Note == "" {
		out.Note = b.Note
	}
	if arrow.TypeEqual(a.Field.Type, b.Field.Type) {
		return out
	}
	pair := [2]arrow.Type{a.Field.Type.ID(), b.Field.Type.ID()}
	if pair[0] > pair[1] {
		pair[0], pair[1] = pair[1], pair[0]
	}
	switch pair {
	case [2]arrow.Type{arrow.INT64, arrow.FLOAT64}:
		out.Field.Type = arrow.PrimitiveTypes.Float64
	case [2]arrow.Type{arrow.DATE32, arrow.TIMESTAMP}:
		out.Field.Type = &arrow.TimestampType{Unit: arrow.Microsecond}
	default:
		out.Note = fmt.Sprintf("%s in one file, %s in another: taken as text", a.Field.Type, b.Field.Type)
		out.Field.Type = arrow.BinaryTypes.String
		out.MaxLength = max(out.MaxLength, otherTextLength)
	}
	return out
}

// Read streams the rows of all files.
func (fs Files) Read(ctx context.Context, target []Column) (array.RecordReader, error) {
	if len(fs) == 1 {
		return fs[0].Read(ctx, target)
	}
	fields := make([]arrow.Field, len(target))
	for i := range target {
		fields[i] = target[i].Field
	}
	schema := arrow.NewSchema(fields, nil)
	return newStream(ctx, schema, func(ctx context.Context, emit func(arrow.RecordBatch) error) error {
		for _, f := range fs {
			if err := copyAll(ctx, f, target, emit); err != nil {
				return err
			}
		}
		return nil
	}), nil
}

func copyAll(ctx context.Context, f File, target []Column, emit func(arrow.RecordBatch) error) error {
	r, err := f.Read(ctx, target)
	if err != nil {
		return err
	}
	defer r.Release()
	for r.Next() {
		b := r.RecordBatch()
		b.Retain()
		if err := emit(b); err != nil {
			return err
		}
	}
	return r.Err()
}
