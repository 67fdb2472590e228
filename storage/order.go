package storage

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"
	"sort"

	"github.com/almanacdb/almanac/storage/columns"
	"github.com/almanacdb/almanac/storage/keys"
)

// fewRows is the number of rows up to which a batch is searched row by row: an order would cost more than it saves.
const fewRows = 64

// keyRange is a KeyRange in the encoding of its key.
type keyRange struct {
	key            *tableKey
	leading        *keys.Encoder // the columns that are restricted
	lower, upper   []byte        // bounds of the encoded leading columns
	lowerOut       bool          // rows at the bound are outside
	upperOut       bool
	prune          *filter // on the first column, for the statistics; may be nil
	withoutOrder   bool    // orders of the row groups would not fit into memory together
	primary, empty bool
}

// compileKeyRange encodes the bounds. Encoded columns are self-delimiting, so cutting a row's key to the length of a bound leaves
// exactly the columns to compare.
func (v *tableState) compileKeyRange(r *KeyRange, cache *blockCache) (*keyRange, error) {
	k, err := v.key(r.Key)
	if err != nil {
		return nil, err
	}
	n := len(r.Prefix)
	bounded := r.Lower != nil || r.Upper != nil
	if bounded {
		n++
	}
	if n > len(k.Columns) {
		return nil, fmt.Errorf("storage: key %s.%s has %d columns, the range restricts %d", v.def.name(), k.Name, len(k.Columns), n)
	}
	kr := &keyRange{key: k, leading: &keys.Encoder{Columns: k.encoder.Columns[:n]}, primary: k.Primary}
	prefix := keys.Encoder{Columns: k.encoder.Columns[:len(r.Prefix)]}
	if kr.lower, _, err = prefix.AppendValues(nil, r.Prefix); err != nil {
		return nil, err
	}
	kr.upper = slices.Clone(kr.lower)
	if bounded {
		kr.lower = append(kr.lower, 1) // past the NULLs
		kr.upper = append(kr.upper, 1)
		c := k.encoder.Columns[n-1]
		if r.Lower != nil {
			if kr.lower, err = keys.AppendValue(kr.lower, c.Type, r.Lower, c.Collate); err != nil {
				return nil, err
			}
			kr.lowerOut = r.LowerOpen
		}
		if r.Upper != nil {
			if kr.upper, err = keys.AppendValue(kr.upper, c.Type, r.Upper, c.Collate); err != nil {
				return nil, err
			}
			kr.upperOut = r.UpperOpen
		}
	}
	if n > 0 && k.encoder.Columns[0].Collate == nil {
		first := Range{Column: k.Columns[0], Lower: r.Lower, Upper: r.Upper, LowerOpen: r.LowerOpen, UpperOpen: r.UpperOpen}
		if len(r.Prefix) > 0 {
			first = Range{Column: k.Columns[0], Lower: r.Prefix[0], Upper: r.Prefix[0], Null: r.Prefix[0] == nil}
		}
		if f, err := compileRange(v.def, first); err == nil { // not every key value is a bound; pruning is optional
			kr.prune = f
			kr.empty = f.none
		}
	}
	kr.withoutOrder = v.orderBytes(k) > cache.limit/2
	return kr, nil
}

// orderBytes is about what the orders of all row groups by a key, and the columns to read with them, take in memory.
func (v *tableState) orderBytes(k *tableKey) int64 {
	n := int64(0)
	for _, p := range v.parts {
		if p.seg != nil {
			n += int64(p.rows) * int64(4+8*len(k.Columns))
		}
	}
	return n
}

// compareCut compares a row's key, cut to the length of a bound, with the bound.
func compareCut(enc, bound []byte) int { return bytes.Compare(enc[:min(len(enc), len(bound))], bound) }

// below says that a key lies before the range.
func (kr *keyRange) below(enc []byte) bool {
	c := compareCut(enc, kr.lower)
	return c < 0 || c == 0 && kr.lowerOut
}

// above says that a key lies behind the range.
func (kr *keyRange) above(enc []byte) bool {
	c := compareCut(enc, kr.upper)
	return c > 0 || c == 0 && kr.upperOut
}

// excludes says, without reading rows, that a row group has none in the range.
func (kr *keyRange) excludes(p partRef, group int) bool {
	if kr.empty {
		return true
	}
	if p.seg == nil {
		return false
	}
	f, err := p.seg.open()
	if err != nil {
		return false // reading the group will say so
	}
	g := &f.Groups[group]
	if kr.primary && f.Sorted {
		return kr.below(g.LastKey) || kr.above(g.FirstKey)
	}
	return kr.prune != nil && kr.prune.excludes(&g.Columns[kr.prune.column], g.Rows)
}

// rows returns the positions in a row group of the rows in the range, ascending; deleted rows are among them.
func (kr *keyRange) rows(p partRef, group, ncols int) ([]int32, error) {
	views, err := p.key(group, ncols, kr.key.encoder)
	if err != nil {
		return nil, err
	}
	n := views[kr.key.Columns[0]].Len
	var buf []byte
	encode := func(row int) []byte {
		buf, _ = kr.leading.AppendRow(buf[:0], views, row)
		return buf
	}
	sorted := false
	if kr.primary {
		if sorted, err = p.sorted(); err != nil {
			return nil, err
		}
	}
	var order []int32 // nil: rows are in order themselves
	switch {
	case sorted:
	case n <= fewRows || kr.withoutOrder && p.seg != nil:
		var out []int32
		for i := range n {
			if enc := encode(i); !kr.below(enc) && !kr.above(enc) {
				out = append(out, int32(i))
			}
		}
		return out, nil
	default:
		order = p.order(kr.key, views, group)
	}
	at := func(i int) int {
		if order == nil {
			return i
		}
		return int(order[i])
	}
	lo := sort.Search(n, func(i int) bool { return !kr.below(encode(at(i))) })
	// Gallop to the end: most ranges are short.
	step := 1
	for lo+step < n && !kr.above(encode(at(lo+step-1))) {
		step *= 2
	}
	from, to := lo+step/2, min(n, lo+step)
	hi := from + sort.Search(to-from, func(i int) bool { return kr.above(encode(at(from + i))) })
	out := make([]int32, 0, hi-lo)
	for i := lo; i < hi; i++ {
		out = append(out, int32(at(i)))
	}
	switch {
	case order == nil:
	case len(out) > n/8: // cheaper than sorting
		in := make([]bool, n)
		for _, i := range out {
			in[i] = true
		}
		out = out[:0]
		for i, yes := range in {
			if yes {
				out = append(out, int32(i))
			}
		}
	default:
		slices.Sort(out)
	}
	return out, nil
}

// order returns the rows of one row group in the order of a key. It is made when first asked for. That of a segment lives among the
// decoded blocks, 4 bytes a row, and goes when they are many; that of a batch in memory lives as long as the batch.
func (p *part) order(key *tableKey, views []*columns.View, group int) []int32 {
	if p.mem != nil {
		p.cache.mu.Lock()
		defer p.cache.mu.Unlock()
		if o := p.cache.orders[key.encoder]; o != nil {
			return o
		}
		if p.cache.orders == nil {
			p.cache.orders = map[*keys.Encoder][]int32{}
		}
		o := sortRows(key.encoder, views)
		p.cache.orders[key.encoder] = o
		return o
	}
	k := blockKey{file: p.seg.number, group: group, column: orderColumn, key: key.encoder}
	if b := p.seg.cache.get(k); b != nil {
		return b.order
	}
	o := sortRows(key.encoder, views)
	p.seg.cache.put(&cachedBlock{key: k, order: o, size: int64(len(o))*4 + 256})
	return o
}

// sortRows orders the rows of a batch by a key, equal ones by position. Rows are compared by a word that sorts as their first column
// does, which for numbers and dictionary-encoded text decides; only ties look further.
func sortRows(e *keys.Encoder, views []*columns.View) []int32 {
	first := views[e.Columns[0].Ordinal]
	word, exact := sortWords(e.Columns[0], first)
	rest := &keys.Encoder{Columns: e.Columns}
	if exact {
		rest.Columns = e.Columns[1:]
	}
	type entry struct {
		word uint64
		row  int32
	}
	nulls, rows := []entry{}, make([]entry, 0, first.Len)
	for i := range first.Len {
		if first.Null(i) {
			nulls = append(nulls, entry{0, int32(i)})
		} else {
			rows = append(rows, entry{word(i), int32(i)})
		}
	}
	out := make([]int32, 0, first.Len)
	for _, list := range [][]entry{nulls, rows} {
		slices.SortFunc(list, func(a, b entry) int {
			if c := cmp.Compare(a.word, b.word); c != 0 {
				return c
			}
			if len(rest.Columns) > 0 {
				if c := rest.Compare(views, int(a.row), views, int(b.row)); c != 0 {
					return c
				}
			}
			return cmp.Compare(a.row, b.row)
		})
		for _, x := range list {
			out = append(out, x.row)
		}
	}
	return out
}

// sortWords returns a function from rows (not NULL) to words in the order of the column, and whether equal words mean equal values.
func sortWords(c keys.Column, v *columns.View) (word func(row int) uint64, exact bool) {
	switch {
	case v.Class == columns.Signed:
		return func(i int) uint64 { return uint64(v.Int(i)) ^ 1<<63 }, true
	case v.Class == columns.Unsigned:
		return v.Uint, true
	case v.Class == columns.Float:
		return func(i int) uint64 { return keys.FloatOrder(v.Float(i)) }, true
	case v.Dict != nil:
		rank := dictionaryRanks(c, v.Dict)
		return func(i int) uint64 { return rank[v.Codes[i]] }, true
	}
	one := keys.Encoder{Columns: []keys.Column{{Type: v.Type, Collate: c.Collate}}}
	view := []*columns.View{v}
	var buf []byte
	return func(i int) uint64 {
		buf, _ = one.AppendRow(buf[:0], view, i)
		var head [8]byte
		copy(head[:], buf[1:])
		return binary.BigEndian.Uint64(head[:])
	}, false
}

// dictionaryRanks numbers the entries of a dictionary in the order of their comparison keys; equal ones get one number.
func dictionaryRanks(c keys.Column, dict *columns.View) []uint64 {
	text := make([][]byte, dict.Len)
	by := make([]int, dict.Len)
	for i := range text {
		by[i] = i
		if dict.Null(i) {
			continue
		}
		if text[i] = dict.Bytes(i); c.Collate != nil {
			text[i] = c.Collate(nil, text[i])
		}
	}
	slices.SortFunc(by, func(a, b int) int { return bytes.Compare(text[a], text[b]) })
	rank := make([]uint64, dict.Len)
	for i := 1; i < len(by); i++ {
		rank[by[i]] = rank[by[i-1]]
		if !bytes.Equal(text[by[i]], text[by[i-1]]) {
			rank[by[i]]++
		}
	}
	return rank
}
