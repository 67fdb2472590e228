package vfs_test

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"

	"github.com/almanacdb/almanac/storage/vfs"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestConformance holds every file system to the same contract.
func TestConformance(t *testing.T) {
	for name, fsys := range map[string]vfs.FS{"os": vfs.OS{}, "memory": vfs.NewMem(), "faulty": &vfs.Faulty{FS: vfs.NewMem()}} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "a", "b")
			must(t, fsys.MkdirAll(dir))
			must(t, fsys.MkdirAll(dir))
			path := filepath.Join(dir, "x")
			if _, err := fsys.Open(path); !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			f, err := fsys.Create(path)
			must(t, err)
			_, err = f.Write([]byte("hello "))
			must(t, err)
			_, err = f.Write([]byte("world"))
			must(t, err)
			must(t, f.Sync())
			must(t, f.Truncate(5))
			_, err = f.Write([]byte("!"))
			must(t, err)
			must(t, f.Close())
			f, err = fsys.OpenAppend(path)
			must(t, err)
			_, err = f.Write([]byte("?"))
			must(t, err)
			if size, err := f.Size(); err != nil || size != 7 {
				t.Fatal(size, err)
			}
			must(t, f.Close())
			b, err := vfs.ReadFile(fsys, path)
			if err != nil || string(b) != "hello!?" {
				t.Fatalf("%q %v", b, err)
			}
			f, err = fsys.Open(path)
			must(t, err)
			part := make([]byte, 10)
			if n, err := f.ReadAt(part, 5); n != 2 || !errors.Is(err, io.EOF) {
				t.Fatal(n, err)
			}
			if _, err := f.Write([]byte("x")); err == nil {
				t.Fatal("wrote to a file opened for reading")
			}
			must(t, fsys.Rename(path, path+"2"))
			must(t, fsys.Remove(path+"2"))
			if n, err := f.ReadAt(part[:5], 0); n != 5 || err != nil {
				t.Fatal("a removed file that is open cannot be read", n, err)
			}
			must(t, f.Close())
			if err := fsys.Remove(path); !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			must(t, vfs.Publish(fsys, path, []byte("1")))
			must(t, vfs.Publish(fsys, path, []byte("2")))
			names, err := fsys.List(dir)
			if err != nil || !slices.Equal(names, []string{"x"}) {
				t.Fatal(names, err)
			}
			if size, err := fsys.Stat(path); err != nil || size != 1 {
				t.Fatal(size, err)
			}
			l, err := fsys.Lock(filepath.Join(dir, "LOCK"))
			must(t, err)
			if _, err := fsys.Lock(filepath.Join(dir, "LOCK")); !errors.Is(err, vfs.ErrLocked) {
				t.Fatal(err)
			}
			must(t, l.Close())
			l, err = fsys.Lock(filepath.Join(dir, "LOCK"))
			must(t, err)
			must(t, l.Close())
		})
	}
}

// TestCrash: synced bytes and names always survive; of the rest any part may.
func TestCrash(t *testing.T) {
	m := vfs.NewMem()
	must(t, m.MkdirAll("/d"))
	f, err := m.Create("/d/f")
	must(t, err)
	synced := bytes.Repeat([]byte("s"), 700)
	_, err = f.Write(synced)
	must(t, err)
	must(t, f.Sync())
	must(t, m.SyncDir("/d"))
	_, err = f.Write(bytes.Repeat([]byte("u"), 3000))
	must(t, err)
	_, err = m.Create("/d/unsynced")
	must(t, err)
	must(t, m.Rename("/d/f", "/d/g"))
	lengths, names := map[int]bool{}, map[string]bool{}
	zeros := false
	for seed := range uint64(300) {
		c := m.CrashClone(rand.New(rand.NewPCG(seed, 1)))
		for _, n := range c.Names() {
			names[n] = true
			b, err := vfs.ReadFile(c, n)
			must(t, err)
			if n == "/d/unsynced" {
				continue
			}
			if !bytes.HasPrefix(b, synced) {
				t.Fatal("synced bytes are lost")
			}
			lengths[len(b)] = true
			zeros = zeros || bytes.IndexByte(b, 0) >= 0
		}
	}
	if len(lengths) < 20 || !zeros || !names["/d/f"] || !names["/d/g"] || !names["/d/unsynced"] {
		t.Fatal("the power cuts are all alike:", len(lengths), zeros, names)
	}
}

func TestPublishSurvivesCrash(t *testing.T) {
	m := vfs.NewMem()
	must(t, m.MkdirAll("/d"))
	must(t, vfs.Publish(m, "/d/x", []byte("old")))
	var clones []*vfs.Mem
	faulty := &vfs.Faulty{FS: m, Fail: func(string, string, int64) error {
		for seed := range uint64(20) {
			clones = append(clones, m.CrashClone(rand.New(rand.NewPCG(seed, 2))))
		}
		return nil
	}}
	must(t, vfs.Publish(faulty, "/d/x", []byte("new content")))
	for _, c := range clones {
		if b, err := vfs.ReadFile(c, "/d/x"); err != nil || string(b) != "old" && string(b) != "new content" {
			t.Fatalf("%q %v", b, err)
		}
	}
	if b, err := vfs.ReadFile(m.CrashClone(rand.New(rand.NewPCG(1, 1))), "/d/x"); err != nil || string(b) != "new content" {
		t.Fatalf("%q %v", b, err)
	}
}
