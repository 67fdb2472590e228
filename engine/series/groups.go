package series

import (
	"cmp"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// groups numbers the combinations of key values in the order they come.
type groups struct {
	columns []*keyColumn
	places  []int // of the columns in a batch

	// pairs[c] numbers the pairs of (combination of columns 0..c, code of column c+1).
	pairs []map[uint64]uint32
	// combinations holds the codes of each group, one per column; not used with a single column, where group and code are one.
	combinations []uint32
	scratch      [][]uint32
}

func newGroups(columns []*keyColumn, places []int) *groups {
	g := &groups{columns: columns, places: places, scratch: make([][]uint32, len(columns))}
	for range max(len(columns)-1, 0) {
		g.pairs = append(g.pairs, map[uint64]uint32{})
	}
	return g
}

// number returns the group of each row of a batch; the result is overwritten by the next call.
func (g *groups) number(batch arrow.RecordBatch) ([]uint32, error) {
	rows := int(batch.NumRows())
	if len(g.columns) == 0 {
		return nil, nil
	}
	for c, column := range g.columns {
		g.scratch[c] = slices.Grow(g.scratch[c][:0], rows)[:rows]
		if err := column.encode(g.scratch[c], batch.Column(g.places[c])); err != nil {
			return nil, err
		}
	}
	ids := g.scratch[0]
	if len(g.columns) == 1 {
		return ids, nil
	}
	// ids is the first column's codes and becomes the groups in place: row i is read before it is written.
	codes := make([]uint32, len(g.columns))
	last := make([]uint32, len(g.columns))
	lastID, have := uint32(0), false
	for i := range rows {
		for c := range codes {
			codes[c] = g.scratch[c][i]
		}
		if !have || !slices.Equal(codes, last) {
			lastID, have = g.combination(codes), true
			copy(last, codes)
		}
		ids[i] = lastID
	}
	return ids, nil
}

// combination numbers one combination of codes.
func (g *groups) combination(codes []uint32) uint32 {
	id := codes[0]
	for c, pairs := range g.pairs {
		pair := uint64(id)<<32 | uint64(codes[c+1])
		next, ok := pairs[pair]
		if !ok {
			next = uint32(len(pairs))
			pairs[pair] = next
			if c == len(g.pairs)-1 {
				g.combinations = append(g.combinations, codes...)
			}
		}
		id = next
	}
	return id
}

// count is the number of groups given so far; with one column the NULL group counts whether it occurred or not.
func (g *groups) count() int {
	switch len(g.columns) {
	case 0:
		return 1
	case 1:
		return g.columns[0].values.count()
	}
	return len(g.combinations) / len(g.columns)
}

func (g *groups) code(group uint32, column int) uint32 {
	if len(g.columns) == 1 {
		return group
	}
	return g.combinations[int(group)*len(g.columns)+column]
}

// order sorts groups ascending by their keys, the first column first, NULL before everything.
func (g *groups) order(groups []uint32) {
	ranks := make([][]uint32, len(g.columns))
	for c, column := range g.columns {
		ranks[c] = column.ranks()
	}
	slices.SortFunc(groups, func(a, b uint32) int {
		for c := range ranks {
			if d := cmp.Compare(ranks[c][g.code(a, c)], ranks[c][g.code(b, c)]); d != 0 {
				return d
			}
		}
		return 0
	})
}

// keys makes the record batch of the keys of those groups.
func (g *groups) keys(mem memory.Allocator, groups []uint32) arrow.RecordBatch {
	fields := make([]arrow.Field, len(g.columns))
	columns := make([]arrow.Array, len(g.columns))
	codes := make([]uint32, len(groups))
	for c, column := range g.columns {
		for i, group := range groups {
			codes[i] = g.code(group, c)
		}
		fields[c] = column.field
		columns[c] = column.values.build(mem, codes)
	}
	batch := array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, int64(len(groups)))
	for _, c := range columns {
		c.Release()
	}
	return batch
}

// keyOfRow writes the key of one row of a batch for messages.
func (g *groups) keyOfRow(batch arrow.RecordBatch, row int) string {
	parts := make([]string, len(g.columns))
	for c, column := range g.columns {
		parts[c] = keyPart(column.field.Name, batch.Column(g.places[c]), row)
	}
	return strings.Join(parts, ", ")
}

func keyPart(name string, column arrow.Array, row int) string {
	if column.IsNull(row) {
		return name + "=NULL"
	}
	return name + "=" + column.ValueStr(row)
}
