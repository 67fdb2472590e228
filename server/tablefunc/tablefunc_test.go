package tablefunc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	sqle "github.com/dolthub/go-mysql-server"
	gmsmemory "github.com/dolthub/go-mysql-server/memory"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/vitess/go/mysql"
	"go.uber.org/goleak"

	"github.com/almanacdb/almanac/engine"
	"github.com/almanacdb/almanac/functions"
	"github.com/almanacdb/almanac/server/sqltype"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// tally is a function small enough to predict: it yields horizon rows, each with the number of rows read, their sum, and
// the options' seed. Some horizons make it misbehave.
type tally struct{ runs, reads atomic.Int64 }

const (
	horizonPanics = 666
	horizonSlow   = 999
	horizonWarns  = 7
)

func (f *tally) spec() *functions.Spec {
	return &functions.Spec{
		Name: "TALLY",
		Args: []functions.Arg{
			{Name: "time_column", Kind: functions.TimeColumn},
			{Name: "value_column", Kind: functions.ValueColumn},
			{Name: "horizon", Kind: functions.Horizon},
		},
		Options: functions.All()[0].Options,
		Output: func(b *functions.Bound) (*arrow.Schema, error) {
			var fields []arrow.Field
			for _, k := range b.Keys {
				fields = append(fields, k.Field)
			}
			return arrow.NewSchema(append(fields,
				arrow.Field{Name: "step", Type: arrow.PrimitiveTypes.Int64},
				arrow.Field{Name: "n", Type: arrow.PrimitiveTypes.Int64},
				arrow.Field{Name: "total", Type: arrow.PrimitiveTypes.Float64},
				arrow.Field{Name: "seed", Type: arrow.PrimitiveTypes.Int64}), nil), nil
		},
		Run: func(ctx context.Context, env *functions.Env, b *functions.Bound) (array.RecordReader, error) {
			f.runs.Add(1)
			r := &tallyReader{f: f, ctx: ctx, env: env, b: b}
			r.RecordReader, _ = array.NewRecordReader(b.Schema(), nil)
			return r, nil
		},
	}
}

type tallyReader struct {
	array.RecordReader // for the reference count and the schema
	f                  *tally
	ctx                context.Context
	env                *functions.Env
	b                  *functions.Bound
	batch              arrow.RecordBatch
	err                error
}

func (r *tallyReader) Err() error                     { return r.err }
func (r *tallyReader) RecordBatch() arrow.RecordBatch { return r.batch }

func (r *tallyReader) Next() bool {
	if r.batch != nil || r.err != nil {
		return false
	}
	switch r.b.Horizon {
	case horizonPanics:
		panic("boom")
	case horizonSlow:
		for i := 0; ; i++ {
			r.env.Progress(i, 1000)
			select {
			case <-r.ctx.Done():
				r.err = r.ctx.Err()
				return false
			case <-time.After(time.Millisecond):
			}
		}
	case horizonWarns:
		r.env.Warn("seven is odd")
	}
	n, total, err := r.read()
	if err != nil {
		r.err = fmt.Errorf("tally: %w", err)
		return false
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, r.Schema())
	defer b.Release()
	at := len(r.b.Keys)
	for step := 1; step <= r.b.Horizon; step++ {
		for k := range at {
			b.Field(k).AppendNull()
		}
		b.Field(at).(*array.Int64Builder).Append(int64(step))
		b.Field(at + 1).(*array.Int64Builder).Append(n)
		b.Field(at + 2).(*array.Float64Builder).Append(total)
		b.Field(at + 3).(*array.Int64Builder).Append(int64(r.b.Options.Seed))
	}
	r.batch = b.NewRecordBatch()
	return true
}

func (r *tallyReader) read() (n int64, total float64, err error) {
	r.f.reads.Add(1)
	rows, err := r.b.Relation.Read(r.ctx, []string{r.b.Value.Field.Name})
	if err != nil {
		return 0, 0, err
	}
	defer rows.Release()
	for rows.Next() {
		batch := rows.RecordBatch()
		n += batch.NumRows()
		values := batch.Column(0)
		for i := range values.Len() {
			if values.IsNull(i) {
				continue
			}
			var v float64
			if _, err := fmt.Sscan(values.ValueStr(i), &v); err != nil {
				return 0, 0, err
			}
			total += v
		}
	}
	return n, total, rows.Err()
}

// arrowTable is a memory table that can be read as columns.
type arrowTable struct {
	*gmsmemory.Table
	columns *atomic.Int64 // counts the reads
}

func (t *arrowTable) ArrowReader(ctx *sql.Context, columns []string) (array.RecordReader, error) {
	t.columns.Add(1)
	var places []int
	var schema sql.Schema
	for _, c := range columns {
		i := t.Schema(ctx).IndexOfColName(c)
		if i < 0 {
			return nil, fmt.Errorf("no column %s", c)
		}
		places, schema = append(places, i), append(schema, t.Schema(ctx)[i])
	}
	parts, err := t.Partitions(ctx)
	if err != nil {
		return nil, err
	}
	return sqltype.NewRecordReader(ctx, &pickIter{rows: sql.NewTableRowIter(ctx, t.Table, parts), places: places}, schema)
}

func columnsOf(t sql.Table) ArrowTable {
	if a, ok := t.(*arrowTable); ok {
		return a
	}
	return nil
}

// anyCase finds table functions in any case, as the catalog does.
type anyCase struct {
	*gmsmemory.DbProvider
	columns *atomic.Int64
}

// Database makes the tables of shop readable as columns.
func (p anyCase) Database(ctx *sql.Context, name string) (sql.Database, error) {
	db, err := p.DbProvider.Database(ctx, name)
	if shop, ok := db.(*gmsmemory.Database); ok && name == "shop" {
		return arrowDatabase{shop, p.columns}, err
	}
	return db, err
}

type arrowDatabase struct {
	*gmsmemory.Database
	columns *atomic.Int64
}

func (d arrowDatabase) GetTableInsensitive(ctx *sql.Context, name string) (sql.Table, bool, error) {
	t, ok, err := d.Database.GetTableInsensitive(ctx, name)
	if m, isMemory := t.(*gmsmemory.Table); ok && isMemory {
		return &arrowTable{Table: m, columns: d.columns}, true, nil
	}
	return t, ok, err
}

func (p anyCase) TableFunction(ctx *sql.Context, name string) (sql.TableFunction, bool) {
	return p.DbProvider.TableFunction(ctx, strings.ToLower(name))
}

type fixture struct {
	t       *testing.T
	engine  *sqle.Engine
	pro     *gmsmemory.DbProvider
	tally   *tally
	columns atomic.Int64
	session *gmsmemory.Session
	pid     uint64
}

func newFixture(t *testing.T) *fixture {
	f := &fixture{t: t, tally: &tally{}}
	set := New([]*functions.Spec{f.tally.spec()}, functions.Env{Models: []engine.ModelSpec{{Name: "auto", New: func(string) (engine.Model, error) { return nil, nil }}}}, columnsOf, slog.New(slog.DiscardHandler))
	shop := gmsmemory.NewDatabase("shop")
	f.pro = gmsmemory.NewDBProvider(shop, gmsmemory.NewDatabase("other"))
	pro, err := f.pro.WithTableFunctions(set.Functions()...)
	if err != nil {
		t.Fatal(err)
	}
	f.pro = pro.(*gmsmemory.DbProvider)
	a := analyzer.NewBuilder(anyCase{f.pro, &f.columns}).AddPreAnalyzeRule(10_003, NullableFields).Build()
	f.engine = sqle.New(a, nil)
	set.Attach(a)
	t.Cleanup(func() { _ = f.engine.Close() })
	f.engine.ProcessList.AddConnection(1, "localhost")
	f.newSession()
	for _, q := range []string{
		"CREATE TABLE sales (store VARCHAR(10), ds DATE, units INT, price DECIMAL(8,2))",
		"INSERT INTO sales VALUES ('a','2024-01-01',1,0.1),('a','2024-01-02',2,0.2),('b','2024-01-01',NULL,0.3),('b','2024-01-02',4,NULL)",
		"CREATE TABLE `odd name` (`the day` DATE, y DOUBLE)",
		"INSERT INTO `odd name` VALUES ('2024-01-01', 2.5)",
	} {
		f.rows(q)
	}
	for _, q := range []string{
		"CREATE VIEW late AS SELECT ds, units FROM sales WHERE ds > '2024-01-01'",
		"CREATE VIEW renamed AS SELECT ds AS d, units AS u FROM sales",
	} {
		f.rows(q)
	}
	return f
}

func (f *fixture) newSession() {
	base := sql.NewBaseSessionWithClientServer("", sql.Client{User: "root", Address: "localhost"}, 1)
	f.session = gmsmemory.NewSession(base, f.pro)
	f.session.SetCurrentDatabase("shop")
	f.engine.ProcessList.ConnectionReady(f.session)
}

func (f *fixture) context() *sql.Context {
	f.pid++
	return sql.NewContext(context.Background(), sql.WithSession(f.session), sql.WithPid(f.pid), sql.WithProcessList(f.engine.ProcessList))
}

func (f *fixture) query(q string) ([]sql.Row, error) {
	ctx, err := f.engine.ProcessList.BeginQuery(f.context(), q)
	if err != nil {
		return nil, err
	}
	defer f.engine.ProcessList.EndQuery(ctx)
	_, iter, _, err := f.engine.Query(ctx, q)
	if err != nil {
		return nil, err
	}
	rows, err := sql.RowIterToRows(ctx, iter)
	return rows, err
}

func (f *fixture) rows(q string) []sql.Row {
	f.t.Helper()
	rows, err := f.query(q)
	if err != nil {
		f.t.Fatalf("%s\n%v", q, err)
	}
	return rows
}

func (f *fixture) check(q, want string) {
	f.t.Helper()
	var lines []string
	for _, row := range f.rows(q) {
		cells := make([]string, len(row))
		for i, v := range row {
			v, _ = sql.UnwrapAny(context.Background(), v)
			cells[i] = fmt.Sprint(v)
		}
		lines = append(lines, strings.Join(cells, " "))
	}
	if got := strings.Join(lines, "\n"); got != want {
		f.t.Errorf("%s\ngot:\n%s\nwant:\n%s", q, got, want)
	}
}

func (f *fixture) fails(q, state, want string) {
	f.t.Helper()
	_, err := f.query(q)
	if err == nil {
		f.t.Errorf("%s\nsucceeded, want an error with %q", q, want)
		return
	}
	if !strings.Contains(err.Error(), want) {
		f.t.Errorf("%s\ngot error %q, want %q in it", q, err, want)
	}
	if state == "" {
		return
	}
	known, ok := err.(*mysql.SQLError) //nolint:errorlint // by assertion, as the server looks for it
	if !ok || known.State != state {
		f.t.Errorf("%s\ngot error %T %v, want a bare SQLError with SQLSTATE %s", q, err, err, state)
	}
}

func TestSources(t *testing.T) {
	f := newFixture(t)
	direct := func(q, want string) {
		t.Helper()
		before := f.columns.Load()
		f.check(q, want)
		if f.columns.Load() != before+1 {
			t.Errorf("%s\nwas not read as columns", q)
		}
	}
	throughRows := func(q, want string) {
		t.Helper()
		before := f.columns.Load()
		f.check(q, want)
		if f.columns.Load() != before {
			t.Errorf("%s\nwas read as columns of the table", q)
		}
	}
	direct("SELECT * FROM TALLY('sales','ds','units',1)", "1 4 7 1")
	direct("SELECT * FROM tally('shop.sales','ds','units',1)", "1 4 7 1")
	direct("SELECT * FROM TALLY('`shop`.`sales`','DS','Units',1)", "1 4 7 1")
	direct("SELECT * FROM TALLY('renamed','d','u',1)", "1 4 7 1")
	direct("SELECT * FROM TALLY('SELECT units AS u, ds FROM sales','ds','u',1)", "1 4 7 1")
	direct("SELECT * FROM TALLY((SELECT ds, price FROM sales),'ds','price',1)", "1 4 0.6000000000000001 1")
	throughRows("SELECT * FROM TALLY('late','ds','units',1)", "1 2 6 1")
	throughRows("SELECT * FROM TALLY((SELECT ds, units FROM sales WHERE store = 'a'),'ds','units',1)", "1 2 3 1")
	throughRows("SELECT * FROM TALLY('SELECT ds, SUM(units) AS y FROM sales GROUP BY ds','ds','y',1)", "1 2 7 1")
	throughRows("SELECT * FROM TALLY('WITH x AS (SELECT * FROM sales LIMIT 1) SELECT * FROM x','ds','units',1)", "1 1 1 1")
	direct("SELECT * FROM TALLY('`odd name`','the day','y',1)", "1 1 2.5 1")
	f.check("SELECT * FROM TALLY((SELECT ds, total FROM TALLY('sales','ds','units',2) CROSS JOIN (SELECT DATE('2024-01-01') AS ds) d),'ds','total',1)", "1 2 14 1")
}

func TestSourceOfAnotherDatabase(t *testing.T) {
	f := newFixture(t)
	f.rows("CREATE VIEW through_text AS SELECT * FROM TALLY('SELECT ds, units FROM sales WHERE units > 1','ds','units',1)")
	f.session.SetCurrentDatabase("other")
	f.check("SELECT * FROM TALLY('shop.sales','ds','units',1)", "1 4 7 1")
	f.check("SELECT * FROM shop.through_text", "1 2 6 1")
	if db := f.session.GetCurrentDatabase(); db != "other" {
		t.Errorf("the current database is %q afterwards", db)
	}
}

func TestStatementsAroundACall(t *testing.T) {
	f := newFixture(t)
	f.check("SELECT step, total FROM TALLY('sales','ds','units',5) WHERE step > 1 ORDER BY step DESC LIMIT 2", "5 7\n4 7")
	f.check("SELECT n, MAX(step), COUNT(*) FROM TALLY('sales','ds','units',5) t GROUP BY n", "4 5 5")
	f.check("WITH f AS (SELECT * FROM TALLY('sales','ds','units',2)) SELECT a.step, b.step FROM f a JOIN f b ON a.step = b.step", "1 1\n2 2")
	f.check("SELECT s.store, t.step FROM sales s JOIN TALLY('sales','ds','units',1) t ON s.units = t.step", "a 1")
	f.check("SELECT s.units, t.step FROM sales s LEFT JOIN TALLY('sales','ds','units',1) t ON s.units = t.step WHERE s.units < 3 ORDER BY 1", "1 1\n2 <nil>")
	f.rows("CREATE TABLE result AS SELECT * FROM TALLY('sales','ds','units',3,'seed=9')")
	f.rows("INSERT INTO result SELECT * FROM TALLY('result','step','total',1,'seed=9')")
	f.check("SELECT * FROM result ORDER BY step, n", "1 3 21 9\n1 4 7 9\n2 4 7 9\n3 4 7 9")
	f.rows("CREATE VIEW outlook AS SELECT step, total FROM TALLY('late','ds','units',2)")
	f.check("SELECT o.total FROM outlook o WHERE o.step = 2", "6")
	f.check("EXPLAIN PLAN SELECT * FROM TALLY('sales','ds','units',1)", "TableAlias(TALLY)\n └─ TALLY('sales', 'ds', 'units', 1) [columns of sales]")
}

func TestProcedureParametersAreArguments(t *testing.T) {
	f := newFixture(t)
	f.rows("CREATE PROCEDURE outlook(src TEXT, h INT) SELECT step, total FROM TALLY(src, 'ds', 'units', h)")
	f.check("CALL outlook('sales', 2)", "1 7\n2 7")
	f.check("CALL outlook('late', 1)", "1 6")
}

func TestArguments(t *testing.T) {
	f := newFixture(t)
	f.check("SELECT COUNT(*) FROM TALLY('sales','ds','units', 1 + 1)", "2")
	f.check("SELECT COUNT(*) FROM TALLY('sales','ds','units', (SELECT MAX(units) FROM sales))", "4")
	f.check("SELECT DISTINCT seed FROM TALLY('sales','ds','units', 2, JSON_OBJECT('seed', 5))", "5")
	f.check("SELECT DISTINCT seed FROM TALLY('sales','ds','units', 2, '{\"seed\": 6}')", "6")
	f.rows("SET @h = 3, @o = 'seed=8'")
	f.check("SELECT step, seed FROM TALLY('sales','ds','units', @h, @o) WHERE step = 3", "3 8")
	f.check("SELECT * FROM TALLY('sales','ds','units', 1, 'by=store')", "<nil> 1 4 7 1")
}

func TestLateralCallsSeeTheOuterRow(t *testing.T) {
	f := newFixture(t)
	f.check("SELECT s.units, f.step FROM sales s, LATERAL (SELECT * FROM TALLY('sales','ds','units', s.units)) f WHERE s.units < 3 ORDER BY 1, 2",
		"1 1\n2 1\n2 2")
}

func TestPrepare(t *testing.T) {
	f := newFixture(t)
	ctx := f.context()
	node, err := f.engine.PrepareQuery(ctx, "SELECT step, total FROM TALLY('sales','ds','units', ?, ?)")
	if err != nil {
		t.Fatal(err)
	}
	if got := len(node.Schema(ctx)); got != 2 {
		t.Errorf("%d columns at prepare", got)
	}
	_, err = f.engine.PrepareQuery(f.context(), "SELECT * FROM TALLY(?,'ds','units', 1)")
	if err == nil || !strings.Contains(err.Error(), "FC0108") {
		t.Errorf("a source as placeholder: got %v", err)
	}
}

func TestErrors(t *testing.T) {
	f := newFixture(t)
	f.fails("SELECT * FROM TALLY('sales','ds','unit',1)", "42S22", "FC0103")
	f.fails("SELECT * FROM TALLY('sales','ds')", "42000", "FC0101")
	f.fails("SELECT * FROM TALLY('no sales','ds','units',1)", "22023", "back-quotes")
	f.fails("SELECT * FROM TALLY('sale','ds','units',1)", "42S02", "did you mean 'sales'")
	f.fails("SELECT * FROM TALLY('nowhere.sales','ds','units',1)", "", "database not found")
	f.fails("SELECT * FROM TALLY('SELECT FROM','ds','units',1)", "22023", "not a valid SELECT")
	f.fails("SELECT * FROM TALLY('DELETE FROM sales','ds','units',1)", "22023", "one SELECT")
	f.fails("SELECT * FROM TALLY('SELECT 1; SELECT 2','ds','units',1)", "22023", "one SELECT")
	f.fails("SELECT * FROM TALLY('SELECT 1 INTO @x','ds','units',1)", "22023", "one SELECT")
	f.fails("SELECT * FROM TALLY(NULL,'ds','units',1)", "22023", "name of a table")
	f.fails("SELECT * FROM TALLY('sales','ds','units',666)", "HY000", "boom")
	f.fails("SELECT * FROM sales s, LATERAL (SELECT * FROM TALLY((SELECT s.ds AS ds, 1 AS y),'ds','y',1)) f", "22023", "columns outside")
	f.fails("SELECT * FROM TALLY('SELECT ds, 1/NO_SUCH(1) AS y FROM sales','ds','y',1)", "", "no_such")
	f.check("SELECT COUNT(*) FROM sales", "4") // the session still works
}

func TestViewOnItselfIsRefused(t *testing.T) {
	f := newFixture(t)
	f.rows("CREATE VIEW loop_view AS SELECT step AS ds, total AS units FROM TALLY('sales','ds','units',1)")
	_, err := f.query("CREATE OR REPLACE VIEW loop_view AS SELECT step AS ds, total AS units FROM TALLY('loop_view','ds','units',1)")
	if err == nil {
		f.fails("SELECT * FROM loop_view", "22023", "too deeply")
	}
}

func TestWarnings(t *testing.T) {
	f := newFixture(t)
	f.rows("SELECT * FROM TALLY('sales','ds','units',7)")
	f.check("SHOW WARNINGS", "Warning 1105 seven is odd")
}

func TestNothingRunsWithoutRows(t *testing.T) {
	f := newFixture(t)
	f.rows("SELECT * FROM sales LIMIT 0")
	f.rows("EXPLAIN SELECT * FROM TALLY('sales','ds','units',1)")
	ctx := f.context()
	_, iter, _, err := f.engine.Query(ctx, "SELECT * FROM TALLY('sales','ds','units',1)")
	if err != nil {
		t.Fatal(err)
	}
	if n := f.tally.runs.Load(); n != 0 {
		t.Errorf("the function ran %d times before the first row was asked for", n)
	}
	if err := iter.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestRepeatedCallsAreComputedTwiceAtMost(t *testing.T) {
	f := newFixture(t)
	f.check("SELECT COUNT(*) FROM sales s WHERE EXISTS (SELECT 1 FROM TALLY('sales','ds','units',3) t WHERE t.step >= s.units OR s.units IS NULL)", "3")
	f.check("SELECT COUNT(*) FROM sales s, LATERAL (SELECT * FROM TALLY('sales','ds','units',3) t WHERE t.step <= s.units) x", "6")
	if n := f.tally.runs.Load(); n > 4 {
		t.Errorf("the function ran %d times for two statements", n)
	}
}

func TestCancelAndProgress(t *testing.T) {
	f := newFixture(t)
	ctx, err := f.engine.ProcessList.BeginQuery(f.context(), "slow")
	if err != nil {
		t.Fatal(err)
	}
	_, iter, _, err := f.engine.Query(ctx, "SELECT * FROM TALLY('sales','ds','units',999)")
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		_, err := iter.Next(ctx)
		failed <- err
	}()
	deadline := time.Now().Add(5 * time.Second)
	for done := int64(0); done < 5; {
		if time.Now().After(deadline) {
			t.Fatal("no progress in the process list")
		}
		for _, p := range f.engine.ProcessList.Processes() {
			for name, progress := range p.Progress {
				if strings.HasPrefix(name, "TALLY#") && progress.Total == 1000 {
					done = progress.Done
				}
			}
		}
	}
	began := time.Now()
	f.engine.ProcessList.Kill(1)
	err = <-failed
	if took := time.Since(began); took > time.Second {
		t.Errorf("stopped after %v", took)
	}
	var known *mysql.SQLError
	if !errors.As(err, &known) || known.Num != 1317 {
		t.Errorf("got %v, want error 1317", err)
	}
	if err := iter.Close(ctx); err != nil && !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	for _, p := range f.engine.ProcessList.Processes() {
		for name := range p.Progress {
			if strings.HasPrefix(name, "TALLY#") {
				t.Errorf("%s is still in the process list", name)
			}
		}
	}
	f.engine.ProcessList.EndQuery(ctx)
}

func TestSplitName(t *testing.T) {
	for _, c := range []struct {
		text, database, table string
		ok                    bool
	}{
		{"sales", "", "sales", true},
		{" shop . sales ", "shop", "sales", true},
		{"`a.b`.`c``d`", "a.b", "c`d", true},
		{"größe", "", "größe", true},
		{"a.b.c", "", "", false},
		{"my table", "", "", false},
		{"`open", "", "", false},
		{"", "", "", false},
		{".x", "", "", false},
	} {
		database, table, ok := splitName(c.text)
		if database != c.database || table != c.table || ok != c.ok {
			t.Errorf("splitName(%q) = %q, %q, %v", c.text, database, table, ok)
		}
	}
}

func TestIsStatement(t *testing.T) {
	for text, want := range map[string]bool{
		"sales": false, "shop.sales": false, "select": false, "select.t": false, "selection": false, "`select x`": false,
		"SELECT 1": true, "  select\n* from t": true, "(SELECT 1)": true, "/* note */ WITH x AS (SELECT 1) SELECT * FROM x": true,
		"-- note\nSELECT 1": true, "DROP TABLE t": true, "TABLE t": true, "my table": false,
	} {
		if got := isStatement(text); got != want {
			t.Errorf("isStatement(%q) = %v", text, got)
		}
	}
}
