package storage

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"sort"

	"github.com/zeebo/xxh3"

	"github.com/almanacdb/almanac/storage/columns"
	"github.com/almanacdb/almanac/storage/keys"
)

// hashIndex finds rows of one part by the hash of an encoded key: 16 bytes a row. Rows with a NULL in the key are not in it.
type hashIndex struct {
	entries  []hashEntry // sorted by hash, then row
	min, max []byte      // least and greatest encoded key; nil when there are no entries
}

type hashEntry struct {
	hash uint64
	row  uint32
}

// find appends the rows that may have a key: those of equal hash.
func (h *hashIndex) find(dst []int, hash uint64) []int {
	i := sort.Search(len(h.entries), func(i int) bool { return h.entries[i].hash >= hash })
	for ; i < len(h.entries) && h.entries[i].hash == hash; i++ {
		dst = append(dst, int(h.entries[i].row))
	}
	return dst
}

// add indexes the rows of one batch, whose first row has position start.
func (h *hashIndex) add(e *keys.Encoder, views []*columns.View, start, n int) {
	var buf []byte
	for i := range n {
		enc, null := e.AppendRow(buf[:0], views, i)
		buf = enc
		if null {
			continue
		}
		h.entries = append(h.entries, hashEntry{xxh3.Hash(enc), uint32(start + i)})
		if h.min == nil || bytes.Compare(enc, h.min) < 0 {
			h.min = append(h.min[:0:0], enc...)
		}
		if h.max == nil || bytes.Compare(enc, h.max) > 0 {
			h.max = append(h.max[:0:0], enc...)
		}
	}
}

func (h *hashIndex) sort() {
	slices.SortFunc(h.entries, func(a, b hashEntry) int {
		if c := cmp.Compare(a.hash, b.hash); c != 0 {
			return c
		}
		return cmp.Compare(a.row, b.row)
	})
}

// hashIndex returns the part's index for a key, building it the first time. That of a segment lives among the decoded blocks and goes
// when they are many; that of a batch in memory lives as long as the batch.
func (p *part) hashIndex(e *keys.Encoder, ncols int) (*hashIndex, error) {
	k := blockKey{group: -1, column: hashColumn, key: e}
	if p.seg != nil {
		k.file = p.seg.number
		if b := p.seg.cache.get(k); b != nil {
			return b.hash, nil
		}
	}
	p.cache.mu.Lock() // two builders would do the work twice
	defer p.cache.mu.Unlock()
	if p.seg != nil {
		if b := p.seg.cache.get(k); b != nil {
			return b.hash, nil
		}
	} else if h := p.cache.hashes[e]; h != nil {
		return h, nil
	}
	size := int64(p.rows)*16 + 256
	if p.seg != nil && size > p.seg.cache.limit {
		return nil, fmt.Errorf("%w: an index of %s takes %d bytes, allowed is %d (half of the memory limit)", ErrMemory, p.seg.name(), size, p.seg.cache.limit)
	}
	h, err := p.buildHashIndex(e, ncols)
	if err != nil {
		return nil, err
	}
	if p.seg != nil {
		p.seg.cache.put(&cachedBlock{key: k, hash: h, size: size})
		return h, nil
	}
	if p.cache.hashes == nil {
		p.cache.hashes = map[*keys.Encoder]*hashIndex{}
	}
	p.cache.hashes[e] = h
	return h, nil
}

func (p *part) buildHashIndex(e *keys.Encoder, ncols int) (*hashIndex, error) {
	groups, err := p.groups()
	if err != nil {
		return nil, err
	}
	h := &hashIndex{entries: make([]hashEntry, 0, p.rows)}
	start := 0
	for g := range groups {
		views, err := p.key(g, ncols, e)
		if err != nil {
			return nil, err
		}
		n := views[e.Columns[0].Ordinal].Len
		h.add(e, views, start, n)
		start += n
	}
	h.sort()
	return h, nil
}

// bisects says whether a key of the part is searched by bisection rather than by a hash index: the primary key of a sorted segment.
func (p *part) bisects(key *tableKey) (bool, error) {
	if !key.Primary {
		return false, nil
	}
	return p.sorted()
}

// keyRange returns bounds of the encoded keys in a part (deleted rows included); ok is false when it has none.
func (p *part) keyRange(key *tableKey, ncols int) (lo, hi []byte, ok bool, err error) {
	bisects, err := p.bisects(key)
	if err != nil {
		return nil, nil, false, err
	}
	if bisects {
		f, err := p.seg.open()
		if err != nil || len(f.Groups) == 0 {
			return nil, nil, false, err
		}
		return f.Groups[0].FirstKey, f.Groups[len(f.Groups)-1].LastKey, true, nil
	}
	h, err := p.hashIndex(key.encoder, ncols)
	if err != nil {
		return nil, nil, false, err
	}
	return h.min, h.max, h.min != nil, nil
}

// find returns the position of the live row that has an encoded key without NULL.
func (r partRef) find(key *tableKey, ncols int, enc []byte, hash uint64) (pos int, ok bool, err error) {
	f, err := r.finder(key, ncols)
	if err != nil {
		return 0, false, err
	}
	return f.find(enc, hash)
}

// finder finds many keys in one part. It holds on to the index, which may be evicted from the cache meanwhile.
type finder struct {
	part  partRef
	key   *tableKey
	ncols int
	hash  *hashIndex // nil: bisect
	buf   []byte
}

func (r partRef) finder(key *tableKey, ncols int) (*finder, error) {
	f := &finder{part: r, key: key, ncols: ncols}
	bisects, err := r.bisects(key)
	if err == nil && !bisects {
		f.hash, err = r.hashIndex(key.encoder, ncols)
	}
	return f, err
}

func (f *finder) find(enc []byte, hash uint64) (pos int, ok bool, err error) {
	if f.hash == nil {
		pos, ok, err = f.part.bisect(f.key.encoder, f.ncols, enc)
		return pos, ok && !f.part.isDeleted(pos), err
	}
	var few [4]int
	for _, pos := range f.hash.find(few[:0], hash) {
		if f.part.isDeleted(pos) {
			continue
		}
		group, row, err := f.part.locate(pos)
		if err != nil {
			return 0, false, err
		}
		views, err := f.part.key(group, f.ncols, f.key.encoder)
		if err != nil {
			return 0, false, err
		}
		f.buf, _ = f.key.encoder.AppendRow(f.buf[:0], views, row)
		if bytes.Equal(f.buf, enc) {
			return pos, true, nil
		}
	}
	return 0, false, nil
}

// bisect searches a sorted segment: the footer gives the row group, its key columns the row.
func (p *part) bisect(e *keys.Encoder, ncols int, enc []byte) (pos int, ok bool, err error) {
	f, err := p.seg.open()
	if err != nil {
		return 0, false, err
	}
	g := sort.Search(len(f.Groups), func(g int) bool { return bytes.Compare(f.Groups[g].LastKey, enc) >= 0 })
	if g == len(f.Groups) || bytes.Compare(f.Groups[g].FirstKey, enc) > 0 {
		return 0, false, nil
	}
	views, err := p.key(g, ncols, e)
	if err != nil {
		return 0, false, err
	}
	var buf []byte
	row := sort.Search(f.Groups[g].Rows, func(i int) bool {
		buf, _ = e.AppendRow(buf[:0], views, i)
		return bytes.Compare(buf, enc) >= 0
	})
	if row == f.Groups[g].Rows {
		return 0, false, nil
	}
	buf, _ = e.AppendRow(buf[:0], views, row)
	return p.seg.starts[g] + row, bytes.Equal(buf, enc), nil
}
