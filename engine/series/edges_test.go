package series_test

import (
	"errors"
	"math"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/engine/calendar"
	"github.com/almanacdb/almanac/engine/series"
)

// every makes one row for each time from first to last that keep allows.
func every(t *testing.T, first, last string, step func(time.Time) time.Time, keep func(time.Time) bool) [][]any {
	t.Helper()
	at := func(s string) time.Time {
		v, err := time.Parse(time.DateTime, (s + " 00:00:00")[:max(19, len(s))])
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	var rows [][]any
	for d, end := at(first), at(last); !d.After(end); d = step(d) {
		if keep(d) {
			rows = append(rows, []any{d.Format(time.DateTime), 1})
		}
	}
	return rows
}

func days(n int) func(time.Time) time.Time {
	return func(d time.Time) time.Time { return d.AddDate(0, 0, n) }
}

func months(n int) func(time.Time) time.Time {
	return func(d time.Time) time.Time { return d.AddDate(0, n, 0) }
}

func monthEnds(d time.Time) time.Time {
	return time.Date(d.Year(), d.Month()+2, 0, 0, 0, 0, 0, time.UTC)
}

func hours(d time.Time) time.Time { return d.Add(time.Hour) }

func always(time.Time) bool { return true }

func workday(d time.Time) bool { return d.Weekday() != time.Saturday && d.Weekday() != time.Sunday }

func shopHours(d time.Time) bool { return d.Hour() >= 9 && d.Hour() <= 18 }

func oftenHoliday(d time.Time) bool {
	return workday(d) && !(d.Month() == time.December && d.Day() > 23)
}

// Periods that the rows cover in part are left out; a weekend, a holiday or the spacing of the rows at the edge is no gap.
func TestEdges(t *testing.T) {
	for _, tc := range []struct {
		name, freq  string
		first, last string
		step        func(time.Time) time.Time
		keep        func(time.Time) bool
		edges       []string
	}{
		{"days to the 9th", "M", "2011-10-01", "2011-12-09", days(1), always, []string{"December 2011 covers 9 of 31 days"}},
		{"days from the 20th", "M", "2011-09-20", "2011-11-30", days(1), always, []string{"September 2011 covers 11 of 30 days"}},
		{"whole months", "M", "2011-10-01", "2011-11-30", days(1), always, nil},
		{"a day short", "M", "2011-10-02", "2011-12-30", days(1), always, []string{"October 2011 covers 30 of 31 days", "December 2011 covers 30 of 31 days"}},
		{"business days to the last", "M", "2021-02-01", "2021-07-30", days(1), workday, nil}, // 31 July is a Saturday
		{"business days to the last but one", "M", "2021-02-01", "2021-07-29", days(1), workday, []string{"July 2021 covers 29 of 31 days"}},
		{"business days from New Year's", "M", "2018-01-02", "2018-04-30", days(1), workday, nil},
		{"closed on Sundays", "M", "2021-03-01", "2022-07-30", days(1), func(d time.Time) bool { return d.Weekday() != time.Sunday }, nil},
		{"closed after 23 December", "M", "2009-01-01", "2010-12-23", days(1), oftenHoliday, nil},
		{"the same within December", "M", "2009-01-01", "2010-12-15", days(1), oftenHoliday, []string{"December 2010 covers 15 of 31 days"}},
		{"weeks to the last of the month", "M", "2021-02-01", "2021-06-28", days(7), always, nil},
		{"weeks to the middle", "M", "2021-02-01", "2021-06-14", days(7), always, []string{"June 2021 covers 20 of 30 days"}},
		{"half a year of months", "Y", "2013-01-01", "2017-06-01", months(1), always, []string{"2017 covers 6 of 12 months"}},
		{"months from March", "Y", "2013-03-01", "2016-12-01", months(1), always, []string{"2013 covers 10 of 12 months"}},
		{"whole years of months' ends", "Y", "2013-01-31", "2016-12-31", monthEnds, always, nil},
		{"months' ends to November", "Y", "2013-01-31", "2016-11-30", monthEnds, always, []string{"2016 covers 11 of 12 months"}},
		{"quarters of months' ends", "Q", "2013-01-31", "2016-05-31", monthEnds, always, []string{"quarter 2 of 2016 covers 2 of 3 months"}},
		{"quarters in years", "Y", "2013-01-01", "2016-10-01", months(3), always, nil},
		{"quarters short of a year", "Y", "2013-01-01", "2016-07-01", months(3), always, []string{"2016 covers 9 of 12 months"}},
		{"days to a Wednesday", "W", "2021-03-01", "2021-05-12", days(1), always, []string{"the week from 2021-05-10 covers 3 of 7 days"}},
		{"days to a Sunday", "W", "2021-03-01", "2021-05-16", days(1), always, nil},
		{"business days to a Friday", "W", "2021-03-01", "2021-05-14", days(1), workday, nil},
		{"a row in ten days is no end", "M", "2021-03-01", "2021-05-30", days(10), always, nil},
		{"hours to noon", "D", "2021-03-01", "2021-03-10 12:00:00", hours, always, []string{"2021-03-10 has rows up to 12:00:00 only"}},
		{"hours from six", "D", "2021-03-01 06:00:00", "2021-03-10 23:00:00", hours, always, []string{"2021-03-01 has rows from 06:00:00 only"}},
		{"whole days of hours", "D", "2021-03-01", "2021-03-10 23:00:00", hours, always, nil},
		{"shop hours", "D", "2021-03-01", "2021-03-10 18:00:00", hours, shopHours, nil},
		{"shop hours to one", "D", "2021-03-01", "2021-03-10 13:00:00", hours, shopHours, []string{"2021-03-10 has rows up to 13:00:00 only"}},
		{"a Friday of shop hours", "B", "2021-03-01", "2021-03-12 18:00:00", hours, func(d time.Time) bool { return workday(d) && shopHours(d) }, nil},
		{"a Friday noon", "B", "2021-03-01", "2021-03-12 12:00:00", hours, func(d time.Time) bool { return workday(d) && shopHours(d) }, []string{"2021-03-12 has rows up to 12:00:00 only"}},
		{"rows as fine as the frequency", "M", "2021-03-15", "2021-12-15", months(1), always, nil},
		{"quarter hours", "H", "2021-03-01", "2021-03-01 09:30:00", func(d time.Time) time.Time { return d.Add(15 * time.Minute) }, always, []string{"the period from 2021-03-01 09:00:00 has rows up to 09:30:00 only"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			fields := []arrow.Field{field("ts", stamp), field("y", float)}
			rows := every(t, tc.first, tc.last, tc.step, tc.keep)
			p := mustPanel(t, fields, series.Options{Time: "ts", Value: "y", Freq: freq(t, tc.freq)}, rows...)
			var got []string
			for _, e := range p.Edges() {
				if !e.LeftOut {
					t.Errorf("%s is not left out", e)
				}
				got = append(got, e.String())
			}
			if len(got) != len(tc.edges) {
				t.Fatalf("edges %q, want %q", got, tc.edges)
			}
			for i := range got {
				if got[i] != tc.edges[i] {
					t.Errorf("edges %q, want %q", got, tc.edges)
				}
			}
			// What is left adds up to the rows, less those of the edges.
			sum, r := 0.0, p.Report(0)
			for _, v := range p.Series(0).Y {
				sum += v
			}
			if r.Rows+r.Before+r.After != len(rows) || int(sum) != r.Rows {
				t.Errorf("%v of %d rows: %+v", sum, len(rows), r)
			}
		})
	}
}

// An incomplete period is judged by the panel, and each series keeps what is known about it.
func TestEdgesOfSeries(t *testing.T) {
	at := func(key string, dates ...string) (rows [][]any) {
		for _, d := range dates {
			rows = append(rows, []any{key, d, 2})
		}
		return rows
	}
	rows := [][]any{}
	for _, r := range every(t, "2011-09-10", "2011-12-09", days(1), always) {
		rows = append(rows, []any{"all", r[0].(string)[:10], 1})
	}
	rows = append(rows, at("ended", "2011-10-05", "2011-10-06")...)
	rows = append(rows, at("lives", "2011-10-05", "2011-12-02")...)
	rows = append(rows, at("new", "2011-12-03")...)
	rows = append(rows, at("old", "2011-09-12", "2011-11-12")...)
	p := mustPanel(t, sales, series.Options{Time: "ds", Value: "y", Keys: []string{"sku"}, Freq: freq(t, "M")}, rows...)
	if e := p.Edges(); len(e) != 2 || e[0].Last || !e[1].Last || e[1].Time != micros(t, "2011-12-01") || e[0].String() != "September 2011 covers 21 of 30 days" {
		t.Fatalf("%v", e)
	}
	for i, want := range []struct {
		start string
		y     []float64
		r     series.Report
	}{
		{"2011-10-01", []float64{31, 30}, series.Report{Rows: 61, Duplicates: 59, Before: 21, After: 9}},
		{"2011-10-01", []float64{4}, series.Report{Rows: 2, Duplicates: 1}},
		{"2011-10-01", []float64{2, 0}, series.Report{Rows: 1, Zeros: 1, After: 1}}, // November had no sale, December had one
		{"2011-12-01", []float64{}, series.Report{After: 1}},
		{"2011-10-01", []float64{0, 2}, series.Report{Rows: 1, Zeros: 1, Before: 1}},
	} {
		s := p.Series(i)
		if !same(s.Y, want.y) || s.Start != micros(t, want.start) || p.Report(i) != want.r {
			t.Errorf("%s: %v from %s, %+v; want %v from %s, %+v", p.KeyString(i), s.Y, p.Axis().Format(s.Start), p.Report(i), want.y, want.start, want.r)
		}
	}
}

func TestEdgesAreKept(t *testing.T) {
	fields := []arrow.Field{field("ts", stamp), field("y", float)}
	monthly := series.Options{Time: "ts", Value: "y", Freq: calendar.Frequency{Unit: calendar.Month, N: 1}}

	// Without a complete period, what is there counts.
	p := mustPanel(t, fields, monthly, every(t, "2011-11-10", "2011-12-09", days(1), always)...)
	if e := p.Edges(); len(e) != 2 || e[0].LeftOut || e[1].LeftOut || !same(p.Series(0).Y, []float64{21, 9}) {
		t.Errorf("%v %v", e, p.Series(0).Y)
	}
	p = mustPanel(t, fields, monthly, every(t, "2011-12-03", "2011-12-09", days(1), always)...)
	if e := p.Edges(); len(e) != 1 || e[0].LeftOut || e[0].String() != "December 2011 covers 7 of 31 days" || !same(p.Series(0).Y, []float64{7}) {
		t.Errorf("%v %v", e, p.Series(0).Y)
	}

	// The cutoff is the end of what is known where rows follow it.
	closed := func(d time.Time) bool { return d.Day() < 28 || d.Month() != time.November }
	cutoff := micros(t, "2011-11-30")
	monthly.Cutoff = &cutoff
	p = mustPanel(t, fields, monthly, every(t, "2011-10-01", "2011-12-09", days(1), closed)...)
	if e := p.Edges(); len(e) != 0 || !same(p.Series(0).Y, []float64{31, 27}) {
		t.Errorf("%v %v", e, p.Series(0).Y)
	}
	cutoff = micros(t, "2011-11-20")
	p = mustPanel(t, fields, monthly, every(t, "2011-10-01", "2011-12-09", days(1), closed)...)
	if e := p.Edges(); len(e) != 1 || e[0].String() != "November 2011 covers 20 of 30 days" || !same(p.Series(0).Y, []float64{31}) {
		t.Errorf("%v %v", e, p.Series(0).Y)
	}
	monthly.Cutoff = nil

	// Rows prepared for the future cover nothing.
	rows := every(t, "2011-10-01", "2011-12-31", days(1), always)
	for i := len(rows) - 22; i < len(rows); i++ {
		rows[i][1] = nil
	}
	p = mustPanel(t, fields, monthly, rows...)
	if e := p.Edges(); len(e) != 1 || e[0].String() != "December 2011 covers 9 of 31 days" || !same(p.Series(0).Y, []float64{31, 30}) {
		t.Errorf("%v %v", e, p.Series(0).Y)
	}

	// Whole numbers.
	numbers := series.Options{Time: "n", Value: "y", Freq: calendar.Frequency{Unit: calendar.Integer, N: 12}}
	rows = rows[:0]
	for n := range 40 {
		rows = append(rows, []any{n, math.Sqrt(float64(n))})
	}
	p = mustPanel(t, []arrow.Field{field("n", integer), field("y", float)}, numbers, rows...)
	if e := p.Edges(); len(e) != 1 || e[0].String() != "the period from 36 has rows up to 39 only" || len(p.Series(0).Y) != 3 {
		t.Errorf("%v %v", e, p.Series(0).Y)
	}
}

// missing=error also minds NULL values at the end.
func TestForbiddenAtTheEnd(t *testing.T) {
	opts := bySKU()
	opts.Missing = series.MissingForbid
	_, err := panel(t, sales, opts, []any{"a", "2024-01-01", 1}, []any{"a", "2024-01-02", 2}, []any{"a", "2024-01-03", nil})
	wantMissing(t, err, series.MissingError{Key: "sku=a", Time: "2024-01-03", Null: true})
	_, err = panel(t, sales, opts, []any{"a", "2024-01-01", nil})
	wantMissing(t, err, series.MissingError{Key: "sku=a", Time: "2024-01-01", Null: true})
}

func wantMissing(t *testing.T, err error, want series.MissingError) {
	t.Helper()
	var got *series.MissingError
	if !errors.As(err, &got) || *got != want {
		t.Errorf("%v, want %v", err, &want)
	}
}
