package vfs

import (
	"errors"
	"io"
	"sync/atomic"
)

// ErrInjected is the error that Faulty returns where it was not told another one.
var ErrInjected = errors.New("injected fault")

// Faulty wraps a file system and makes calls fail. It is for tests.
type Faulty struct {
	FS
	// Fail decides, before each call that changes something or reads, whether it fails. op is the method's name ("create", "open",
	// "append", "rename", "remove", "syncdir", "write", "sync", "read", "truncate"), n counts the calls from 1. A failing write
	// first writes half of its bytes. It must be safe for concurrent use.
	Fail func(op, name string, n int64) error
	n    atomic.Int64
}

// Calls returns how many calls there have been.
func (f *Faulty) Calls() int64 { return f.n.Load() }

func (f *Faulty) check(op, name string) error {
	n := f.n.Add(1)
	if f.Fail == nil {
		return nil
	}
	return f.Fail(op, name, n)
}

func (f *Faulty) wrap(file File, err error, name string) (File, error) {
	if err != nil {
		return nil, err
	}
	return &faultyFile{file, f, name}, nil
}

// Create implements FS.
func (f *Faulty) Create(name string) (File, error) {
	if err := f.check("create", name); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name)
	return f.wrap(file, err, name)
}

// Open implements FS.
func (f *Faulty) Open(name string) (File, error) {
	if err := f.check("open", name); err != nil {
		return nil, err
	}
	file, err := f.FS.Open(name)
	return f.wrap(file, err, name)
}

// OpenAppend implements FS.
func (f *Faulty) OpenAppend(name string) (File, error) {
	if err := f.check("append", name); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenAppend(name)
	return f.wrap(file, err, name)
}

// Rename implements FS.
func (f *Faulty) Rename(from, to string) error {
	if err := f.check("rename", from); err != nil {
		return err
	}
	return f.FS.Rename(from, to)
}

// Remove implements FS.
func (f *Faulty) Remove(name string) error {
	if err := f.check("remove", name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

// SyncDir implements FS.
func (f *Faulty) SyncDir(dir string) error {
	if err := f.check("syncdir", dir); err != nil {
		return err
	}
	return f.FS.SyncDir(dir)
}

// Lock implements FS; it never fails by injection.
func (f *Faulty) Lock(name string) (io.Closer, error) { return f.FS.Lock(name) }

type faultyFile struct {
	File
	f    *Faulty
	name string
}

func (x *faultyFile) ReadAt(p []byte, off int64) (int, error) {
	if err := x.f.check("read", x.name); err != nil {
		return 0, err
	}
	return x.File.ReadAt(p, off)
}

func (x *faultyFile) Write(p []byte) (int, error) {
	if err := x.f.check("write", x.name); err != nil {
		n, _ := x.File.Write(p[:len(p)/2])
		return n, err
	}
	return x.File.Write(p)
}

func (x *faultyFile) Sync() error {
	if err := x.f.check("sync", x.name); err != nil {
		return err
	}
	return x.File.Sync()
}

func (x *faultyFile) Truncate(size int64) error {
	if err := x.f.check("truncate", x.name); err != nil {
		return err
	}
	return x.File.Truncate(size)
}
