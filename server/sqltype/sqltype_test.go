package sqltype_test

import (
	"bytes"
	"errors"
	"io"
	"sort"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/cockroachdb/apd/v3"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/google/go-cmp/cmp"

	"github.com/almanacdb/almanac/server/sqltype"
)

func mustType(t *testing.T, name string) sql.Type {
	t.Helper()
	typ, err := sqltype.ParseType(name)
	if err != nil {
		t.Fatal(err)
	}
	return typ
}

func dec(t *testing.T, s string) *apd.Decimal {
	t.Helper()
	d, _, err := apd.NewFromString(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// columnCases are values each type must give back exactly, extremes included.
func columnCases(t *testing.T) []struct {
	typ    string
	arrow  string
	values []any
} {
	utc := func(s string) time.Time {
		v, err := time.Parse("2006-01-02 15:04:05.999999", s)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	return []struct {
		typ    string
		arrow  string
		values []any
	}{
		{"tinyint", "int8", []any{int8(-128), int8(127), nil}},
		{"tinyint(1)", "int8", []any{int8(0), int8(1)}},
		{"smallint", "int16", []any{int16(-32768), int16(32767)}},
		{"mediumint", "int32", []any{int32(-8388608), int32(8388607)}},
		{"int", "int32", []any{int32(-2147483648), int32(2147483647)}},
		{"bigint", "int64", []any{int64(-9223372036854775808), int64(9223372036854775807), nil}},
		{"tinyint unsigned", "uint8", []any{uint8(255)}},
		{"smallint unsigned", "uint16", []any{uint16(65535)}},
		{"mediumint unsigned", "uint32", []any{uint32(16777215)}},
		{"int unsigned", "uint32", []any{uint32(4294967295)}},
		{"bigint unsigned", "uint64", []any{uint64(18446744073709551615)}},
		{"float", "float32", []any{float32(1.5), nil}},
		{"double", "float64", []any{0.1, -1e300}},
		{"decimal(18,4)", "decimal(18, 4)", []any{dec(t, "12345678901234.5678"), dec(t, "-0.0001"), dec(t, "0.0000"), nil}},
		{"decimal(38,18)", "decimal(38, 18)", []any{dec(t, "99999999999999999999.999999999999999999"), dec(t, "-99999999999999999999.999999999999999999")}},
		{"decimal(65,30)", "decimal256(65, 30)", []any{dec(t, "12345678901234567890123456789012345.123456789012345678901234567890"), dec(t, "-1.000000000000000000000000000000")}},
		{"date", "date32", []any{utc("2026-02-28 00:00:00"), utc("1969-12-31 00:00:00"), utc("0001-01-01 00:00:00"), types.ZeroTime}},
		{"datetime(6)", "timestamp[us]", []any{utc("2026-02-28 23:59:59.999999"), utc("1000-01-01 00:00:00"), nil}},
		{"timestamp(6)", "timestamp[us]", []any{utc("2026-02-28 23:59:59.000001")}},
		{"time(6)", "duration[us]", []any{types.Timespan(-3020399000000), types.Timespan(1)}},
		{"year", "int16", []any{int16(2026), int16(0)}},
		{"varchar(30) character set utf8mb4 collate utf8mb4_0900_ai_ci", "utf8", []any{"Käse", "", nil, "鳥"}},
		{"char(3) character set utf8mb4 collate utf8mb4_0900_bin", "utf8", []any{"a"}},
		{"longtext character set utf8mb4 collate utf8mb4_0900_bin", "utf8", []any{"text"}},
		{"varbinary(10)", "binary", []any{[]byte{0, 255}, []byte{}, nil}},
		{"longblob", "binary", []any{[]byte("x")}},
		{`enum('a','it''s','c\\d') character set utf8mb4 collate utf8mb4_0900_bin`, "uint16", []any{uint16(2), nil}},
		{"set('x','y') character set utf8mb4 collate utf8mb4_0900_bin", "uint64", []any{uint64(3)}},
		{"bit(64)", "uint64", []any{uint64(1) << 63}},
	}
}

func TestValuesSurviveTheRoundTrip(t *testing.T) {
	ctx := sql.NewEmptyContext()
	for _, c := range columnCases(t) {
		t.Run(c.typ, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			typ := mustType(t, c.typ)
			col := &sql.Column{Name: "c", Type: typ, Nullable: true}
			field, err := sqltype.FieldOf(col)
			if err != nil {
				t.Fatal(err)
			}
			if got := field.Type.String(); got != c.arrow {
				t.Errorf("physical type %s, want %s", got, c.arrow)
			}
			back, err := sqltype.ColumnOf(field)
			if err != nil {
				t.Fatal(err)
			}
			if !back.Type.Equals(typ) || back.Name != "c" || !back.Nullable {
				t.Errorf("column came back as %s of type %s", back.Name, back.Type)
			}
			b, err := sqltype.NewBatcher(mem, sql.Schema{col})
			if err != nil {
				t.Fatal(err)
			}
			defer b.Release()
			for _, v := range c.values {
				if err := b.Append(ctx, sql.Row{v}); err != nil {
					t.Fatal(err)
				}
			}
			batch := b.NewRecordBatch()
			parts := []arrow.RecordBatch{batch.NewSlice(0, 1), batch.NewSlice(1, batch.NumRows())}
			batch.Release()
			reader, err := array.NewRecordReader(b.Schema(), parts)
			if err != nil {
				t.Fatal(err)
			}
			for _, part := range parts {
				part.Release()
			}
			var got []any
			iter := sqltype.NewRowIter(ctx, reader, sql.Schema{col})
			for {
				row, err := iter.Next(ctx)
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, row[0])
			}
			if err := iter.Close(ctx); err != nil {
				t.Fatal(err)
			}
			same := cmp.Comparer(func(a, b *apd.Decimal) bool {
				return a.Cmp(b) == 0 && a.Exponent == b.Exponent && a.Negative == b.Negative
			})
			if diff := cmp.Diff(c.values, got, same); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestJSONKeepsItsValue(t *testing.T) {
	ctx := sql.NewEmptyContext()
	col := &sql.Column{Name: "j", Type: types.JSON, Nullable: true}
	b, err := sqltype.NewBatcher(nil, sql.Schema{col})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Release()
	for _, v := range []any{types.MustJSON(`{"b":[1,2.5,null],"a":"x"}`), `"text"`, nil} {
		if err := b.Append(ctx, sql.Row{v}); err != nil {
			t.Fatal(err)
		}
	}
	batch := b.NewRecordBatch()
	defer batch.Release()
	for i, want := range []string{`{"a": "x", "b": [1, 2.5, null]}`, `"text"`} {
		row, err := sqltype.ReadRow(batch, sql.Schema{col}, i)
		if err != nil {
			t.Fatal(err)
		}
		got, err := types.JsonToMySqlString(ctx, row[0].(sql.JSONWrapper))
		if err != nil || got != want {
			t.Errorf("row %d: %s, %v; want %s", i, got, err, want)
		}
	}
	if row, err := sqltype.ReadRow(batch, sql.Schema{col}, 2); err != nil || row[0] != nil {
		t.Errorf("NULL came back as %v, %v", row, err)
	}
}

func TestDictionaryTextReads(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	b := array.NewDictionaryBuilder(mem, &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}).(*array.BinaryDictionaryBuilder)
	defer b.Release()
	for _, s := range []string{"x", "y", "x"} {
		if err := b.AppendString(s); err != nil {
			t.Fatal(err)
		}
	}
	b.AppendNull()
	arr := b.NewArray()
	defer arr.Release()
	read, err := sqltype.NewReader(arr, types.LongText)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []any{"x", "y", "x", nil} {
		if got := read(i); got != want {
			t.Errorf("cell %d is %v, want %v", i, got, want)
		}
	}
}

func TestFieldsWithoutMetadataGetNaturalTypes(t *testing.T) {
	for _, c := range []struct {
		typ  arrow.DataType
		want string
	}{
		{arrow.BinaryTypes.String, "longtext"},
		{&arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}, "longtext"},
		{arrow.PrimitiveTypes.Float64, "double"},
		{arrow.FixedWidthTypes.Boolean, "tinyint(1)"},
		{arrow.FixedWidthTypes.Timestamp_ns, "datetime(6)"},
		{arrow.FixedWidthTypes.Date32, "date"},
		{&arrow.Decimal128Type{Precision: 20, Scale: 5}, "decimal(20,5)"},
	} {
		col, err := sqltype.ColumnOf(arrow.Field{Name: "c", Type: c.typ})
		if err != nil {
			t.Fatal(err)
		}
		if col.Type.String() != c.want {
			t.Errorf("%s became %s, want %s", c.typ, col.Type, c.want)
		}
	}
	if _, err := sqltype.ColumnOf(arrow.Field{Name: "c", Type: arrow.ListOf(arrow.PrimitiveTypes.Int8)}); !errors.Is(err, sqltype.ErrUnsupported) {
		t.Errorf("a list was accepted: %v", err)
	}
}

func TestRefusedTypes(t *testing.T) {
	for _, typ := range []sql.Type{types.GeometryType{}, types.PointType{}, types.VectorType{Dimensions: 3}, types.CreateTuple(types.Int8)} {
		_, err := sqltype.FieldOf(&sql.Column{Name: "shape", Type: typ})
		if !errors.Is(err, sqltype.ErrUnsupported) {
			t.Errorf("%v: %v", typ, err)
		}
	}
}

func TestDecimalOutOfRangeIsRefused(t *testing.T) {
	ctx := sql.NewEmptyContext()
	for _, typ := range []string{"decimal(5,2)", "decimal(38,0)", "decimal(60,0)"} {
		col := &sql.Column{Name: "d", Type: mustType(t, typ)}
		b, err := sqltype.NewBatcher(nil, sql.Schema{col})
		if err != nil {
			t.Fatal(err)
		}
		if err := b.Append(ctx, sql.Row{dec(t, "1e61")}); err == nil {
			t.Errorf("%s took 1e61", typ)
		}
		b.Release()
	}
}

// TestCollationKeys checks that byte order of the keys is the order in which the SQL engine compares the strings.
func TestCollationKeys(t *testing.T) {
	ctx := sql.NewEmptyContext()
	words := []string{"", "a", "A", "b", "B", "ab", "AB", "á", "z", "Z", "ß", "ss", "鳥", "a ", "\u00e9", "é"}
	for _, name := range []string{"utf8mb4_0900_bin", "utf8mb4_0900_ai_ci", "utf8mb4_general_ci", "utf8mb4_bin", "utf8mb3_bin", "latin1_swedish_ci"} {
		cs := "utf8mb4"
		if name == "utf8mb3_bin" {
			cs = "utf8mb3"
		}
		if name == "latin1_swedish_ci" {
			cs = "latin1"
		}
		typ := mustType(t, "varchar(20) character set "+cs+" collate "+name)
		field, err := sqltype.FieldOf(&sql.Column{Name: "c", Type: typ})
		if err != nil {
			t.Fatal(err)
		}
		key := sqltype.Collate(field)
		if key == nil {
			key = func(dst, v []byte) []byte { return append(dst, v...) }
		}
		sort.Strings(words)
		for _, a := range words {
			for _, b := range words {
				want, err := typ.Compare(ctx, a, b)
				if err != nil {
					continue // not a string of that character set
				}
				if got := bytes.Compare(key(nil, []byte(a)), key(nil, []byte(b))); got != want {
					t.Errorf("%s: %q against %q gives %d, the engine says %d", name, a, b, got, want)
				}
			}
		}
	}
}

func TestRecordReaderStreamsRows(t *testing.T) {
	ctx := sql.NewEmptyContext()
	schema := sql.Schema{{Name: "n", Type: types.Int64}, {Name: "s", Type: types.LongText, Nullable: true}}
	var rows []sql.Row
	for i := range 20000 {
		rows = append(rows, sql.Row{int64(i), "s"})
	}
	r, err := sqltype.NewRecordReader(ctx, sql.RowsToRowIter(rows...), schema)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	var n, sum int64
	for r.Next() {
		col := r.RecordBatch().Column(0).(*array.Int64)
		for _, v := range col.Int64Values() {
			sum += v
		}
		n += r.RecordBatch().NumRows()
	}
	if r.Err() != nil || n != 20000 || sum != 20000*19999/2 {
		t.Errorf("%d rows, sum %d, %v", n, sum, r.Err())
	}
}
