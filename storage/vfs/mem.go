package vfs

import (
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sort"
	"sync"
)

// Mem is a file system in memory that knows which bytes and which names a power cut would spare. It is for tests.
type Mem struct {
	mu      sync.Mutex
	live    map[string]*memNode // what programs see
	durable map[string]*memNode // names that survive a crash
	dirs    map[string]bool
	locks   map[string]bool
}

var _ FS = (*Mem)(nil)

// memNode is a file's content. durable is what was synced; data grows by append, so that durable stays a prefix of it unless the
// file was cut, in which case the two share no memory.
type memNode struct {
	mu      sync.RWMutex
	data    []byte
	durable []byte
	cut     bool // data was truncated since the last sync
}

// NewMem returns an empty file system.
func NewMem() *Mem {
	return &Mem{live: map[string]*memNode{}, durable: map[string]*memNode{}, dirs: map[string]bool{}, locks: map[string]bool{}}
}

func pathError(op, name string, err error) error {
	return &fs.PathError{Op: op, Path: name, Err: err}
}

// Create implements FS.
func (m *Mem) Create(name string) (File, error) {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirs[filepath.Dir(name)] {
		return nil, pathError("create", name, fs.ErrNotExist)
	}
	n := &memNode{}
	m.live[name] = n
	return &memFile{name: name, n: n, writable: true}, nil
}

func (m *Mem) open(name string, writable bool) (File, error) {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.live[name]
	if n == nil {
		return nil, pathError("open", name, fs.ErrNotExist)
	}
	return &memFile{name: name, n: n, writable: writable}, nil
}

// Open implements FS.
func (m *Mem) Open(name string) (File, error) { return m.open(name, false) }

// OpenAppend implements FS.
func (m *Mem) OpenAppend(name string) (File, error) { return m.open(name, true) }

// Rename implements FS.
func (m *Mem) Rename(from, to string) error {
	from, to = filepath.Clean(from), filepath.Clean(to)
	m.mu.Lock()
	defer m.mu.Unlock()
	n := m.live[from]
	if n == nil {
		return pathError("rename", from, fs.ErrNotExist)
	}
	delete(m.live, from)
	m.live[to] = n
	return nil
}

// Remove implements FS.
func (m *Mem) Remove(name string) error {
	name = filepath.Clean(name)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.live[name] == nil {
		return pathError("remove", name, fs.ErrNotExist)
	}
	delete(m.live, name)
	return nil
}

// List implements FS.
func (m *Mem) List(dir string) ([]string, error) {
	dir = filepath.Clean(dir)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.dirs[dir] {
		return nil, pathError("list", dir, fs.ErrNotExist)
	}
	var names []string
	for name := range m.live {
		if filepath.Dir(name) == dir {
			names = append(names, filepath.Base(name))
		}
	}
	for d := range m.dirs {
		if filepath.Dir(d) == dir && d != dir {
			names = append(names, filepath.Base(d))
		}
	}
	sort.Strings(names)
	return names, nil
}

// MkdirAll implements FS. Directories are durable at once: no test needs to lose one.
func (m *Mem) MkdirAll(dir string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		m.dirs[d] = true
		if d == filepath.Dir(d) {
			return nil
		}
	}
}

// SyncDir implements FS.
func (m *Mem) SyncDir(dir string) error {
	dir = filepath.Clean(dir)
	m.mu.Lock()
	defer m.mu.Unlock()
	for name := range m.durable {
		if filepath.Dir(name) == dir && m.live[name] == nil {
			delete(m.durable, name)
		}
	}
	for name, n := range m.live {
		if filepath.Dir(name) == dir {
			m.durable[name] = n
		}
	}
	return nil
}

// Lock implements FS.
func (m *Mem) Lock(name string) (io.Closer, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.locks[name] {
		return nil, fmt.Errorf("%s: %w", name, ErrLocked)
	}
	m.locks[name] = true
	return memLock{m, name}, nil
}

type memLock struct {
	m    *Mem
	name string
}

func (l memLock) Close() error {
	l.m.mu.Lock()
	defer l.m.mu.Unlock()
	delete(l.m.locks, l.name)
	return nil
}

// Stat implements FS.
func (m *Mem) Stat(name string) (int64, error) {
	f, err := m.Open(name)
	if err != nil {
		return 0, err
	}
	return f.Size()
}

// CrashClone returns the file system as it might be found after a power cut at this moment; the original goes on unharmed. What
// was synced is there. Of everything else the generator decides: each unsynced change of a name happened or not (a rename is two, so
// that a file may be found under both names or none, which is worse than real file systems), each unsynced 512-byte
// sector of a file reached the disk or reads as zeros, and a file may be shorter.
func (m *Mem) CrashClone(rng *rand.Rand) *Mem {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := NewMem()
	for d := range m.dirs {
		c.dirs[d] = true
	}
	names := map[string]bool{}
	for name := range m.live {
		names[name] = true
	}
	for name := range m.durable {
		names[name] = true
	}
	sorted := make([]string, 0, len(names)) // a fixed order, so that a seed repeats
	for name := range names {
		sorted = append(sorted, name)
	}
	sort.Strings(sorted)
	for _, name := range sorted {
		n := m.durable[name]
		if l := m.live[name]; l != n && rng.IntN(2) == 0 {
			n = l
		}
		if n == nil {
			continue
		}
		content := n.afterCrash(rng)
		node := &memNode{data: content, durable: content[:len(content):len(content)]}
		c.live[name], c.durable[name] = node, node
	}
	return c
}

func (n *memNode) afterCrash(rng *rand.Rand) []byte {
	n.mu.RLock()
	defer n.mu.RUnlock()
	if n.cut {
		if rng.IntN(2) == 0 {
			return slices.Clone(n.durable)
		}
		return slices.Clone(n.data)
	}
	content := slices.Clone(n.data)
	kept := len(n.durable)
	tail := content[kept:]
	if len(tail) == 0 {
		return content
	}
	switch rng.IntN(4) {
	case 0: // nothing more
		return content[:kept]
	case 1: // everything
		return content
	case 2: // a prefix
		return content[:kept+rng.IntN(len(tail)+1)]
	default: // torn pages
		const sector = 512
		for off := 0; off < len(tail); {
			end := min(off+sector-(kept+off)%sector, len(tail))
			if rng.IntN(2) == 0 {
				clear(tail[off:end])
			}
			off = end
		}
		return content
	}
}

// Names returns the full names of all files, sorted.
func (m *Mem) Names() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := make([]string, 0, len(m.live))
	for name := range m.live {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Corrupt flips bits of one byte, as a decaying disk would. It panics when the file or the byte is not there.
func (m *Mem) Corrupt(name string, offset int64, mask byte) {
	m.mu.Lock()
	n := m.live[filepath.Clean(name)]
	m.mu.Unlock()
	n.mu.Lock()
	defer n.mu.Unlock()
	data := slices.Clone(n.data)
	data[offset] ^= mask
	n.data, n.durable, n.cut = data, data[:len(data):len(data)], false
}

type memFile struct {
	name     string
	n        *memNode
	writable bool
}

func (f *memFile) ReadAt(p []byte, off int64) (int, error) {
	f.n.mu.RLock()
	defer f.n.mu.RUnlock()
	if off >= int64(len(f.n.data)) {
		return 0, io.EOF
	}
	n := copy(p, f.n.data[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (f *memFile) Write(p []byte) (int, error) {
	if !f.writable {
		return 0, pathError("write", f.name, fs.ErrPermission)
	}
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	f.n.data = append(f.n.data, p...)
	return len(p), nil
}

func (f *memFile) Truncate(size int64) error {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	if size >= int64(len(f.n.data)) {
		f.n.data = append(f.n.data, make([]byte, size-int64(len(f.n.data)))...)
		return nil
	}
	if size >= int64(len(f.n.durable)) && !f.n.cut {
		// The durable bytes stay a prefix; the capacity limit keeps later appends out of the array that a clone may read.
		f.n.data = slices.Clone(f.n.data[:size])
		return nil
	}
	f.n.data, f.n.cut = slices.Clone(f.n.data[:size]), true
	return nil
}

func (f *memFile) Sync() error {
	f.n.mu.Lock()
	defer f.n.mu.Unlock()
	f.n.durable, f.n.cut = f.n.data[:len(f.n.data):len(f.n.data)], false
	return nil
}

func (f *memFile) Size() (int64, error) {
	f.n.mu.RLock()
	defer f.n.mu.RUnlock()
	return int64(len(f.n.data)), nil
}

func (f *memFile) Close() error { return nil }
