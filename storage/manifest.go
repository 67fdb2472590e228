package storage

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/almanacdb/almanac/storage/binenc"
	"github.com/almanacdb/almanac/storage/vfs"
)

// The manifest is one structure between a header and a checksum; docs/format/manifest.md draws it.
const (
	manifestMagic   = "ALMMAN\r\n"
	manifestVersion = 1
	manifestHeader  = 12 // magic, u32 version
)

// publishManifest makes a state, all of whose rows are in segments, the one that the next Open starts from.
func (db *DB) publishManifest(s *state, log uint64) error {
	content, err := encodeManifest(s, log, db.nextFile.Load())
	if err == nil {
		err = vfs.Publish(db.fs, db.path("MANIFEST"), content)
	}
	if err != nil {
		return fmt.Errorf("storage: writing MANIFEST: %w", err)
	}
	db.manifest = manifestInfo{s.seq, log}
	return nil
}

func encodeManifest(s *state, log, nextFile uint64) ([]byte, error) {
	w := binenc.Writer{Buf: []byte(manifestMagic)}
	w.Buf = binary.LittleEndian.AppendUint32(w.Buf, manifestVersion)
	w.Uint(s.seq)
	w.Uint(log)
	w.Uint(nextFile)
	w.Uint(s.nextTable)
	w.Uint(uint64(len(s.databases)))
	for _, k := range slices.Sorted(maps.Keys(s.databases)) {
		w.String(s.databases[k].name)
		w.Bytes(s.databases[k].meta)
	}
	w.Uint(uint64(len(s.objects)))
	objects := slices.SortedFunc(maps.Keys(s.objects), func(a, b objectKey) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.database, b.database), cmp.Compare(a.name, b.name))
	})
	for _, k := range objects {
		w.String(k.kind)
		w.String(k.database)
		w.String(s.objects[k].Name)
		w.Bytes(s.objects[k].Value)
	}
	w.Uint(uint64(len(s.tables)))
	for _, id := range slices.Sorted(maps.Keys(s.tables)) {
		t := s.tables[id]
		w.Uint(id)
		if err := encodeSpec(&w, &t.def.spec); err != nil {
			return nil, err
		}
		w.Uint(t.def.counter.Load())
		w.Uint(t.nextRow)
		w.Uint(t.version)
		w.Uint(uint64(len(t.parts)))
		for _, p := range t.parts {
			if p.seg == nil {
				return nil, errors.New("rows outside segments")
			}
			encodeSegmentRef(&w, p.part)
			var bitmap []byte
			if p.deleted != nil {
				var err error
				if bitmap, err = p.deleted.ToBytes(); err != nil {
					return nil, err
				}
			}
			w.Bytes(bitmap)
		}
	}
	return binary.LittleEndian.AppendUint32(w.Buf, binenc.Checksum(w.Buf)), nil
}

func (db *DB) decodeManifest(b []byte) (s *state, log, nextFile uint64, err error) {
	if len(b) < manifestHeader+4 || string(b[:8]) != manifestMagic {
		return nil, 0, 0, errors.New("at byte 0: not a manifest")
	}
	body, sum := b[:len(b)-4], binary.LittleEndian.Uint32(b[len(b)-4:])
	if binenc.Checksum(body) != sum {
		return nil, 0, 0, fmt.Errorf("at byte %d: checksum is wrong", len(body))
	}
	if v := binary.LittleEndian.Uint32(b[8:]); v != manifestVersion {
		return nil, 0, 0, fmt.Errorf("at byte 8: format version %d; this program reads version %d", v, manifestVersion)
	}
	r := &binenc.Reader{Buf: body[manifestHeader:]}
	bd := emptyState().edit()
	if err := db.decodeManifestBody(r, bd, &log, &nextFile); err != nil {
		return nil, 0, 0, fmt.Errorf("at byte %d: %w", len(body)-len(r.Buf), err)
	}
	return bd.done(), log, nextFile, nil
}

func (db *DB) decodeManifestBody(r *binenc.Reader, b *builder, log, nextFile *uint64) error {
	b.seq = r.Uint()
	*log, *nextFile = r.Uint(), r.Uint()
	nextTable := r.Uint()
	for range r.Count(2) {
		if err := b.createDatabase(r.String(), r.Bytes()); err != nil {
			return err
		}
	}
	for range r.Count(4) {
		if err := b.putObject(r.String(), r.String(), r.String(), r.Bytes()); err != nil {
			return err
		}
	}
	for range r.Count(8) {
		id := r.Uint()
		spec, err := decodeSpec(r)
		if err != nil {
			return err
		}
		counter := new(atomic.Uint64)
		counter.Store(r.Uint())
		d, err := newTableDef(id, spec, counter, db.opts.Collate)
		if err != nil {
			return err
		}
		if err := b.createTable(d); err != nil {
			return err
		}
		t := &tableState{def: d, nextRow: r.Uint(), version: r.Uint()}
		for range r.Count(6) {
			p := partRef{part: db.decodeSegmentRef(r, d)}
			if bitmap := r.Bytes(); len(bitmap) > 0 {
				p.deleted = roaring.New()
				if _, err := p.deleted.FromBuffer(slices.Clone(bitmap)); err != nil {
					return err
				}
			}
			t.parts = append(t.parts, p)
			t.rows += int64(p.live())
		}
		b.setTables()[id] = t
	}
	b.nextTable = max(b.nextTable, nextTable)
	return r.Done()
}
