package cluster

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
)

// forEach calls do(worker, task) for tasks 0..n-1 on several goroutines and waits for them. It stops early, with its error,
// when ctx ends, and turns a panic into an error. Tasks must write to places of their own.
func forEach(ctx context.Context, workers, n int, do func(worker, task int)) error {
	workers = min(workerCount(workers), n)
	var next atomic.Int64
	var wait sync.WaitGroup
	failed := make([]error, workers)
	for w := range workers {
		wait.Add(1)
		go func() {
			defer wait.Done()
			defer func() {
				if r := recover(); r != nil {
					failed[w] = fmt.Errorf("clustering: %v", r)
				}
			}()
			for ctx.Err() == nil {
				task := int(next.Add(1)) - 1
				if task >= n {
					return
				}
				do(w, task)
			}
		}()
	}
	wait.Wait()
	for _, err := range failed {
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

func workerCount(workers int) int {
	if workers <= 0 {
		return runtime.GOMAXPROCS(0)
	}
	return workers
}

// meter counts steps for a progress callback.
type meter struct {
	mu          sync.Mutex
	done, total int
	report      func(done, total int)
}

func newMeter(report func(done, total int), total int) *meter {
	return &meter{total: total, report: report}
}

func (m *meter) step() {
	if m == nil || m.report == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.done = min(m.done+1, m.total)
	m.report(m.done, m.total)
}
