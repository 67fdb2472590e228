package loaddata

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/server/sqltype"
)

var columnTypes = []string{
	"tinyint", "tinyint unsigned", "smallint", "smallint unsigned", "mediumint", "mediumint unsigned", "int", "int unsigned", "bigint", "bigint unsigned",
	"float", "double", "decimal(6,2)", "decimal(18,0)", "decimal(20,15)", "decimal(50,5)", "date", "datetime", "datetime(3)", "timestamp", "timestamp(6)",
	"time", "year", "varchar(3)", "char(4)", "varchar(3) character set latin1", "text", "binary(3)", "varbinary(3)", "blob", "enum('a','b')", "set('a','b')", "bit(8)",
}

func newTestColumn(t testing.TB, mem memory.Allocator, name string) *column {
	t.Helper()
	typ, err := sqltype.ParseType(name)
	if err != nil {
		t.Fatal(err)
	}
	c, err := newColumn(mem, 0, &sql.Column{Name: "c", Type: typ, Nullable: true})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// sameBothWays checks that what the fast conversion takes, the SQL type takes for the same value.
func sameBothWays(t *testing.T, mem memory.Allocator, name, text string) (fast bool) {
	t.Helper()
	c := newTestColumn(t, mem, name)
	defer c.builder.Release()
	ctx := sql.NewEmptyContext()
	c.builder.Reserve(2)
	if c.fast == nil || !c.fast([]byte(text)) {
		return false
	}
	v, wrong := c.convert(ctx, []byte(text))
	if wrong != nil {
		t.Errorf("%s: %q is taken, but is wrong: %s", name, text, wrong.text)
		return true
	}
	if err := c.store(ctx, v); err != nil {
		t.Errorf("%s: %q: %v", name, text, err)
		return true
	}
	a := c.builder.NewArray()
	defer a.Release()
	if got, want := a.ValueStr(0), a.ValueStr(1); got != want {
		t.Errorf("%s: %q is %s, by its SQL type %s", name, text, got, want)
	}
	return true
}

func TestFastConversions(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	texts := []string{
		"0", "-0", "7", "-7", "127", "128", "-128", "-129", "255", "256", "32767", "32768", "65535", "65536", "8388607", "8388608", "-8388608", "-8388609", "16777215", "16777216",
		"2147483647", "2147483648", "4294967295", "4294967296", "999999999999999999", "-999999999999999999", "9223372036854775807", "007", "1.5", "-1.5", "0.1", "1.10", "12.345", "9999.99", "10000", ".5", "5.",
		"1e3", "1E-3", "3.4e38", "3.5e38", "1e400", "123456789012345678", "0.123456789012345", "2.675", "4503599627370497.5", "9007199254740993",
		"2024-02-29", "2023-02-29", "0001-01-01", "9999-12-31", "0000-00-00", "2024-13-01", "2024-1-2", "2024-01-02 03:04:05", "2024-01-02T03:04:05", "2024-01-02 03:04:05.5", "2024-01-02 03:04:05.123",
		"2024-01-02 03:04:05.1234567", "2024-01-02 24:00:00", "1970-01-01 00:00:00", "1970-01-01 00:00:01", "2038-01-19 03:14:07", "2038-01-19 03:14:08", "1969-12-31 23:59:59", "1900-01-01",
		"", "a", "abc", "abcd", "abcde", "é", "ééé", "éééé", "a ", "  ", "\xff", "a\xff", "\x00",
	}
	for _, name := range columnTypes {
		taken := 0
		for _, text := range texts {
			if sameBothWays(t, mem, name, text) {
				taken++
			}
		}
		slow := slices.Contains([]string{"time", "year", "binary(3)", "enum('a','b')", "set('a','b')", "bit(8)"}, name)
		if (taken == 0) != slow {
			t.Errorf("%s: %d texts are converted fast", name, taken)
		}
	}
}

func TestFloatsRoundCorrectly(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 5_000 {
		text := make([]byte, 1+random.IntN(16))
		for i := range text {
			text[i] = '0' + byte(random.IntN(10))
		}
		if len(text) > 2 {
			text[1+random.IntN(len(text)-2)] = '.'
		}
		if !sameBothWays(t, memory.DefaultAllocator, "double", string(text)) {
			t.Fatalf("%s is not taken", text)
		}
	}
}

func FuzzFastConversions(f *testing.F) {
	for i := range columnTypes {
		for _, s := range []string{"1", "-1.5", "2024-01-02 03:04:05", "abc", "1e5"} {
			f.Add(s, uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, text string, kind uint8) {
		sameBothWays(t, memory.DefaultAllocator, columnTypes[int(kind)%len(columnTypes)], text)
	})
}

// Whatever the text, a column holds a value afterwards or complains with one that it can hold.
func FuzzNearestValue(f *testing.F) {
	for i := range columnTypes {
		for _, s := range []string{"", "12abc", "-1", "99999999999999999999999", "1e999", "-1e999", "2024-02-30", "x", "\xff\xfe", "toolong", "1e-999", "."} {
			f.Add(s, uint8(i))
		}
	}
	f.Fuzz(func(t *testing.T, text string, kind uint8) {
		name := columnTypes[int(kind)%len(columnTypes)]
		c := newTestColumn(t, memory.DefaultAllocator, name)
		defer c.builder.Release()
		ctx := sql.NewEmptyContext()
		v, wrong := c.convert(ctx, []byte(text))
		if v == nil {
			t.Fatalf("%s: %q has no value", name, text)
		}
		if err := c.store(ctx, v); err != nil {
			t.Fatalf("%s: %q gives %v (%T), which cannot be stored: %v", name, text, v, v, err)
		}
		if wrong != nil && (wrong.number == 0 || strings.Count(wrong.text, "%d") != 1 || len(wrong.state) != 5) {
			t.Errorf("%s: %q: %+v", name, text, wrong)
		}
	})
}
