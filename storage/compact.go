package storage

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
)

// Compaction keeps the rows of a series together. Segments whose key ranges overlap are laid out as runs, each a list of segments that
// do not overlap: a table loaded in key order is one run, one loaded day by day has a run a load. Runs are merged, smallest first, as long
// as the next is at most half as large again as those before it together. So a merge makes the run of every row in it at least 5/3 as
// large: of a table of n rows loaded m at a time, a row is written at most log(n/m)/log(5/3) times after its first, and a key lies in at
// most about as many segments. Runs that have no segment in common with others are left alone, however many they are.

const (
	// smallSegments is the number of small segments of one table at which they are merged, overlapping or not.
	smallSegments = 8
	// smallRows is the number of rows below which a segment is small.
	smallRows = segmentRows / 4
	// mergeSegments bounds the segments of one merge, which has a row group of each in memory.
	mergeSegments = 32
)

// run is a list of segments in key order that do not overlap.
type run struct {
	parts []partRef
	rows  int
	last  []byte // greatest key
}

// layout identifies what chooseMerge looks at: the segments, and the rows deleted from them.
type layout struct {
	version  uint64
	segments int
	newest   uint64
}

func (v *tableState) layout() layout {
	l := layout{version: v.version}
	for _, p := range v.parts {
		if p.seg != nil {
			l.segments++
			l.newest = max(l.newest, p.seg.number)
		}
	}
	return l
}

// chooseMerge picks segments of a table to be written anew as one sorted run; none when the table is in good order.
func chooseMerge(t *tableState) ([]partRef, error) {
	var sparse, small, segments []partRef
	for _, p := range t.parts {
		if p.seg == nil {
			continue
		}
		live := p.live()
		if p.rows > 3*live/2 {
			sparse = append(sparse, p) // a third is deleted
		}
		if live < smallRows {
			small = append(small, p)
		}
		segments = append(segments, p)
	}
	if len(sparse) > 0 {
		return sparse[:min(len(sparse), mergeSegments)], nil
	}
	if t.def.primary != nil && len(segments) > 1 {
		merge, err := chooseOverlapping(segments)
		if err != nil || merge != nil {
			return merge, err
		}
	}
	byRows := func(a, b partRef) int { return cmp.Compare(a.live(), b.live()) }
	slices.SortStableFunc(small, byRows)
	small = small[:min(len(small), mergeSegments)]
	if n := growing(small, partRef.live); n >= smallSegments {
		return small[:n], nil
	}
	return nil, nil
}

// growing returns how many of a list that ascends by size can be merged so that each grows enough.
func growing[T any](list []T, size func(T) int) int {
	best, sum := 0, 0
	for i, x := range list {
		if i > 0 && size(x) <= sum+sum/2 {
			best = i + 1
		}
		sum += size(x)
	}
	return best
}

// chooseOverlapping looks at the clusters of segments that overlap, directly or through others.
func chooseOverlapping(segments []partRef) ([]partRef, error) {
	type spanned struct {
		p           partRef
		first, last []byte
	}
	all := make([]spanned, 0, len(segments))
	for _, p := range segments {
		f, err := p.seg.open()
		if err != nil {
			return nil, err
		}
		if !f.Sorted || len(f.Groups) == 0 {
			continue
		}
		all = append(all, spanned{p, f.Groups[0].FirstKey, f.Groups[len(f.Groups)-1].LastKey})
	}
	slices.SortFunc(all, func(a, b spanned) int { return bytes.Compare(a.first, b.first) })
	for i := 0; i < len(all); {
		// Runs of the cluster that begins here: each segment continues the first run that ends before it.
		var runs []*run
		end := all[i].last
		for ; i < len(all) && (len(runs) == 0 || bytes.Compare(all[i].first, end) <= 0); i++ {
			s := all[i]
			k := slices.IndexFunc(runs, func(r *run) bool { return bytes.Compare(r.last, s.first) < 0 })
			if k < 0 {
				k = len(runs)
				runs = append(runs, &run{})
			}
			r := runs[k]
			r.parts, r.rows, r.last = append(r.parts, s.p), r.rows+s.p.live(), s.last
			if bytes.Compare(s.last, end) > 0 {
				end = s.last
			}
		}
		slices.SortStableFunc(runs, func(a, b *run) int { return cmp.Compare(a.rows, b.rows) })
		total := 0
		for k, r := range runs {
			if total += len(r.parts); total > mergeSegments {
				runs = runs[:k]
				break
			}
		}
		var merge []partRef
		for _, r := range runs[:growing(runs, func(r *run) int { return r.rows })] {
			merge = append(merge, r.parts...)
		}
		if merge != nil {
			return merge, nil
		}
	}
	return nil, nil
}

// compact merges until every table is in good order. Readers and committers go on, and so do checkpoints but for the moment in which the
// result takes the place of what it was made from. One compaction runs at a time.
func (db *DB) compact(ctx context.Context) error {
	db.compactMu.Lock()
	defer db.compactMu.Unlock()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(db.ctx, cancel)()
	for {
		if db.ctx.Err() != nil {
			return ErrClosed
		}
		r, err := db.compactOne(ctx)
		if err != nil || r == nil {
			return err
		}
		if err := db.checkpoint(ctx, *r); err != nil {
			return err
		}
	}
}

// compactOne writes the first merge that is due; nil when none is.
func (db *DB) compactOne(ctx context.Context) (*rewrite, error) {
	s := db.published.Load()
	for id, t := range s.tables {
		if t.damage != nil || db.inOrder[id] == t.layout() {
			continue
		}
		merge, err := chooseMerge(t)
		if err == nil && merge == nil {
			db.inOrder[id] = t.layout()
			continue
		}
		var parts []*part
		if err == nil {
			if parts, err = db.writeSegments(ctx, t.def, merge); err == nil {
				err = db.fs.SyncDir(db.path("segments"))
			}
		}
		if err != nil {
			for _, p := range parts {
				db.dropFiles([]uint64{p.seg.number})
			}
			if ctx.Err() == nil && (errors.Is(err, ErrCorrupt) || errors.Is(err, fs.ErrNotExist)) {
				// The other tables are not to suffer for a damaged one.
				db.opts.Logger.Error("storage: segments of a table cannot be merged", "table", t.def.name(), "error", err)
				db.inOrder[id] = t.layout()
				continue
			}
			return nil, fmt.Errorf("storage: compaction: %w", t.def.blame(err))
		}
		r := &rewrite{table: id, source: merge}
		for _, p := range parts {
			r.result = append(r.result, partRef{part: p})
		}
		return r, nil
	}
	return nil, nil
}

// compactor compacts after each background checkpoint.
func (db *DB) compactor() {
	defer db.worker.Done()
	for {
		select {
		case <-db.ctx.Done():
			return
		case <-db.checkpointed:
		}
		if err := guard("compaction", func() error { return db.compact(db.ctx) }); err != nil && db.ctx.Err() == nil {
			db.opts.Logger.Error("storage: compaction failed; it is tried again after the next checkpoint", "error", err)
		}
	}
}

// guard turns a panic into an error: background work must not take the server down.
func guard(what string, work func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("storage: %s: %v", what, r)
		}
	}()
	return work()
}
