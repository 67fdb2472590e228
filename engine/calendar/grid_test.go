package calendar_test

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/almanacdb/almanac/engine/calendar"
)

func at(t *testing.T, text string) int64 {
	t.Helper()
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		if v, err := time.Parse(layout, text); err == nil {
			return v.UnixMicro()
		}
	}
	t.Fatalf("time %q", text)
	return 0
}

func freq(t *testing.T, text string) calendar.Frequency {
	t.Helper()
	f, err := calendar.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func show(v int64) string { return time.UnixMicro(v).UTC().Format("2006-01-02 15:04:05") }

func TestStep(t *testing.T) {
	for _, tc := range []struct {
		freq, from string
		n          int
		want       string
	}{
		{"D", "2024-02-28", 1, "2024-02-29"},
		{"D", "2024-02-28", 2, "2024-03-01"},
		{"D", "1969-12-31", 1, "1970-01-01"},
		{"W", "2024-01-03", 52, "2025-01-01"},
		{"2W", "2024-01-03", -1, "2023-12-20"},
		{"H", "2024-03-31 01:30", 2, "2024-03-31 03:30"},
		{"15min", "2024-12-31 23:45", 1, "2025-01-01"},
		{"B", "2024-03-01", 1, "2024-03-04"},
		{"B", "2024-03-01", -5, "2024-02-23"},
		{"B", "2024-03-04 09:00", 4, "2024-03-08 09:00"},
		{"B", "2024-03-04 09:00", 5, "2024-03-11 09:00"},
		{"M", "2024-01-31", 1, "2024-02-29"},
		{"M", "2024-01-31", 2, "2024-03-31"},
		{"M", "2023-01-30", 1, "2023-02-28"},
		{"M", "2023-01-30", 2, "2023-03-30"},
		{"M", "2024-01-15 12:00", 13, "2025-02-15 12:00"},
		{"Q", "2023-11-30", 1, "2024-02-29"},
		{"Q", "2024-01-01", -1, "2023-10-01"},
		{"Y", "2024-02-29", 1, "2025-02-28"},
		{"Y", "2024-02-29", 4, "2028-02-29"},
		{"Y", "1969-07-01", 100, "2069-07-01"},
	} {
		from := at(t, tc.from)
		g := calendar.NewGrid(freq(t, tc.freq), from)
		if got := g.Step(from, tc.n); got != at(t, tc.want) {
			t.Errorf("%s: %s %+d = %s, want %s", tc.freq, tc.from, tc.n, show(got), tc.want)
		}
		if d, ok := g.Distance(from, at(t, tc.want)); !ok || d != tc.n {
			t.Errorf("%s: from %s to %s are %d steps, want %d", tc.freq, tc.from, tc.want, d, tc.n)
		}
	}
}

// Every grid numbers its periods without holes, ascending, and each time falls in the period that begins at or before it.
func TestGridProperties(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 1))
	for _, text := range []string{"s", "90s", "min", "15min", "H", "5H", "D", "3D", "B", "W", "2W", "M", "2M", "Q", "Y", "24M"} {
		f := freq(t, text)
		for range 300 {
			anchor := rng.Int64N(200*365*calendar.MicrosPerDay) - 100*365*calendar.MicrosPerDay
			if f.Unit == calendar.BusinessDay && !isWeekday(anchor) {
				continue
			}
			g := calendar.NewGrid(f, anchor)
			if f.Unit == calendar.Month && time.UnixMicro(anchor).UTC().Day() > 28 {
				// cut days are covered by TestStep
				continue
			}
			if !g.Contains(anchor) {
				t.Fatalf("%s: the anchor %s is not on its grid", text, show(anchor))
			}
			v := anchor + rng.Int64N(4000*calendar.MicrosPerDay) - 2000*calendar.MicrosPerDay
			k := g.Index(v)
			if start, next := g.Time(k), g.Time(k+1); v < start || v >= next {
				t.Fatalf("%s from %s: %s is in period %d, which runs from %s to %s", text, show(anchor), show(v), k, show(start), show(next))
			}
			if g.Index(g.Time(k)) != k || g.Index(g.Time(k)-1) != k-1 {
				t.Fatalf("%s from %s: Index and Time disagree at period %d", text, show(anchor), k)
			}
		}
	}
}

func isWeekday(v int64) bool {
	d := time.UnixMicro(v).UTC().Weekday()
	return d != time.Saturday && d != time.Sunday
}

func TestGridSaturates(t *testing.T) {
	for _, text := range []string{"s", "D", "B", "W", "M", "Y", "1000000M"} {
		g := calendar.NewGrid(freq(t, text), 0)
		if g.Time(math.MaxInt64) != math.MaxInt64 || g.Time(math.MinInt64) != math.MinInt64 {
			t.Errorf("%s: %d %d", text, g.Time(math.MaxInt64), g.Time(math.MinInt64))
		}
	}
	g := calendar.NewGrid(calendar.Frequency{Unit: calendar.Integer, N: 10}, 7)
	for _, v := range []int64{math.MinInt64, math.MinInt64 + 1, -1, 0, math.MaxInt64} {
		if k := g.Index(v); k != int64(math.Floor(float64(v)/10-0.7)) && v > -1000 && v < 1000 {
			t.Errorf("Index(%d) = %d", v, k)
		}
	}
	if d, ok := g.Distance(math.MinInt64, math.MaxInt64); !ok || d != math.MaxInt64/5 && d != math.MaxInt64/5+1 {
		t.Error(d, ok)
	}
	one := calendar.NewGrid(calendar.Frequency{Unit: calendar.Integer, N: 1}, 0)
	if _, ok := one.Distance(math.MinInt64, math.MaxInt64); ok {
		t.Error("a distance that does not fit is reported as one that does")
	}
}

func TestAlign(t *testing.T) {
	for _, tc := range []struct {
		name, freq string
		series     [][]string
		want       []string // the time of the period of each series' first row
	}{
		{"month ends in short months", "M", [][]string{{"2023-02-28"}, {"2023-04-30", "2023-05-31"}}, []string{"2023-02-28", "2023-04-30"}},
		{"the 30th", "M", [][]string{{"2023-02-28", "2023-03-30", "2023-04-30"}}, []string{"2023-02-28"}},
		{"days of their own", "M", [][]string{{"2023-02-10", "2023-03-10", "2023-04-10"}, {"2023-02-20", "2023-03-20"}}, []string{"2023-02-10", "2023-02-20"}},
		{"quarters of their own", "Q", [][]string{{"2023-02-01", "2023-05-01", "2023-08-01"}, {"2023-01-01", "2023-04-01"}}, []string{"2023-02-01", "2023-01-01"}},
		{"days into months", "M", [][]string{{"2023-02-10", "2023-02-11", "2023-03-10", "2023-03-12"}}, []string{"2023-02-01"}},
		{"days into weeks", "W", [][]string{{"2024-01-03", "2024-01-04", "2024-01-09"}}, []string{"2024-01-01"}},
		{"a Sunday week with one row off", "W", [][]string{{"2024-01-07", "2024-01-14", "2024-01-21", "2024-01-29"}}, []string{"2024-01-07"}},
		{"weeks with weekdays of their own", "W", [][]string{{"2024-01-07", "2024-01-14"}, {"2024-01-10", "2024-01-17"}}, []string{"2024-01-07", "2024-01-10"}},
		{"single rows share a week", "W", [][]string{{"2024-01-03"}, {"2024-01-04"}, {"2024-01-12"}}, []string{"2024-01-01", "2024-01-01", "2024-01-08"}},
		{"invoices into days", "D", [][]string{{"2024-01-03 08:13", "2024-01-03 09:59", "2024-01-04 00:01"}}, []string{"2024-01-03"}},
		{"days at eight", "D", [][]string{{"2024-01-03 08:00", "2024-01-05 08:00"}}, []string{"2024-01-03 08:00"}},
		{"Saturday belongs to Friday", "B", [][]string{{"2024-03-02", "2024-03-04"}}, []string{"2024-03-01"}},
		{"month ends of quarters", "Q", [][]string{{"2023-11-30", "2024-02-29"}}, []string{"2023-11-30"}},
		{"no rows", "D", [][]string{{}}, nil},
	} {
		var times []int64
		offsets := []int{0}
		for _, s := range tc.series {
			for _, text := range s {
				times = append(times, at(t, text))
			}
			offsets = append(offsets, len(times))
		}
		grids := calendar.Align(freq(t, tc.freq), times, offsets)
		if len(grids) != 1 && len(grids) != len(tc.series) {
			t.Fatalf("%s: %d grids", tc.name, len(grids))
		}
		for s, want := range tc.want {
			g := grids[0]
			if len(grids) > 1 {
				g = grids[s]
			}
			if got := g.Time(g.Index(times[offsets[s]])); got != at(t, want) {
				t.Errorf("%s, series %d: %s, want %s", tc.name, s, show(got), want)
			}
		}
	}
}

// A month's end found in February leads to the 31st.
func TestAlignMonthEndSteps(t *testing.T) {
	times := []int64{at(t, "2023-02-28"), at(t, "2023-03-31")}
	g := calendar.Align(freq(t, "M"), times, []int{0, 2})[0]
	for n, want := range []string{"2023-02-28", "2023-03-31", "2023-04-30", "2023-05-31"} {
		if got := g.Step(times[0], n); got != at(t, want) {
			t.Errorf("step %d: %s, want %s", n, show(got), want)
		}
	}
}
