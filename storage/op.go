package storage

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/storage/binenc"
	"github.com/almanacdb/almanac/storage/columns"
	"github.com/almanacdb/almanac/storage/segment"
)

// opKind says what a step of a transaction does. The numbers are part of the log format.
type opKind byte

const (
	opCreateDatabase opKind = 1 + iota
	opDropDatabase
	opDatabaseMeta
	opPutObject
	opDeleteObject
	opCreateTable
	opDropTable
	opAlterTable
	opTruncate
	opDelete
	opAppend
	opSegment
	opCounter
)

// op is one step of a transaction. A commit applies ops to the newest state and logs them; replay reads and applies them again.
type op struct {
	kind           opKind
	database, name string
	objectKind     string
	value          []byte
	table          uint64
	def            *tableDef // create, alter
	replace        bool      // alter: all rows go
	ids            []uint64  // delete: ascending
	part           *part     // append, segment: with final row ids
	batch          []byte    // append: the rows as encodeBatch has them
	counter        uint64
	exact          bool // counter: set, not only raise
}

func (o *op) encode(w *binenc.Writer) error {
	w.Buf = append(w.Buf, byte(o.kind))
	switch o.kind {
	case opCreateDatabase, opDatabaseMeta:
		w.String(o.name)
		w.Bytes(o.value)
	case opDropDatabase:
		w.String(o.name)
	case opPutObject:
		w.String(o.objectKind)
		w.String(o.database)
		w.String(o.name)
		w.Bytes(o.value)
	case opDeleteObject:
		w.String(o.objectKind)
		w.String(o.database)
		w.String(o.name)
	case opCreateTable, opAlterTable:
		w.Uint(o.table)
		w.Bool(o.replace)
		return encodeSpec(w, &o.def.spec)
	case opDropTable, opTruncate:
		w.Uint(o.table)
	case opDelete:
		w.Uint(o.table)
		w.Uint(uint64(len(o.ids)))
		prev := uint64(0)
		for _, id := range o.ids {
			w.Uint(id - prev)
			prev = id
		}
	case opAppend:
		w.Uint(o.table)
		w.Uint(o.part.rowBase)
		w.Uint(uint64(o.part.rows))
		w.Bytes(o.batch)
	case opSegment:
		w.Uint(o.table)
		encodeSegmentRef(w, o.part)
	case opCounter:
		w.Uint(o.table)
		w.Uint(o.counter)
		w.Bool(o.exact)
	}
	return nil
}

func encodeSpec(w *binenc.Writer, s *TableSpec) error {
	w.String(s.Database)
	w.String(s.Name)
	if err := segment.EncodeSchema(w, s.Schema); err != nil {
		return err
	}
	w.Uint(uint64(len(s.Keys)))
	for _, k := range s.Keys {
		w.String(k.Name)
		w.Uint(uint64(len(k.Columns)))
		for _, c := range k.Columns {
			w.Uint(uint64(c))
		}
		w.Bool(k.Unique)
		w.Bool(k.Primary)
	}
	w.Int(int64(s.AutoIncrement))
	w.Bytes(s.Meta)
	return nil
}

func decodeSpec(r *binenc.Reader) (TableSpec, error) {
	var s TableSpec
	s.Database, s.Name = r.String(), r.String()
	var err error
	if s.Schema, err = segment.DecodeSchema(r); err != nil {
		return s, err
	}
	s.Keys = make([]Key, r.Count(4))
	for i := range s.Keys {
		k := &s.Keys[i]
		k.Name = r.String()
		k.Columns = make([]int, r.Count(1))
		for j := range k.Columns {
			k.Columns[j] = int(r.Uint())
		}
		k.Unique, k.Primary = r.Bool(), r.Bool()
	}
	s.AutoIncrement = int(r.Int())
	s.Meta = bytes.Clone(r.Bytes())
	return s, r.Err
}

func encodeSegmentRef(w *binenc.Writer, p *part) {
	w.Uint(p.seg.number)
	w.Uint(p.rowBase)
	w.Uint(p.rowSpan)
	w.Uint(uint64(p.rows))
	w.Uint(uint64(p.bytes))
}

// replayer decodes and applies the ops of logged transactions to a state.
type replayer struct {
	db *DB
	b  *builder
}

// apply decodes one transaction and applies it. Errors mean damage: what was logged once applied.
func (rp *replayer) apply(payload []byte) error {
	r := &binenc.Reader{Buf: payload}
	for len(r.Buf) > 0 {
		o := op{kind: opKind(r.Byte())}
		var err error
		switch o.kind {
		case opCreateDatabase, opDatabaseMeta:
			o.name, o.value = r.String(), r.Bytes()
		case opDropDatabase:
			o.name = r.String()
		case opPutObject:
			o.objectKind, o.database, o.name, o.value = r.String(), r.String(), r.String(), r.Bytes()
		case opDeleteObject:
			o.objectKind, o.database, o.name = r.String(), r.String(), r.String()
		case opCreateTable, opAlterTable:
			o.table, o.replace = r.Uint(), r.Bool()
			err = rp.decodeDef(r, &o)
		case opDropTable, opTruncate:
			o.table = r.Uint()
		case opDelete:
			o.table = r.Uint()
			o.ids = make([]uint64, r.Count(1))
			id := uint64(0)
			for i := range o.ids {
				id += r.Uint()
				o.ids[i] = id
			}
		case opAppend:
			o.table = r.Uint()
			err = rp.decodeBatch(r, &o)
		case opSegment:
			o.table = r.Uint()
			t := rp.b.tables[o.table]
			if t == nil {
				return ErrNoTable
			}
			o.part = rp.db.decodeSegmentRef(r, t.def)
			rp.db.logSegment(o.part.seg.number, rp.b.seq)
		case opCounter:
			o.table, o.counter, o.exact = r.Uint(), r.Uint(), r.Bool()
		default:
			return fmt.Errorf("unknown operation %d", o.kind)
		}
		if err == nil {
			err = r.Err
		}
		if err == nil {
			err = o.apply(rp.b, 0)
			if o.kind == opDelete && err != nil && !errors.Is(err, ErrConflict) && !errors.Is(err, ErrNoTable) {
				// A segment cannot be read. That is no damage of the log, and concerns one table.
				n := *rp.b.tables[o.table]
				n.damage, n.version = n.def.blame(err), rp.b.seq
				rp.b.setTables()[o.table] = &n
				err = nil
			}
		}
		if err != nil {
			return err
		}
	}
	return r.Err
}

func (rp *replayer) decodeDef(r *binenc.Reader, o *op) error {
	spec, err := decodeSpec(r)
	if err != nil {
		return err
	}
	counter := new(atomic.Uint64)
	counter.Store(1)
	if t := rp.b.tables[o.table]; t != nil {
		counter = t.def.counter
	}
	o.def, err = newTableDef(o.table, spec, counter, rp.db.opts.Collate)
	return err
}

func (rp *replayer) decodeBatch(r *binenc.Reader, o *op) error {
	t := rp.b.tables[o.table]
	if t == nil {
		return ErrNoTable
	}
	base, rows, message := r.Uint(), r.Uint(), r.Bytes()
	if r.Err != nil {
		return r.Err
	}
	if rows == 0 || rows > math.MaxInt32 {
		return errors.New("impossible number of rows")
	}
	views, err := decodeBatch(t.def.spec.Schema, int(rows), message)
	if err != nil {
		return err
	}
	if base >= localRow {
		return errors.New("impossible row id")
	}
	o.part = newMemoryPart(views).withBase(base)
	return nil
}

func (db *DB) decodeSegmentRef(r *binenc.Reader, d *tableDef) *part {
	number, base, span, rows, size := r.Uint(), r.Uint(), r.Uint(), r.Uint(), r.Uint()
	if rows == 0 || rows > math.MaxInt32 || span < rows || base >= localRow || span >= localRow || size >= localRow {
		if r.Err == nil {
			r.Err = errors.New("impossible numbers of a segment")
		}
		rows = 0
	}
	p := &part{rowBase: base, rowSpan: span, rows: int(rows), bytes: int64(size), cache: &partCache{}}
	p.seg = db.segment(number, int(rows), d.spec.Schema)
	return p
}

// encodeBatch returns the rows of a batch as one segment block a column.
func encodeBatch(views []*columns.View) ([]byte, error) {
	var w binenc.Writer
	var block []byte
	for _, v := range views {
		codec := segment.Raw
		if v.Size() > 4096 {
			codec = segment.DefaultCodec
		}
		var err error
		if block, err = segment.EncodeBlock(block[:0], v, codec); err != nil {
			return nil, err
		}
		w.Bytes(block)
	}
	return w.Buf, nil
}

// decodeBatch reads what encodeBatch wrote.
func decodeBatch(schema *arrow.Schema, rows int, batch []byte) ([]*columns.View, error) {
	r := binenc.Reader{Buf: batch}
	views := make([]*columns.View, schema.NumFields())
	for i := range views {
		block := r.Bytes()
		if r.Err != nil {
			return nil, r.Err
		}
		a, err := segment.DecodeBlock(block, schema.Field(i).Type)
		if err != nil {
			return nil, fmt.Errorf("column %d: %w", i, err)
		}
		if a.Len() != rows {
			return nil, fmt.Errorf("column %d has %d rows, announced are %d", i, a.Len(), rows)
		}
		views[i] = columns.Of(a)
	}
	return views, r.Done()
}

// apply makes the change in a builder. Parts with seq <= frozen are not merged with others.
func (o *op) apply(b *builder, frozen uint64) error {
	switch o.kind {
	case opCreateDatabase:
		return b.createDatabase(o.name, o.value)
	case opDropDatabase:
		return b.dropDatabase(o.name)
	case opDatabaseMeta:
		return b.setDatabaseMeta(o.name, o.value)
	case opPutObject:
		return b.putObject(o.objectKind, o.database, o.name, o.value)
	case opDeleteObject:
		return b.deleteObject(o.objectKind, o.database, o.name)
	case opCreateTable:
		return b.createTable(o.def)
	case opAlterTable:
		return b.alterTable(o.def, o.replace)
	case opDropTable:
		return b.dropTable(o.table)
	}
	t := b.tables[o.table]
	if t == nil {
		return ErrNoTable
	}
	n := *t
	n.version = b.seq
	switch o.kind {
	case opTruncate:
		n.parts, n.rows, n.damage = nil, 0, nil
	case opDelete:
		if n.damage != nil {
			break
		}
		var err error
		if n.parts, err = deleteRows(t, o.ids); err != nil {
			return err
		}
		n.rows -= int64(len(o.ids))
	case opAppend, opSegment:
		p := o.part.withBase(o.part.rowBase)
		p.seq = b.seq
		n.parts = appendPart(t.parts, partRef{part: p}, frozen)
		n.rows += int64(p.rows)
		n.nextRow = max(n.nextRow, p.rowBase+p.rowSpan)
	case opCounter:
		n.version = t.version
		if o.exact {
			n.def.counter.Store(o.counter)
		} else {
			raise(n.def.counter, o.counter)
		}
	}
	b.setTables()[o.table] = &n
	return nil
}

func raise(c *atomic.Uint64, to uint64) {
	for {
		old := c.Load()
		if old >= to || c.CompareAndSwap(old, to) {
			return
		}
	}
}
