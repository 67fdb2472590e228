package storage

import (
	"cmp"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"github.com/RoaringBitmap/roaring/v2"
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/storage/columns"
	"github.com/almanacdb/almanac/storage/keys"
	"github.com/almanacdb/almanac/storage/segment"
	"github.com/almanacdb/almanac/storage/vfs"
)

// maxMemoryPart is the number of rows up to which in-memory parts are merged; larger ones are left alone.
const maxMemoryPart = segment.GroupRows

// part is an immutable run of rows of one table: a batch in memory or a segment file. Row ids lie in [rowBase, rowBase+rowSpan); row i
// has id rowBase+i unless the segment keeps explicit ids.
type part struct {
	rowBase, rowSpan uint64
	rows             int
	bytes            int64
	seq              uint64          // commit that added it, 0 while its transaction runs
	mem              []*columns.View // by column; nil for a segment
	seg              *segmentFile
	cache            *partCache
}

// partCache holds what is derived from an in-memory part when first needed; what is derived from a segment is in the blockCache. Copies
// of a part under other row ids share it.
type partCache struct {
	mu     sync.Mutex
	hashes map[*keys.Encoder]*hashIndex
	orders map[*keys.Encoder][]int32
}

// partRef is a part and its deleted rows as one table version sees them. The bitmap holds positions and is never modified.
type partRef struct {
	*part
	deleted *roaring.Bitmap // nil when no row is deleted
}

func (r partRef) live() int {
	if r.deleted == nil {
		return r.rows
	}
	return r.rows - int(r.deleted.GetCardinality())
}

func (r partRef) isDeleted(pos int) bool { return r.deleted != nil && r.deleted.ContainsInt(pos) }

func newMemoryPart(views []*columns.View) *part {
	p := &part{rows: views[0].Len, rowSpan: uint64(views[0].Len), mem: views, cache: &partCache{}}
	for _, v := range views {
		p.bytes += v.Size()
	}
	return p
}

// withBase returns the same rows under other row ids.
func (p *part) withBase(base uint64) *part {
	q := *p
	q.rowBase = base
	return &q
}

// groups returns how many row groups a part has.
func (p *part) groups() (int, error) {
	if p.mem != nil {
		return 1, nil
	}
	f, err := p.seg.open()
	if err != nil {
		return 0, err
	}
	return len(f.Groups), nil
}

// column returns one column of one row group.
func (p *part) column(group, column int) (*columns.View, error) {
	if p.mem != nil {
		return p.mem[column], nil
	}
	return p.seg.column(group, column)
}

// key loads the columns of a key of one row group into views by ordinal.
func (p *part) key(group, ncols int, e *keys.Encoder) ([]*columns.View, error) {
	if p.mem != nil {
		return p.mem, nil
	}
	views := make([]*columns.View, ncols)
	for _, c := range e.Columns {
		v, err := p.seg.column(group, c.Ordinal)
		if err != nil {
			return nil, err
		}
		views[c.Ordinal] = v
	}
	return views, nil
}

// ids returns the row ids of one row group, relative to rowBase; nil means start, start+1, … .
func (p *part) ids(group int) ([]uint64, error) {
	if p.mem != nil {
		return nil, nil
	}
	f, err := p.seg.open()
	if err != nil || !f.ExplicitIDs {
		return nil, err
	}
	return p.seg.rowIDs(group)
}

// sorted says whether the part is a segment in the order of the primary key.
func (p *part) sorted() (bool, error) {
	if p.mem != nil {
		return false, nil
	}
	f, err := p.seg.open()
	if err != nil {
		return false, err
	}
	return f.Sorted, nil
}

type idPosition struct {
	id  uint64
	pos int
}

// position finds the row of an id.
func (p *part) position(id uint64) (pos int, ok bool, err error) {
	if id < p.rowBase || id-p.rowBase >= p.rowSpan {
		return 0, false, nil
	}
	rel := id - p.rowBase
	if p.mem != nil {
		return int(rel), rel < uint64(p.rows), nil
	}
	f, err := p.seg.open()
	if err != nil {
		return 0, false, err
	}
	if !f.ExplicitIDs {
		return int(rel), rel < uint64(p.rows), nil
	}
	byID, err := p.positions(f)
	if err != nil {
		return 0, false, err
	}
	i, found := slices.BinarySearchFunc(byID, rel, func(e idPosition, id uint64) int { return cmp.Compare(e.id, id) })
	if !found {
		return 0, false, nil
	}
	return byID[i].pos, true, nil
}

// positions returns the explicit row ids of a segment, sorted, with their positions.
func (p *part) positions(f *segment.Footer) ([]idPosition, error) {
	k := blockKey{file: p.seg.number, group: -1, column: positionColumn}
	if b := p.seg.cache.get(k); b != nil {
		return b.positions, nil
	}
	p.cache.mu.Lock() // two builders would do the work twice
	defer p.cache.mu.Unlock()
	if b := p.seg.cache.get(k); b != nil {
		return b.positions, nil
	}
	all := make([]idPosition, 0, p.rows)
	for g := range f.Groups {
		ids, err := p.seg.rowIDs(g)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			all = append(all, idPosition{id, len(all)})
		}
	}
	slices.SortFunc(all, func(a, b idPosition) int { return cmp.Compare(a.id, b.id) })
	p.seg.cache.put(&cachedBlock{key: k, positions: all, size: int64(len(all))*16 + 256})
	return all, nil
}

// idAt returns the row id at a position.
func (p *part) idAt(pos int) (uint64, error) {
	group, row, err := p.locate(pos)
	if err != nil {
		return 0, err
	}
	ids, err := p.ids(group)
	if err != nil {
		return 0, err
	}
	if ids == nil {
		return p.rowBase + uint64(pos), nil
	}
	return p.rowBase + ids[row], nil
}

// locate turns a position in the part into row group and row.
func (p *part) locate(pos int) (group, row int, err error) {
	if p.mem != nil {
		return 0, pos, nil
	}
	f, err := p.seg.open()
	if err != nil {
		return 0, 0, err
	}
	if pos < 0 || pos >= f.Rows {
		return 0, 0, fmt.Errorf("%w: %s has no row %d", ErrCorrupt, p.seg.name(), pos)
	}
	g, exact := slices.BinarySearch(p.seg.starts, pos)
	if !exact {
		g--
	}
	return g, pos - p.seg.starts[g], nil
}

// segmentFile is a segment on disk. It is opened when first needed, so that opening a database reads no segment and a damaged one
// fails only those who read it.
type segmentFile struct {
	number uint64
	dir    string
	fs     vfs.FS
	cache  *blockCache
	rows   int           // as the part list has it
	schema *arrow.Schema // for its types

	mu     sync.Mutex
	file   vfs.File
	footer *segment.Footer
	starts []int // position of the first row of each row group
}

func segmentName(number uint64) string { return fmt.Sprintf("%06d.seg", number) }

func (s *segmentFile) name() string { return "segments/" + segmentName(s.number) }

// damage adds the file's name to an error of reading it.
func (s *segmentFile) damage(err error) error {
	var d *segment.DamageError
	if errors.As(err, &d) {
		return fmt.Errorf("%w: %s %w", ErrCorrupt, s.name(), err)
	}
	return fmt.Errorf("storage: reading %s: %w", s.name(), err)
}

func (s *segmentFile) handle() (vfs.File, error) {
	if s.file == nil {
		f, err := s.fs.Open(filepath.Join(s.dir, segmentName(s.number)))
		if err != nil {
			return nil, fmt.Errorf("storage: opening %s: %w", s.name(), err)
		}
		s.file = f
	}
	return s.file, nil
}

// open returns the footer. A failure is not remembered: the cause may be passing (too many open files).
func (s *segmentFile) open() (*segment.Footer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.footer != nil {
		return s.footer, nil
	}
	file, err := s.handle()
	if err != nil {
		return nil, err
	}
	size, err := file.Size()
	if err != nil {
		return nil, s.damage(err)
	}
	f, err := segment.ReadFooter(file, size)
	if err != nil {
		return nil, s.damage(err)
	}
	if f.Rows != s.rows {
		return nil, fmt.Errorf("%w: %s has %d rows, its table expects %d", ErrCorrupt, s.name(), f.Rows, s.rows)
	}
	if err := s.checkTypes(f); err != nil {
		return nil, err
	}
	start := 0
	for _, g := range f.Groups {
		s.starts = append(s.starts, start)
		start += g.Rows
	}
	s.footer = f
	return f, nil
}

// keepOpen makes sure that readers of old versions can go on after the file is removed.
func (s *segmentFile) keepOpen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = s.handle()
}

func (s *segmentFile) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.file != nil {
		s.file.Close()
	}
}

func (s *segmentFile) column(group, column int) (*columns.View, error) {
	k := blockKey{file: s.number, group: group, column: column}
	if b := s.cache.get(k); b != nil {
		return b.view, nil
	}
	f, err := s.open()
	if err != nil {
		return nil, err
	}
	a, err := f.ReadColumn(s.file, group, column)
	if err != nil {
		return nil, s.damage(err)
	}
	v := columns.Of(a)
	s.cache.put(&cachedBlock{key: k, view: v, size: v.Size() + 256})
	return v, nil
}

func (s *segmentFile) rowIDs(group int) ([]uint64, error) {
	k := blockKey{file: s.number, group: group, column: rowIDColumn}
	if b := s.cache.get(k); b != nil {
		return b.ids, nil
	}
	f, err := s.open()
	if err != nil {
		return nil, err
	}
	ids, err := f.ReadRowIDs(s.file, group)
	if err != nil {
		return nil, s.damage(err)
	}
	s.cache.put(&cachedBlock{key: k, ids: ids, size: int64(len(ids))*8 + 256})
	return ids, nil
}

// checkTypes makes sure that a segment's columns are those of its table.
func (s *segmentFile) checkTypes(f *segment.Footer) error {
	if f.Schema.NumFields() != s.schema.NumFields() {
		return fmt.Errorf("%w: %s has %d columns, its table %d", ErrCorrupt, s.name(), f.Schema.NumFields(), s.schema.NumFields())
	}
	for i, field := range s.schema.Fields() {
		if !arrow.TypeEqual(field.Type, f.Schema.Field(i).Type) {
			return fmt.Errorf("%w: %s has type %v in column %d, its table %v", ErrCorrupt, s.name(), f.Schema.Field(i).Type, i, field.Type)
		}
	}
	return nil
}
