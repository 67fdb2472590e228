package calendar_test

import (
	"errors"
	"math"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/engine/calendar"
)

func timestamps(unit arrow.TimeUnit) arrow.DataType { return &arrow.TimestampType{Unit: unit} }

var timeTypes = []arrow.DataType{
	arrow.FixedWidthTypes.Date32, arrow.FixedWidthTypes.Date64,
	timestamps(arrow.Second), timestamps(arrow.Millisecond), timestamps(arrow.Microsecond), timestamps(arrow.Nanosecond),
	&arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"},
	arrow.PrimitiveTypes.Int8, arrow.PrimitiveTypes.Int16, arrow.PrimitiveTypes.Int32, arrow.PrimitiveTypes.Int64,
	arrow.PrimitiveTypes.Uint8, arrow.PrimitiveTypes.Uint16, arrow.PrimitiveTypes.Uint32, arrow.PrimitiveTypes.Uint64,
}

// What AppendValues reads, Append writes back, for every type.
func TestAxisRoundTrip(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
	defer mem.AssertSize(t, 0)
	for _, typ := range timeTypes {
		axis, err := calendar.NewAxis(typ)
		if err != nil {
			t.Fatal(err)
		}
		values := []int64{0, 1, 100, 127}
		if !axis.IsInteger() {
			values = []int64{at(t, "1969-12-31"), at(t, "1970-01-01"), at(t, "2024-02-29"), at(t, "2262-01-01")}
			if typ.ID() != arrow.TIMESTAMP || typ.(*arrow.TimestampType).Unit != arrow.Nanosecond {
				values = append(values, at(t, "9999-12-31"))
			}
		}
		b := array.NewBuilder(mem, typ)
		for _, v := range values {
			if err := axis.Append(b, v); err != nil {
				t.Errorf("%s: %v", typ, err)
			}
		}
		b.AppendNull()
		col := b.NewArray()
		got, err := axis.AppendValues([]int64{-7}, col)
		if err != nil || len(got) != len(values)+2 || got[0] != -7 {
			t.Fatalf("%s: %v %v", typ, got, err)
		}
		for i, v := range values {
			if got[i+1] != v {
				t.Errorf("%s: wrote %s, read %s", typ, axis.Format(v), axis.Format(got[i+1]))
			}
		}
		slice := array.NewSlice(col, 1, 3)
		if part, err := axis.AppendValues(nil, slice); err != nil || len(part) != 2 || part[0] != values[1] {
			t.Errorf("%s: slice read as %v, %v", typ, part, err)
		}
		slice.Release()
		col.Release()
		b.Release()
	}
}

func TestAxisRange(t *testing.T) {
	for _, tc := range []struct {
		typ arrow.DataType
		v   int64
	}{
		{arrow.PrimitiveTypes.Int8, 128},
		{arrow.PrimitiveTypes.Uint8, -1},
		{arrow.PrimitiveTypes.Int16, 40_000},
		{arrow.PrimitiveTypes.Int64, math.MaxInt64},
		{arrow.FixedWidthTypes.Date32, at(t, "9999-12-31") + calendar.MicrosPerDay},
		{arrow.FixedWidthTypes.Date32, math.MinInt64},
		{timestamps(arrow.Nanosecond), at(t, "2300-01-01")},
		{timestamps(arrow.Microsecond), at(t, "9999-12-31") + calendar.MicrosPerDay},
	} {
		axis, err := calendar.NewAxis(tc.typ)
		if err != nil {
			t.Fatal(err)
		}
		b := array.NewBuilder(memory.DefaultAllocator, tc.typ)
		if err := axis.Append(b, tc.v); !errors.Is(err, calendar.ErrTimeRange) || b.Len() != 0 {
			t.Errorf("%s: %d appended: %v", tc.typ, tc.v, err)
		}
	}
	seconds, _ := calendar.NewAxis(timestamps(arrow.Second))
	b := array.NewTimestampBuilder(memory.DefaultAllocator, seconds.Type().(*arrow.TimestampType))
	b.Append(math.MaxInt64)
	if _, err := seconds.AppendValues(nil, b.NewArray()); !errors.Is(err, calendar.ErrTimeRange) {
		t.Errorf("seconds that overflow microseconds: %v", err)
	}
	unsigned, _ := calendar.NewAxis(arrow.PrimitiveTypes.Uint64)
	u := array.NewUint64Builder(memory.DefaultAllocator)
	u.Append(math.MaxUint64)
	if _, err := unsigned.AppendValues(nil, u.NewArray()); !errors.Is(err, calendar.ErrTimeRange) {
		t.Errorf("unsigned beyond int64: %v", err)
	}
	for _, typ := range []arrow.DataType{arrow.BinaryTypes.String, arrow.PrimitiveTypes.Float64, arrow.FixedWidthTypes.Duration_us} {
		if _, err := calendar.NewAxis(typ); !errors.Is(err, calendar.ErrTimeType) {
			t.Errorf("%s: %v", typ, err)
		}
	}
	if err := unsigned.Append(array.NewFloat64Builder(memory.DefaultAllocator), 1); !errors.Is(err, calendar.ErrTimeType) {
		t.Error(err)
	}
}

func TestAxisText(t *testing.T) {
	dates, _ := calendar.NewAxis(arrow.FixedWidthTypes.Date32)
	stamps, _ := calendar.NewAxis(timestamps(arrow.Microsecond))
	numbers, _ := calendar.NewAxis(arrow.PrimitiveTypes.Int32)
	for _, tc := range []struct {
		axis calendar.Axis
		text string
		want string
	}{
		{dates, "2024-01-31", "2024-01-31"},
		{stamps, "2024-01-31", "2024-01-31 23:59:59.999999"},
		{stamps, "2024-01-31 10:00", "2024-01-31 10:00:00"},
		{stamps, "2024-01-31T10:00:05", "2024-01-31 10:00:05"},
		{stamps, " 2024-01-31 10:00:05.5 ", "2024-01-31 10:00:05.5"},
		{numbers, "2015", "2015"},
		{numbers, "-3", "-3"},
	} {
		v, err := tc.axis.ParseCutoff(tc.text)
		if err != nil || tc.axis.Format(v) != tc.want {
			t.Errorf("ParseCutoff(%q) = %s, %v; want %s", tc.text, tc.axis.Format(v), err, tc.want)
		}
	}
	for _, text := range []string{"", "yesterday", "2024-13-01", "31.1.2024", "2024"} {
		if _, err := stamps.ParseCutoff(text); !errors.Is(err, calendar.ErrTimeSyntax) {
			t.Errorf("ParseCutoff(%q): %v", text, err)
		}
	}
	if _, err := numbers.ParseCutoff("2024-01-31"); !errors.Is(err, calendar.ErrTimeSyntax) {
		t.Error(err)
	}
}
