package storage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/almanacdb/almanac/storage/vfs"
	"github.com/almanacdb/almanac/storage/wal"
)

// DB is an open directory. All methods are safe for concurrent use.
//
// Locks, in the order in which they are taken: compactMu (one compaction at a time), checkpointMu (one checkpoint at a time), syncMu (the log file), commitMu (tip and queue).
type DB struct {
	dir  string
	fs   vfs.FS
	opts Options
	log  *wal.Log // under syncMu
	lock io.Closer

	published atomic.Pointer[state] // newest durable state: what Begin sees
	nextTable atomic.Uint64
	nextFile  atomic.Uint64
	cache     *blockCache
	held      atomic.Int64 // bytes of rows that running transactions have in memory

	compactMu sync.Mutex
	inOrder   map[uint64]layout // under compactMu: tables with nothing to merge

	checkpointMu sync.Mutex
	manifest     manifestInfo // under checkpointMu
	ended        bool         // under checkpointMu: the files are closed

	syncMu      sync.Mutex
	logNumber   uint64
	olderLogs   int64 // bytes in logs before the present one
	memoryBytes int64 // about how much committed data is in memory parts

	commitMu sync.Mutex
	tip      *state // newest validated state; its transactions may still be queued for the log
	queue    []*commitRequest
	frozen   uint64 // parts up to this commit are being written by a checkpoint
	failed   error
	closed   bool

	segMu    sync.Mutex
	segments map[uint64]*segmentFile
	pending  map[uint64]bool   // segments being written, or of transactions that run
	logged   map[uint64]uint64 // segments named by the log since the manifest, and the transaction that does: replay needs them

	ctx    context.Context // ends with Close
	cancel context.CancelFunc
	kick   chan struct{}
	// checkpointed tells the compactor.
	checkpointed chan struct{}
	worker       sync.WaitGroup
}

// manifestInfo says what the manifest on disk holds.
type manifestInfo struct {
	seq uint64
	log uint64
}

func (o Options) withDefaults() Options {
	if o.FS == nil {
		o.FS = vfs.OS{}
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if o.MemoryLimit <= 0 {
		o.MemoryLimit = 1 << 30
	}
	if o.CheckpointBytes <= 0 {
		o.CheckpointBytes = 64 << 20
	}
	if o.SpillRows <= 0 {
		o.SpillRows = segmentRows
	}
	if o.SpillBytes <= 0 {
		o.SpillBytes = min(128<<20, max(1, o.MemoryLimit/8))
	}
	return o
}

// newDB returns a DB of a directory that is not open yet.
func newDB(dir string, opts Options) *DB {
	return &DB{
		dir: dir, fs: opts.FS, opts: opts, cache: newBlockCache(opts.cacheBytes()), segments: map[uint64]*segmentFile{},
		pending: map[uint64]bool{}, logged: map[uint64]uint64{}, kick: make(chan struct{}, 1), checkpointed: make(chan struct{}, 1), inOrder: map[uint64]layout{},
	}
}

// Open opens a directory, making it if it is not there, and brings it to the last committed transaction: it reads the manifest and
// replays the log, but no segment. ErrLocked if somebody else has it open; ErrCorrupt, naming file and offset, if the manifest or the log
// is damaged. A damaged segment does not prevent opening: only its table fails, when read.
func Open(dir string, opts Options) (*DB, error) {
	opts = opts.withDefaults()
	db := newDB(dir, opts)
	if err := refuseForeign(opts.FS, dir); err != nil {
		return nil, err
	}
	for _, d := range []string{dir, db.path("log"), db.path("segments")} {
		if err := db.fs.MkdirAll(d); err != nil {
			return nil, fmt.Errorf("storage: %w", err)
		}
	}
	lock, err := db.fs.Lock(db.path("LOCK"))
	if errors.Is(err, vfs.ErrLocked) {
		return nil, fmt.Errorf("%w: %s", ErrLocked, dir)
	} else if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	db.lock = lock
	db.ctx, db.cancel = context.WithCancel(context.Background())
	if err := db.recover(); err != nil {
		db.cancel()
		db.closeFiles()
		return nil, err
	}
	db.worker.Add(2)
	go db.background()
	go db.compactor()
	if db.olderLogs > opts.CheckpointBytes {
		db.kickCheckpoint()
	}
	return db, nil
}

// Dir returns the directory.
func (db *DB) Dir() string { return db.dir }

func (db *DB) path(name string) string { return filepath.Join(db.dir, name) }

func logName(number uint64) string { return fmt.Sprintf("%06d.log", number) }

// recover loads the manifest, replays the logs after it, starts a new log and removes what no state refers to.
func (db *DB) recover() error {
	r, err := db.replay()
	if err != nil {
		return err
	}
	s := r.state
	db.manifest = r.manifest
	db.nextTable.Store(s.nextTable)
	db.nextFile.Store(r.nextFile)
	db.published.Store(s)
	db.tip = s
	for _, t := range s.tables {
		db.memoryBytes += t.memoryBytes()
	}
	if r.torn != "" {
		db.opts.Logger.Info("storage: an unfinished transaction at the end of the log was dropped", "log", r.torn)
	}
	// What was replayed must not be lost by a power cut now: it may be in the page cache only.
	for _, name := range r.unsynced {
		f, err := db.fs.OpenAppend(db.path(filepath.Join("log", name)))
		if err == nil {
			err = f.Sync()
			f.Close()
		}
		if err != nil {
			return fmt.Errorf("storage: %w", err)
		}
	}
	db.olderLogs = r.logBytes
	db.logNumber = r.nextLog
	if db.log, err = wal.Create(db.fs, db.path(filepath.Join("log", logName(db.logNumber))), s.seq+1); err != nil {
		return fmt.Errorf("storage: starting a log: %w", err)
	}
	if err := db.fs.SyncDir(db.path("log")); err != nil {
		return fmt.Errorf("storage: %w", err)
	}
	if r.fresh {
		if err := db.fs.SyncDir(filepath.Dir(filepath.Clean(db.dir))); err != nil {
			return fmt.Errorf("storage: %w", err)
		}
		if err := db.publishManifest(s, db.logNumber); err != nil {
			return err
		}
	}
	db.removeUnused(r)
	return nil
}

// replayed is what replay found.
type replayed struct {
	state    *state
	manifest manifestInfo
	fresh    bool
	nextFile uint64
	nextLog  uint64
	logBytes int64
	unsynced []string // logs whose end may not be on disk
	torn     string
	files    map[uint64]bool // segments named by the manifest
}

// replay reads manifest and logs. It changes nothing on disk.
func (db *DB) replay() (*replayed, error) {
	r := &replayed{}
	logs, err := db.numbered("log", ".log")
	if err != nil {
		return nil, err
	}
	segs, err := db.numbered("segments", ".seg")
	if err != nil {
		return nil, err
	}
	content, err := vfs.ReadFile(db.fs, db.path("MANIFEST"))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.fresh = true
		r.state = emptyState()
		r.nextFile = 1
		r.manifest.log = 1
	case err != nil:
		return nil, fmt.Errorf("storage: reading MANIFEST: %w", err)
	default:
		if r.state, r.manifest.log, r.nextFile, err = db.decodeManifest(content); err != nil {
			return nil, fmt.Errorf("%w: MANIFEST: %w", ErrCorrupt, err)
		}
		r.manifest.seq = r.state.seq
	}
	r.files = r.state.files()
	for _, n := range segs {
		r.nextFile = max(r.nextFile, n+1)
	}
	r.nextLog = r.manifest.log
	found := false
	for _, n := range logs {
		if n < r.manifest.log {
			continue
		}
		found = found || n == r.manifest.log
		records, err := db.replayLog(r, n)
		if err != nil {
			return r, fmt.Errorf("%w: %w", ErrCorrupt, &replayError{"log/" + logName(n), err})
		}
		if r.nextLog = n; records > 0 {
			r.nextLog = n + 1
		}
	}
	if r.fresh && (r.state.seq > 0 || len(segs) > 0) {
		return nil, fmt.Errorf("%w: MANIFEST is missing, but log or segments are there", ErrCorrupt)
	}
	if !found && !r.fresh {
		return r, fmt.Errorf("%w: %w", ErrCorrupt, &replayError{"log/" + logName(r.manifest.log), errors.New("is missing")})
	}
	return r, nil
}

// replayLog applies one log to r.state and returns how many transactions it held.
func (db *DB) replayLog(r *replayed, number uint64) (records int, err error) {
	data, err := vfs.ReadFile(db.fs, db.path(filepath.Join("log", logName(number))))
	if err != nil {
		return 0, err
	}
	c, err := wal.Parse(data)
	if err != nil {
		return 0, err
	}
	if c.Torn >= 0 {
		r.torn = logName(number)
	}
	if len(c.Records) == 0 {
		return 0, nil // begun, perhaps torn, never used
	}
	if c.First != r.state.seq+1 {
		return 0, fmt.Errorf("begins with transaction %d, expected %d: a log was damaged at its end or is missing", c.First, r.state.seq+1)
	}
	for i, rec := range c.Records {
		rp := replayer{db, r.state.edit()}
		rp.b.seq = rec.Seq
		if err := rp.apply(rec.Payload); err != nil {
			return 0, &wal.DamageError{Offset: c.Offsets[i], What: err.Error()}
		}
		r.state = rp.b.done()
	}
	r.logBytes += int64(len(data))
	r.unsynced = append(r.unsynced, logName(number))
	return len(c.Records), nil
}

// numbered lists the numbers of the files NNNNNN.ext in a sub-directory, ascending.
func (db *DB) numbered(dir, ext string) ([]uint64, error) {
	names, err := db.fs.List(db.path(dir))
	if err != nil {
		return nil, fmt.Errorf("storage: %w", err)
	}
	var out []uint64
	for _, name := range names {
		if base, ok := strings.CutSuffix(name, ext); ok {
			if n, err := strconv.ParseUint(base, 10, 63); err == nil {
				out = append(out, n)
			}
		}
	}
	return out, nil
}

// segment returns the one segmentFile of a number.
func (db *DB) segment(number uint64, rows int, schema *arrow.Schema) *segmentFile {
	db.segMu.Lock()
	defer db.segMu.Unlock()
	s := db.segments[number]
	if s == nil || s.rows != rows {
		s = &segmentFile{number: number, dir: db.path("segments"), fs: db.fs, cache: db.cache, rows: rows, schema: schema}
		db.segments[number] = s
	}
	return s
}

// dropFiles removes segments that no state refers to. Readers that have them open go on.
func (db *DB) dropFiles(numbers []uint64) {
	for _, n := range numbers {
		db.segMu.Lock()
		s := db.segments[n]
		delete(db.segments, n)
		delete(db.pending, n)
		delete(db.logged, n)
		db.segMu.Unlock()
		if s != nil {
			s.keepOpen()
			db.cache.forget(n)
		}
		if err := db.fs.Remove(db.path(filepath.Join("segments", segmentName(n)))); err != nil && !errors.Is(err, fs.ErrNotExist) {
			db.opts.Logger.Warn("storage: a segment file that is no longer needed stays until the next start", "file", segmentName(n), "error", err)
		}
	}
}

// newFile takes a number for a segment that is about to be written. Until settle or dropFiles it is not taken for garbage.
func (db *DB) newFile() uint64 {
	n := db.nextFile.Add(1) - 1
	db.segMu.Lock()
	defer db.segMu.Unlock()
	db.pending[n] = true
	return n
}

// logSegment remembers that the log names a segment.
func (db *DB) logSegment(number, seq uint64) {
	db.segMu.Lock()
	defer db.segMu.Unlock()
	db.logged[number] = seq
}

// settle says that states refer to segments from now on, if anything does.
func (db *DB) settle(numbers []uint64) {
	db.segMu.Lock()
	defer db.segMu.Unlock()
	for _, n := range numbers {
		delete(db.pending, n)
	}
}

// unreferenced lists the known segments that are in none of the sets, not pending, and not named by the log after transaction seq.
func (db *DB) unreferenced(seq uint64, used ...map[uint64]bool) []uint64 {
	db.segMu.Lock()
	defer db.segMu.Unlock()
	for n, at := range db.logged {
		if at <= seq {
			delete(db.logged, n)
		}
	}
	var out []uint64
next:
	for n := range db.segments {
		for _, u := range used {
			if u[n] {
				continue next
			}
		}
		if _, logged := db.logged[n]; !logged && !db.pending[n] {
			out = append(out, n)
		}
	}
	return out
}

// removeUnused clears, at opening, what crashes left behind: unfinished manifests, old logs, segments of transactions that did not commit.
// What manifest and log name stays, even if no table has it any more: the next replay passes through the same states.
func (db *DB) removeUnused(r *replayed) {
	used := r.state.files()
	if segs, err := db.numbered("segments", ".seg"); err == nil {
		for _, n := range segs {
			if _, logged := db.logged[n]; !logged && !used[n] && !r.files[n] {
				db.dropFiles([]uint64{n})
			}
		}
	}
	if logs, err := db.numbered("log", ".log"); err == nil {
		for _, n := range logs {
			if n < r.manifest.log {
				_ = db.fs.Remove(db.path(filepath.Join("log", logName(n))))
			}
		}
	}
	if names, err := db.fs.List(db.dir); err == nil {
		for _, name := range names {
			if vfs.IsTemp(name) {
				_ = db.fs.Remove(db.path(name))
			}
		}
	}
}

// files returns the segments that a state refers to.
func (s *state) files() map[uint64]bool {
	used := map[uint64]bool{}
	for _, t := range s.tables {
		for _, p := range t.parts {
			if p.seg != nil {
				used[p.seg.number] = true
			}
		}
	}
	return used
}

// Close waits for commits and background work, writes a checkpoint so that the next Open has nothing to replay, and releases the
// directory. Transactions still open can read what they have opened but not commit. A second Close does nothing.
func (db *DB) Close() error {
	db.commitMu.Lock()
	if db.closed {
		db.commitMu.Unlock()
		return nil
	}
	db.closed = true
	db.commitMu.Unlock()
	db.cancel()
	db.worker.Wait()
	err := db.checkpoint(context.Background())
	if err != nil {
		// Everything committed is in the log: the next Open replays it.
		db.opts.Logger.Warn("storage: closing without a checkpoint", "error", err)
	}
	db.checkpointMu.Lock()
	db.ended = true
	db.checkpointMu.Unlock()
	db.compactMu.Lock() // a compaction that Checkpoint runs ends with db.ctx
	defer db.compactMu.Unlock()
	db.closeFiles()
	return nil
}

func (db *DB) closeFiles() {
	db.syncMu.Lock()
	if db.log != nil {
		db.log.Close()
	}
	db.syncMu.Unlock()
	db.segMu.Lock()
	for _, s := range db.segments {
		s.close()
	}
	db.segMu.Unlock()
	db.lock.Close()
}

// background runs checkpoints when asked to.
func (db *DB) background() {
	defer db.worker.Done()
	for {
		select {
		case <-db.ctx.Done():
			return
		case <-db.kick:
		}
		if err := db.safeCheckpoint(); err != nil && db.ctx.Err() == nil {
			db.opts.Logger.Error("storage: checkpoint failed; the log keeps growing until one succeeds", "error", err)
		}
		select {
		case db.checkpointed <- struct{}{}:
		default:
		}
	}
}

// safeCheckpoint is a checkpoint that does not panic.
func (db *DB) safeCheckpoint() error {
	return guard("checkpoint", func() error { return db.checkpoint(db.ctx) })
}

func (db *DB) kickCheckpoint() {
	select {
	case db.kick <- struct{}{}:
	default:
	}
}
