package storage_test

import (
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"slices"
	"sort"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/vfs"
)

var (
	seedFlag    = flag.Uint64("seed", 0, "seed of the model test; 0 takes the time")
	crashesFlag = flag.Int("crashes", 400, "crashes that the model test simulates")
)

// model is the plain truth that a database is compared with: tables by name, rows by key, and objects.
type model struct {
	tables  map[string]map[string]sale
	objects map[string]string
}

func newModel() *model {
	return &model{tables: map[string]map[string]sale{}, objects: map[string]string{}}
}

func (m *model) clone() *model {
	c := &model{tables: map[string]map[string]sale{}, objects: maps.Clone(m.objects)}
	for n, t := range m.tables {
		c.tables[n] = maps.Clone(t)
	}
	return c
}

func keyOf(s sale) string { return fmt.Sprintf("%s/%04d", s.sku, s.day) }

// TestModel applies random transactions to a database and to maps, cuts the power at random moments, reopens and compares. What was
// acknowledged must be there, and nothing else but, whole, the transactions in flight.
func TestModel(t *testing.T) {
	seed := *seedFlag
	if seed == 0 {
		seed = uint64(time.Now().UnixNano())
	}
	crashes := *crashesFlag
	if testing.Short() || raceEnabled {
		crashes /= 4
	}
	for i := range 8 {
		t.Run(fmt.Sprintf("seed=%d", seed+uint64(i)), func(t *testing.T) {
			t.Parallel()
			runModel(t, seed+uint64(i), crashes/8)
		})
	}
}

type modelRun struct {
	t      *testing.T
	rng    *rand.Rand
	mem    *vfs.Mem
	fault  *vfs.Faulty
	failAt *atomic.Int64 // the call that fails, 0 none
	db     *storage.DB
	truth  *model
	// maybe are states that a transaction of unknown outcome may have led to.
	maybe  []*model
	noLogs *slog.Logger
}

func runModel(t *testing.T, seed uint64, crashes int) {
	r := &modelRun{t: t, rng: rand.New(rand.NewPCG(seed, 1)), truth: newModel(), noLogs: slog.New(slog.DiscardHandler)}
	r.use(vfs.NewMem())
	for range crashes {
		if !r.open() {
			continue
		}
		r.compare()
		if r.rng.IntN(3) == 0 {
			// From here on one call fails.
			r.failAt.Store(r.fault.Calls() + 1 + r.rng.Int64N(60))
		}
		for range r.rng.IntN(25) {
			r.transaction()
			if r.rng.IntN(8) == 0 {
				_ = r.db.Checkpoint(ctx)
			}
		}
		var after *vfs.Mem
		switch r.rng.IntN(4) {
		case 0: // an orderly end
			must(t, r.db.Close())
			after = r.mem
		case 1: // kill -9: what was written is there
			after = r.mem.CrashClone(rand.New(everything{}))
			r.db.Close()
		default:
			after = r.mem.CrashClone(r.rng)
			r.db.Close()
		}
		r.use(after)
		if err := storage.Check("/data", after, func(p storage.Problem) { t.Fatalf("check after crash: %v", p) }); err != nil {
			t.Fatal(err)
		}
	}
	r.open()
	r.compare()
	must(t, r.db.Close())
}

// everything is a source that always says 1 for IntN(2) and IntN(4): keep all.
type everything struct{}

func (everything) Uint64() uint64 { return 0x4000_0000_0000_0000 }

func (r *modelRun) use(mem *vfs.Mem) {
	r.mem = mem
	failAt := new(atomic.Int64)
	r.failAt = failAt
	r.fault = &vfs.Faulty{FS: mem, Fail: func(_, _ string, n int64) error {
		if n == failAt.Load() {
			return vfs.ErrInjected
		}
		return nil
	}}
}

func (r *modelRun) open() bool {
	db, err := storage.Open("/data", storage.Options{FS: r.fault, Logger: r.noLogs, SpillRows: 40, CheckpointBytes: 20000})
	if err != nil {
		r.t.Fatalf("reopening: %v", err)
	}
	r.db = db
	return true
}

// contents reads the database as a model.
func (r *modelRun) contents(txn *storage.Txn) (*model, error) {
	m := newModel()
	for _, o := range txn.Objects("view", "shop") {
		m.objects[o.Name] = string(o.Value)
	}
	for _, name := range txn.Tables("shop") {
		rows, err := r.tableRows(txn, name)
		if err != nil {
			return nil, err
		}
		m.tables[name] = rows
	}
	return m, nil
}

func (r *modelRun) tableRows(txn *storage.Txn, name string) (map[string]sale, error) {
	tab := table(r.t, txn, name)
	rows := map[string]sale{}
	ordered := r.rng.IntN(2) == 0
	s, err := tab.Scan(ctx, storage.ScanOptions{ByPrimaryKey: ordered, RowIDs: true})
	if err != nil {
		return nil, err
	}
	defer s.Release()
	last := ""
	seen := map[storage.RowID]bool{}
	n := int64(0)
	for s.Next() {
		if len(s.RowIDs()) != int(s.RecordBatch().NumRows()) {
			r.t.Fatal("row ids do not fit the batch")
		}
		for i, row := range rowsOf(s.RecordBatch()) {
			k := keyOf(row)
			if _, twice := rows[k]; twice {
				r.t.Fatalf("%s has key %s twice", name, k)
			}
			if ordered && k <= last {
				r.t.Fatalf("%s: key %s after %s", name, k, last)
			}
			last = k
			rows[k] = row
			id := s.RowIDs()[i]
			if seen[id] {
				r.t.Fatalf("%s: row id %d twice", name, id)
			}
			seen[id] = true
			n++
			if r.rng.IntN(10) == 0 {
				found, ok, err := tab.Lookup(ctx, 0, []any{row.sku, arrow.Date32(row.day)})
				if err != nil {
					return nil, err
				}
				if !ok || found != id {
					r.t.Fatalf("%s: lookup of %s gives %d %v, want %d", name, k, found, ok, id)
				}
			}
		}
	}
	if s.Err() == nil && n != tab.NumRows() {
		r.t.Fatalf("%s: scanned %d rows, NumRows says %d", name, n, tab.NumRows())
	}
	return rows, s.Err()
}

func (m *model) equal(o *model) bool {
	return maps.Equal(m.objects, o.objects) && maps.EqualFunc(m.tables, o.tables, maps.Equal)
}

// compare checks the database against the truth, or against what it may have become.
func (r *modelRun) compare() {
	r.t.Helper()
	txn := r.db.Begin()
	defer txn.Rollback()
	got, err := r.contents(txn)
	if err != nil {
		r.t.Fatalf("reading back: %v", err)
	}
	for _, m := range append([]*model{r.truth}, r.maybe...) {
		if got.equal(m) {
			r.truth, r.maybe = m, nil
			return
		}
	}
	r.t.Fatalf("database differs from the model:\n got %v\nwant %v\n(or %d states of unknown outcome)", got.describe(), r.truth.describe(), len(r.maybe))
}

func (m *model) describe() string {
	s := fmt.Sprint(m.objects)
	for _, n := range slices.Sorted(maps.Keys(m.tables)) {
		s += fmt.Sprintf(" %s:%v", n, slices.Sorted(maps.Keys(m.tables[n])))
	}
	return s
}

// transaction runs one random transaction, or two that overlap.
func (r *modelRun) transaction() {
	txn := r.db.Begin()
	defer txn.Rollback()
	next := r.truth.clone()
	if !r.steps(txn, next) {
		return
	}
	r.commit(txn, next)
}

func (r *modelRun) steps(txn *storage.Txn, m *model) bool {
	if len(txn.Databases()) == 0 {
		must(r.t, txn.CreateDatabase("shop", nil))
	}
	for range 1 + r.rng.IntN(4) {
		save, saved := txn.Savepoint(), m.clone()
		if !r.step(txn, m) {
			return false
		}
		if r.rng.IntN(10) == 0 {
			txn.RollbackTo(save)
			*m = *saved
		}
	}
	return true
}

func (r *modelRun) commit(txn *storage.Txn, next *model) {
	err := txn.Commit(ctx)
	switch {
	case err == nil:
		r.truth = next
	case errors.Is(err, storage.ErrFailed):
		r.maybe = append(r.maybe, next) // on disk or not: the next opening tells
	case errors.Is(err, vfs.ErrInjected):
	default:
		r.t.Fatalf("commit: %v", err)
	}
}

// failed says whether err is an injected fault, and fails the test on any other.
func (r *modelRun) failed(err error) bool {
	if err == nil {
		return false
	}
	if !errors.Is(err, vfs.ErrInjected) {
		r.t.Fatal(err)
	}
	return true
}

// step makes one random change; false when a fault was injected.
func (r *modelRun) step(txn *storage.Txn, m *model) bool {
	names := slices.Sorted(maps.Keys(m.tables))
	if len(names) == 0 || len(names) < 4 && r.rng.IntN(15) == 0 {
		name := fmt.Sprintf("t%d", r.rng.IntN(1000))
		if m.tables[name] == nil {
			must(r.t, txn.CreateTable(salesSpec(name)))
			m.tables[name] = map[string]sale{}
		}
		return true
	}
	name := names[r.rng.IntN(len(names))]
	rows := m.tables[name]
	tab := table(r.t, txn, name)
	switch k := r.rng.IntN(40); {
	case k < 18:
		return r.append(tab, rows)
	case k < 30: // delete or update some
		var ids []storage.RowID
		var updated []sale
		keys := slices.Sorted(maps.Keys(rows))
		r.rng.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
		for _, k := range keys[:min(len(keys), r.rng.IntN(1+len(keys)/2+1))] {
			id, ok, err := tab.Lookup(ctx, 0, []any{rows[k].sku, arrow.Date32(rows[k].day)})
			if r.failed(err) {
				return false
			}
			if !ok {
				r.t.Fatalf("%s lacks %s", name, k)
			}
			ids = append(ids, id)
			if s := rows[k]; r.rng.IntN(3) == 0 {
				s.units = r.rng.Int64()
				updated = append(updated, s)
			}
			delete(rows, k)
		}
		if r.failed(tab.Delete(ctx, ids)) {
			return false
		}
		if len(updated) > 0 {
			if r.failed(tab.Append(ctx, batch(updated...))) {
				return false
			}
			for _, s := range updated {
				rows[keyOf(s)] = s
			}
		}
	case k < 31:
		must(r.t, tab.Truncate())
		clear(rows)
	case k < 32:
		must(r.t, txn.DropTable("shop", name))
		delete(m.tables, name)
	case k < 34:
		to := fmt.Sprintf("t%d", r.rng.IntN(1000))
		if m.tables[to] == nil {
			must(r.t, txn.RenameTable("shop", name, "shop", to))
			m.tables[to] = rows
			delete(m.tables, name)
		}
	case k < 35: // rewrite all rows
		s, err := tab.Scan(ctx, storage.ScanOptions{})
		if r.failed(err) {
			return false
		}
		defer s.Release()
		if r.failed(txn.AlterTable("shop", name, salesSpec(name), s)) {
			return false
		}
	default:
		o := fmt.Sprintf("v%d", r.rng.IntN(6))
		if _, ok := m.objects[o]; ok && r.rng.IntN(2) == 0 {
			must(r.t, txn.DeleteObject("view", "shop", o))
			delete(m.objects, o)
		} else {
			m.objects[o] = fmt.Sprint(r.rng.Int())
			must(r.t, txn.PutObject("view", "shop", o, []byte(m.objects[o])))
		}
	}
	return true
}

// append adds random rows; every key collision must be reported, at the right row.
func (r *modelRun) append(tab *storage.Table, rows map[string]sale) bool {
	n := 1 + r.rng.IntN(4)
	if r.rng.IntN(6) == 0 {
		n = 20 + r.rng.IntN(60) // enough to spill
	}
	var add []sale
	sku, day := r.rng.IntN(6), r.rng.IntN(900)
	for i := range n {
		s := sale{sku: string(rune('a' + sku)), day: int32(day + i), price: r.rng.NormFloat64()}
		if r.rng.IntN(3) == 0 {
			s.sku, s.day = string(rune('a'+r.rng.IntN(6))), int32(r.rng.IntN(999))
		}
		if r.rng.IntN(4) > 0 {
			s.units = r.rng.Int64N(100)
		}
		if r.rng.IntN(8) == 0 {
			s.tag = int32(r.rng.IntN(4000))
		}
		add = append(add, s)
	}
	tags := map[any]bool{}
	for _, s := range rows {
		if s.tag != nil {
			tags[s.tag] = true
		}
	}
	fresh := map[string]bool{}
	firstPrimary, firstTag := -1, -1
	newTags := map[any]bool{}
	for i, s := range add {
		if _, taken := rows[keyOf(s)]; (taken || fresh[keyOf(s)]) && firstPrimary < 0 {
			firstPrimary = i
		}
		fresh[keyOf(s)] = true
		if s.tag != nil {
			if (tags[s.tag] || newTags[s.tag]) && firstTag < 0 {
				firstTag = i
			}
			newTags[s.tag] = true
		}
	}
	err := tab.Append(ctx, batch(add...))
	var dup *storage.DuplicateKeyError
	switch {
	case errors.As(err, &dup):
		if want := map[string]int{"PRIMARY": firstPrimary, "tag": firstTag}[dup.Key]; want < 0 {
			r.t.Fatalf("%v: there is no such collision", err)
		}
		return true
	case r.failed(err):
		return false
	case firstPrimary >= 0 || firstTag >= 0:
		sort.Slice(add, func(i, j int) bool { return keyOf(add[i]) < keyOf(add[j]) })
		r.t.Fatalf("collision at rows %d, %d not noticed: %v", firstPrimary, firstTag, add)
	}
	for _, s := range add {
		rows[keyOf(s)] = s
	}
	return true
}
