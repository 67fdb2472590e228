package storage

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func TestForeignDirectoryIsLeftAlone(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "thesis.txt"), []byte("text"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); !errors.Is(err, ErrNotOurs) {
		t.Errorf("Open: %v", err)
	}
	if err := Check(dir, nil, func(Problem) {}); !errors.Is(err, ErrNotOurs) {
		t.Errorf("Check: %v", err)
	}
	empty := t.TempDir()
	if err := Check(empty, nil, func(Problem) {}); !errors.Is(err, ErrNotOurs) {
		t.Errorf("Check of an empty directory: %v", err)
	}
	for d, want := range map[string]int{dir: 1, empty: 0} {
		if entries, err := os.ReadDir(d); err != nil || len(entries) != want {
			t.Errorf("%d entries in %s, want %d (%v)", len(entries), d, want, err)
		}
	}
	// Emptied by hand but for what a mount point has, it may become one, and a restart finds it again.
	if err := os.Rename(filepath.Join(dir, "thesis.txt"), filepath.Join(dir, "lost+found")); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		db, err := Open(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "note.txt"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := Check(dir, nil, func(p Problem) { t.Error(p) }); err != nil {
		t.Error(err)
	}
}
