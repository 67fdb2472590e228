package ingest

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// stream is a record reader fed by one goroutine, so that parsing goes on while the consumer stores the last batch.
type stream struct {
	refs    atomic.Int64
	schema  *arrow.Schema
	batches chan arrow.RecordBatch
	cancel  context.CancelFunc
	done    chan struct{}
	current arrow.RecordBatch
	err     error // written by the producer before done closes
	failed  error
}

var _ array.RecordReader = (*stream)(nil)

// newStream starts produce, which hands each batch to emit (emit takes ownership) and ends with the stream.
func newStream(ctx context.Context, schema *arrow.Schema, produce func(ctx context.Context, emit func(arrow.RecordBatch) error) error) *stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &stream{schema: schema, batches: make(chan arrow.RecordBatch, 2), cancel: cancel, done: make(chan struct{})}
	s.refs.Store(1)
	go func() {
		defer close(s.done)
		defer close(s.batches)
		defer func() {
			if p := recover(); p != nil {
				s.err = fmt.Errorf("reading the file: %v", p)
			}
		}()
		s.err = produce(ctx, func(b arrow.RecordBatch) error {
			select {
			case s.batches <- b:
				return nil
			case <-ctx.Done():
				b.Release()
				return ctx.Err()
			}
		})
	}()
	return s
}

func (s *stream) Retain() { s.refs.Add(1) }

func (s *stream) Release() {
	if s.refs.Add(-1) != 0 {
		return
	}
	s.cancel()
	for b := range s.batches {
		b.Release()
	}
	<-s.done
	if s.current != nil {
		s.current.Release()
		s.current = nil
	}
}

func (s *stream) Schema() *arrow.Schema { return s.schema }

func (s *stream) Next() bool {
	if s.current != nil {
		s.current.Release()
		s.current = nil
	}
	b, ok := <-s.batches
	if !ok {
		<-s.done
		s.failed = s.err
		return false
	}
	s.current = b
	return true
}

func (s *stream) RecordBatch() arrow.RecordBatch { return s.current }

// Record is RecordBatch under its former name, which the interface still asks for.
func (s *stream) Record() arrow.RecordBatch { return s.current }

func (s *stream) Err() error { return s.failed }
