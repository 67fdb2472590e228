package bulk

import (
	"fmt"
	"math"
	"regexp"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/sqltypes"

	"github.com/almanacdb/almanac/server/catalog"
	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/export"
)

// table prints a table's definition and its rows.
func (d *dumper) table(t *catalog.Table) error {
	st, release, err := t.Open(d.ctx)
	if err != nil {
		return err
	}
	defer release()
	schema := t.Schema(d.ctx)
	name := quoteName(t.Name())
	d.print("\n--\n-- Table %s\n--\n\n", name)
	if d.options.Drop {
		d.print("DROP TABLE IF EXISTS %s;\n", name)
	}
	parts, err := d.definition(t, schema)
	if err != nil {
		return err
	}
	collation := t.Collation()
	d.print("CREATE TABLE %s (\n  %s\n) ENGINE=InnoDB", name, strings.Join(parts, ",\n  "))
	if t.Spec().AutoIncrement >= 0 {
		if next := st.NextAutoIncrement(); next > 1 {
			d.print(" AUTO_INCREMENT=%d", next)
		}
	}
	d.print(" DEFAULT CHARSET=%s%s", collation.CharacterSet().Name(), collate(collation.Name()))
	if t.Comment() != "" {
		d.print(" COMMENT=%s", appendQuoted(nil, t.Comment()))
	}
	d.print(";\n")
	if d.options.NoData || st.NumRows() == 0 {
		return nil
	}
	return d.rows(name, st, schema)
}

// definition lists what stands between the parentheses of CREATE TABLE.
func (d *dumper) definition(t *catalog.Table, schema sql.Schema) ([]string, error) {
	var parts []string
	for _, col := range schema {
		parts = append(parts, columnDefinition(col, t.Collation()))
	}
	indexes, err := t.GetIndexes(d.ctx)
	if err != nil {
		return nil, err
	}
	keys := t.Spec().Keys
	for i, index := range indexes {
		prefixes := index.PrefixLengths()
		columns := make([]string, len(keys[i].Columns))
		for j, c := range keys[i].Columns {
			columns[j] = quoteName(schema[c].Name)
			if j < len(prefixes) && prefixes[j] > 0 {
				columns[j] += fmt.Sprintf("(%d)", prefixes[j])
			}
		}
		part := "KEY " + quoteName(keys[i].Name)
		switch {
		case keys[i].Primary:
			part = "PRIMARY KEY"
		case keys[i].Unique:
			part = "UNIQUE " + part
		}
		part += " (" + strings.Join(columns, ",") + ")"
		if c := index.Comment(); c != "" {
			part += " COMMENT " + string(appendQuoted(nil, c))
		}
		parts = append(parts, part)
	}
	if f, ok := any(t).(sql.ForeignKeyTable); ok {
		references, err := f.GetDeclaredForeignKeys(d.ctx)
		if err != nil {
			return nil, err
		}
		for _, r := range references {
			parts = append(parts, reference(r))
		}
	}
	checks, err := t.GetChecks(d.ctx)
	if err != nil {
		return nil, err
	}
	for _, c := range checks {
		part := "CONSTRAINT " + quoteName(c.Name) + " CHECK (" + c.CheckExpression + ")"
		if !c.Enforced {
			part += " /*!80016 NOT ENFORCED */"
		}
		parts = append(parts, part)
	}
	return parts, nil
}

var collateClause = regexp.MustCompile(`(?i) COLLATE (\w+)$`)

func columnDefinition(col *sql.Column, table sql.CollationID) string {
	text := col.Type.String()
	if c, ok := col.Type.(sql.TypeWithCollation); ok {
		text = c.StringWithTableCollation(table)
	}
	if m := collateClause.FindStringSubmatchIndex(text); m != nil {
		text = text[:m[0]] + collate(text[m[2]:m[3]])
	}
	out := quoteName(col.Name) + " " + text
	if col.Generated != nil {
		kind := " STORED"
		if col.Virtual {
			kind = " VIRTUAL"
		}
		out += " GENERATED ALWAYS AS (" + expressionOf(col.Generated) + ")" + kind
	}
	switch {
	case !col.Nullable:
		out += " NOT NULL"
	case col.Type.Type() == sqltypes.Timestamp:
		out += " NULL" // older servers take a bare TIMESTAMP for NOT NULL
	}
	if col.AutoIncrement {
		out += " AUTO_INCREMENT"
	}
	if col.Default != nil && col.Generated == nil {
		out += " DEFAULT " + expressionOf(col.Default)
	}
	if col.OnUpdate != nil {
		out += " ON UPDATE " + expressionOf(col.OnUpdate)
	}
	if col.Comment != "" {
		out += " COMMENT " + string(appendQuoted(nil, col.Comment))
	}
	return out
}

// expressionOf is an expression as it was written in the definition.
func expressionOf(e *sql.ColumnDefaultValue) string {
	if u, ok := e.Expr.(*sql.UnresolvedColumnDefault); ok {
		return u.ExprString
	}
	return e.String()
}

func reference(r sql.ForeignKeyConstraint) string {
	names := func(in []string) string {
		out := make([]string, len(in))
		for i, n := range in {
			out[i] = quoteName(n)
		}
		return strings.Join(out, ",")
	}
	parent := quoteName(r.ParentTable)
	if r.ParentDatabase != "" && !strings.EqualFold(r.ParentDatabase, r.Database) {
		parent = quoteName(r.ParentDatabase) + "." + parent
	}
	out := "CONSTRAINT " + quoteName(r.Name) + " FOREIGN KEY (" + names(r.Columns) + ") REFERENCES " + parent + " (" + names(r.ParentColumns) + ")"
	if r.OnDelete != "" && r.OnDelete != sql.ForeignKeyReferentialAction_DefaultAction {
		out += " ON DELETE " + string(r.OnDelete)
	}
	if r.OnUpdate != "" && r.OnUpdate != sql.ForeignKeyReferentialAction_DefaultAction {
		out += " ON UPDATE " + string(r.OnUpdate)
	}
	return out
}

// A statement of a dump ends after so many rows or bytes: large enough to be fast, below every server's max_allowed_packet.
const (
	insertRows  = 2000
	insertBytes = 512 << 10
)

// rows prints the rows as INSERTs, one row a line. Generated columns are left out: the reader computes them.
func (d *dumper) rows(name string, st *storage.Table, schema sql.Schema) error {
	var o storage.ScanOptions
	var columns []*sql.Column
	var names []string
	for i, col := range schema {
		if col.Generated == nil {
			o.Columns, columns, names = append(o.Columns, i), append(columns, col), append(names, quoteName(col.Name))
		}
	}
	o.ByPrimaryKey = true
	scan, err := st.Scan(d.ctx, o)
	if err != nil {
		return err
	}
	defer scan.Release()
	head := "INSERT INTO " + name + " (" + strings.Join(names, ",") + ") VALUES\n"
	line := []byte{}
	rows, size := 0, 0
	for scan.Next() {
		b := scan.RecordBatch()
		literals := make([]literal, len(columns))
		for i, col := range columns {
			if literals[i], err = literalOf(col, b.Column(i)); err != nil {
				return fmt.Errorf("column %s: %w", col.Name, err)
			}
		}
		for row := range int(b.NumRows()) {
			line = append(line[:0], '(')
			for i, put := range literals {
				if i > 0 {
					line = append(line, ',')
				}
				if b.Column(i).IsNull(row) {
					line = append(line, "NULL"...)
				} else {
					line = put(line, row)
				}
			}
			line = append(line, ')')
			switch {
			case rows == 0:
				d.print("%s", head)
			case rows >= insertRows || size >= insertBytes:
				d.print(";\n%s", head)
				rows, size = 0, 0
			default:
				d.print(",\n")
			}
			rows++
			size += len(line)
			if _, err := d.out.Write(line); err != nil {
				return err
			}
		}
	}
	if scan.Err() != nil {
		return scan.Err()
	}
	if rows > 0 {
		d.print(";\n")
	}
	return nil
}

// literal appends the SQL literal of a value that is not NULL.
type literal func(dst []byte, row int) []byte

func literalOf(col *sql.Column, a arrow.Array) (literal, error) {
	if col.Type.Type() == sqltypes.Bit {
		bits, ok := a.(*array.Uint64)
		if !ok {
			return nil, fmt.Errorf("stored as %s", a.DataType())
		}
		return func(dst []byte, i int) []byte { return fmt.Appendf(dst, "b'%b'", bits.Value(i)) }, nil
	}
	field, err := sqltype.FieldOf(col)
	if err != nil {
		return nil, err
	}
	if _, convert, err := fileType(field); err != nil {
		return nil, err
	} else if convert != nil {
		if a, err = convert(a); err != nil { // to text; garbage collection frees it
			return nil, err
		}
	}
	switch a := a.(type) {
	case *array.String:
		return func(dst []byte, i int) []byte { return appendQuoted(dst, a.Value(i)) }, nil
	case *array.Dictionary:
		texts, ok := a.Dictionary().(*array.String)
		if !ok {
			return nil, fmt.Errorf("dictionary of %s", a.Dictionary().DataType())
		}
		return func(dst []byte, i int) []byte {
			if k := a.GetValueIndex(i); !texts.IsNull(k) {
				return appendQuoted(dst, texts.Value(k))
			}
			return append(dst, "NULL"...)
		}, nil
	case *array.Binary:
		return func(dst []byte, i int) []byte { return fmt.Appendf(dst, "X'%X'", a.Value(i)) }, nil
	}
	text, err := export.NumberText(a)
	if err != nil {
		return nil, err
	}
	switch a := a.(type) {
	case *array.Float32:
		return finite(text, func(i int) float64 { return float64(a.Value(i)) }), nil
	case *array.Float64:
		return finite(text, a.Value), nil
	case *array.Date32, *array.Timestamp:
		return func(dst []byte, i int) []byte { return append(text(append(dst, '\''), i), '\'') }, nil
	}
	return text, nil
}

// finite writes NULL for what no SQL literal says; SQL cannot have stored it, an imported Parquet file can.
func finite(text literal, value func(int) float64) literal {
	return func(dst []byte, i int) []byte {
		if v := value(i); math.IsNaN(v) || math.IsInf(v, 0) {
			return append(dst, "NULL"...)
		}
		return text(dst, i)
	}
}

// appendQuoted appends a text as a SQL literal, on one line and without bytes that a terminal or an editor would change.
func appendQuoted(dst []byte, s string) []byte {
	dst = append(dst, '\'')
	for i := range len(s) {
		switch c := s[i]; c {
		case 0:
			dst = append(dst, `\0`...)
		case '\n':
			dst = append(dst, `\n`...)
		case '\r':
			dst = append(dst, `\r`...)
		case 26:
			dst = append(dst, `\Z`...)
		case '\'', '\\', '"':
			dst = append(dst, '\\', c)
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '\'')
}
