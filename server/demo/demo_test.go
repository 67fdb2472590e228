package demo

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

func TestSalesFollowTheRecipe(t *testing.T) {
	mem := memory.NewCheckedAllocator(memory.NewGoAllocator())
	defer mem.AssertSize(t, 0)
	b := Sales(mem)
	defer b.Release()

	const days, series = 1096, 200
	// Six launches and two withdrawals shorten their series in each of the five stores.
	missing := 5 * (200 + 330 + 480 + 610 + 760 + 1000 + (days - 701) + (days - 901))
	if want := int64(days*series - missing); b.NumRows() != want {
		t.Fatalf("rows: got %d, want %d", b.NumRows(), want)
	}
	store, sku := b.Column(0).(*array.String), b.Column(1).(*array.String)
	soldOn, units := b.Column(2).(*array.Date32), b.Column(3).(*array.Int32)
	promo, out := b.Column(5).(*array.Int8), b.Column(7).(*array.Int8)
	keys := map[[2]string]bool{}
	var zero, total, outDays int
	sum := map[int8][2]float64{}
	for i := range int(b.NumRows()) {
		keys[[2]string{store.Value(i), sku.Value(i)}] = true
		total += int(units.Value(i))
		if units.Value(i) == 0 {
			zero++
		}
		if out.Value(i) == 1 {
			outDays++
			if units.Value(i) != 0 {
				t.Fatalf("row %d sells while out of stock", i)
			}
			continue
		}
		p := sum[promo.Value(i)]
		sum[promo.Value(i)] = [2]float64{p[0] + float64(units.Value(i)), p[1] + 1}
		if i > 0 && store.Value(i) == store.Value(i-1) && sku.Value(i) == sku.Value(i-1) && soldOn.Value(i) != soldOn.Value(i-1)+1 {
			t.Fatalf("row %d skips a day", i)
		}
	}
	if len(keys) != series {
		t.Errorf("series: got %d, want %d", len(keys), series)
	}
	if share := float64(outDays) / float64(b.NumRows()); share < 0.005 || share > 0.05 {
		t.Errorf("out of stock on %.1f %% of the days", 100*share)
	}
	if lift := sum[1][0] / sum[1][1] / (sum[0][0] / sum[0][1]); lift < 1.3 {
		t.Errorf("promotions lift sales by %.2f only", lift)
	}
	t.Logf("%d rows, %d units, %.1f %% zeros, %d stock-out days", b.NumRows(), total, 100*float64(zero)/float64(b.NumRows()), outDays)
}

func TestSalesAreTheSameEveryTime(t *testing.T) {
	a, b := Sales(memory.DefaultAllocator), Sales(memory.DefaultAllocator)
	defer a.Release()
	defer b.Release()
	if !array.RecordEqual(a, b) {
		t.Fatal("two runs of the generator differ")
	}
}

func TestHolidaysIncludeEaster(t *testing.T) {
	var easters []arrow.Date32
	for _, y := range []int{2023, 2024, 2025} {
		easters = append(easters, arrow.Date32FromTime(easter(y)))
	}
	for i, want := range []string{"2023-04-09", "2024-03-31", "2025-04-20"} {
		if got := easters[i].FormattedString(); got != want {
			t.Errorf("Easter: got %s, want %s", got, want)
		}
	}
}
