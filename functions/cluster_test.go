package functions_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/functions"
)

// planted gives 12 rising, 8 falling and 4 waving series of 200 days, with a little noise each.
func planted() []sale {
	var rows []sale
	for s := range 24 {
		kind := "rise"
		switch {
		case s >= 20:
			kind = "wave"
		case s >= 12:
			kind = "fall"
		}
		for d := range 200 {
			x := float64(d) / 200
			y := 100 * x
			switch kind {
			case "fall":
				y = -y
			case "wave":
				y = 60 * math.Sin(4*math.Pi*x)
			}
			y = float64(1+s)*(200+y) + float64((d*7919+s*104729)%17)
			rows = append(rows, sale{kind, fmt.Sprintf("s%02d", s), d, y})
		}
	}
	return rows
}

func TestClusterTrendsFindsWhatWasPlanted(t *testing.T) {
	rel := sales(t, memory.DefaultAllocator, planted())
	for _, call3 := range []struct {
		k       functions.Value
		options string
	}{{3, ""}, {"auto", ""}, {3, "distance=correlation"}, {3, "distance=dtw; band=0.05"}, {3, "algorithm=kmedoids; seed=7"}, {3, "align=stretch"}} {
		t.Run(fmt.Sprint(call3.k, call3.options), func(t *testing.T) {
			e, w := testEnv(memory.DefaultAllocator, 2)
			rows, schema, err := call(t, e, "CLUSTER_TRENDS", rel, "sold_on", "units", call3.k, "by=store,sku; "+call3.options)
			if err != nil || len(w.list) != 0 || len(rows) != 24 {
				t.Fatalf("%v, %d rows, warnings %q", err, len(rows), w.list)
			}
			equalNames(t, schema, "store", "sku", "cluster", "distance", "silhouette", "is_medoid", "size", "trend", "status")
			number := map[string]string{"rise": "1", "fall": "2", "wave": "3"}
			size := map[string]string{"rise": "12", "fall": "8", "wave": "4"}
			medoids := 0
			for _, row := range rows {
				c := strings.Split(row, " | ")
				if c[2] != number[c[0]] || c[6] != size[c[0]] || c[8] != "ok" {
					t.Errorf("row %s", row)
				}
				if c[0] == "rise" && c[7] != "rising" || c[0] == "fall" && c[7] != "falling" {
					t.Errorf("word of row %s", row)
				}
				if c[5] == "1" {
					medoids++
				}
			}
			if medoids != 3 {
				t.Errorf("%d medoids", medoids)
			}
		})
	}
}

func TestClusterProfiles(t *testing.T) {
	rel := sales(t, memory.DefaultAllocator, planted())
	e, _ := testEnv(memory.DefaultAllocator, 2)
	rows, schema, err := call(t, e, "CLUSTER_PROFILES", rel, "sold_on", "units", 3, "by=store,sku")
	if err != nil {
		t.Fatal(err)
	}
	equalNames(t, schema, "cluster", "position", "value", "size")
	table := cells(t, rows, "cluster", "position", "value", "size")
	last := map[float64]map[string]float64{}
	for _, row := range table {
		if before, seen := last[row["cluster"]]; seen && row["position"] != before["position"]+1 {
			t.Fatalf("positions jump from %v to %v", before["position"], row["position"])
		}
		if row["cluster"] == 1 && row["position"] == 1 && row["value"] > -1 {
			t.Errorf("the rising curve begins at %v standard deviations", row["value"])
		}
		last[row["cluster"]] = row
	}
	if len(last) != 3 || last[1]["value"] < 1 || last[2]["value"] > -1 || last[1]["size"] != 12 {
		t.Errorf("the curves end with %v", last)
	}
}

func TestClusterMistakes(t *testing.T) {
	rel := sales(t, memory.DefaultAllocator, planted())
	tests := []struct {
		k       functions.Value
		options string
		code    string
		want    string
	}{
		{0, "by=sku", "FC0107", "k is 0"},
		{"many", "by=sku", "FC0102", "'auto'"},
		{5000, "by=sku", "FC0107", "at most 1000"},
		{25, "by=sku", "FC0210", "set k to 24 or less"},
		{3, "", "FC0210", "by"},
		{3, "by=sku; distance=dtw; algorithm=kmeans", "FC0116", "kmedoids"},
		{3, "by=sku; band=0.2", "FC0116", "distance=dtw"},
		{3, "by=sku; max_k=5", "FC0116", "'auto'"},
		{3, "by=sku; band=2; distance=dtw", "FC0111", "fraction"},
		{3, "by=sku; distance=euklidian", "FC0111", "did you mean distance=euclidean?"},
	}
	for _, test := range tests {
		e, _ := testEnv(memory.DefaultAllocator, 1)
		_, _, err := call(t, e, "CLUSTER_TRENDS", rel, "sold_on", "units", test.k, test.options)
		if err == nil {
			t.Errorf("%v %s: no error", test.k, test.options)
			continue
		}
		wantError(t, err, test.code, test.want)
	}
}

func TestClusterSeriesThatDoNotFit(t *testing.T) {
	rows := planted()
	for d := range 20 {
		rows = append(rows, sale{"young", "s98", 180 + d, float64(d)})
	}
	for d := range 150 {
		rows = append(rows, sale{"late", "s99", 50 + d, float64(500 + 7*d)})
	}
	rel := sales(t, memory.DefaultAllocator, rows)
	e, w := testEnv(memory.DefaultAllocator, 2)
	got, _, err := call(t, e, "CLUSTER_TRENDS", rel, "sold_on", "units", 3, "by=sku")
	if err != nil || len(got) != 26 {
		t.Fatalf("%v, %d rows", err, len(got))
	}
	if !strings.HasPrefix(got[24], "s98 | (null) | (null) | (null) | (null) | (null) | (null) | too short to compare: covers 10 % of the window, 2 points of the curve") {
		t.Errorf("the young series: %s", got[24])
	}
	if !strings.HasPrefix(got[25], "s99 | 1 |") || !strings.Contains(got[25], "covers 77 % of the window; put into the cluster nearest to that part") {
		t.Errorf("the late series: %s", got[25])
	}
	if len(w.list) != 1 || !strings.Contains(w.list[0], "1 of 26 series could not be done; the first: sku=s98") {
		t.Errorf("warnings %q", w.list)
	}
	_, _, err = call(t, e, "CLUSTER_TRENDS", rel, "sold_on", "units", 3, "by=sku; on_error=fail")
	wantError(t, err, "FC0203", "sku=s98")
}

func TestClusterCancel(t *testing.T) {
	var rows []sale
	for s := range 1500 {
		for d := range 60 {
			rows = append(rows, sale{"a", fmt.Sprintf("s%04d", s), d, float64((d*7919 + s*s*31) % 97)})
		}
	}
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	rel := sales(t, memory.DefaultAllocator, rows)
	e, _ := testEnv(mem, 2)
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, _, err := callContext(ctx, e, "CLUSTER_TRENDS", rel, "sold_on", "units", "auto", "by=sku; distance=dtw; band=1")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error is %v after %v", err, time.Since(start))
	}
	if d := time.Since(start); d > 1150*time.Millisecond {
		t.Errorf("took %v to stop", d)
	}
	mem.AssertSize(t, 0)
}
