package server

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/rowexec"
	"github.com/dolthub/go-mysql-server/sql/transform"
)

// eventRunner runs EVENTs. The engine has a scheduler of its own, which starts one event per period and skips those that
// come due together with another; a nightly refresh of ten forecasts would lose nine. This one looks every second and
// starts everything that is due, each event in its own session and never beside itself. As in MySQL, an event acts with
// the privileges of its definer, times that passed while the server was down are not made up for, and a one-time event is
// dropped or disabled when it has been started.
type eventRunner struct {
	engine     *sqle.Engine
	databases  sql.DatabaseProvider
	newContext func() (*sql.Context, error)
	logger     *slog.Logger

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu      sync.Mutex
	running map[string]bool
	next    map[string]appointment // of the loop's goroutine only
}

// dueEvent is an event whose time has come.
type dueEvent struct {
	database, key string
	definition    sql.EventDefinition
}

// appointment is the next time of an event, valid while its definition is the one seen.
type appointment struct {
	at      time.Time
	altered time.Time
	every   string
}

func startEvents(engine *sqle.Engine, databases sql.DatabaseProvider, newContext func() (*sql.Context, error), logger *slog.Logger) *eventRunner {
	r := &eventRunner{
		engine: engine, databases: databases, newContext: newContext, logger: logger,
		running: map[string]bool{}, next: map[string]appointment{},
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	r.wg.Add(1)
	go r.loop()
	return r
}

// stop cancels running events and waits for them.
func (r *eventRunner) stop() {
	r.cancel()
	r.wg.Wait()
}

// busy tells whether an event is running.
func (r *eventRunner) busy() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.running) > 0
}

func (r *eventRunner) loop() {
	defer r.wg.Done()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for first := true; ; first = false {
		if _, status, ok := sql.SystemVariables.GetGlobal("event_scheduler"); !ok || strings.EqualFold(fmt.Sprint(status), "ON") {
			if err := r.startDue(time.Now().UTC(), first); err != nil && r.ctx.Err() == nil {
				r.logger.Error("events cannot be read", "error", err.Error())
			}
		}
		select {
		case <-r.ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// startDue starts every event whose time has come. At the first look after the server's start, times in the past do not
// count.
func (r *eventRunner) startDue(now time.Time, first bool) error {
	seen := map[string]bool{}
	var due []dueEvent
	err := r.inTransaction(func(ctx *sql.Context) error {
		for _, database := range r.databases.AllDatabases(ctx) {
			edb, ok := database.(sql.EventDatabase)
			if !ok {
				continue
			}
			events, _, err := edb.GetEvents(ctx)
			if err != nil {
				return fmt.Errorf("database %s: %w", edb.Name(), err)
			}
			for _, e := range events {
				key := strings.ToLower(edb.Name() + "." + e.Name)
				seen[key] = true
				if !strings.EqualFold(e.Status, sql.EventStatus_Enable.String()) {
					delete(r.next, key)
					continue
				}
				isDue, err := r.consider(ctx, edb, key, e, now, first)
				if err != nil {
					r.logger.Error("event cannot be scheduled", "event", key, "error", err.Error())
				}
				if isDue {
					due = append(due, dueEvent{edb.Name(), key, e})
				}
			}
		}
		return nil
	})
	for key := range r.next {
		if !seen[key] {
			delete(r.next, key)
		}
	}
	if err != nil {
		return err
	}
	// Only now is it durable that they have had their turn.
	for _, d := range due {
		if !r.start(d.database, d.key, d.definition) {
			r.logger.Warn("event is still running and skips a turn", "event", d.key)
		}
	}
	return nil
}

// consider notes in the catalog that the event has its turn if its time has come, and tells so.
func (r *eventRunner) consider(ctx *sql.Context, edb sql.EventDatabase, key string, e sql.EventDefinition, now time.Time, first bool) (bool, error) {
	if e.HasExecuteAt {
		if e.ExecuteAt.After(now) {
			return false, nil
		}
		return !first, r.retire(ctx, edb, e, now)
	}
	schedule, err := newSchedule(e)
	if err != nil {
		return false, err
	}
	a, known := r.next[key]
	if !known || !a.altered.Equal(e.LastAltered) || a.every != e.ExecuteEvery {
		a = appointment{altered: e.LastAltered, every: e.ExecuteEvery}
		switch {
		case e.LastExecuted.IsZero() && (!first || e.Starts.After(now)):
			a.at = e.Starts
		default:
			a.at = schedule.after(now)
		}
	}
	if e.HasEnds && a.at.After(e.Ends) {
		delete(r.next, key)
		return false, r.retire(ctx, edb, e, time.Time{})
	}
	if a.at.After(now) {
		r.next[key] = a
		return false, nil
	}
	a.at = schedule.after(now)
	r.next[key] = a
	return true, edb.UpdateLastExecuted(ctx, e.Name, now)
}

// retire drops an event that has had its last time, or disables it if it is to be preserved.
func (r *eventRunner) retire(ctx *sql.Context, edb sql.EventDatabase, e sql.EventDefinition, executed time.Time) error {
	if !e.OnCompletionPreserve {
		return edb.DropEvent(ctx, e.Name)
	}
	e.Status = sql.EventStatus_Disable.String()
	if !executed.IsZero() {
		e.LastExecuted = executed
	}
	_, err := edb.UpdateEvent(ctx, e.Name, e)
	return err
}

// start runs the event in the background, unless it is running already.
func (r *eventRunner) start(database, key string, e sql.EventDefinition) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.running[key] {
		return false
	}
	r.running[key] = true
	r.wg.Add(1)
	go func() {
		defer r.wg.Done()
		defer func() {
			r.mu.Lock()
			defer r.mu.Unlock()
			delete(r.running, key)
		}()
		began := time.Now()
		if err := r.execute(database, e); err != nil {
			r.logger.Error("event failed", "event", key, "error", err.Error()) // the engine's errors print their stack else
			return
		}
		r.logger.Debug("event done", "event", key, "seconds", time.Since(began).Seconds())
	}()
	return true
}

// execute runs the event's body in a session of its own.
func (r *eventRunner) execute(database string, e sql.EventDefinition) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	user, host, err := splitAccount(e.Definer)
	if err != nil {
		return err
	}
	return r.inTransaction(func(ctx *sql.Context) error {
		ctx.SetCurrentDatabase(database)
		ctx.Session.SetClient(sql.Client{User: user, Address: host})
		// The whole CREATE EVENT is planned, since a body of several statements is no statement by itself.
		analyzed, err := r.engine.AnalyzeQuery(ctx, e.CreateEventStatement())
		if err != nil {
			return err
		}
		var body sql.Node
		transform.InspectWithOpaque(ctx, analyzed, func(_ *sql.Context, n sql.Node) bool {
			if create, ok := n.(*plan.CreateEvent); ok {
				body = create.DefinitionNode
			}
			return body == nil
		})
		if body == nil {
			return fmt.Errorf("its definition holds no body")
		}
		iter, err := r.engine.Analyzer.ExecBuilder.Build(ctx, body, nil)
		if err != nil {
			return err
		}
		if iter, _, err = rowexec.FinalizeIters(ctx, body, nil, iter); err != nil {
			return err
		}
		_, err = sql.RowIterToRows(ctx, iter)
		return err
	})
}

// inTransaction runs fn in a new session and commits what it did, if it has not.
func (r *eventRunner) inTransaction(fn func(*sql.Context) error) error {
	ctx, err := r.newContext()
	if err != nil {
		return err
	}
	ctx = ctx.WithContext(r.ctx)
	defer sql.SessionEnd(ctx.Session)
	if err := sql.SessionCommandBegin(ctx.Session); err != nil {
		return err
	}
	defer sql.SessionCommandEnd(ctx.Session)
	session, ok := ctx.Session.(sql.TransactionSession)
	if !ok {
		return fn(ctx)
	}
	tx, err := session.StartTransaction(ctx, sql.ReadWrite)
	if err != nil {
		return err
	}
	session.SetTransaction(tx)
	defer session.SetTransaction(nil)
	if err := fn(ctx); err != nil {
		_ = session.Rollback(ctx, session.GetTransaction())
		return err
	}
	if tx := session.GetTransaction(); tx != nil {
		return session.CommitTransaction(ctx, tx)
	}
	return nil
}

// splitAccount reads 'user'@'host', quoted in any of MySQL's ways.
func splitAccount(account string) (user, host string, err error) {
	at := strings.LastIndex(account, "@")
	if at < 0 {
		return "", "", fmt.Errorf("its definer %q is no account", account)
	}
	return strings.Trim(account[:at], "`'\""), strings.Trim(account[at+1:], "`'\""), nil
}

// schedule is the series STARTS, STARTS + EVERY, STARTS + 2·EVERY and so on.
type schedule struct {
	starts time.Time
	months int
	step   time.Duration
}

func newSchedule(e sql.EventDefinition) (schedule, error) {
	every, err := sql.EventOnScheduleEveryIntervalFromString(e.ExecuteEvery)
	if err != nil {
		return schedule{}, err
	}
	s := schedule{
		starts: e.Starts,
		months: int(every.Years*12 + every.Months),
		step: time.Duration(every.Days)*24*time.Hour + time.Duration(every.Hours)*time.Hour +
			time.Duration(every.Minutes)*time.Minute + time.Duration(every.Seconds)*time.Second,
	}
	if s.months <= 0 && s.step <= 0 {
		return schedule{}, fmt.Errorf("its interval %q is not positive", e.ExecuteEvery)
	}
	return s, nil
}

// at returns STARTS + k·EVERY. Months are counted by the calendar; the 31st becomes the last day of shorter months.
func (s schedule) at(k int) time.Time {
	t := s.starts
	if s.months > 0 {
		y, m, d := t.Date()
		firstOf := time.Date(y, m, 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), t.Location()).AddDate(0, k*s.months, 0)
		last := firstOf.AddDate(0, 1, -1).Day()
		t = firstOf.AddDate(0, 0, min(d, last)-1)
	}
	return t.Add(time.Duration(k) * s.step)
}

// after returns the first time of the series that is later than t.
func (s schedule) after(t time.Time) time.Time {
	if s.starts.After(t) {
		return s.starts
	}
	// No interval is longer than its months taken as 31 days, so k starts at or below the answer.
	longest := s.step + time.Duration(s.months)*31*24*time.Hour
	k := int(t.Sub(s.starts) / longest)
	for !s.at(k).After(t) {
		k++
	}
	return s.at(k)
}
