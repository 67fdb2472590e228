package models

import (
	"compress/gzip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/series"
)

// sharedData finds a data set beside the repository, or skips.
func sharedData(t testing.TB, path string) string {
	t.Helper()
	dir := os.Getenv("ALMANAC_SHARED")
	if dir == "" {
		dir = filepath.Join(repositoryRoot(), "..", "shared")
	}
	file := filepath.Join(dir, "data", path)
	if _, err := os.Stat(file); err != nil {
		t.Skipf("no data set: %v (set ALMANAC_SHARED)", err)
	}
	return file
}

type named struct {
	id string
	y  []float64
}

// readLong reads columns unique_id and y of a gzipped CSV file whose rows are in order.
func readLong(t testing.TB, file string) []named { return readFirst(t, file, math.MaxInt) }

// readFirst is readLong for the first limit series.
func readFirst(t testing.TB, file string, limit int) []named {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	r := csv.NewReader(z)
	r.ReuseRecord = true
	if _, err := r.Read(); err != nil {
		t.Fatal(err)
	}
	var out []named
	for {
		rec, err := r.Read()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(out) == 0 || out[len(out)-1].id != rec[0] {
			if len(out) == limit {
				return out
			}
			out = append(out, named{id: strings.Clone(rec[0])})
		}
		v, err := strconv.ParseFloat(rec[2], 64)
		if err != nil {
			v = math.NaN()
		}
		s := &out[len(out)-1]
		s.y = append(s.y, v)
	}
}

// score adds up the accuracy of one model over many series.
type score struct {
	n                         int
	smape, mase, rmsse        float64
	absolute, actual          float64
	inside80, inside95, steps float64
	elapsed                   time.Duration
	labels                    map[string]int
}

func (s *score) add(y, test []float64, m int, fc *engine.Forecast) {
	mae, mse, k := 0.0, 0.0, 0.0
	for t := m; t < len(y); t++ {
		d := y[t] - y[t-m]
		mae, k = mae+math.Abs(d), k+1
	}
	d2 := 0.0
	for t := 1; t < len(y); t++ {
		d2 += (y[t] - y[t-1]) * (y[t] - y[t-1])
	}
	mae /= k
	d2 /= float64(len(y) - 1)
	sm, ae := 0.0, 0.0
	for h, v := range test {
		e := v - fc.Mean[h]
		if den := math.Abs(v) + math.Abs(fc.Mean[h]); den > 0 {
			sm += 200 * math.Abs(e) / den
		}
		ae += math.Abs(e)
		mse += e * e
		s.actual += math.Abs(v)
		s.steps++
		if v >= fc.Quantiles[0][h] && v <= fc.Quantiles[3][h] {
			s.inside95++
		}
		if v >= fc.Quantiles[1][h] && v <= fc.Quantiles[2][h] {
			s.inside80++
		}
	}
	s.absolute += ae
	if mae == 0 || d2 == 0 {
		return
	}
	n := float64(len(test))
	s.n++
	s.smape += sm / n
	s.mase += ae / n / mae
	s.rmsse += math.Sqrt(mse / n / d2)
}

func (s *score) String() string {
	n := float64(s.n)
	return fmt.Sprintf("n %d sMAPE %.3f MASE %.4f RMSSE %.4f WAPE %.2f cover80 %.1f cover95 %.1f  %.2f CPU ms/series", s.n, s.smape/n, s.mase/n, s.rmsse/n,
		100*s.absolute/s.actual, 100*s.inside80/s.steps, 100*s.inside95/s.steps, float64(s.elapsed.Microseconds())/1000/n)
}

// evaluate forecasts the last h observations of each series from those before, on two workers.
func evaluate(t testing.TB, spec engine.ModelSpec, args string, all []named, m, h int, period []int) *score {
	t.Helper()
	model := mustNew(t, spec, args)
	total := &score{labels: map[string]int{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	var next atomic.Int64
	start := cpuTime()
	for range 2 {
		wg.Go(func() {
			var fc engine.Forecast
			for {
				i := int(next.Add(1)) - 1
				if i >= len(all) {
					return
				}
				y := all[i].y
				if len(y) < h+max(m+2, 5) {
					continue
				}
				train, test := y[:len(y)-h], y[len(y)-h:]
				f, err := model.Fit(context.Background(), series.Series{Y: train, Periods: period})
				if err == nil {
					fc.Reset(h, rLevels)
					err = f.Forecast(context.Background(), &fc, nil)
				}
				if err != nil {
					t.Errorf("%s: %v", all[i].id, err)
					continue
				}
				mu.Lock()
				total.add(train, test, m, &fc)
				total.labels[f.Describe().Model]++
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	total.elapsed = cpuTime() - start
	return total
}

// cpuTime is the processor time of this process: wall time says little on a shared machine.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// sample keeps every k-th series.
func sample(all []named, k int) []named {
	var out []named
	for i := 0; i < len(all); i += k {
		out = append(out, all[i])
	}
	return out
}

// TestEvaluate reports the accuracy of models on held-out ends of the training parts: the figures by which choices were
// made. ALMANAC_EVALUATE names models, such as "ets theta auto"; ALMANAC_EVALUATE_SETS the sets.
func TestEvaluate(t *testing.T) {
	wanted := strings.Fields(os.Getenv("ALMANAC_EVALUATE"))
	if len(wanted) == 0 {
		t.Skip("set ALMANAC_EVALUATE to model names to measure accuracy")
	}
	sets := os.Getenv("ALMANAC_EVALUATE_SETS")
	for _, set := range []struct {
		name, file string
		m, h, step int
	}{
		{"m3monthly", "m3/monthly_train.csv.gz", 12, 18, 3},
		{"m3quarterly", "m3/quarterly_train.csv.gz", 4, 8, 2},
		{"m3yearly", "m3/yearly_train.csv.gz", 1, 6, 1},
		{"m3other", "m3/other_train.csv.gz", 1, 8, 1},
		{"m4weekly", "m4_weekly/train.csv.gz", 1, 13, 4},
		{"m4hourly", "m4_hourly/train.csv.gz", 24, 48, 8},
		{"carparts", "carparts/monthly_train.csv.gz", 12, 12, 10},
		{"m5", "m5/CA_1_train.csv.gz", 7, 28, 8},
	} {
		if sets != "" && !strings.Contains(" "+sets+" ", " "+set.name+" ") {
			continue
		}
		if v, err := strconv.Atoi(os.Getenv("ALMANAC_EVALUATE_STEP")); err == nil {
			set.step *= v
		}
		all := sample(readLong(t, sharedData(t, set.file)), set.step)
		var period []int
		if set.m > 1 {
			period = []int{set.m}
		}
		for _, name := range wanted {
			base, args, _ := strings.Cut(name, "(")
			if args != "" {
				args = "(" + args
			}
			for _, spec := range All() {
				if spec.Name == base {
					s := evaluate(t, spec, args, all, set.m, set.h, period)
					t.Logf("%-11s %-12s %s", set.name, name, s)
				}
			}
		}
	}
}
