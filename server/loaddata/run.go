package loaddata

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/mysql"

	"github.com/almanacdb/almanac/server/catalog"
)

// iter runs the statement and yields its one result.
type iter struct {
	statement *statement
	done      bool
}

// Next implements sql.RowIter.
func (it *iter) Next(ctx *sql.Context) (sql.Row, error) {
	if it.done {
		return nil, io.EOF
	}
	it.done = true
	result, err := it.statement.run(ctx, memory.DefaultAllocator)
	if err != nil {
		return nil, err
	}
	return sql.NewRow(result), nil
}

// Close implements sql.RowIter.
func (it *iter) Close(*sql.Context) error { return nil }

// info is the line that clients show after a LOAD DATA.
type info struct{ records, deleted, skipped, warnings int64 }

func (i info) String() string {
	return fmt.Sprintf("Records: %d  Deleted: %d  Skipped: %d  Warnings: %d", i.records, i.deleted, i.skipped, i.warnings)
}

// run opens the file and loads it. Whatever ends it but success, a panic included, leaves the table as it was.
func (s *statement) run(ctx *sql.Context, mem memory.Allocator) (_ types.OkResult, err error) {
	file, err := openFile(ctx, s.file, s.local)
	if err != nil {
		return types.OkResult{}, err
	}
	closed := false
	closeFile := func() error {
		if closed {
			return nil
		}
		closed = true
		return file.Close() // for a client's file: reads it to its end, so that the protocol goes on
	}
	defer func() { _ = closeFile() }()
	load, err := s.table.BeginLoad(ctx)
	if err != nil {
		return types.OkResult{}, err
	}
	finished := false
	defer func() {
		if !finished {
			load.Undo()
		}
	}()
	l, err := s.newLoading(ctx, load, file, mem)
	if err != nil {
		return types.OkResult{}, err
	}
	defer func() {
		_ = closeFile() // wakes the reader
		l.reader.stop()
		l.release()
	}()
	result, err := l.run(ctx)
	if err != nil {
		return types.OkResult{}, err
	}
	if err := closeFile(); err != nil {
		return types.OkResult{}, err
	}
	if client := catalog.ClientOf(ctx); s.local && client != nil && clientGone(client) {
		return types.OkResult{}, errClientLeft
	}
	finished = true
	return result, nil
}

var errClientLeft = mysql.NewSQLError(mysql.ERQueryInterrupted, "70100", "the client left before its file was loaded; nothing was changed")

// loading is one run of a statement.
type loading struct {
	*statement
	reader    *reader
	evaluator *evaluator // nil without expressions
	appender  *appender
	numberer  *numberer // nil without AUTO_INCREMENT
	lenient   bool
	mem       memory.Allocator

	repeated []arrow.Array // of constant columns, by column, batchRows long
	warnings warnings
	records  int64
	warned   int64 // by the reader
}

func (s *statement) newLoading(ctx *sql.Context, load *catalog.Load, file io.Reader, mem memory.Allocator) (_ *loading, err error) {
	text, err := decoded(file, s.charset)
	if err != nil {
		return nil, err
	}
	mode := sql.LoadSqlMode(ctx)
	l := &loading{statement: s, mem: mem, lenient: s.ignore || !mode.Strict(), repeated: make([]arrow.Array, len(s.schema))}
	l.warnings.most = keptWarnings(ctx)
	spec := load.Store().Spec()
	l.appender = &appender{load: load, mode: s.mode, schema: spec.Schema, keys: spec.Keys}
	if i := spec.AutoIncrement; i >= 0 {
		l.numberer = &numberer{column: s.schema[i], store: load.Store(), zeroIsNew: !mode.ModeEnabled(sql.NoAutoValueOnZero), mem: mem}
	}
	l.reader = &reader{scanner: newScanner(text, s.dialect, len(s.fields)), skip: s.skip, lenient: l.lenient, mem: mem}
	l.reader.warnings.most = l.warnings.most
	defer func() {
		if err != nil {
			l.reader.stop()
			l.release()
		}
	}()
	reads, texts := s.reads(ctx)
	if len(s.early)+len(s.late)+len(s.checks) > 0 {
		l.evaluator = &evaluator{schema: s.schema, checks: s.checks, reads: reads, lenient: l.lenient, ignore: s.ignore}
		for _, a := range append(s.early[:len(s.early):len(s.early)], s.late...) {
			c, err := newColumn(mem, a.column, s.schema[a.column])
			if err != nil {
				return nil, err
			}
			l.evaluator.computed = append(l.evaluator.computed, computed{c, a.expr})
		}
	}
	if err := l.addFields(ctx, texts); err != nil {
		return nil, err
	}
	return l, l.addConstants(ctx)
}

// addFields gives the reader a target for each field.
func (l *loading) addFields(ctx *sql.Context, texts map[string]bool) error {
	r := l.reader
	for _, f := range l.fields {
		if f.column < 0 {
			v := &variable{name: f.variable}
			if texts[strings.ToLower(f.variable)] {
				v.builder = array.NewStringBuilder(l.mem)
				l.evaluator.variables = append(l.evaluator.variables, v)
			}
			r.variables = append(r.variables, v)
			r.fields = append(r.fields, target{variable: v})
			continue
		}
		c, err := newColumn(l.mem, f.column, l.schema[f.column])
		if err != nil {
			return err
		}
		r.columns = append(r.columns, c)
		r.fields = append(r.fields, target{column: c})
		// As MySQL does: a column that a short line leaves out gets its default if it takes NULL, else its type's zero.
		switch {
		case c.sql.AutoIncrement:
		case !c.sql.Nullable:
			c.missing = c.sql.Type.Zero()
		case c.sql.Default != nil && isConstant(ctx, c.sql.Default):
			if c.missing, err = c.sql.Default.Eval(ctx, nil); err != nil {
				return err
			}
		}
	}
	return nil
}

// addConstants evaluates what is the same in every row.
func (l *loading) addConstants(ctx *sql.Context) error {
	for _, a := range l.constant {
		c, err := newColumn(l.mem, a.column, l.schema[a.column])
		if err != nil {
			return err
		}
		var v any
		if a.expr != nil {
			if v, err = a.expr.Eval(ctx, nil); err == nil {
				v, err = sql.UnwrapAny(ctx, v)
			}
			var wrong *complaint
			if err == nil {
				v, wrong = c.assign(ctx, v)
			}
			if err == nil && wrong != nil {
				if !l.lenient || v == nil {
					err = mysql.NewSQLError(wrong.number, wrong.state, "%s", wrong.at(1))
				} else {
					l.warnings.add(wrong.number, func() string { return wrong.at(1) })
				}
			}
		}
		if err == nil {
			l.repeated[a.column], err = repeat(ctx, c, v)
		}
		c.builder.Release()
		if err != nil {
			return err
		}
	}
	for _, i := range l.unset {
		name := l.schema[i].Name
		if !l.lenient {
			return mysql.NewSQLError(erNoDefault, "HY000", "Field '%s' doesn't have a default value\nFix: name it in the column list, or add SET %s = …", name, name)
		}
		l.warnings.add(erNoDefault, func() string { return fmt.Sprintf("Field '%s' doesn't have a default value", name) })
		c, err := newColumn(l.mem, i, l.schema[i])
		if err != nil {
			return err
		}
		l.repeated[i], err = repeat(ctx, c, c.sql.Type.Zero())
		c.builder.Release()
		if err != nil {
			return err
		}
	}
	return nil
}

func repeat(ctx *sql.Context, c *column, v any) (arrow.Array, error) {
	c.builder.Reserve(batchRows)
	for range batchRows {
		if v == nil {
			c.builder.AppendNull()
		} else if err := c.store(ctx, v); err != nil {
			return nil, err
		}
	}
	return c.builder.NewArray(), nil
}

func (l *loading) release() {
	for _, a := range l.repeated {
		if a != nil {
			a.Release()
		}
	}
	if l.evaluator != nil {
		for _, c := range l.evaluator.computed {
			c.column.builder.Release()
		}
	}
}

// run stores batches as they come.
func (l *loading) run(ctx *sql.Context) (types.OkResult, error) {
	progress := newProgress(ctx)
	defer progress.done()
	client := catalog.ClientOf(ctx)
	l.reader.start(ctx)
	for open := true; open; {
		select {
		case <-ctx.Done():
			return types.OkResult{}, ctx.Err()
		case b, more := <-l.reader.batches:
			if open = more; !more {
				break
			}
			if err := l.store(ctx, b); err != nil {
				return types.OkResult{}, err
			}
			progress.add(b.rows)
			if !l.local && client != nil && clientGone(client) { // one that sends a file is heard of by its reader
				return types.OkResult{}, errClientLeft
			}
		}
	}
	<-l.reader.done
	if l.reader.err != nil {
		return types.OkResult{}, l.reader.err
	}
	if err := l.reader.setLast(ctx); err != nil {
		return types.OkResult{}, err
	}
	l.warnings.flush(ctx)
	a := l.appender
	out := types.OkResult{
		RowsAffected: uint64(a.added + a.deleted),
		Info:         info{l.records, a.deleted, a.skipped + l.records - l.passed(), l.warnings.count + l.warned},
	}
	last := ctx.GetLastQueryInfo()
	last.RowCount.Store(int64(out.RowsAffected))
	if l.numberer != nil && l.numberer.first > 0 {
		out.InsertID = l.numberer.first
		last.LastInsertId.Store(int64(l.numberer.first))
	}
	return out, nil
}

// passed counts the rows that constraints let through.
func (l *loading) passed() int64 { return l.appender.added + l.appender.skipped }

// store adds one batch and releases it.
func (l *loading) store(ctx *sql.Context, b *batch) error {
	defer b.release()
	l.records += int64(b.rows)
	l.warned += b.warned
	l.warnings.kept = append(l.warnings.kept, b.warnings...)
	arrays := make([]arrow.Array, len(l.schema))
	drop := func() {
		for _, a := range arrays {
			if a != nil {
				a.Release()
			}
		}
	}
	for i, a := range l.repeated {
		if a != nil {
			arrays[i] = array.NewSlice(a, 0, int64(b.rows))
		}
	}
	for i, c := range l.reader.columns {
		b.columns[i].Retain()
		arrays[c.ordinal] = b.columns[i]
	}
	rows := b.rows
	if l.evaluator != nil {
		keep, err := l.evaluator.run(ctx, b, arrays, &l.warnings)
		if err != nil {
			drop()
			return err
		}
		if keep != nil {
			gather(arrays, keep)
			if rows = len(keep); rows == 0 {
				drop()
				return nil
			}
		}
	}
	if l.numberer != nil {
		i := l.appender.load.Store().Spec().AutoIncrement
		numbered, err := l.numberer.run(ctx, arrays[i])
		arrays[i] = numbered
		if err != nil {
			arrays[i] = nil
			drop()
			return err
		}
	}
	return l.appender.add(ctx, arrays, rows, &l.warnings)
}

// keptWarnings is how many warnings the session wants to see.
func keptWarnings(ctx *sql.Context) int {
	if v, err := ctx.GetSessionVariable(ctx, "max_error_count"); err == nil {
		if n, ok := v.(int64); ok {
			return int(n)
		}
	}
	return 1024
}

// Progress is the name under which a statement shows its rows in the process list, before a number that keeps two apart.
const Progress = "LOAD DATA"

var loads atomic.Uint64

// progress tells the process list how many rows are stored.
type progress struct {
	list sql.ProcessList
	pid  uint64
	name string
}

func newProgress(ctx *sql.Context) *progress {
	list := ctx.ProcessList
	if list == nil {
		list = sql.EmptyProcessList{}
	}
	p := &progress{list: list, pid: ctx.Pid(), name: Progress + "#" + strconv.FormatUint(loads.Add(1), 10)}
	list.AddTableProgress(p.pid, p.name, -1)
	return p
}

func (p *progress) add(rows int) { p.list.UpdateTableProgress(p.pid, p.name, int64(rows)) }

func (p *progress) done() { p.list.RemoveTableProgress(p.pid, p.name) }
