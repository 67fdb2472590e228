package wal

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/almanacdb/almanac/storage/vfs"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write makes a log of three synced groups of records.
func write(t testing.TB) (*vfs.Mem, []byte) {
	fs := vfs.NewMem()
	must(t, fs.MkdirAll("/"))
	l, err := Create(fs, "/log", 10)
	must(t, err)
	must(t, fs.SyncDir("/"))
	must(t, l.Append([]Record{{10, []byte("ten")}, {11, []byte("eleven")}}))
	must(t, l.Append([]Record{{12, make([]byte, 2000)}}))
	must(t, l.Append([]Record{{13, nil}}))
	must(t, l.Close())
	b, err := vfs.ReadFile(fs, "/log")
	must(t, err)
	if l.Size() != int64(len(b)) {
		t.Fatal(l.Size(), len(b))
	}
	return fs, b
}

func TestParse(t *testing.T) {
	_, b := write(t)
	c, err := Parse(b)
	must(t, err)
	if c.First != 10 || len(c.Records) != 4 || string(c.Records[1].Payload) != "eleven" || c.Torn != -1 {
		t.Fatalf("%+v", c)
	}
	// Cut anywhere: what is whole is there, and it is a torn tail, not damage.
	for n := range b {
		c, err := Parse(b[:n])
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		whole := 0
		for i, at := range c.Offsets {
			if at+recordHeader+int64(len(c.Records[i].Payload)) > int64(n) {
				t.Fatal("a record beyond the end")
			}
			whole++
		}
		if n < headerBytes && whole > 0 {
			t.Fatal(n)
		}
	}
}

// TestDamageOrTorn: a bad byte before the last sync is damage, one in the last write is a torn tail.
func TestDamageOrTorn(t *testing.T) {
	_, b := write(t)
	c, err := Parse(b)
	must(t, err)
	last := c.Offsets[3]
	for i := range b {
		bad := append([]byte(nil), b...)
		bad[i] ^= 0x40
		c, err := Parse(bad)
		var d *DamageError
		switch {
		case int64(i) >= last:
			if err != nil || len(c.Records) != 3 || c.Torn != last {
				t.Fatalf("byte %d: %v, %d records", i, err, len(c.Records))
			}
		case !errors.As(err, &d) || d.Offset > int64(i):
			t.Fatalf("byte %d: %v", i, err)
		}
	}
}

// TestTornPagesAreNotDamage: within one write later pages may reach the disk and earlier ones not.
func TestTornPagesAreNotDamage(t *testing.T) {
	fs := vfs.NewMem()
	must(t, fs.MkdirAll("/"))
	faulty := &vfs.Faulty{FS: fs}
	l, err := Create(faulty, "/log", 1)
	must(t, err)
	must(t, fs.SyncDir("/"))
	must(t, l.Append([]Record{{1, []byte("kept")}}))
	faulty.Fail = func(op, _ string, _ int64) error {
		if op == "sync" {
			return vfs.ErrInjected
		}
		return nil
	}
	var group []Record
	for i := range 20 {
		group = append(group, Record{uint64(2 + i), make([]byte, 300)})
	}
	if err := l.Append(group); err == nil || l.Broken() == nil {
		t.Fatal("a failed sync was not noticed")
	}
	if err := l.Append(group); err == nil {
		t.Fatal("a broken log takes records")
	}
	for seed := range uint64(200) {
		b, err := vfs.ReadFile(fs.CrashClone(rand.New(rand.NewPCG(seed, 0))), "/log")
		must(t, err)
		c, err := Parse(b)
		if err != nil || len(c.Records) < 1 || string(c.Records[0].Payload) != "kept" {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// TestFullDisk: a failed write leaves the log as it was.
func TestFullDisk(t *testing.T) {
	fs := vfs.NewMem()
	must(t, fs.MkdirAll("/"))
	full := false
	l, err := Create(&vfs.Faulty{FS: fs, Fail: func(op, _ string, _ int64) error {
		if full && op == "write" {
			return vfs.ErrInjected
		}
		return nil
	}}, "/log", 1)
	must(t, err)
	seq := uint64(1)
	for i := range 10 {
		full = i%3 == 1
		err := l.Append([]Record{{seq, []byte(fmt.Sprint("transaction ", seq))}})
		if (err != nil) != full {
			t.Fatal(err)
		}
		if err == nil {
			seq++
		}
	}
	b, err := vfs.ReadFile(fs, "/log")
	must(t, err)
	c, err := Parse(b)
	if err != nil || uint64(len(c.Records)) != seq-1 || c.Torn >= 0 {
		t.Fatal(err, len(c.Records), c.Torn)
	}
}

func FuzzParse(f *testing.F) {
	_, b := write(f)
	f.Add(b)
	f.Add(b[:len(b)-5])
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := Parse(b)
		if err != nil {
			return
		}
		for i, r := range c.Records {
			if r.Seq != c.First+uint64(i) {
				t.Fatal("records out of sequence")
			}
		}
	})
}
