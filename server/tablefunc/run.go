package tablefunc

import (
	"context"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/functions"
	"github.com/almanacdb/almanac/server/sqltype"
)

// RowIter implements sql.ExecSourceRel. No work is done before the iterator's first Next.
func (c *call) RowIter(_ *sql.Context, row sql.Row) (sql.RowIter, error) {
	return &callIter{call: c, row: row}, nil
}

// callIter streams the result of one call.
type callIter struct {
	call *call
	row  sql.Row

	started  bool
	rows     sql.RowIter
	cancel   context.CancelFunc
	progress *progress
	warnings warnings
}

// Next implements sql.RowIter.
func (it *callIter) Next(ctx *sql.Context) (_ sql.Row, err error) {
	defer it.call.recovered(&err)
	if !it.started {
		it.started = true
		if err := it.start(ctx); err != nil {
			return nil, sqlError(err)
		}
	}
	if it.rows == nil { // start failed before
		return nil, sqlError(context.Canceled)
	}
	row, err := it.rows.Next(ctx)
	it.warnings.flush(ctx)
	if err != nil {
		return nil, sqlError(err)
	}
	return row, nil
}

func (it *callIter) start(ctx *sql.Context) error {
	c := it.call
	bound := c.bound
	if c.late || bound.Provisional {
		var err error
		if bound, err = c.rebind(ctx, it.row); err != nil {
			return err
		}
	}
	reader := array.RecordReader(nil)
	if !c.late {
		reader = c.memo.replay()
	}
	if reader == nil {
		run, cancel := context.WithCancel(ctx)
		it.cancel = cancel
		env := c.set.env
		env.Warn = it.warnings.add
		it.progress = c.set.newProgress(ctx, c.spec.Name)
		env.Progress = it.progress.report
		var err error
		if reader, err = c.spec.Run(context.WithValue(run, statementKey, ctx), &env, bound); err != nil {
			return err
		}
		if !c.late {
			reader = c.memo.keep(reader)
		}
	}
	it.rows = sqltype.NewRowIter(ctx, reader, c.schema)
	return nil
}

// Close implements sql.RowIter. It stops the workers and waits for them.
func (it *callIter) Close(ctx *sql.Context) (err error) {
	defer it.call.recovered(&err)
	if it.cancel != nil {
		it.cancel()
	}
	if it.rows != nil {
		err = it.rows.Close(ctx)
		it.rows = nil
	}
	if it.progress != nil {
		it.progress.done()
		it.progress = nil
	}
	return err
}

// warnings collects warnings from any goroutine; the session takes them in the one that runs the statement.
type warnings struct {
	mu      sync.Mutex
	pending []string
}

func (w *warnings) add(message string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending = append(w.pending, message)
}

func (w *warnings) flush(ctx *sql.Context) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, message := range w.pending {
		ctx.Warn(erUnknown, "%s", message)
	}
	w.pending = nil
}

// progress tells the process list how many series are done. Entries are named "FORECAST#7": the number keeps two calls of
// one statement apart, and what shows the list cuts it off.
type progress struct {
	list  sql.ProcessList
	pid   uint64
	name  string
	mu    sync.Mutex
	total int
	shown int
	begun atomic.Bool
}

func (s *Set) newProgress(ctx *sql.Context, function string) *progress {
	list := ctx.ProcessList
	if list == nil {
		list = sql.EmptyProcessList{}
	}
	return &progress{list: list, pid: ctx.Pid(), name: function + "#" + strconv.FormatUint(s.calls.Add(1), 10)}
}

// report is safe for concurrent use. Late, lower counts of another worker are dropped.
func (p *progress) report(done, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.begun.Load() || total != p.total {
		p.begun.Store(true)
		p.total = total
		p.list.AddTableProgress(p.pid, p.name, int64(total))
	}
	if done > p.shown {
		p.list.UpdateTableProgress(p.pid, p.name, int64(done-p.shown))
		p.shown = done
	}
}

func (p *progress) done() {
	if p.begun.Load() {
		p.list.RemoveTableProgress(p.pid, p.name)
	}
}

// memo keeps the result of a call that a statement runs again and again.
type memo struct {
	mu      sync.Mutex
	runs    int
	schema  *arrow.Schema
	batches []arrow.RecordBatch
	whole   bool
	tooBig  bool
}

// maxMemoRows bounds what a statement may keep; beyond it the function is computed each time.
const maxMemoRows = 4 << 20

// replay returns the kept result, nil if there is none.
func (m *memo) replay() array.RecordReader {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runs++
	if !m.whole {
		return nil
	}
	reader, err := array.NewRecordReader(m.schema, m.batches)
	if err != nil {
		return nil
	}
	return reader
}

// keep reads the whole result before the first row of the second run, since a caller such as EXISTS may never read it to
// its end. The first run streams: most calls run once. The returned reader takes over the reference to reader. What the
// memo holds goes back to the allocator by the garbage collector: a plan node has no end that would tell.
func (m *memo) keep(reader array.RecordReader) array.RecordReader {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.runs < 2 || m.tooBig {
		return reader
	}
	var kept []arrow.RecordBatch
	var rows int64
	for reader.Next() {
		batch := reader.RecordBatch()
		batch.Retain()
		kept = append(kept, batch)
		if rows += batch.NumRows(); rows > maxMemoRows {
			m.tooBig = true
			return &chainedReader{RecordReader: reader, first: kept}
		}
	}
	if reader.Err() != nil {
		for _, batch := range kept {
			batch.Release()
		}
		return reader
	}
	m.schema, m.batches, m.whole = reader.Schema(), kept, true
	replay, err := array.NewRecordReader(m.schema, m.batches)
	if err != nil {
		return reader
	}
	reader.Release()
	return replay
}

// chainedReader yields batches that were read ahead, then what the reader has left.
type chainedReader struct {
	array.RecordReader
	first   []arrow.RecordBatch
	current arrow.RecordBatch
}

func (r *chainedReader) drop() {
	if r.current != nil {
		r.current.Release()
		r.current = nil
	}
}

func (r *chainedReader) Next() bool {
	r.drop()
	if len(r.first) == 0 {
		return r.RecordReader.Next()
	}
	r.current, r.first = r.first[0], r.first[1:]
	return true
}

func (r *chainedReader) RecordBatch() arrow.RecordBatch {
	if r.current != nil {
		return r.current
	}
	return r.RecordReader.RecordBatch()
}

func (r *chainedReader) Release() {
	r.drop()
	for _, batch := range r.first {
		batch.Release()
	}
	r.first = nil
	r.RecordReader.Release()
}

var _ functions.Relation = (*source)(nil)
