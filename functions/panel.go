package functions

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/engine/calendar"
	"github.com/almanacdb/almanac/engine/decompose"
	"github.com/almanacdb/almanac/engine/series"
)

// seriesWorker makes the rows of one series after the other; it belongs to one goroutine.
type seriesWorker interface {
	// one writes the rows of s. It either writes all or, with an error, none.
	one(ctx context.Context, s series.Series, at timeline, notes string) error
	// failed writes what stands for a series that cannot be done, and why.
	failed(s series.Series, at timeline, why string)
}

// maxResultRows bounds the rows of one call: more is a mistake, and no client could read them.
const maxResultRows = 1_000_000_000

// runPanel is the Run of functions that treat each series by itself. perSeries is the number of rows of one series beside those of its
// history (which counts if perSeries is 0).
func runPanel(ctx context.Context, env *Env, b *Bound, perSeries int, worker func(*rows) seriesWorker) (array.RecordReader, error) {
	if b.Provisional {
		return nil, notReady(b)
	}
	prepare := func(ctx context.Context) (*plan, error) {
		panel, err := readPanel(ctx, env, b)
		if err != nil || panel == nil {
			return &plan{}, err
		}
		rowsEach := perSeries
		if b.Options.History < 0 || perSeries == 0 {
			rowsEach += panel.Observations() / max(1, panel.Len())
		}
		if total := float64(rowsEach) * float64(panel.Len()); total > maxResultRows {
			panel.Release()
			return nil, fault(codeTooMany, b.Spec.Name, "narrow the source with WHERE, lower the horizon, or ask for fewer quantiles.",
				"%d series would give %.0f rows; at most %d are produced", panel.Len(), total, maxResultRows)
		}
		run := &panelRun{
			env: env, bound: b, panel: panel, worker: worker, report: newReport(env, b, panel.Len()),
			periods: newPeriodRule(b, panel), notes: newPanelNotes(b, panel),
		}
		run.perChunk = max(1, min(64, 4096/max(1, rowsEach)))
		return &plan{
			chunks:    (panel.Len() + run.perChunk - 1) / run.perChunk,
			newWorker: run.newWorker,
			finish:    run.report.finish,
			close:     panel.Release,
		}, nil
	}
	return newStream(ctx, b.schema, env.Workers, prepare), nil
}

func notReady(b *Bound) error {
	return fault(codeNotReady, b.Spec.Name, "bind the statement's parameters before running it.", "a placeholder has no value")
}

func (e *Env) memory() memory.Allocator {
	if e.Memory == nil {
		return memory.DefaultAllocator
	}
	return e.Memory
}

// readPanel reads the columns that the call needs and groups them. A source without usable rows is an error under
// on_error=fail; else a warning is given and the panel is nil.
func readPanel(ctx context.Context, env *Env, b *Bound) (*series.Panel, error) {
	columns := make([]string, 0, len(b.Keys)+2)
	for _, k := range b.Keys {
		columns = append(columns, k.Field.Name)
	}
	columns = append(columns, b.Time.Field.Name, b.Value.Field.Name)
	reader, err := b.Relation.Read(ctx, columns)
	if err != nil {
		return nil, sourceError(ctx, b, err)
	}
	defer reader.Release()
	missing, err := series.ParseMissing(b.Options.Missing)
	if err != nil {
		return nil, err
	}
	agg, err := series.ParseAgg(b.Options.Agg)
	if err != nil {
		return nil, err
	}
	options := series.Options{
		Time: b.Time.Field.Name, Value: b.Value.Field.Name, Keys: b.Options.By, Freq: b.Options.Freq,
		Missing: missing, Agg: agg, Allocator: env.memory(),
	}
	if b.Options.CutoffGiven {
		options.Cutoff = &b.Options.Cutoff
	}
	panel, err := series.FromArrow(ctx, reader, options)
	switch {
	case err == nil && panel.Len() > 0:
		return panel, nil
	case err == nil:
		panel.Release()
	case !errors.Is(err, series.ErrNoRows):
		return nil, panelError(ctx, b, err)
	}
	what := "has no rows"
	if b.Options.CutoffGiven {
		what = "has no rows up to the cutoff"
	}
	const fix = "load data first, or look at the WHERE of the source and at cutoff"
	if b.Options.OnError == "fail" {
		return nil, fault(codeEmpty, b.Spec.Name, fix+".", "%s %s", b.Relation.Name(), what)
	}
	if env.Warn != nil {
		env.Warn(fault(codeEmpty, b.Spec.Name, fix+"; on_error=fail makes an error of it.", "%s %s, so the result is empty", b.Relation.Name(), what).Error())
	}
	return nil, nil
}

// sourceError passes cancellation on and names the source in the rest.
func sourceError(ctx context.Context, b *Bound, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return fault(codeSource, b.Spec.Name, "run the source by itself to see the same error.", "%s cannot be read: %v", b.Relation.Name(), err).because(err)
}

// panelError words the errors of series.FromArrow for SQL users.
func panelError(ctx context.Context, b *Bound, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var (
		frequency *series.FrequencyError
		column    *series.ColumnError
		value     *series.ValueError
		nullTime  *series.NullTimeError
		duplicate *series.DuplicateError
		missing   *series.MissingError
		span      *series.SpanError
	)
	name := b.Spec.Name
	switch {
	case errors.As(err, &frequency):
		fix := "set freq, such as freq=daily."
		if frequency.Suggestion != "" {
			fix = "set freq=" + frequency.Suggestion + "."
		}
		examples := ""
		if len(frequency.Examples) > 0 {
			examples = " (" + strings.Join(frequency.Examples, ", ") + ")"
		}
		return fault(codeFrequency, name, fix, "no frequency found in time column '%s': %s%s", b.Time.Field.Name, frequency.Reason, examples).because(err)
	case errors.As(err, &column):
		return fault(codeColumnType, name, "name another column, or convert it in a SELECT as the source.", "%s column '%s': %s", column.Role, column.Column, column.Reason).because(err)
	case errors.As(err, &value):
		return fault(codeBadValue, name, "leave the row out with WHERE, or mend it.", "column '%s' has %s in row %d%s: %s", value.Column, value.Value, value.Row, ofKey(value.Key), value.Reason).because(err)
	case errors.As(err, &nullTime):
		return fault(codeBadTime, name, fmt.Sprintf("leave them out: '(SELECT … FROM … WHERE %s IS NOT NULL)'.", nullTime.Column),
			"time column '%s' is NULL in %d of %d rows", nullTime.Column, nullTime.Rows, nullTime.Total).because(err)
	case errors.As(err, &duplicate):
		return fault(codeDuplicate, name, "set agg to sum, mean or last, or name the missing key column in by.",
			"%d rows%s for %s, and agg=error allows one", duplicate.Rows, ofKey(duplicate.Key), duplicate.Time).because(err)
	case errors.As(err, &missing):
		what := "no row"
		if missing.Null {
			what = "a NULL value"
		}
		return fault(codeMissing, name, "set missing to auto, zero, null, ffill or interpolate.", "%s%s for %s, and missing=error allows none", what, ofKey(missing.Key), missing.Time).because(err)
	case errors.As(err, &span):
		return fault(codeTooMany, name, "look for a mistyped date and leave it out with WHERE or cutoff, or set a coarser freq.",
			"%d rows%s run from %s to %s: %d periods (%s)", span.Rows, ofKey(span.Key), span.First, span.Last, span.Periods, span.Freq.Words()).because(err)
	case errors.Is(err, calendar.ErrTimeRange):
		return fault(codeBadTime, name, "leave such rows out with WHERE.", "time column '%s': %v", b.Time.Field.Name, err).because(err)
	}
	return sourceError(ctx, b, err)
}

func ofKey(key string) string {
	if key == "" {
		return ""
	}
	return " of series " + key
}

// panelRun is what the workers of runPanel share.
type panelRun struct {
	env      *Env
	bound    *Bound
	panel    *series.Panel
	perChunk int
	worker   func(*rows) seriesWorker
	report   *report
	periods  *periodRule
	notes    *panelNotes
}

func (p *panelRun) newWorker() chunkWorker {
	out := newRows(p.bound.schema, p.bound, p.panel, p.env.memory())
	return &panelChunks{panelRun: p, out: out, worker: p.worker(out)}
}

type panelChunks struct {
	*panelRun
	out      *rows
	worker   seriesWorker
	detector decompose.Detector
}

func (p *panelChunks) close() { p.out.close() }

func (p *panelChunks) chunk(ctx context.Context, i int) (arrow.RecordBatch, error) {
	for s := i * p.perChunk; s < min((i+1)*p.perChunk, p.panel.Len()); s++ {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := p.series(ctx, s); err != nil {
			return nil, err
		}
		p.report.done()
	}
	return p.out.batch(ctx)
}

// series does one series; under on_error=report its failure becomes a row.
func (p *panelChunks) series(ctx context.Context, i int) error {
	p.out.current = int32(i)
	s := p.panel.Series(i)
	at := timeline{p.panel, i}
	err := p.safely(ctx, s, at, p.notes.of(i))
	if err == nil {
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if p.bound.Options.OnError == "fail" {
		return seriesError(p.bound, p.panel.KeyString(i), s, err)
	}
	why := reason(s, err)
	if len(s.Y) == 0 {
		why = joinNotes(why, p.notes.edges(i)...)
	}
	p.report.failure(i, p.panel.KeyString(i), why)
	if at.check(len(s.Y)) != nil { // no room in the calendar for the step that stands for the failure
		at.s = i
		p.worker.failed(series.Series{}, at, why)
		return nil
	}
	p.worker.failed(s, at, why)
	return nil
}

// safely turns a panic in a model into the error of this series.
func (p *panelChunks) safely(ctx context.Context, s series.Series, at timeline, notes string) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = panicError(r)
		}
	}()
	var found []int
	if s.Periods, found = p.periods.of(s, &p.detector); len(found) > 0 {
		notes = joinNotes(notes, foundPeriods(found))
	}
	return p.worker.one(ctx, s, at, notes)
}

// errBeyondCalendar is a forecast that runs past the last time its column can hold.
var errBeyondCalendar = errors.New("the horizon runs past the last time that the time column can hold")

// reason is the status of a series that could not be done.
func reason(s series.Series, err error) string {
	var internal *recovered
	switch {
	case errors.As(err, &internal):
		return internal.Error()
	case len(s.Y) == 0:
		return "no known value"
	}
	return err.Error()
}

// seriesError is the error of a statement under on_error=fail.
func seriesError(b *Bound, key string, s series.Series, err error) error {
	if already := (*Error)(nil); errors.As(err, &already) {
		return err
	}
	code, fix := codeNoFit, "set model=auto or a simpler model, or on_error=report to keep the other series."
	var internal *recovered
	switch {
	case errors.As(err, &internal):
		code, fix = codeInternal, "set on_error=report to keep the other series, and report this with the statement."
	case errors.Is(err, engine.ErrTooShort):
		code, fix = codeTooShort, "set a simpler model or a shorter period, or on_error=report to keep the other series."
	case errors.Is(err, engine.ErrMissing):
		code, fix = codeMissing, "set missing=interpolate, or on_error=report to keep the other series."
	case errors.Is(err, engine.ErrNotPositive):
		code, fix = codeNotPositive, "set an additive form, or on_error=report to keep the other series."
	case errors.Is(err, errBeyondCalendar):
		code, fix = codeBadTime, "lower the horizon."
	case errors.Is(err, errInfinite):
		code, fix = codeBadValue, "mend the value, or leave its row out with WHERE."
	}
	name := "the series"
	if key != "" {
		name = "series " + key
	}
	return fault(code, b.Spec.Name, fix, "%s (%s): %s", name, plural(len(s.Y), "observation", "observations"), reason(s, err)).because(err)
}

// report counts series done and failed, for progress and the warning at the end. Safe for concurrent use.
type report struct {
	env   *Env
	bound *Bound
	total int

	mu      sync.Mutex
	count   int
	failed  int
	first   int // the failed series that comes first in the order of keys, whoever found it
	message string
}

func newReport(env *Env, b *Bound, total int) *report {
	if env.Progress != nil {
		env.Progress(0, total)
	}
	return &report{env: env, bound: b, total: total}
}

func (r *report) done() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.count++
	if r.env.Progress != nil {
		r.env.Progress(r.count, r.total)
	}
}

func (r *report) failure(i int, key, why string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed == 0 || i < r.first {
		r.first, r.message = i, why
		if key != "" {
			r.message = key + ": " + why
		}
	}
	r.failed++
}

// finish gives one warning for all series that failed.
func (r *report) finish() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.failed > 0 && r.env.Warn != nil {
		r.env.Warn(fmt.Sprintf("%s: %d of %d series could not be done; the first: %s", strings.ToLower(r.bound.Spec.Name), r.failed, r.total, r.message))
	}
	return nil
}
