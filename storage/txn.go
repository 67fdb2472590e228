package storage

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// localRow marks the provisional id of a row that its transaction has not committed yet.
const localRow = 1 << 63

// Txn is a snapshot of the database and a set of changes to it. It is not safe for concurrent use; Scanners made from it are
// independent of it. A Txn that ends without Commit or Rollback leaks only the segment files it spilled, until the next Open.
type Txn struct {
	db    *DB
	base  *state
	meta  *state // base with this transaction's changes but for rows, which are in edits
	ops   []op   // that made meta from base
	edits map[uint64]*edit
	files []uint64 // segments spilled
	held  int64    // bytes of rows in memory, as last counted
	done  bool
}

// edit is what a transaction did to the rows of one table. It is immutable: each change makes a new one, which makes savepoints cheap.
type edit struct {
	base      *tableState // nil for a table made by this transaction
	view      *tableState // what the transaction sees; its own parts have provisional ids
	replaced  bool        // all rows of base are gone
	nextLocal uint64      // number of the next provisional id
	changes   uint64      // counts data changes, for Version
	counter   *atomic.Uint64
}

// Begin starts a transaction on the newest committed state. It never blocks.
func (db *DB) Begin() *Txn {
	s := db.published.Load()
	return &Txn{db: db, base: s, meta: s, edits: map[uint64]*edit{}}
}

// Dirty says whether the transaction changed anything.
func (t *Txn) Dirty() bool { return len(t.ops) > 0 || len(t.edits) > 0 }

// Savepoint is a moment in a transaction to which RollbackTo returns.
type Savepoint struct {
	meta  *state
	ops   int
	edits map[uint64]*edit
}

// Savepoint remembers the present state of the transaction. It is cheap and needs no release.
func (t *Txn) Savepoint() Savepoint {
	return Savepoint{t.meta, len(t.ops), maps.Clone(t.edits)}
}

// RollbackTo undoes everything since the savepoint. Automatic numbers that were reserved stay used.
func (t *Txn) RollbackTo(s Savepoint) {
	t.meta, t.ops, t.edits = s.meta, t.ops[:s.ops:s.ops], maps.Clone(s.edits)
	t.account()
}

// Rollback ends the transaction without its changes. After Commit it does nothing.
func (t *Txn) Rollback() {
	if t.done {
		return
	}
	t.done = true
	t.db.dropFiles(t.files)
	t.edits, t.ops, t.files = nil, nil, nil
	t.account()
}

// change applies a metadata operation to the transaction's state.
func (t *Txn) change(o op) error {
	if t.done {
		return ErrClosed
	}
	b := t.meta.edit()
	if err := o.apply(b, 0); err != nil {
		return err
	}
	t.meta = b.done()
	t.ops = append(t.ops, o)
	return nil
}

// Databases returns the names of all databases, sorted.
func (t *Txn) Databases() []string {
	names := make([]string, 0, len(t.meta.databases))
	for _, d := range t.meta.databases {
		names = append(names, d.name)
	}
	slices.Sort(names)
	return names
}

// CreateDatabase makes an empty database; ErrExists if it is there.
func (t *Txn) CreateDatabase(name string, meta []byte) error {
	return t.change(op{kind: opCreateDatabase, name: name, value: slices.Clone(meta)})
}

// DropDatabase removes a database with its tables and objects; ErrNoDatabase if it is not there.
func (t *Txn) DropDatabase(name string) error {
	if err := t.change(op{kind: opDropDatabase, name: name}); err != nil {
		return err
	}
	maps.DeleteFunc(t.edits, func(id uint64, _ *edit) bool { return t.meta.tables[id] == nil })
	return nil
}

// DatabaseMeta returns the bytes kept with a database; false if there is no such database.
func (t *Txn) DatabaseMeta(name string) ([]byte, bool) {
	d := t.meta.databases[fold(name)]
	if d == nil {
		return nil, false
	}
	return d.meta, true
}

// SetDatabaseMeta replaces the bytes kept with a database.
func (t *Txn) SetDatabaseMeta(name string, meta []byte) error {
	return t.change(op{kind: opDatabaseMeta, name: name, value: slices.Clone(meta)})
}

// PutObject stores an object under its kind, database ("" for none) and name, replacing one of that name. value is copied.
func (t *Txn) PutObject(kind, database, name string, value []byte) error {
	return t.change(op{kind: opPutObject, objectKind: kind, database: database, name: name, value: slices.Clone(value)})
}

// DeleteObject removes an object; ErrNoObject if it is not there.
func (t *Txn) DeleteObject(kind, database, name string) error {
	return t.change(op{kind: opDeleteObject, objectKind: kind, database: database, name: name})
}

// Object returns an object's value, which is only for reading; false if it is not there.
func (t *Txn) Object(kind, database, name string) ([]byte, bool) {
	o := t.meta.objects[objectKey{kind, fold(database), fold(name)}]
	if o == nil {
		return nil, false
	}
	return o.Value, true
}

// Objects returns the objects of a kind in a database, sorted by name.
func (t *Txn) Objects(kind, database string) []Object {
	var out []Object
	for k, o := range t.meta.objects {
		if k.kind == kind && k.database == fold(database) {
			out = append(out, *o)
		}
	}
	slices.SortFunc(out, func(a, b Object) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// Tables returns the names of the tables of a database, sorted.
func (t *Txn) Tables(database string) []string {
	var names []string
	for n, id := range t.meta.names {
		if n.database == fold(database) {
			names = append(names, t.meta.tables[id].def.spec.Name)
		}
	}
	slices.Sort(names)
	return names
}

// Table returns a table as this transaction sees it: ErrNoDatabase, ErrNoTable.
func (t *Txn) Table(database, name string) (*Table, error) {
	if t.done {
		return nil, ErrClosed
	}
	if t.meta.databases[fold(database)] == nil {
		return nil, fmt.Errorf("%w: %s", ErrNoDatabase, database)
	}
	id, ok := t.meta.names[foldTable(database, name)]
	if !ok {
		return nil, fmt.Errorf("%w: %s.%s", ErrNoTable, database, name)
	}
	return &Table{txn: t, id: id}, nil
}

// CreateTable makes an empty table; ErrExists, ErrNoDatabase.
func (t *Txn) CreateTable(spec TableSpec) error {
	counter := new(atomic.Uint64)
	counter.Store(1)
	d, err := newTableDef(t.db.nextTable.Add(1)-1, spec, counter, t.db.opts.Collate)
	if err != nil {
		return err
	}
	if err := t.change(op{kind: opCreateTable, table: d.id, def: d}); err != nil {
		return err
	}
	return nil
}

// DropTable removes a table.
func (t *Txn) DropTable(database, name string) error {
	tab, err := t.Table(database, name)
	if err != nil {
		return err
	}
	if err := t.change(op{kind: opDropTable, table: tab.id}); err != nil {
		return err
	}
	delete(t.edits, tab.id)
	t.account()
	return nil
}

// RenameTable gives a table another name, perhaps in another database.
func (t *Txn) RenameTable(database, from, toDatabase, to string) error {
	tab, err := t.Table(database, from)
	if err != nil {
		return err
	}
	spec := tab.Spec()
	spec.Database, spec.Name = toDatabase, to
	return t.redefine(tab.id, spec, false)
}

// redefine gives a table a new definition and, with replace, takes its rows away.
func (t *Txn) redefine(id uint64, spec TableSpec, replace bool) error {
	view := t.view(id)
	if view == nil {
		return ErrNoTable
	}
	d, err := newTableDef(id, spec, view.def.counter, t.db.opts.Collate)
	if err != nil {
		return err
	}
	if err := t.change(op{kind: opAlterTable, table: id, def: d, replace: replace}); err != nil {
		return err
	}
	e := *t.edit(id)
	v := *e.view
	v.def = d
	if replace {
		v.parts, v.rows, v.damage = nil, 0, nil
		e.replaced = true
		e.changes++
	}
	e.view = &v
	t.edits[id] = &e
	return nil
}

// AlterTable gives a table a new definition. With rows, these replace all its data; they come in the new schema and are read to the
// end, not released. Without, columns keep their number, order and types, and new unique keys are verified against the data
// (*DuplicateKeyError). On any error the transaction is as before.
func (t *Txn) AlterTable(database, name string, spec TableSpec, rows array.RecordReader) error {
	tab, err := t.Table(database, name)
	if err != nil {
		return err
	}
	undo := t.Savepoint()
	if err = t.alter(tab, spec, rows); err != nil {
		t.RollbackTo(undo)
	}
	return tab.blame(err)
}

func (t *Txn) alter(tab *Table, spec TableSpec, rows array.RecordReader) error {
	old := t.view(tab.id)
	if rows == nil {
		if err := sameTypes(old.def.spec.Schema, spec.Schema); err != nil {
			return err
		}
		probe, err := newTableDef(tab.id, spec, old.def.counter, t.db.opts.Collate)
		if err != nil {
			return err
		}
		if t.sameOrder(old.def, probe) {
			if err := t.redefine(tab.id, spec, false); err != nil {
				return err
			}
			return t.verifyNewKeys(t.db.ctx, old.def, t.view(tab.id))
		}
		// Segments are in the order of the primary key: another one, or another collation, means to write them anew.
		own, err := tab.Scan(t.db.ctx, ScanOptions{})
		if err != nil {
			return err
		}
		defer own.Release()
		rows = own
	}
	if err := t.redefine(tab.id, spec, true); err != nil {
		return err
	}
	for rows.Next() {
		if err := tab.Append(t.db.ctx, rows.RecordBatch()); err != nil {
			return err
		}
	}
	return rows.Err()
}

func sameTypes(a, b *arrow.Schema) error {
	if b == nil || a.NumFields() != b.NumFields() {
		return errors.New("storage: ALTER without rows cannot change the number of columns")
	}
	for i := range a.NumFields() {
		if !arrow.TypeEqual(a.Field(i).Type, b.Field(i).Type) {
			return fmt.Errorf("storage: ALTER without rows cannot change column %q from %v to %v", a.Field(i).Name, a.Field(i).Type, b.Field(i).Type)
		}
	}
	return nil
}

// sameOrder says whether segments sorted for one definition are sorted for the other.
func (t *Txn) sameOrder(a, b *tableDef) bool {
	switch {
	case b.primary == nil:
		return true
	case a.primary == nil || !slices.Equal(a.primary.Columns, b.primary.Columns):
		return false
	}
	for _, c := range a.primary.Columns {
		if t.mayCollateDifferently(a.spec.Schema.Field(c), b.spec.Schema.Field(c)) {
			return false
		}
	}
	return true
}

func (t *Txn) mayCollateDifferently(a, b arrow.Field) bool {
	return t.db.opts.Collate != nil && a.Type.ID() == arrow.STRING && !a.Metadata.Equal(b.Metadata)
}

// view returns the table as the transaction sees it, nil if it is gone.
func (t *Txn) view(id uint64) *tableState {
	m := t.meta.tables[id]
	if m == nil {
		return nil
	}
	if e := t.edits[id]; e != nil {
		return e.view
	}
	return m
}

// edit returns the edit of a table that exists, without recording it.
func (t *Txn) edit(id uint64) *edit {
	if e := t.edits[id]; e != nil {
		return e
	}
	return &edit{base: t.base.tables[id], view: t.meta.tables[id]}
}
