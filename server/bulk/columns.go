// Package bulk loads Arrow rows into tables below SQL, at the speed of the storage: one transaction per load, published whole or
// not at all. `almanac import` uses it on a data directory of its own or, through a socket in that directory, inside the server
// that holds it.
//
// Rows never enter past a table's rules: a table with a CHECK, a trigger or a generated column is refused, with a pointer to
// LOAD DATA, which applies them.
package bulk

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/storage/ingest"
)

// Target describes a table to load into, or the one to create.
type Target struct {
	Database, Table string
	// Fields are the columns, with their SQL types in the metadata.
	Fields []arrow.Field
	// AutoIncrement is the ordinal of the column that numbers itself, -1 for none.
	AutoIncrement int
	// Defaults marks columns that have a DEFAULT other than NULL.
	Defaults []bool
	// PrimaryKey names the primary key's columns of a table to create.
	PrimaryKey []string
	// Create asks for the table to be created, and its database if there is none.
	Create bool
}

// Columns says how a file's values become the table's, for the columns that the file has. names are the file's columns.
func (t *Target) Columns(names []string) ([]ingest.Column, error) {
	has := func(name string) bool {
		for _, n := range names {
			if strings.EqualFold(n, name) {
				return true
			}
		}
		return false
	}
	var out []ingest.Column
	for i, f := range t.Fields {
		if !has(f.Name) {
			switch {
			case i == t.AutoIncrement:
				continue // numbered when it is stored
			case t.Defaults != nil && t.Defaults[i]:
				return nil, fmt.Errorf("the file has no column %s, and import does not compute its DEFAULT; add the column to the file, or use LOAD DATA", f.Name)
			}
		}
		c, err := column(f)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func column(f arrow.Field) (ingest.Column, error) {
	c := ingest.Column{Field: f}
	col, err := sqltype.ColumnOf(f)
	if err != nil {
		return c, err
	}
	switch t := col.Type.(type) {
	case sql.EnumType, sql.SetType:
		c.Text = true
		c.Encode = encodeBySQL(col, "one of "+strings.ToLower(col.Type.String()[:strings.IndexByte(col.Type.String(), ')')+1]))
	case sql.StringType:
		if types.IsText(t) {
			c.MaxLength = int(min(t.MaxCharacterLength(), 1<<30))
		} else {
			c.MaxLength = int(min(t.MaxByteLength(), 1<<30))
		}
	default:
		switch t.Type() {
		case sqltypes.TypeJSON:
			c.Encode = encodeBySQL(col, "JSON")
		case sqltypes.Time:
			c.Encode = encodeBySQL(col, "a time (HH:MM:SS)")
		case sqltypes.Year:
			c.Encode = encodeBySQL(col, "a year")
		case sqltypes.Bit:
			c.Text = true // its bytes
			c.Encode = encodeBySQL(col, "a bit value")
		}
	}
	return c, nil
}

// encodeBySQL stores a text as an INSERT of that text would.
func encodeBySQL(col *sql.Column, want string) func(array.Builder, string) error {
	ctx := sql.NewEmptyContext()
	var into array.Builder
	var put sqltype.Appender
	return func(b array.Builder, text string) error {
		if b != into { // the same builder serves a whole file
			var err error
			if put, err = sqltype.NewAppender(b, col.Type); err != nil {
				return err
			}
			into = b
		}
		v, inRange, err := col.Type.Convert(ctx, text)
		if err != nil || inRange != sql.InRange {
			return errors.New(want)
		}
		return put(ctx, v)
	}
}

// NewTarget is the table that a file's columns ask for. Texts become VARCHAR with room to spare, or TEXT.
func NewTarget(database, table string, columns []ingest.Inferred, primaryKey []string) (*Target, error) {
	t := &Target{Database: database, Table: table, AutoIncrement: -1, PrimaryKey: primaryKey, Create: true}
	inKey := map[string]bool{}
	for _, k := range primaryKey {
		inKey[strings.ToLower(k)] = true
	}
	for _, c := range columns {
		key := inKey[strings.ToLower(c.Field.Name)]
		delete(inKey, strings.ToLower(c.Field.Name))
		if key && c.Field.Nullable && c.MaxLength >= 0 {
			c.Field.Nullable = false // a NULL there is an error of the load, with its line
		} else if !key {
			c.Field.Nullable = true // the next file may have one
		}
		if c.Field.Type.ID() == arrow.STRING {
			name := "longtext"
			for _, room := range []int{20, 50, 100, 255, 1000} {
				if c.MaxLength*3/2 <= room && (c.MaxLength > 0 || key) {
					name = fmt.Sprintf("varchar(%d)", room)
					break
				}
			}
			if key && name == "longtext" {
				return nil, fmt.Errorf("column %s is too long for a primary key: a text of %d characters", c.Field.Name, c.MaxLength)
			}
			c.Field.Metadata = arrow.NewMetadata([]string{sqltype.MetadataKey}, []string{name})
		}
		col, err := sqltype.ColumnOf(c.Field)
		if err != nil {
			return nil, err
		}
		f, err := sqltype.FieldOf(col)
		if err != nil {
			return nil, err
		}
		t.Fields = append(t.Fields, f)
	}
	for _, k := range primaryKey {
		if inKey[strings.ToLower(k)] {
			var names []string
			for _, f := range t.Fields {
				names = append(names, f.Name)
			}
			return nil, fmt.Errorf("--primary-key names column %s, which the file does not have; its columns are %s", k, strings.Join(names, ", "))
		}
	}
	return t, nil
}

// align gives the batch the target's columns in the target's order; reserve takes the missing AUTO_INCREMENT
// values. The
// caller releases the result.
func (t *Target) align(ctx context.Context, b arrow.RecordBatch, schema *arrow.Schema, mem memory.Allocator, reserve func(n int) (first uint64)) (arrow.RecordBatch, error) {
	arrays := make([]arrow.Array, schema.NumFields())
	defer func() {
		for _, a := range arrays {
			if a != nil {
				a.Release()
			}
		}
	}()
	for i, f := range schema.Fields() {
		at := b.Schema().FieldIndices(f.Name)
		switch {
		case len(at) == 1:
			a := b.Column(at[0])
			if a.DataType().ID() != f.Type.ID() && a.DataType().ID() != arrow.DICTIONARY {
				return nil, fmt.Errorf("column %s arrives as %s, the table has %s", f.Name, a.DataType(), f.Type)
			}
			a.Retain()
			arrays[i] = a
		case i == t.AutoIncrement:
			a, err := numbers(ctx, f.Type, reserve(int(b.NumRows())), int(b.NumRows()), mem)
			if err != nil {
				return nil, err
			}
			arrays[i] = a
		case f.Nullable:
			arrays[i] = array.MakeArrayOfNull(mem, f.Type, int(b.NumRows()))
		default:
			return nil, fmt.Errorf("column %s is missing and must not be NULL", f.Name)
		}
	}
	return array.NewRecordBatch(schema, arrays, b.NumRows()), nil
}

// numbers are n consecutive whole numbers in a column's type.
func numbers(ctx context.Context, t arrow.DataType, first uint64, n int, mem memory.Allocator) (arrow.Array, error) {
	b := array.NewUint64Builder(mem)
	defer b.Release()
	for i := range uint64(n) {
		b.Append(first + i)
	}
	wide := b.NewArray()
	defer wide.Release()
	out, err := compute.CastArray(compute.WithAllocator(ctx, mem), wide, compute.SafeCastOptions(t))
	if err != nil {
		return nil, errAutoIncrement
	}
	return out, nil
}

// Loader takes loads: this process's own storage, or a server's through its socket.
type Loader interface {
	// Target describes an existing table; storage.ErrNoTable or ErrNoDatabase if there is none.
	Target(ctx context.Context, database, table string) (*Target, error)
	// Load appends all rows in one transaction, creating the table first if t.Create. Nothing stays behind after an error.
	Load(ctx context.Context, t *Target, rows array.RecordReader) (loaded int64, err error)
	// Close frees the data directory or the connection.
	Close() error
}

// Names lists the target's columns.
func (t *Target) Names() []string {
	names := make([]string, len(t.Fields))
	for i, f := range t.Fields {
		names[i] = f.Name
	}
	return names
}

// TypeOf is the SQL type of a column, for people.
func TypeOf(f arrow.Field) string {
	col, err := sqltype.ColumnOf(f)
	if err != nil {
		return f.Type.String()
	}
	text, _, _ := strings.Cut(strings.ToUpper(col.Type.String()), " CHARACTER SET")
	if !f.Nullable {
		text += " NOT NULL"
	}
	return text
}
