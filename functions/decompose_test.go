package functions_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/functions"
)

// cells splits rows into columns by name; NULL is NaN in numbers.
func cells(t *testing.T, rows []string, columns ...string) []map[string]float64 {
	t.Helper()
	var out []map[string]float64
	for _, row := range rows {
		values := strings.Split(row, " | ")
		if len(values) != len(columns) {
			t.Fatalf("row %q has not %d columns", row, len(columns))
		}
		m := make(map[string]float64)
		for i, c := range columns {
			m[c] = math.NaN()
			if v, err := strconv.ParseFloat(values[i], 64); err == nil {
				m[c] = v
			}
		}
		out = append(out, m)
	}
	return out
}

var decomposeColumns = []string{"sold_on", "actual", "trend", "seasonal", "seasonal_2", "remainder", "trend_strength", "seasonal_strength"}

// TestDecomposeAddsUp plants a trend and two seasons and holds every method to its identity.
func TestDecomposeAddsUp(t *testing.T) {
	var rows []sale
	for d := range 140 {
		y := 50 + 0.2*float64(d) + 8*math.Sin(2*math.Pi*float64(d)/7) + 5*math.Cos(2*math.Pi*float64(d)/28) + float64((d*7919)%13)/13
		rows = append(rows, sale{"a", "x", d, y})
	}
	rel := sales(t, memory.DefaultAllocator, rows)
	for _, options := range []string{"", "robust=yes", "period=7,28", "method=additive", "method=multiplicative", "method=stl; period=7", "method=smooth", "period=none"} {
		t.Run(options, func(t *testing.T) {
			e, w := testEnv(memory.DefaultAllocator, 2)
			got, schema, err := call(t, e, "DECOMPOSE", rel, "sold_on", "units", options)
			if err != nil || len(got) != len(rows) || len(w.list) != 0 {
				t.Fatalf("%v, %d rows, warnings %q", err, len(got), w.list)
			}
			equalNames(t, schema, decomposeColumns...)
			known := 0
			for i, row := range cells(t, got, decomposeColumns...) {
				if math.Abs(row["actual"]-rows[i].units) > 1e-12 {
					t.Fatalf("actual of row %d is %v", i, row["actual"])
				}
				if math.IsNaN(row["remainder"]) {
					continue
				}
				known++
				s1, s2 := row["seasonal"], row["seasonal_2"]
				sum := row["trend"] + row["remainder"]
				if !math.IsNaN(s1) {
					sum += s1
				}
				if !math.IsNaN(s2) {
					sum += s2
				}
				if options == "method=multiplicative" {
					sum = row["trend"] * s1 * row["remainder"]
				}
				if math.Abs(sum-row["actual"]) > 1e-9 {
					t.Fatalf("row %d: components give %v, actual is %v", i, sum, row["actual"])
				}
				if two := strings.Contains(options, "28"); two == math.IsNaN(s2) {
					t.Fatalf("row %d: seasonal_2 is %v", i, s2)
				}
				if none := strings.Contains(options, "none") || strings.Contains(options, "smooth"); none != math.IsNaN(s1) {
					t.Fatalf("row %d: seasonal is %v", i, s1)
				}
				if row["trend_strength"] < 0.5 || row["seasonal_strength"] < 0.5 {
					t.Fatalf("row %d: strengths %v and %v of a planted trend and season", i, row["trend_strength"], row["seasonal_strength"])
				}
			}
			if known < len(rows)-8 {
				t.Errorf("only %d rows have a remainder", known)
			}
		})
	}
}

func TestDecomposeMistakes(t *testing.T) {
	rel := sales(t, memory.DefaultAllocator, one(1, 2, 3, 4, 5))
	tests := []struct{ options, code, want string }{
		{"period=7,30,365", "FC0111", "two"},
		{"method=stl; period=7,30", "FC0116", "method=mstl"},
		{"method=additive; robust=yes", "FC0116", "STL"},
		{"method=additive; period=none", "FC0116", "seasonal period"},
		{"method=stll", "FC0111", "did you mean method=stl?"},
		{"period=7; on_error=fail", "FC0203", "5 observations; seasonal period 7 needs 15"},
		{"method=multiplicative; on_error=fail", "FC0203", "no seasonal period twice"},
		{"model=ets", "FC0110", "The options are"},
	}
	for _, test := range tests {
		e, _ := testEnv(memory.DefaultAllocator, 1)
		_, _, err := call(t, e, "DECOMPOSE", rel, "sold_on", "units", test.options)
		if err == nil {
			t.Errorf("%s: no error", test.options)
			continue
		}
		wantError(t, err, test.code)
		if !strings.Contains(err.Error(), test.want) && test.code != "FC0110" {
			t.Errorf("%s: %v lacks %q", test.options, err, test.want)
		}
	}
	e, w := testEnv(memory.DefaultAllocator, 1)
	rows, _, err := call(t, e, "DECOMPOSE", rel, "sold_on", "units", "period=7")
	if err != nil || len(rows) != 5 || rows[0] != "2023-01-01 | 1"+strings.Repeat(" | (null)", 6) {
		t.Errorf("%v %q", err, rows)
	}
	if len(w.list) != 1 || !strings.Contains(w.list[0], "seasonal period 7 needs 15") {
		t.Errorf("warnings %q", w.list)
	}
}

func TestTooManyRows(t *testing.T) {
	var q []string
	for i := range 99 {
		q = append(q, fmt.Sprintf("0.%02d", i+1))
	}
	e, _ := testEnv(memory.DefaultAllocator, 1)
	_, err := functions.Bind(spec("FORECAST_QUANTILES"), &relation{name: "table sales", schema: salesSchema}, []functions.Value{"sold_on", "units", 100_000, "q=" + strings.Join(q, ",")}, e)
	wantError(t, err, "FC0208", "9900000 rows")
}
