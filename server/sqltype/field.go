package sqltype

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/sqltypes"
	"github.com/dolthub/vitess/go/vt/sqlparser"
)

// MetadataKey is the field metadata key under which the exact SQL type is kept, for example
// "varchar(30) character set utf8mb4 collate utf8mb4_0900_bin".
const MetadataKey = "mysql.type"

// ErrUnsupported marks a column type that cannot be stored or read; the message names the column and what to use instead.
var ErrUnsupported = errors.New("unsupported column type")

// Largest precisions of Arrow's two wide decimals, and of MySQL's DECIMAL.
const (
	decimal128Precision = 38
	maxPrecision        = 65
)

// timestampType is how DATETIME and TIMESTAMP are held: microseconds, no zone (a TIMESTAMP holds UTC).
var timestampType = &arrow.TimestampType{Unit: arrow.Microsecond}

// FieldOf returns the Arrow field that holds col: physical type, nullability, and the SQL type in its metadata.
// GEOMETRY, VECTOR and tuples are refused with an error wrapping [ErrUnsupported]. A column of unknown type (SELECT
// NULL) becomes nullable text.
func FieldOf(col *sql.Column) (arrow.Field, error) {
	physical, err := physicalType(col.Type)
	if err != nil {
		return arrow.Field{}, fmt.Errorf("column '%s': %w", col.Name, err)
	}
	name := TypeName(col.Type)
	return arrow.Field{
		Name:     col.Name,
		Type:     physical,
		Nullable: col.Nullable || types.IsNullType(col.Type),
		Metadata: arrow.NewMetadata([]string{MetadataKey}, []string{name}),
	}, nil
}

// SchemaOf is FieldOf over a whole SQL schema.
func SchemaOf(schema sql.Schema) (*arrow.Schema, error) {
	fields := make([]arrow.Field, len(schema))
	for i, col := range schema {
		f, err := FieldOf(col)
		if err != nil {
			return nil, err
		}
		fields[i] = f
	}
	return arrow.NewSchema(fields, nil), nil
}

func physicalType(t sql.Type) (arrow.DataType, error) {
	if types.IsNullType(t) {
		return arrow.BinaryTypes.String, nil
	}
	if _, ok := t.(sql.DeferredType); ok {
		return nil, fmt.Errorf("%w: the type of a '?' placeholder is not known yet.\nFix: wrap it in CAST(? AS …)", ErrUnsupported)
	}
	switch t.(type) {
	case types.TupleType:
		return nil, fmt.Errorf("%w: a tuple is not a column.\nFix: select its members separately", ErrUnsupported)
	case types.VectorType:
		return nil, fmt.Errorf("%w VECTOR.\nFix: store the vector as JSON", ErrUnsupported)
	}
	switch t.Type() {
	case sqltypes.Int8:
		return arrow.PrimitiveTypes.Int8, nil
	case sqltypes.Int16:
		return arrow.PrimitiveTypes.Int16, nil
	case sqltypes.Int24, sqltypes.Int32:
		return arrow.PrimitiveTypes.Int32, nil
	case sqltypes.Int64:
		return arrow.PrimitiveTypes.Int64, nil
	case sqltypes.Uint8:
		return arrow.PrimitiveTypes.Uint8, nil
	case sqltypes.Uint16:
		return arrow.PrimitiveTypes.Uint16, nil
	case sqltypes.Uint24, sqltypes.Uint32:
		return arrow.PrimitiveTypes.Uint32, nil
	case sqltypes.Uint64:
		return arrow.PrimitiveTypes.Uint64, nil
	case sqltypes.Float32:
		return arrow.PrimitiveTypes.Float32, nil
	case sqltypes.Float64:
		return arrow.PrimitiveTypes.Float64, nil
	case sqltypes.Decimal:
		precision, scale := decimalShape(t)
		if precision > maxPrecision {
			return nil, fmt.Errorf("%w DECIMAL(%d,%d): at most %d digits.\nFix: lower the precision", ErrUnsupported, precision, scale, maxPrecision)
		}
		if precision <= decimal128Precision {
			return &arrow.Decimal128Type{Precision: precision, Scale: scale}, nil
		}
		return &arrow.Decimal256Type{Precision: precision, Scale: scale}, nil
	case sqltypes.Date:
		return arrow.FixedWidthTypes.Date32, nil
	case sqltypes.Datetime, sqltypes.Timestamp:
		return timestampType, nil
	case sqltypes.Time:
		return arrow.FixedWidthTypes.Duration_us, nil
	case sqltypes.Year:
		return arrow.PrimitiveTypes.Int16, nil
	case sqltypes.Char, sqltypes.VarChar, sqltypes.Text, sqltypes.TypeJSON:
		return arrow.BinaryTypes.String, nil
	case sqltypes.Binary, sqltypes.VarBinary, sqltypes.Blob:
		return arrow.BinaryTypes.Binary, nil
	case sqltypes.Enum:
		return arrow.PrimitiveTypes.Uint16, nil
	case sqltypes.Set, sqltypes.Bit:
		return arrow.PrimitiveTypes.Uint64, nil
	case sqltypes.Geometry:
		return nil, fmt.Errorf("%w %s.\nFix: store coordinates in two DOUBLE columns, or the shape as JSON", ErrUnsupported, strings.ToUpper(t.String()))
	}
	return nil, fmt.Errorf("%w %s", ErrUnsupported, t.String())
}

// decimalShape returns precision and scale; types that only say "decimal" (system variables) get the widest.
func decimalShape(t sql.Type) (precision, scale int32) {
	if d, ok := t.(sql.DecimalType); ok {
		return int32(d.Precision()), int32(d.Scale())
	}
	return maxPrecision, 30
}

// TypeName spells a SQL type in full, character set and collation included, so that [ParseType] gives it back
// whatever the defaults of the server are by then.
func TypeName(t sql.Type) string {
	if types.IsNullType(t) {
		return "longtext"
	}
	switch st := t.(type) {
	case sql.EnumType:
		return "enum(" + quoteMembers(st.Values()) + ")" + collationClause(st.Collation())
	case sql.SetType:
		return "set(" + quoteMembers(st.Values()) + ")" + collationClause(st.Collation())
	case sql.StringType:
		if !types.IsText(t) {
			break
		}
		name := t.String()
		if i := strings.Index(name, " CHARACTER SET "); i >= 0 {
			name = name[:i]
		}
		if i := strings.Index(name, " COLLATE "); i >= 0 {
			name = name[:i]
		}
		if st.Collation() == sql.Collation_binary {
			return name
		}
		return name + collationClause(st.Collation())
	}
	return t.String()
}

func quoteMembers(members []string) string {
	var b strings.Builder
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('\'')
		b.WriteString(strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(m))
		b.WriteByte('\'')
	}
	return b.String()
}

func collationClause(c sql.CollationID) string {
	return " character set " + c.CharacterSet().Name() + " collate " + c.Name()
}

var parsedTypes sync.Map // type name -> sql.Type

// ParseType reads a type as [TypeName] spells it, or as a column definition would.
func ParseType(name string) (sql.Type, error) {
	if t, ok := parsedTypes.Load(name); ok {
		return t.(sql.Type), nil
	}
	stmt, err := sqlparser.Parse("create table t (c " + name + ")")
	if err != nil {
		return nil, fmt.Errorf("SQL type %q: %w", name, err)
	}
	ddl, ok := stmt.(*sqlparser.DDL)
	if !ok || ddl.TableSpec == nil || len(ddl.TableSpec.Columns) != 1 {
		return nil, fmt.Errorf("SQL type %q: not one column type", name)
	}
	t, err := types.ColumnTypeToType(&ddl.TableSpec.Columns[0].Type)
	if err != nil {
		return nil, fmt.Errorf("SQL type %q: %w", name, err)
	}
	parsedTypes.Store(name, t)
	return t, nil
}

// ColumnOf returns the SQL column for an Arrow field: the type in its metadata if there is one, else the natural one
// (utf8 LONGTEXT, float64 DOUBLE, bool TINYINT(1), timestamp DATETIME(6), duration TIME, …). Nested and other types that
// SQL has no column for are refused with an error wrapping [ErrUnsupported].
func ColumnOf(field arrow.Field) (*sql.Column, error) {
	col := &sql.Column{Name: field.Name, Nullable: field.Nullable}
	if i := field.Metadata.FindKey(MetadataKey); i >= 0 {
		t, err := ParseType(field.Metadata.Values()[i])
		if err != nil {
			return nil, fmt.Errorf("column '%s': %w", field.Name, err)
		}
		col.Type = t
		return col, nil
	}
	t, err := naturalType(field.Type)
	if err != nil {
		return nil, fmt.Errorf("column '%s': %w", field.Name, err)
	}
	col.Type = t
	return col, nil
}

// ColumnsOf is ColumnOf over a whole Arrow schema, with Source set on every column.
func ColumnsOf(schema *arrow.Schema, source string) (sql.Schema, error) {
	cols := make(sql.Schema, schema.NumFields())
	for i, f := range schema.Fields() {
		c, err := ColumnOf(f)
		if err != nil {
			return nil, err
		}
		c.Source = source
		cols[i] = c
	}
	return cols, nil
}

func naturalType(t arrow.DataType) (sql.Type, error) {
	switch t := t.(type) {
	case *arrow.BooleanType:
		return types.Boolean, nil
	case *arrow.Int8Type:
		return types.Int8, nil
	case *arrow.Int16Type:
		return types.Int16, nil
	case *arrow.Int32Type:
		return types.Int32, nil
	case *arrow.Int64Type:
		return types.Int64, nil
	case *arrow.Uint8Type:
		return types.Uint8, nil
	case *arrow.Uint16Type:
		return types.Uint16, nil
	case *arrow.Uint32Type:
		return types.Uint32, nil
	case *arrow.Uint64Type:
		return types.Uint64, nil
	case *arrow.Float16Type, *arrow.Float32Type:
		return types.Float32, nil
	case *arrow.Float64Type:
		return types.Float64, nil
	case *arrow.Decimal32Type, *arrow.Decimal64Type, *arrow.Decimal128Type, *arrow.Decimal256Type:
		d := t.(arrow.DecimalType)
		precision, scale := d.GetPrecision(), d.GetScale()
		if scale < 0 { // integers rounded to tens: SQL has no negative scale
			precision, scale = precision-scale, 0
		}
		if precision > maxPrecision || scale > types.DecimalTypeMaxScale {
			return nil, fmt.Errorf("%w %s: DECIMAL holds at most %d digits, %d of them decimals", ErrUnsupported, t, maxPrecision, types.DecimalTypeMaxScale)
		}
		return types.CreateColumnDecimalType(uint8(precision), uint8(scale))
	case *arrow.Date32Type, *arrow.Date64Type:
		return types.Date, nil
	case *arrow.TimestampType:
		return types.DatetimeMaxPrecision, nil
	case *arrow.Time32Type, *arrow.Time64Type, *arrow.DurationType:
		return types.Time, nil
	case *arrow.StringType, *arrow.LargeStringType, *arrow.StringViewType, *arrow.NullType:
		return types.LongText, nil
	case *arrow.BinaryType, *arrow.LargeBinaryType, *arrow.BinaryViewType, *arrow.FixedSizeBinaryType:
		return types.LongBlob, nil
	case *arrow.DictionaryType:
		return naturalType(t.ValueType)
	}
	return nil, fmt.Errorf("%w: Arrow type %s has no SQL counterpart", ErrUnsupported, t)
}
