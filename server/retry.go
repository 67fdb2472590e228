package server

import (
	"context"
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/sqltypes"
)

const (
	// retryFor bounds how long one statement is run again; the last conflict is reported then.
	retryFor = 20 * time.Second
	// maxRetryPause bounds the pause between two runs, which doubles from half a millisecond.
	maxRetryPause = 20 * time.Millisecond
)

// retries runs a single statement again that lost a write conflict at its commit. In MySQL it would have waited for a row
// lock; here the loser's changes are gone with its transaction and nothing was acknowledged, so that running it again is
// the same as having come later. That holds for a statement that is a transaction of its own, sent nothing to its client,
// and leaves nothing behind in the session.
//
// Statements that run again take turns by table: each then competes with first attempts only, and at least one of those
// that meet makes progress.
type retries struct {
	mu    sync.Mutex
	turns map[string]*turn
}

type turn struct {
	token   chan struct{}
	waiting int
}

func newRetries() *retries { return &retries{turns: map[string]*turn{}} }

var changesRows = regexp.MustCompile(`(?is)^\s*(?:/\*.*?\*/\s*)*(?:UPDATE|INSERT|REPLACE|DELETE)\s+` +
	`(?:LOW_PRIORITY\s+|HIGH_PRIORITY\s+|DELAYED\s+|QUICK\s+|IGNORE\s+)*(?:INTO\s+|FROM\s+)?([^\s(,;]+)`)

// repeatable returns the name that statements on the same table share, and whether the statement, about to run in the
// session of ctx, may be run again.
func repeatable(ctx *sql.Context, query string) (string, bool) {
	m := changesRows.FindStringSubmatch(query)
	if m == nil || strings.Contains(query, ":=") { // an assignment to a user variable would be seen twice
		return "", false
	}
	if ctx.GetTransaction() != nil || ctx.GetIgnoreAutoCommit() {
		return "", false
	}
	auto, err := plan.IsSessionAutocommit(ctx)
	return strings.ToLower(ctx.GetCurrentDatabase() + "." + m[1]), err == nil && auto
}

// do runs the statement, again as long as it loses. sent tells whether anything went to the client.
func (r *retries) do(ctx *sql.Context, query string, sent func() bool, run func() error) error {
	table, ok := repeatable(ctx, query)
	err := run()
	if !ok || !isConflict(err) || sent() {
		return err
	}
	release, waitErr := r.takeTurn(ctx, table)
	if waitErr != nil {
		return err
	}
	defer release()
	deadline := time.Now().Add(retryFor)
	for pause := time.Millisecond / 2; isConflict(err) && !sent() && time.Now().Before(deadline); pause = min(2*pause, maxRetryPause) {
		select {
		case <-ctx.Done():
			return err
		case <-time.After(pause/2 + rand.N(pause)):
		}
		err = run()
	}
	return err
}

func isConflict(err error) bool {
	var known *mysql.SQLError
	return errors.As(err, &known) && known.Num == mysql.ERLockDeadlock
}

func (r *retries) takeTurn(ctx context.Context, table string) (release func(), err error) {
	r.mu.Lock()
	t := r.turns[table]
	if t == nil {
		t = &turn{token: make(chan struct{}, 1)}
		r.turns[table] = t
	}
	t.waiting++
	r.mu.Unlock()
	leave := func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		if t.waiting--; t.waiting == 0 {
			delete(r.turns, table)
		}
	}
	select {
	case t.token <- struct{}{}:
		return func() { <-t.token; leave() }, nil
	case <-ctx.Done():
		leave()
		return nil, ctx.Err()
	}
}

// spool notes that something went to the client.
func spool(callback mysql.ResultSpoolFn) (mysql.ResultSpoolFn, func() bool) {
	sent := false
	return func(result *sqltypes.Result, more bool) error {
		sent = true
		return callback(result, more)
	}, func() bool { return sent }
}
