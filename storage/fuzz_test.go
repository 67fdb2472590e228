package storage

import (
	"encoding/binary"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/storage/binenc"
	"github.com/almanacdb/almanac/storage/vfs"
	"github.com/almanacdb/almanac/storage/wal"
)

// fuzzSeeds makes a small database and returns its manifest and the payloads of its log.
func fuzzSeeds(f *testing.F) (manifest []byte, payloads [][]byte) {
	fs := vfs.NewMem()
	check := func(err error) {
		if err != nil {
			f.Fatal(err)
		}
	}
	db, err := Open("/d", Options{FS: fs, Logger: slog.New(slog.DiscardHandler)})
	check(err)
	schema := arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}, {Name: "s", Type: arrow.BinaryTypes.String, Nullable: true}}, nil)
	spec := TableSpec{Database: "d", Name: "t", Schema: schema, AutoIncrement: 0, Keys: []Key{{Name: "PRIMARY", Columns: []int{0}, Primary: true}}}
	txn := db.Begin()
	check(txn.CreateDatabase("d", []byte("m")))
	check(txn.PutObject("view", "d", "v", []byte("x")))
	check(txn.CreateTable(spec))
	check(txn.Commit(db.ctx))
	add := func(from int64) {
		b := array.NewRecordBuilder(memory.NewGoAllocator(), schema)
		b.Field(0).(*array.Int64Builder).AppendValues([]int64{from + 2, from, from + 1}, nil)
		b.Field(1).(*array.StringBuilder).AppendValues([]string{"a", "", "c"}, []bool{true, false, true})
		txn := db.Begin()
		t, err := txn.Table("d", "t")
		check(err)
		check(t.Append(db.ctx, b.NewRecordBatch()))
		if from > 0 {
			id, _, err := t.Lookup(db.ctx, 0, []any{from - 3})
			check(err)
			check(t.Delete(db.ctx, []RowID{id}))
		}
		check(txn.Commit(db.ctx))
	}
	add(0)
	add(3)
	check(db.Checkpoint(db.ctx))
	add(6)
	txn = db.Begin()
	check(txn.DeleteObject("view", "d", "v"))
	check(txn.RenameTable("d", "t", "d", "u"))
	check(txn.Commit(db.ctx))
	clone := fs.CrashClone(rand.New(rand.NewPCG(1, 1)))
	check(db.Close())
	if manifest, err = vfs.ReadFile(clone, "/d/MANIFEST"); err != nil {
		f.Fatal(err)
	}
	for _, name := range clone.Names() {
		if strings.HasSuffix(name, ".log") {
			data, err := vfs.ReadFile(clone, name)
			check(err)
			c, err := wal.Parse(data)
			check(err)
			for _, r := range c.Records {
				payloads = append(payloads, r.Payload)
			}
		}
	}
	if len(payloads) == 0 {
		f.Fatal("no records")
	}
	return manifest, payloads
}

func fuzzDB() *DB {
	fs := vfs.NewMem()
	_ = fs.MkdirAll("/d/segments")
	return &DB{dir: "/d", fs: fs, opts: Options{FS: fs}.withDefaults(), cache: newBlockCache(1 << 20), segments: map[uint64]*segmentFile{}, pending: map[uint64]bool{}, logged: map[uint64]uint64{}}
}

// FuzzReplay applies arbitrary transactions to a small state: errors are fine, panics are not.
func FuzzReplay(f *testing.F) {
	manifest, payloads := fuzzSeeds(f)
	for _, p := range payloads {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		db := fuzzDB()
		s, _, _, err := db.decodeManifest(manifest)
		if err != nil {
			t.Fatal(err)
		}
		rp := replayer{db, s.edit()}
		rp.b.seq++
		_ = rp.apply(payload)
	})
}

// FuzzManifest decodes manifests whose checksum is made right.
func FuzzManifest(f *testing.F) {
	manifest, _ := fuzzSeeds(f)
	f.Add(manifest[manifestHeader : len(manifest)-4])
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append([]byte(nil), manifest[:manifestHeader]...)
		b = append(b, body...)
		b = binary.LittleEndian.AppendUint32(b, binenc.Checksum(b))
		_, _, _, _ = fuzzDB().decodeManifest(b)
	})
}
