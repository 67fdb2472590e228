package storage

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"

	"github.com/zeebo/xxh3"

	"github.com/almanacdb/almanac/storage/binenc"
	"github.com/almanacdb/almanac/storage/wal"
)

// commitRequest is a validated transaction on its way to the log.
type commitRequest struct {
	record   wal.Record
	state    *state   // with it
	bytes    int64    // it holds in memory
	segments []uint64 // it adds
	finished bool     // under syncMu
	err      error
}

// tableChange is what an edit asks of its table, worked out before the commit lock is taken.
type tableChange struct {
	id      uint64
	edit    *edit
	deleted []uint64 // rows of base, ascending
	local   []partRef
	batches [][]byte // of local in-memory parts
}

// Commit makes the transaction's changes durable and visible, all or none, and ends it. ErrConflict: another transaction got there
// first. ErrFailed wrapped: it is unknown whether the changes are on disk, and no more commits are taken until a checkpoint or reopening
// succeeds. On any error the transaction is rolled back. A transaction without changes only ends.
func (t *Txn) Commit(ctx context.Context) (err error) {
	if t.done {
		return ErrClosed
	}
	if !t.Dirty() {
		t.Rollback()
		return nil
	}
	var used map[uint64]bool
	defer func() {
		t.done = true
		// When the log failed nobody knows whether the transaction is in it: the next Open decides about its files.
		keep := err == nil || errors.Is(err, ErrFailed)
		unused := slices.DeleteFunc(slices.Clone(t.files), func(n uint64) bool { return keep && used[n] })
		t.db.dropFiles(unused)
		t.db.settle(slices.Collect(maps.Keys(used)))
		t.edits, t.ops, t.files = nil, nil, nil
		t.account()
	}()
	if err := ctx.Err(); err != nil {
		return err
	}
	changes, used, err := t.prepare()
	if err != nil {
		return err
	}
	if len(used) > 0 {
		if err := t.db.fs.SyncDir(filepath.Join(t.db.dir, "segments")); err != nil {
			return fmt.Errorf("storage: commit: %w", err)
		}
	}
	r, err := t.enqueue(changes)
	if err != nil || r == nil {
		return err
	}
	full, err := t.db.await(r)
	if full {
		// Commits outrun the background checkpoint: this one takes part in the work. It is durable whatever comes of it.
		if err := t.db.safeCheckpoint(); err != nil && !errors.Is(err, ErrClosed) && t.db.ctx.Err() == nil {
			t.db.opts.Logger.Error("storage: checkpoint failed; the log keeps growing until one succeeds", "error", err)
		}
	}
	return err
}

// prepare works out the changes and encodes the rows; used are the spilled segments that take part.
func (t *Txn) prepare() (changes []*tableChange, used map[uint64]bool, err error) {
	used = map[uint64]bool{}
	for _, id := range slices.Sorted(maps.Keys(t.edits)) {
		e := t.edits[id]
		c := &tableChange{id: id, edit: e}
		inView := map[*part]partRef{}
		for _, p := range e.view.parts {
			if p.rowBase&localRow == 0 {
				inView[p.part] = p
				continue
			}
			var batch []byte
			if p.seg != nil {
				used[p.seg.number] = true
			} else if batch, err = encodeBatch(p.mem); err != nil {
				return nil, nil, err
			}
			c.local = append(c.local, p)
			c.batches = append(c.batches, batch)
		}
		if e.base != nil && !e.replaced {
			for _, was := range e.base.parts {
				is, ok := inView[was.part]
				if c.deleted, err = deletedIDs(c.deleted, was, is, ok); err != nil {
					return nil, nil, err
				}
			}
			slices.Sort(c.deleted)
		}
		changes = append(changes, c)
	}
	return changes, used, nil
}

// deletedIDs appends the ids of rows that are live in was but not in is (or, without ok, of all its live rows).
func deletedIDs(dst []uint64, was, is partRef, ok bool) ([]uint64, error) {
	if ok && is.deleted == was.deleted {
		return dst, nil
	}
	if !ok {
		for pos := range was.rows {
			if was.isDeleted(pos) {
				continue
			}
			id, err := was.idAt(pos)
			if err != nil {
				return dst, err
			}
			dst = append(dst, id)
		}
		return dst, nil
	}
	for it := is.deleted.Iterator(); it.HasNext(); {
		pos := int(it.Next())
		if was.isDeleted(pos) {
			continue
		}
		id, err := was.idAt(pos)
		if err != nil {
			return dst, err
		}
		dst = append(dst, id)
	}
	return dst, nil
}

// enqueue validates the transaction against the newest state and appends it to the queue for the log. It returns nil when there was
// nothing to do.
func (t *Txn) enqueue(changes []*tableChange) (*commitRequest, error) {
	db := t.db
	db.commitMu.Lock()
	defer db.commitMu.Unlock()
	if db.closed {
		return nil, ErrClosed
	}
	if db.failed != nil {
		return nil, fmt.Errorf("%w: %w", ErrFailed, db.failed)
	}
	tip := db.tip
	b := tip.edit()
	b.seq = tip.seq + 1
	var w binenc.Writer
	emit := func(o *op) error {
		if err := o.apply(b, db.frozen); err != nil {
			return err
		}
		return o.encode(&w)
	}
	for i := range t.ops {
		o := &t.ops[i]
		if tip != t.base {
			if err := t.checkMetadata(o, tip); err != nil {
				return nil, err
			}
		}
		if err := emit(o); err != nil {
			return nil, fmt.Errorf("%w (%w)", ErrConflict, err)
		}
	}
	r := &commitRequest{}
	for _, c := range changes {
		if err := c.commit(b, tip, emit, r); err != nil {
			return nil, c.edit.view.def.blame(err)
		}
	}
	if len(w.Buf) == 0 {
		return nil, nil
	}
	if len(w.Buf) > wal.MaxRecord {
		return nil, fmt.Errorf("storage: commit: %w", wal.ErrTooLong)
	}
	r.state = b.done()
	r.record = wal.Record{Seq: b.seq, Payload: w.Buf}
	for _, n := range r.segments {
		db.logSegment(n, b.seq)
	}
	db.tip = r.state
	db.queue = append(db.queue, r)
	return r, nil
}

// checkMetadata fails when what an operation touches has been changed since the transaction began.
func (t *Txn) checkMetadata(o *op, tip *state) error {
	same := true
	switch o.kind {
	case opCreateDatabase, opDropDatabase, opDatabaseMeta:
		same = t.base.databases[fold(o.name)] == tip.databases[fold(o.name)]
	case opPutObject, opDeleteObject:
		k := objectKey{o.objectKind, fold(o.database), fold(o.name)}
		same = t.base.objects[k] == tip.objects[k]
	case opDropTable, opAlterTable:
		a, b := t.base.tables[o.table], tip.tables[o.table]
		same = a == nil && b == nil || a != nil && b != nil && a.def == b.def
	}
	if !same {
		return ErrConflict
	}
	return nil
}

// commit emits the changes of one table.
func (c *tableChange) commit(b *builder, tip *state, emit func(*op) error, r *commitRequest) error {
	e := c.edit
	if e.base != nil {
		now := tip.tables[c.id]
		if now == nil || now.def != e.base.def {
			return fmt.Errorf("%w: table %s was altered or dropped", ErrConflict, e.base.def.name())
		}
		if now.version != e.base.version {
			if e.replaced {
				return fmt.Errorf("%w: rows of %s changed", ErrConflict, e.base.def.name())
			}
			if err := c.checkUnique(now); err != nil {
				return err
			}
		}
		if e.replaced {
			if err := emit(&op{kind: opTruncate, table: c.id}); err != nil {
				return err
			}
		}
	}
	if len(c.deleted) > 0 {
		if err := emit(&op{kind: opDelete, table: c.id, ids: c.deleted}); err != nil {
			return err
		}
	}
	shift := b.tables[c.id].nextRow
	var gone []uint64
	for i, l := range c.local {
		final := l.withBase(l.rowBase&^localRow + shift)
		o := &op{kind: opAppend, table: c.id, part: final, batch: c.batches[i]}
		if final.seg != nil {
			o.kind = opSegment
			r.segments = append(r.segments, final.seg.number)
		} else {
			r.bytes += b.tables[c.id].def.inMemory(final)
		}
		if err := emit(o); err != nil {
			return err
		}
		if l.deleted == nil {
			continue
		}
		for it := l.deleted.Iterator(); it.HasNext(); {
			id, err := final.idAt(int(it.Next()))
			if err != nil {
				return err
			}
			gone = append(gone, id)
		}
	}
	if len(gone) > 0 {
		slices.Sort(gone)
		if err := emit(&op{kind: opDelete, table: c.id, ids: gone}); err != nil {
			return err
		}
	}
	def := b.tables[c.id].def
	switch {
	case e.counter != nil:
		return emit(&op{kind: opCounter, table: c.id, counter: e.counter.Load(), exact: true})
	case def.spec.AutoIncrement >= 0 && len(c.local) > 0:
		return emit(&op{kind: opCounter, table: c.id, counter: def.counter.Load()})
	}
	return nil
}

// checkUnique fails when a transaction that committed meanwhile added a row with a unique key of ours. Only rows newer than our
// snapshot can: older ones were checked when ours were appended.
func (c *tableChange) checkUnique(now *tableState) error {
	base := c.edit.base
	var newer []partRef
	for _, p := range now.parts {
		if p.rowBase+p.rowSpan > base.nextRow {
			newer = append(newer, p)
		}
	}
	if len(newer) == 0 {
		return nil
	}
	ncols := now.def.columns()
	var enc []byte
	for _, k := range c.edit.view.def.unique() {
		finders := make([]*finder, len(newer))
		for i, p := range newer {
			var err error
			if finders[i], err = p.finder(k, ncols); err != nil {
				return err
			}
		}
		for _, l := range c.local {
			groups, err := l.groups()
			if err != nil {
				return err
			}
			start := 0
			for g := range groups {
				views, err := l.key(g, ncols, k.encoder)
				if err != nil {
					return err
				}
				n := views[k.Columns[0]].Len
				for i := range n {
					if l.isDeleted(start + i) {
						continue
					}
					var null bool
					if enc, null = k.encoder.AppendRow(enc[:0], views, i); null {
						continue
					}
					hash := xxh3.Hash(enc)
					for x, p := range newer {
						pos, ok, err := finders[x].find(enc, hash)
						if err != nil {
							return err
						}
						if !ok {
							continue
						}
						id, err := p.idAt(pos)
						if err != nil {
							return err
						}
						if id >= base.nextRow {
							return fmt.Errorf("%w: key %s of %s was added meanwhile", ErrConflict, k.Name, now.def.name())
						}
					}
				}
				start += n
			}
		}
	}
	return nil
}

// await returns when a queued transaction is durable. Whoever comes first writes and syncs for all that wait: group commit. full says
// that so much is in memory that the committer should wait for a checkpoint.
func (db *DB) await(r *commitRequest) (full bool, err error) {
	db.syncMu.Lock()
	defer db.syncMu.Unlock()
	if !r.finished {
		db.writeQueue()
	}
	return r.err == nil && db.memoryBytes > db.opts.committedBytes(), r.err
}

// writeQueue logs what is queued, publishes it, and starts a checkpoint when the log is long. syncMu is held.
func (db *DB) writeQueue() {
	db.commitMu.Lock()
	batch := db.queue
	db.queue = nil
	db.commitMu.Unlock()
	if len(batch) == 0 {
		return
	}
	records := make([]wal.Record, len(batch))
	for i, r := range batch {
		records[i] = r.record
	}
	if err := db.log.Append(records); err != nil {
		db.commitMu.Lock()
		defer db.commitMu.Unlock()
		// Transactions validated meanwhile built on those that failed.
		batch = append(batch, db.queue...)
		db.queue = nil
		db.tip = db.published.Load()
		if broken := db.log.Broken(); broken != nil {
			db.failed = broken
			err = fmt.Errorf("%w: %w", ErrFailed, err)
			db.kickCheckpoint()
		}
		for _, r := range batch {
			r.err, r.finished = fmt.Errorf("storage: commit: %w", err), true
		}
		return
	}
	db.published.Store(batch[len(batch)-1].state)
	for _, r := range batch {
		r.finished = true
		db.memoryBytes += r.bytes
	}
	if db.log.Size()+db.olderLogs > db.opts.CheckpointBytes || db.memoryBytes > db.opts.committedBytes()/2 {
		db.kickCheckpoint()
	}
}
