package calendar_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/engine/calendar"
)

// regular makes n times of a frequency from start on, leaving out those that drop says.
func regular(t *testing.T, f, start string, n int, drop func(k int) bool) []int64 {
	first := at(t, start)
	g := calendar.NewGrid(freq(t, f), first)
	var times []int64
	for k := range n {
		if drop == nil || !drop(k) {
			times = append(times, g.Step(first, k))
		}
	}
	return times
}

func detect(typ arrow.DataType, series ...[]int64) (calendar.Frequency, error) {
	axis, err := calendar.NewAxis(typ)
	if err != nil {
		return calendar.Frequency{}, err
	}
	var times []int64
	offsets := []int{0}
	for _, s := range series {
		times = append(times, s...)
		offsets = append(offsets, len(times))
	}
	return calendar.Detect(axis, times, offsets)
}

func TestDetect(t *testing.T) {
	rng := rand.New(rand.NewPCG(7, 7))
	half := func(int) bool { return rng.IntN(2) == 0 }
	most := func(k int) bool { return k%40 > 0 && rng.IntN(10) > 0 }
	few := func(k int) bool { return rng.IntN(20) == 0 }
	lastBusinessDay := func(n int) []int64 {
		var times []int64
		for _, v := range regular(t, "M", "2020-01-31", n, nil) {
			for !isWeekday(v) {
				v -= calendar.MicrosPerDay
			}
			times = append(times, v)
		}
		return times
	}
	shifted := regular(t, "W", "2024-01-01", 60, nil) // Mondays
	for _, k := range []int{12, 20, 33} {
		shifted[k] += calendar.MicrosPerDay
	}
	jitter := regular(t, "D", "2024-01-01 08:00", 100, nil)
	for i := range jitter {
		jitter[i] += rng.Int64N(600 * calendar.MicrosPerSecond)
	}
	dirty := regular(t, "H", "2024-01-01", 500, nil)
	dirty = slices.Insert(dirty, 100, dirty[99]+7*calendar.MicrosPerMinute+33*calendar.MicrosPerSecond)
	for _, tc := range []struct {
		name   string
		series [][]int64
		want   string
	}{
		{"hourly", [][]int64{regular(t, "H", "2024-01-01", 100, nil)}, "H"},
		{"hourly with gaps", [][]int64{regular(t, "H", "2024-01-01", 300, few)}, "H"},
		{"sparse hourly", [][]int64{regular(t, "H", "2024-01-01", 3000, most)}, "H"},
		{"hourly at half past", [][]int64{regular(t, "H", "2024-01-01 00:30", 48, nil)}, "H"},
		{"15 minutes", [][]int64{regular(t, "15min", "2024-01-01", 100, few)}, "15min"},
		{"5 minutes", [][]int64{regular(t, "5min", "2024-01-01", 100, half)}, "5min"},
		{"1 minute", [][]int64{regular(t, "min", "2024-01-01", 100, few)}, "min"},
		{"7 minutes", [][]int64{regular(t, "7min", "2024-01-01", 100, nil)}, "7min"},
		{"1 second", [][]int64{regular(t, "s", "2024-01-01", 100, nil)}, "s"},
		{"6 hours", [][]int64{regular(t, "6H", "2024-01-01 03:00", 100, half)}, "6H"},
		{"daily", [][]int64{regular(t, "D", "2024-01-01", 100, nil)}, "D"},
		{"daily from a month's end", [][]int64{regular(t, "D", "2011-01-29", 100, nil)}, "D"},
		{"daily with gaps", [][]int64{regular(t, "D", "2024-01-01", 300, half)}, "D"},
		{"sparse daily", [][]int64{regular(t, "D", "2024-01-01", 1000, most)}, "D"},
		{"two days", [][]int64{regular(t, "D", "2024-01-30", 2, nil)}, "D"},
		{"every third day", [][]int64{regular(t, "3D", "2024-01-01", 50, nil)}, "3D"},
		{"many short daily series", [][]int64{regular(t, "D", "2024-01-03", 2, nil), regular(t, "D", "2024-02-06", 3, nil), regular(t, "D", "2024-05-01", 1, nil)}, "D"},
		{"closed on Sundays", [][]int64{regular(t, "D", "2024-01-01", 100, func(k int) bool { return k%7 == 6 })}, "D"},
		{"business days", [][]int64{regular(t, "B", "2024-01-01", 30, nil)}, "B"},
		{"business days, holidays", [][]int64{regular(t, "B", "2024-01-01", 300, few)}, "B"},
		{"one and a half business weeks", [][]int64{regular(t, "B", "2024-01-03", 8, nil)}, "B"},
		{"five days of one week", [][]int64{regular(t, "B", "2024-01-01", 5, nil)}, "D"},
		{"weekly", [][]int64{regular(t, "W", "2024-01-03", 30, nil)}, "W"},
		{"weekly with gaps", [][]int64{regular(t, "W", "2024-01-03", 100, half)}, "W"},
		{"weekly, weekdays of their own", [][]int64{regular(t, "W", "2024-01-03", 30, nil), regular(t, "W", "2024-01-06", 9, nil)}, "W"},
		{"two-weekly", [][]int64{regular(t, "2W", "2024-01-03", 30, half)}, "2W"},
		{"weekly, moved by holidays", [][]int64{shifted}, "W"},
		{"month start", [][]int64{regular(t, "M", "2024-01-01", 30, nil)}, "M"},
		{"month start with gaps", [][]int64{regular(t, "M", "2014-01-01", 100, half)}, "M"},
		{"month end", [][]int64{regular(t, "M", "2023-01-31", 30, nil)}, "M"},
		{"month end from February", [][]int64{regular(t, "M", "2023-01-31", 30, nil)[1:]}, "M"},
		{"mid-month", [][]int64{regular(t, "M", "2024-01-15", 30, few)}, "M"},
		{"the 30th", [][]int64{regular(t, "M", "2023-01-30", 30, nil)}, "M"},
		{"two months", [][]int64{regular(t, "M", "2024-02-01", 2, nil)}, "M"},
		{"short monthly series", [][]int64{regular(t, "M", "2024-02-01", 2, nil), regular(t, "2M", "2021-02-01", 2, nil), regular(t, "3M", "2021-03-01", 2, nil)}, "M"},
		{"last business day", [][]int64{lastBusinessDay(36)}, "M"},
		{"quarterly", [][]int64{regular(t, "Q", "2024-01-01", 20, few)}, "Q"},
		{"quarter end", [][]int64{regular(t, "Q", "2020-03-31", 20, nil)}, "Q"},
		{"yearly", [][]int64{regular(t, "Y", "1990-01-01", 20, few)}, "Y"},
		{"year end", [][]int64{regular(t, "Y", "1990-12-31", 20, nil)}, "Y"},
		{"leap day", [][]int64{regular(t, "Y", "2000-02-29", 20, nil)}, "Y"},
		{"half-yearly", [][]int64{regular(t, "6M", "1990-01-01", 20, nil)}, "6M"},
		{"monthly with time of day", [][]int64{regular(t, "M", "2024-01-01 06:00", 20, nil)}, "M"},
		{"daily log", [][]int64{jitter}, "D"},
		{"hourly with a row off", [][]int64{dirty}, "H"},
		{"duplicates", [][]int64{{at(t, "2024-01-01"), at(t, "2024-01-01"), at(t, "2024-01-02"), at(t, "2024-01-02"), at(t, "2024-01-04")}}, "D"},
		{"empty series among others", [][]int64{{}, regular(t, "H", "2024-01-01", 100, nil), {}}, "H"},
	} {
		f, err := detect(timestamps(arrow.Microsecond), tc.series...)
		if err != nil || f.String() != tc.want {
			t.Errorf("%s: %v, %v; want %s", tc.name, f, err, tc.want)
		}
	}
}

func TestDetectIntegers(t *testing.T) {
	for _, tc := range []struct {
		series [][]int64
		want   string
	}{
		{[][]int64{{1, 2, 3}}, "1"},
		{[][]int64{{1990, 1992, 1994}, {1991, 1995}}, "2"},
		{[][]int64{{10, 25, 30}}, "5"},
		{[][]int64{{5}}, "1"},
		{[][]int64{{-9, 0}, {4}}, "9"},
		{[][]int64{{200005, 200012, 200013}}, "1"},
	} {
		f, err := detect(arrow.PrimitiveTypes.Int64, tc.series...)
		if err != nil || f.String() != tc.want {
			t.Errorf("%v: %v, %v; want %s", tc.series, f, err, tc.want)
		}
	}
	for _, series := range [][]int64{{202311, 202312, 202401}, {20231230, 20231231, 20240101}, {1.7e15, 1.7e15 + 86400e6}} {
		_, err := detect(arrow.PrimitiveTypes.Int64, series)
		var none *calendar.FrequencyError
		if !errors.As(err, &none) {
			t.Errorf("%v: %v, want a *FrequencyError", series, err)
		}
	}
}

func TestDetectRefuses(t *testing.T) {
	rng := rand.New(rand.NewPCG(9, 9))
	var invoices []int64
	for v := at(t, "2010-12-01 08:26"); len(invoices) < 2000; v += rng.Int64N(40) * calendar.MicrosPerMinute {
		invoices = append(invoices, v)
	}
	var clicks []int64
	for v := at(t, "2010-12-01 08:26"); len(clicks) < 500; v += rng.Int64N(100_000_000) + 1 {
		clicks = append(clicks, v)
	}
	for _, tc := range []struct {
		name       string
		times      []int64
		suggestion string
	}{
		{"invoices", invoices, "D"},
		{"clicks", clicks, "H"},
		{"one time", []int64{invoices[0], invoices[0]}, "D"},
	} {
		f, err := detect(timestamps(arrow.Microsecond), tc.times)
		var none *calendar.FrequencyError
		if !errors.As(err, &none) {
			t.Errorf("%s: %v, %v", tc.name, f, err)
			continue
		}
		if none.Suggestion != tc.suggestion || !strings.Contains(err.Error(), "set freq="+tc.suggestion) {
			t.Errorf("%s: %v, want suggestion %s", tc.name, err, tc.suggestion)
		}
		if tc.name == "invoices" && (len(none.Examples) != 3 || !strings.Contains(none.Examples[0], "2010-12-01 08:")) {
			t.Errorf("examples %q", none.Examples)
		}
	}
}

// The frequency of random gappy panels of each kind is found whatever the phase.
func TestDetectProperty(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 5))
	for _, text := range []string{"15min", "H", "D", "B", "W", "M", "Q", "Y"} {
		f := freq(t, text)
		for range 40 {
			start := at(t, "2001-01-01") + rng.Int64N(3000)*calendar.MicrosPerDay
			if f.Unit == calendar.BusinessDay {
				for !isWeekday(start) {
					start += calendar.MicrosPerDay
				}
			}
			g := calendar.NewGrid(f, start)
			var panel [][]int64
			for range 1 + rng.IntN(5) {
				var times []int64
				for k := range 60 {
					if rng.IntN(4) > 0 {
						times = append(times, g.Step(start, k))
					}
				}
				panel = append(panel, times)
			}
			got, err := detect(timestamps(arrow.Microsecond), panel...)
			if err != nil || got != f {
				t.Fatalf("%s from %s: %v, %v", text, show(start), got, err)
			}
		}
	}
}

func FuzzDetect(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8}, uint8(0))
	f.Add([]byte{7, 7, 7, 7, 0, 14}, uint8(3))
	units := []int64{1, calendar.MicrosPerSecond, calendar.MicrosPerMinute, calendar.MicrosPerHour, calendar.MicrosPerDay}
	f.Fuzz(func(t *testing.T, steps []byte, unit uint8) {
		v := int64(0)
		var times []int64
		for _, s := range steps {
			v += int64(s) * units[int(unit)%len(units)]
			times = append(times, v)
		}
		got, err := detect(timestamps(arrow.Microsecond), times)
		if err != nil {
			return
		}
		again, err := calendar.Parse(got.String())
		if err != nil || again != got || got.N < 1 {
			t.Fatalf("%v: detected %+v, which reads back as %+v, %v", times, got, again, err)
		}
		for _, g := range calendar.Align(got, times, []int{0, len(times)}) {
			for i := 1; i < len(times); i++ {
				if g.Index(times[i]) < g.Index(times[i-1]) {
					t.Fatalf("%v: periods of %v descend", times, got)
				}
			}
		}
	})
}
