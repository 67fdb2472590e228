package catalog_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	sqle "github.com/dolthub/go-mysql-server"
	"github.com/dolthub/go-mysql-server/eventscheduler"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/types"
	"go.uber.org/goleak"

	"github.com/almanacdb/almanac/server/catalog"
	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/vfs"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// The engine starts these at package initialisation and never stops them.
		goleak.IgnoreTopFunction("github.com/golang/glog.(*loggingT).flushDaemon"),
		goleak.IgnoreTopFunction("github.com/golang/glog.(*fileSink).flushDaemon"),
		goleak.IgnoreAnyFunction("github.com/dolthub/vitess/go/vt/log.init"))
}

// instance is an engine over a storage directory in memory, which restart keeps.
type instance struct {
	t      testing.TB
	fs     vfs.FS
	db     *storage.DB
	pro    *catalog.Provider
	engine *sqle.Engine
}

func newInstance(t testing.TB) *instance {
	i := &instance{t: t, fs: vfs.NewMem()}
	i.start()
	t.Cleanup(func() {
		if i.db != nil {
			i.stop()
		}
	})
	i.session().exec("create database shop", "use shop")
	return i
}

func (i *instance) start() {
	i.t.Helper()
	db, err := storage.Open("data", storage.Options{FS: i.fs, Collate: sqltype.Collate})
	if err != nil {
		i.t.Fatal(err)
	}
	i.db = db
	i.pro = catalog.NewProvider(db)
	a := analyzer.NewBuilder(i.pro).Build()
	i.engine = sqle.New(a, &sqle.Config{})
	a.Runner = i.engine
	a.ExecBuilder.Runner = i.engine
	mysqlDB := i.engine.Analyzer.Catalog.MySQLDb
	persister := catalog.NewPrivilegePersister(db)
	ctx, err := catalog.ContextGetter(i.pro)()
	if err != nil {
		i.t.Fatal(err)
	}
	loaded, err := persister.Load(ctx, mysqlDB)
	if err != nil {
		i.t.Fatal(err)
	}
	if !loaded {
		ed := mysqlDB.Editor()
		mysqlDB.AddSuperUser(ed, "root", "localhost", "")
		ed.Close()
	}
	mysqlDB.SetPersister(persister)
	mysqlDB.SetEnabled(true)
}

func (i *instance) stop() {
	i.t.Helper()
	if err := i.engine.Close(); err != nil {
		i.t.Error(err)
	}
	if err := i.db.Close(); err != nil {
		i.t.Error(err)
	}
	i.db = nil
}

func (i *instance) restart() {
	i.stop()
	i.start()
}

// session is one client.
type session struct {
	i    *instance
	sess *catalog.Session
}

var connections atomic.Uint32

func (i *instance) sessionAs(user string) *session {
	base := sql.NewBaseSessionWithClientServer("test", sql.Client{User: user, Address: "localhost"}, connections.Add(1))
	s := &session{i, catalog.NewSession(base, i.pro)}
	if i.engine != nil {
		s.sess.SetCurrentDatabase("shop")
	}
	i.t.Cleanup(func() { s.sess.SessionEnd() })
	return s
}

func (i *instance) session() *session { return i.sessionAs("root") }

func (s *session) context(parent context.Context) *sql.Context {
	return sql.NewContext(parent, sql.WithSession(s.sess), sql.WithPid(uint64(s.sess.ID())))
}

// query runs one statement and renders its rows: values by their SQL text, columns separated by "|".
func (s *session) query(statement string) ([]string, error) {
	return s.queryContext(context.Background(), statement)
}

func (s *session) queryContext(parent context.Context, statement string) ([]string, error) {
	ctx := s.context(parent).WithQuery(statement)
	if err := s.sess.CommandBegin(); err != nil {
		return nil, err
	}
	defer s.sess.CommandEnd()
	schema, iter, _, err := s.i.engine.Query(ctx, statement)
	if err != nil {
		return nil, err
	}
	rows, err := sql.RowIterToRows(ctx, iter)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, row := range rows {
		if len(row) == 1 {
			if _, ok := row[0].(types.OkResult); ok {
				continue
			}
		}
		cells := make([]string, len(row))
		for c, v := range row {
			if v == nil {
				cells[c] = "NULL"
				continue
			}
			text, err := schema[c].Type.SQL(ctx, nil, v)
			if err != nil {
				return nil, err
			}
			cells[c] = text.ToString()
		}
		out = append(out, strings.Join(cells, "|"))
	}
	return out, nil
}

// exec runs statements that must succeed.
func (s *session) exec(statements ...string) {
	s.i.t.Helper()
	for _, statement := range statements {
		if _, err := s.query(statement); err != nil {
			s.i.t.Fatalf("%s: %v", statement, err)
		}
	}
}

// want checks the rows of a query.
func (s *session) want(statement string, rows ...string) {
	s.i.t.Helper()
	got, err := s.query(statement)
	if err != nil {
		s.i.t.Errorf("%s: %v", statement, err)
		return
	}
	if strings.Join(got, "\n") != strings.Join(rows, "\n") {
		s.i.t.Errorf("%s:\n%s\nwant:\n%s", statement, strings.Join(got, "\n"), strings.Join(rows, "\n"))
	}
}

// fails checks that a statement fails with an error that contains text.
func (s *session) fails(statement, text string) error {
	s.i.t.Helper()
	_, err := s.query(statement)
	if err == nil {
		s.i.t.Errorf("%s: succeeded, want error %q", statement, text)
		return nil
	}
	if !strings.Contains(err.Error(), text) {
		s.i.t.Errorf("%s: %v, want %q", statement, err, text)
	}
	return err
}

// eventually waits for a query to return the rows.
func (s *session) eventually(statement string, rows ...string) {
	s.i.t.Helper()
	var got []string
	for range 100 {
		var err error
		if got, err = s.query(statement); err == nil && strings.Join(got, "\n") == strings.Join(rows, "\n") {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	s.i.t.Errorf("%s stayed at:\n%s", statement, strings.Join(got, "\n"))
}

func (i *instance) startScheduler() {
	i.t.Helper()
	if err := i.engine.InitializeEventScheduler(catalog.ContextGetter(i.pro), eventscheduler.SchedulerOn, 1); err != nil {
		i.t.Fatal(err)
	}
}

func lines(format string, from, to int) []string {
	var out []string
	for n := from; n <= to; n++ {
		out = append(out, fmt.Sprintf(format, n))
	}
	return out
}
