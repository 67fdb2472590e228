package functions_test

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

func forecastOf(t *testing.T, function, options string, horizon int, rows []sale) []string {
	t.Helper()
	e, _ := testEnv(memory.DefaultAllocator, 1)
	got, _, err := call(t, e, function, sales(t, memory.DefaultAllocator, rows), "sold_on", "units", horizon, options)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// Few observations tell a level, but not how far it may be off.
func TestNoInterval(t *testing.T) {
	nearRows(t, forecastOf(t, "FORECAST", "history=1", 2, one(4, 8, 6)),
		"2023-01-03 | 0 | history | 6 | 6 | (null) | (null) | 0.95 | level | 3 observations: no interval",
		"2023-01-04 | 1 | forecast | (null) | 6 | (null) | (null) | 0.95 | level | 3 observations: no interval",
		"2023-01-05 | 2 | forecast | (null) | 6 | (null) | (null) | 0.95 | level | 3 observations: no interval",
	)
	nearRows(t, forecastOf(t, "FORECAST", "model=exact; freq=daily", 1, one(7)),
		"2023-01-02 | 1 | forecast | (null) | 7 | (null) | (null) | 0.95 | level | 1 observation: no interval",
	)
	nearRows(t, forecastOf(t, "FORECAST_QUANTILES", "q=0.1,0.5,0.9", 1, one(4, 8, 6)),
		"2023-01-04 | 1 | 0.1 | (null) | level | 3 observations: no interval",
		"2023-01-04 | 1 | 0.5 | 6 | level | 3 observations: no interval",
		"2023-01-04 | 1 | 0.9 | (null) | level | 3 observations: no interval",
	)
	if got := forecastOf(t, "FORECAST", "", 1, one(4, 8, 5, 7)); !strings.HasSuffix(got[0], " | 6 | 1.25 | 10.75 | 0.95 | level | ok") {
		t.Errorf("four observations: %s", got)
	}
}

// A method that needs a cycle before its first error may have as good as none.
func TestNoErrorsToJudge(t *testing.T) {
	nearRows(t, forecastOf(t, "FORECAST", "model=cycle; period=3; history=1", 1, one(4, 8, 5, 7, 6)),
		"2023-01-05 | 0 | history | 6 | 6 | (null) | (null) | 0.95 | level | 5 observations leave 2 errors to judge by: no interval",
		"2023-01-06 | 1 | forecast | (null) | 6 | (null) | (null) | 0.95 | level | 5 observations leave 2 errors to judge by: no interval",
	)
	nearRows(t, forecastOf(t, "FORECAST", "model=cycle; period=3", 1, one(4, 8, 5, 7, 6, 6)),
		"2023-01-07 | 1 | forecast | (null) | 6 | 1.25 | 10.75 | 0.95 | level | ok",
	)
	// A series that never moved, or that repeats exactly, has an interval without width.
	nearRows(t, forecastOf(t, "FORECAST", "model=exact", 1, one(6, 6, 6, 6)),
		"2023-01-05 | 1 | forecast | (null) | 6 | 6 | 6 | 0.95 | level | ok",
	)
}

// A mean may lie beyond a quantile; the interval is drawn out to hold it.
func TestIntervalHoldsForecast(t *testing.T) {
	nearRows(t, forecastOf(t, "FORECAST", "model=skewed", 1, one(4, 8, 5, 7)),
		"2023-01-05 | 1 | forecast | (null) | 106 | 1.25 | 106 | 0.95 | level | ok",
	)
	nearRows(t, forecastOf(t, "FORECAST_QUANTILES", "model=skewed; q=0.975", 1, one(4, 8, 5, 7)),
		"2023-01-05 | 1 | 0.975 | 10.75 | level | ok",
	)
}

// What is left out of a period that the rows cover in part is said.
func TestIncompletePeriods(t *testing.T) {
	var rows []sale
	for d := 31; d < 31+28+31+30+9; d++ { // February to 9 May
		rows = append(rows, sale{"a", "x", d, 1})
	}
	rows = append(rows, sale{"b", "x", 32, 5}, sale{"c", "x", 31 + 28 + 31 + 30 + 2, 5})
	got := forecastOf(t, "FORECAST", "freq=monthly; by=store", 1, rows)
	const left = "May 2023 covers 9 of 31 days and was left out"
	for i, want := range []string{
		"a | 2023-05-01 | 1 | forecast | (null) | 29.666666666666668 | (null) | (null) | 0.95 | level | " + left + "; 3 observations: no interval",
		"b | 2023-03-01 | 1 | forecast | (null) | (null) | (null) | (null) | 0.95 | (null) | series too short: 1 observations, 3 needed",
		"c | 2023-05-01 | 1 | forecast | (null) | (null) | (null) | (null) | 0.95 | (null) | no known value; " + left,
	} {
		if got[i] != want {
			t.Errorf("%s\nwant\n%s", got[i], want)
		}
	}
	got = forecastOf(t, "FORECAST", "freq=monthly; model=exact", 1, one(1, 2, 3, 4))
	if want := "January 2023 covers 4 of 31 days and counts as a whole, as there is no whole month; 1 observation: no interval"; !strings.HasSuffix(got[0], want) {
		t.Errorf("%s\nwant %s", got[0], want)
	}
}
