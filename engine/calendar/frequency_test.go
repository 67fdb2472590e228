package calendar_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/almanacdb/almanac/engine/calendar"
)

func TestParse(t *testing.T) {
	for _, tc := range []struct {
		text   string
		want   calendar.Frequency
		string string
	}{
		{"", calendar.Frequency{}, "auto"},
		{" Auto ", calendar.Frequency{}, "auto"},
		{"H", calendar.Frequency{Unit: calendar.Hour, N: 1}, "H"},
		{"hourly", calendar.Frequency{Unit: calendar.Hour, N: 1}, "H"},
		{"D", calendar.Frequency{Unit: calendar.Day, N: 1}, "D"},
		{"Daily", calendar.Frequency{Unit: calendar.Day, N: 1}, "D"},
		{"B", calendar.Frequency{Unit: calendar.BusinessDay, N: 1}, "B"},
		{"business days", calendar.Frequency{Unit: calendar.BusinessDay, N: 1}, "B"},
		{"weekly", calendar.Frequency{Unit: calendar.Week, N: 1}, "W"},
		{"7D", calendar.Frequency{Unit: calendar.Week, N: 1}, "W"},
		{"2 weeks", calendar.Frequency{Unit: calendar.Week, N: 2}, "2W"},
		{"m", calendar.Frequency{Unit: calendar.Month, N: 1}, "M"},
		{"MS", calendar.Frequency{Unit: calendar.Month, N: 1}, "M"},
		{"6M", calendar.Frequency{Unit: calendar.Month, N: 6}, "6M"},
		{"Q", calendar.Frequency{Unit: calendar.Month, N: 3}, "Q"},
		{"3M", calendar.Frequency{Unit: calendar.Month, N: 3}, "Q"},
		{"yearly", calendar.Frequency{Unit: calendar.Month, N: 12}, "Y"},
		{"2Y", calendar.Frequency{Unit: calendar.Month, N: 24}, "24M"},
		{"15min", calendar.Frequency{Unit: calendar.Minute, N: 15}, "15min"},
		{"15T", calendar.Frequency{Unit: calendar.Minute, N: 15}, "15min"},
		{"60min", calendar.Frequency{Unit: calendar.Hour, N: 1}, "H"},
		{"86400s", calendar.Frequency{Unit: calendar.Day, N: 1}, "D"},
		{"90s", calendar.Frequency{Unit: calendar.Second, N: 90}, "90s"},
		{"1", calendar.Frequency{Unit: calendar.Integer, N: 1}, "1"},
		{"10", calendar.Frequency{Unit: calendar.Integer, N: 10}, "10"},
	} {
		got, err := calendar.Parse(tc.text)
		if err != nil || got != tc.want {
			t.Errorf("Parse(%q) = %v, %v; want %v", tc.text, got, err, tc.want)
		}
		if got.String() != tc.string {
			t.Errorf("Parse(%q).String() = %q, want %q", tc.text, got, tc.string)
		}
	}
}

func TestParseSuggests(t *testing.T) {
	for text, want := range map[string]string{
		"dayly": "daily", "montly": "monthly", "quaterly": "quarterly", "weekley": "weekly", "anual": "annual",
		"15mins": "15min", "5m": "5min or 5M", "2B": "B", "hourley": "hourly", "bussiness": "business",
	} {
		_, err := calendar.Parse(text)
		var bad *calendar.SyntaxError
		if !errors.As(err, &bad) || bad.Suggestion != want {
			t.Errorf("Parse(%q) = %v; want the suggestion %q", text, err, want)
			continue
		}
		if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), text) {
			t.Errorf("message %q names neither %q nor %q", err, text, want)
		}
	}
	for _, text := range []string{"0D", "99999999999999999999D", "2000000H", "-1D", "1.5H"} {
		if f, err := calendar.Parse(text); err == nil {
			t.Errorf("Parse(%q) = %v, want an error", text, f)
		}
	}
}

func TestSeasonalPeriods(t *testing.T) {
	for text, want := range map[string][]int{
		"H": {24, 168}, "D": {7}, "B": {5}, "W": {52}, "M": {12}, "Q": {4}, "Y": nil, "15min": {96, 672}, "30min": {48, 336},
		"2H": {12, 84}, "12H": {2, 14}, "min": {1440, 10080}, "s": {3600, 86400}, "2W": {26}, "4W": {13}, "3W": nil, "2D": nil, "6M": {2}, "2M": {6}, "5M": nil,
		"24M": nil, "1": nil, "7min": {1440} /* the week; the day does not divide */, "auto": nil,
	} {
		f, err := calendar.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := f.SeasonalPeriods(); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	for text, want := range map[string]string{
		"H": "hourly", "D": "daily", "B": "every business day", "W": "weekly", "M": "monthly", "Q": "quarterly", "Y": "yearly",
		"15min": "every 15 minutes", "2W": "every 2 weeks", "24M": "every 2 years", "6M": "every 6 months", "10": "every 10", "auto": "auto",
	} {
		f, err := calendar.Parse(text)
		if err != nil || f.Words() != want {
			t.Errorf("%s: %q, %v; want %q", text, f.Words(), err, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "auto", "15min", "2W", "quarterly", "5m", "0D", "1", "Ünits", "1000000Y", "3 months"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		freq, err := calendar.Parse(text)
		if err != nil {
			var bad *calendar.SyntaxError
			if !errors.As(err, &bad) || bad.Text != text {
				t.Fatalf("Parse(%q): %v", text, err)
			}
			return
		}
		again, err := calendar.Parse(freq.String())
		if err != nil || again != freq {
			t.Fatalf("Parse(%q) = %v, but Parse(%q) = %v, %v", text, freq, freq, again, err)
		}
		if freq.Words() == "" {
			t.Fatal("no words")
		}
		for _, m := range freq.SeasonalPeriods() {
			if m < 2 {
				t.Fatalf("%v has seasonal period %d", freq, m)
			}
		}
	})
}
