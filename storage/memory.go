package storage

import "fmt"

// How Options.MemoryLimit is divided. Half of it is for decoded blocks and the indexes made from segments, which are evicted when
// they are many. A quarter is for committed rows that are not in segments yet: committers wait for a checkpoint beyond it. A quarter is
// for the rows of running transactions: they go to segments early beyond half of that, and a statement fails beyond all of it.
// Rows in memory are counted with the indexes that look-ups may make of them.

func (o *Options) cacheBytes() int64       { return o.MemoryLimit / 2 }
func (o *Options) committedBytes() int64   { return o.MemoryLimit / 4 }
func (o *Options) transactionBytes() int64 { return o.MemoryLimit / 4 }

// inMemory is what a part takes in memory, 0 for a segment.
func (d *tableDef) inMemory(p *part) int64 {
	if p.mem == nil {
		return 0
	}
	perRow := 0
	for _, k := range d.keys {
		if k.Unique || k.Primary {
			perRow += 16 // hashIndex
		} else {
			perRow += 4 // order
		}
	}
	return p.bytes + int64(p.rows*perRow)
}

// account brings what the transaction holds in memory up to date after its edits have changed.
func (t *Txn) account() {
	n := int64(0)
	for _, e := range t.edits {
		for _, p := range e.view.parts {
			if p.rowBase&localRow != 0 {
				n += e.view.def.inMemory(p.part)
			}
		}
	}
	t.db.held.Add(n - t.held)
	t.held = n
}

// spillBytes is how much a transaction may hold of one table before it spills: less when transactions together hold much, with added bytes that are not accounted yet.
func (db *DB) spillBytes(added int64) int64 {
	if db.held.Load()+added > db.opts.transactionBytes()/2 {
		return min(db.opts.SpillBytes, max(db.opts.MemoryLimit/64, 64<<10))
	}
	return db.opts.SpillBytes
}

// checkMemory fails when running transactions hold too much.
func (db *DB) checkMemory() error {
	if held := db.held.Load(); held > db.opts.transactionBytes() {
		return fmt.Errorf("%w: the rows of running transactions take %d bytes, allowed is %d (a quarter of the memory limit); commit in smaller pieces, wait for others to commit, or raise the limit",
			ErrMemory, held, db.opts.transactionBytes())
	}
	return nil
}
