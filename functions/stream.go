package functions

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// plan is a result about to be produced: a number of chunks, each becoming one batch, independent of each other.
type plan struct {
	chunks int
	// newWorker returns what one goroutine uses to make chunks; it owns that goroutine's scratch and builders. make returns
	// a batch owned by the caller; close gives the scratch back.
	newWorker func() chunkWorker
	// finish runs once after the last chunk was handed out; its error ends the stream.
	finish func() error
	// close frees what the plan holds. It runs once, after all workers have ended.
	close func()
}

type chunkWorker interface {
	chunk(ctx context.Context, i int) (arrow.RecordBatch, error)
	close()
}

// stream is an array.RecordReader that computes chunks on several goroutines and hands them out in order. Nothing runs before
// the first Next. At most window chunks are finished or in work ahead of the reader, which bounds memory.
//
// Tickets are the chunk numbers allowed to start. The consumer issues the next one each time it takes a chunk, so slot
// i mod window is always free when ticket i is drawn and no worker ever waits for a reader to hand over its result.
type stream struct {
	refs    atomic.Int64
	ctx     context.Context
	cancel  context.CancelFunc
	schema  *arrow.Schema
	workers int
	prepare func(context.Context) (*plan, error)

	plan    *plan
	started bool
	done    bool
	next    int
	issued  int
	tickets chan int
	slots   []chan produced
	running sync.WaitGroup
	batch   arrow.RecordBatch
	err     error
}

type produced struct {
	batch arrow.RecordBatch
	err   error
}

// newStream returns the reader of a function's result. prepare reads the source and does what all chunks share.
func newStream(ctx context.Context, schema *arrow.Schema, workers int, prepare func(context.Context) (*plan, error)) *stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{ctx: ctx, cancel: cancel, schema: schema, workers: max(1, workers), prepare: prepare}
	s.refs.Store(1)
	return s
}

var _ array.RecordReader = (*stream)(nil)

// Retain adds a reference.
func (s *stream) Retain() { s.refs.Add(1) }

// Release drops a reference; the last one stops the workers, waits for them and frees all memory.
func (s *stream) Release() {
	if s.refs.Add(-1) == 0 {
		s.stop()
	}
}

// Schema is the schema of the batches.
func (s *stream) Schema() *arrow.Schema { return s.schema }

// RecordBatch is the current batch, valid until the following Next or Release.
func (s *stream) RecordBatch() arrow.RecordBatch { return s.batch }

// Record is RecordBatch under its older name.
func (s *stream) Record() arrow.RecordBatch { return s.batch }

// Err is the error that ended the stream, if any.
func (s *stream) Err() error { return s.err }

// Next computes, or waits for, the next batch.
func (s *stream) Next() bool {
	if s.batch != nil {
		s.batch.Release()
		s.batch = nil
	}
	for !s.done {
		if err := s.ctx.Err(); err != nil {
			return s.fail(context.Cause(s.ctx))
		}
		if !s.started {
			if err := s.start(); err != nil {
				return s.fail(err)
			}
			continue
		}
		if s.next == s.plan.chunks {
			s.done = true
			if s.plan.finish != nil {
				if err := s.plan.finish(); err != nil {
					return s.fail(err)
				}
			}
			s.stop()
			return false
		}
		var result produced
		select {
		case result = <-s.slots[s.next%len(s.slots)]:
		case <-s.ctx.Done():
			return s.fail(context.Cause(s.ctx))
		}
		s.next++
		s.issue()
		if result.err != nil {
			return s.fail(result.err)
		}
		if result.batch == nil || result.batch.NumRows() == 0 {
			if result.batch != nil {
				result.batch.Release()
			}
			continue
		}
		s.batch = result.batch
		return true
	}
	return false
}

func (s *stream) fail(err error) bool {
	s.err = err
	s.stop()
	return false
}

func (s *stream) start() error {
	s.started = true
	plan, err := s.safePrepare()
	if err != nil {
		return err
	}
	s.plan = plan
	workers := min(s.workers, plan.chunks)
	window := 2*workers + 2
	s.tickets = make(chan int, window)
	s.slots = make([]chan produced, window)
	for i := range s.slots {
		s.slots[i] = make(chan produced, 1)
	}
	for range window {
		s.issue()
	}
	for range workers {
		s.running.Add(1)
		go s.work()
	}
	return nil
}

// safePrepare turns a panic into an error: one statement fails, not the server.
func (s *stream) safePrepare() (p *plan, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicError(r)
		}
	}()
	return s.prepare(s.ctx)
}

// issue allows one more chunk to start.
func (s *stream) issue() {
	if s.issued < s.plan.chunks {
		s.tickets <- s.issued
		s.issued++
	}
}

func (s *stream) work() {
	defer s.running.Done()
	var worker chunkWorker
	defer func() {
		if worker != nil {
			worker.close()
		}
	}()
	for {
		select {
		case <-s.ctx.Done():
			return
		case i, open := <-s.tickets:
			if !open {
				return
			}
			var p produced
			p.batch, p.err = s.safeChunk(&worker, i)
			s.slots[i%len(s.slots)] <- p
			if p.err != nil {
				return // the consumer stops when it gets here; earlier chunks are with other workers or done
			}
		}
	}
}

func (s *stream) safeChunk(worker *chunkWorker, i int) (batch arrow.RecordBatch, err error) {
	defer func() {
		if r := recover(); r != nil {
			batch, err = nil, panicError(r)
		}
	}()
	if *worker == nil {
		*worker = s.plan.newWorker()
	}
	return (*worker).chunk(s.ctx, i)
}

// stop ends the workers and frees everything; it may run more than once.
func (s *stream) stop() {
	s.done = true
	s.cancel()
	s.running.Wait()
	for _, slot := range s.slots {
		select {
		case p := <-slot:
			if p.batch != nil {
				p.batch.Release()
			}
		default:
		}
	}
	if s.batch != nil {
		s.batch.Release()
		s.batch = nil
	}
	if s.plan != nil && s.plan.close != nil {
		s.plan.close()
		s.plan.close = nil
	}
}

// recovered is a panic turned into an error. Its stack is for the log, not for the SQL user.
type recovered struct {
	value any
	stack []byte
}

func (e *recovered) Error() string { return fmt.Sprintf("internal failure: %v", e.value) }

// Stack is the stack of the goroutine that panicked.
func (e *recovered) Stack() []byte { return e.stack }

func panicError(value any) error { return &recovered{value, debug.Stack()} }
