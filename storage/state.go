package storage

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/storage/columns"
	"github.com/almanacdb/almanac/storage/keys"
)

// state is everything a directory holds at one commit. It is immutable: a change makes a new one that shares what did not change.
type state struct {
	seq       uint64 // of the last transaction in it
	nextTable uint64
	databases map[string]*database   // by folded name
	objects   map[objectKey]*Object  // by folded names
	names     map[tableName]uint64   // by folded names
	tables    map[uint64]*tableState // by id
}

type database struct {
	name string
	meta []byte
}

type objectKey struct{ kind, database, name string }

type tableName struct{ database, name string }

func fold(s string) string { return strings.ToLower(s) }

func foldTable(database, name string) tableName { return tableName{fold(database), fold(name)} }

func emptyState() *state {
	return &state{nextTable: 1, databases: map[string]*database{}, objects: map[objectKey]*Object{}, names: map[tableName]uint64{}, tables: map[uint64]*tableState{}}
}

// tableState is one version of a table.
type tableState struct {
	def     *tableDef
	parts   []partRef // by rowBase
	nextRow uint64    // the id of the next row
	rows    int64     // live
	version uint64    // the commit that last changed the data
	// damage is not nil when the log deletes rows of a segment that could not be read: the rows here are not the table's.
	damage error
}

func (v *tableState) bytes() int64 {
	var n int64
	for _, p := range v.parts {
		n += p.part.bytes
	}
	return n
}

func (v *tableState) memoryBytes() int64 {
	var n int64
	for _, p := range v.parts {
		n += v.def.inMemory(p.part)
	}
	return n
}

// findRow locates a live row by id.
func (v *tableState) findRow(id uint64) (part, pos int, ok bool, err error) {
	for i := range v.parts {
		pos, ok, err := v.parts[i].position(id)
		if err != nil {
			return 0, 0, false, err
		}
		if ok {
			return i, pos, !v.parts[i].isDeleted(pos), nil
		}
	}
	return 0, 0, false, nil
}

// tableDef is what a table is called and made of, immutable; ALTER makes a new one.
type tableDef struct {
	id      uint64
	spec    TableSpec
	keys    []*tableKey
	primary *tableKey // nil when there is none
	// counter is the next automatic number. It is shared by all versions of the table and not transactional.
	counter *atomic.Uint64
}

type tableKey struct {
	Key
	encoder *keys.Encoder
}

// unique lists the keys that collide.
func (d *tableDef) unique() []*tableKey {
	var u []*tableKey
	for _, k := range d.keys {
		if k.Unique || k.Primary {
			u = append(u, k)
		}
	}
	return u
}

func (d *tableDef) columns() int { return d.spec.Schema.NumFields() }

func (d *tableDef) name() string { return d.spec.Database + "." + d.spec.Name }

// collate is Options.Collate.
type collate func(arrow.Field) func(dst, value []byte) []byte

func newTableDef(id uint64, spec TableSpec, counter *atomic.Uint64, c collate) (*tableDef, error) {
	d := &tableDef{id: id, spec: spec, counter: counter}
	if spec.Schema == nil || spec.Schema.NumFields() == 0 {
		return nil, fmt.Errorf("storage: table %s has no columns", d.name())
	}
	if err := columns.CheckSchema(spec.Schema); err != nil {
		return nil, err
	}
	if spec.AutoIncrement >= spec.Schema.NumFields() || spec.AutoIncrement < -1 {
		return nil, fmt.Errorf("storage: table %s: AutoIncrement is column %d of %d", d.name(), spec.AutoIncrement, spec.Schema.NumFields())
	}
	if spec.AutoIncrement >= 0 {
		if k := columns.ClassOf(spec.Schema.Field(spec.AutoIncrement).Type); k != columns.Signed && k != columns.Unsigned && k != columns.Float {
			return nil, fmt.Errorf("storage: table %s: column %q cannot be numbered automatically", d.name(), spec.Schema.Field(spec.AutoIncrement).Name)
		}
	}
	for i, k := range spec.Keys {
		if k.Primary && i > 0 {
			return nil, fmt.Errorf("storage: table %s: the primary key must come first", d.name())
		}
		if len(k.Columns) == 0 {
			return nil, fmt.Errorf("storage: table %s: key %q has no columns", d.name(), k.Name)
		}
		tk := &tableKey{Key: k, encoder: &keys.Encoder{}}
		for _, o := range k.Columns {
			if o < 0 || o >= spec.Schema.NumFields() {
				return nil, fmt.Errorf("storage: table %s: key %q names column %d of %d", d.name(), k.Name, o, spec.Schema.NumFields())
			}
			f := spec.Schema.Field(o)
			col := keys.Column{Ordinal: o, Type: f.Type}
			if c != nil && f.Type.ID() == arrow.STRING {
				col.Collate = c(f)
			}
			tk.encoder.Columns = append(tk.encoder.Columns, col)
		}
		d.keys = append(d.keys, tk)
		if k.Primary {
			d.primary = tk
		}
	}
	return d, nil
}

// builder makes the next state. Maps are copied when first written to.
type builder struct {
	state
	owned [4]bool
}

func (s *state) edit() *builder { return &builder{state: *s} }

func own[K comparable, V any](b *builder, i int, m *map[K]V) map[K]V {
	if !b.owned[i] {
		*m = maps.Clone(*m)
		b.owned[i] = true
	}
	return *m
}

func (b *builder) setDatabases() map[string]*database { return own(b, 0, &b.databases) }
func (b *builder) setObjects() map[objectKey]*Object  { return own(b, 1, &b.objects) }
func (b *builder) setNames() map[tableName]uint64     { return own(b, 2, &b.names) }
func (b *builder) setTables() map[uint64]*tableState  { return own(b, 3, &b.tables) }

// done freezes the builder's work as a state.
func (b *builder) done() *state {
	s := b.state
	b.owned = [4]bool{}
	return &s
}

func (b *builder) createDatabase(name string, meta []byte) error {
	if name == "" {
		return errors.New("storage: a database needs a name")
	}
	if b.databases[fold(name)] != nil {
		return fmt.Errorf("%w: database %s", ErrExists, name)
	}
	b.setDatabases()[fold(name)] = &database{name, slices.Clone(meta)}
	return nil
}

func (b *builder) dropDatabase(name string) error {
	f := fold(name)
	if b.databases[f] == nil {
		return fmt.Errorf("%w: %s", ErrNoDatabase, name)
	}
	delete(b.setDatabases(), f)
	for n, id := range b.names {
		if n.database == f {
			delete(b.setNames(), n)
			delete(b.setTables(), id)
		}
	}
	for k := range b.objects {
		if k.database == f {
			delete(b.setObjects(), k)
		}
	}
	return nil
}

func (b *builder) setDatabaseMeta(name string, meta []byte) error {
	d := b.databases[fold(name)]
	if d == nil {
		return fmt.Errorf("%w: %s", ErrNoDatabase, name)
	}
	b.setDatabases()[fold(name)] = &database{d.name, slices.Clone(meta)}
	return nil
}

func (b *builder) putObject(kind, db, name string, value []byte) error {
	if db != "" && b.databases[fold(db)] == nil {
		return fmt.Errorf("%w: %s", ErrNoDatabase, db)
	}
	b.setObjects()[objectKey{kind, fold(db), fold(name)}] = &Object{name, slices.Clone(value)}
	return nil
}

func (b *builder) deleteObject(kind, db, name string) error {
	k := objectKey{kind, fold(db), fold(name)}
	if b.objects[k] == nil {
		return fmt.Errorf("%w: %s %s", ErrNoObject, kind, name)
	}
	delete(b.setObjects(), k)
	return nil
}

func (b *builder) createTable(d *tableDef) error {
	if d.spec.Name == "" {
		return errors.New("storage: a table needs a name")
	}
	if b.databases[fold(d.spec.Database)] == nil {
		return fmt.Errorf("%w: %s", ErrNoDatabase, d.spec.Database)
	}
	n := foldTable(d.spec.Database, d.spec.Name)
	if _, taken := b.names[n]; taken {
		return fmt.Errorf("%w: table %s", ErrExists, d.name())
	}
	if b.tables[d.id] != nil {
		return fmt.Errorf("%w: two tables with id %d", ErrCorrupt, d.id)
	}
	b.setNames()[n] = d.id
	b.setTables()[d.id] = &tableState{def: d, version: b.seq}
	b.nextTable = max(b.nextTable, d.id+1)
	return nil
}

func (b *builder) dropTable(id uint64) error {
	t := b.tables[id]
	if t == nil {
		return ErrNoTable
	}
	delete(b.setNames(), foldTable(t.def.spec.Database, t.def.spec.Name))
	delete(b.setTables(), id)
	return nil
}

// alterTable gives a table a new definition, which may also rename it.
func (b *builder) alterTable(d *tableDef, replace bool) error {
	t := b.tables[d.id]
	if t == nil {
		return ErrNoTable
	}
	from, to := foldTable(t.def.spec.Database, t.def.spec.Name), foldTable(d.spec.Database, d.spec.Name)
	if from != to {
		if b.databases[to.database] == nil {
			return fmt.Errorf("%w: %s", ErrNoDatabase, d.spec.Database)
		}
		if _, taken := b.names[to]; taken {
			return fmt.Errorf("%w: table %s", ErrExists, d.name())
		}
		delete(b.setNames(), from)
		b.setNames()[to] = d.id
	}
	n := *t
	n.def = d
	if replace {
		n.parts, n.rows, n.version, n.damage = nil, 0, b.seq, nil
	}
	b.setTables()[d.id] = &n
	return nil
}
