package storage_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/vfs"
)

var powerCutsFlag = flag.Int("power-cuts", 10_000, "power cuts that TestPowerCuts simulates; with 1000000 give -timeout 2h")

// TestPowerCuts runs random histories and cuts the power before every call that changes the disk, several times with different luck about
// what had reached the disk and which pages were torn. Each time the directory is opened again: exactly the acknowledged transactions
// must be there, or those and, whole, the one in flight. Some are cut a second time while they recover.
func TestPowerCuts(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	cuts := *powerCutsFlag
	if testing.Short() || raceEnabled {
		cuts /= 10
	}
	var done atomic.Int64
	t.Run("histories", func(t *testing.T) {
		for i := range 8 {
			t.Run(fmt.Sprintf("seed=%d", seed+uint64(i)), func(t *testing.T) {
				t.Parallel()
				for n, k := 0, uint64(0); n < cuts/8; k++ {
					c := &powerCuts{t: t, rng: rand.New(rand.NewPCG(seed+uint64(i), k)), limit: cuts/8 - n}
					c.history()
					n += c.count
					done.Add(int64(c.count))
				}
			})
		}
	})
	t.Logf("%d power cuts", done.Load())
}

// powerCuts is one history.
type powerCuts struct {
	t       *testing.T
	rng     *rand.Rand
	disk    *vfs.Mem
	truth   *model // acknowledged
	pending *model // with the transaction that is being committed; nil when none is
	count   int
	limit   int
	armed   bool
}

func (c *powerCuts) history() {
	r := &modelRun{t: c.t, rng: c.rng, truth: newModel(), noLogs: quiet}
	c.disk, c.truth = vfs.NewMem(), r.truth
	r.fault = &vfs.Faulty{FS: c.disk, Fail: func(op, _ string, _ int64) error {
		if c.armed && op != "open" && op != "read" {
			for range 1 + c.rng.IntN(3) {
				c.cut()
			}
		}
		return nil
	}}
	// The log is never long enough for background work: all calls come from this goroutine.
	var err error
	r.db, err = storage.Open("/data", storage.Options{FS: r.fault, Logger: quiet, SpillRows: 40})
	must(c.t, err)
	txn := r.db.Begin()
	must(c.t, txn.CreateDatabase("shop", nil))
	must(c.t, txn.Commit(ctx))
	c.armed = true
	for range 30 {
		if c.count >= c.limit {
			break
		}
		txn := r.db.Begin()
		next := c.truth.clone()
		r.steps(txn, next)
		c.pending = next
		must(c.t, txn.Commit(ctx))
		c.truth, c.pending = next, nil
		switch c.rng.IntN(8) {
		case 0:
			must(c.t, r.db.Checkpoint(ctx))
		case 1:
			must(c.t, r.db.Close())
			r.db, err = storage.Open("/data", storage.Options{FS: r.fault, Logger: quiet, SpillRows: 40})
			must(c.t, err)
		}
	}
	must(c.t, r.db.Close())
	c.armed = false
}

// cut takes the disk as a power cut now would leave it, and looks at what a database makes of it.
func (c *powerCuts) cut() {
	if c.count++; c.t.Failed() {
		return
	}
	disk := c.disk.CrashClone(c.rng)
	again := c.rng.IntN(4) == 0
	if again { // cut while recovering, too
		stop := c.rng.Int64N(12)
		var second *vfs.Mem
		db, err := storage.Open("/data", storage.Options{FS: &vfs.Faulty{FS: disk, Fail: func(_, _ string, n int64) error {
			if n == stop {
				second = disk.CrashClone(c.rng)
			}
			return nil
		}}, Logger: quiet})
		must(c.t, err)
		must(c.t, db.Close())
		if second != nil {
			disk = second
		}
	}
	r := &modelRun{t: c.t, rng: c.rng, noLogs: quiet}
	db, err := storage.Open("/data", storage.Options{FS: disk, Logger: quiet})
	if err != nil {
		c.t.Fatalf("reopening: %v", err)
	}
	got, err := r.contents(db.Begin())
	must(c.t, err)
	if !got.equal(c.truth) && (c.pending == nil || !got.equal(c.pending)) {
		c.t.Fatalf("after a power cut (twice: %v) the database has\n %v\nacknowledged were\n %v", again, got.describe(), c.truth.describe())
	}
	must(c.t, db.Close())
	if c.count%16 == 0 {
		must(c.t, storage.Check("/data", disk, func(p storage.Problem) { c.t.Fatal(p) }))
	}
}
