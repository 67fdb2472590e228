package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"syscall"
	"time"

	sqle "github.com/dolthub/go-mysql-server"
	gms "github.com/dolthub/go-mysql-server/server"
	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/mysql"

	"github.com/almanacdb/almanac/functions"
	"github.com/almanacdb/almanac/server/bulk"
	"github.com/almanacdb/almanac/server/catalog"
	"github.com/almanacdb/almanac/server/loaddata"
	"github.com/almanacdb/almanac/server/outfile"
	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/server/tablefunc"
	"github.com/almanacdb/almanac/storage"
)

// Server is a running Almanac: an open data directory, the SQL engine over it, and a listener.
type Server struct {
	config   Config
	logger   *slog.Logger
	db       *storage.DB
	catalog  *catalog.Provider
	engine   *sqle.Engine
	listener net.Listener
	protocol *gms.Server
	events   *eventRunner
	imports  *bulk.Socket

	serving sync.WaitGroup
	stop    sync.Once
	stopErr error
}

// New opens the data directory and the listener. The server accepts connections from Serve on. An error is one line fit for
// the terminal. The caller must Stop what New returned.
func New(config Config) (_ *Server, err error) {
	s := &Server{config: config, logger: config.Logger}
	s.setDefaults()
	redirectLogs(s.logger)
	if err := checkAddress(s.config.Listen); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.abandon()
		}
	}()
	if err := s.openStorage(); err != nil {
		return nil, err
	}
	functionSet := s.newEngine()
	if err := s.setVariables(); err != nil {
		return nil, err
	}
	if err := s.openAccounts(); err != nil {
		return nil, err
	}
	if s.config.Demo {
		if err := s.createDemo(context.Background()); err != nil {
			return nil, fmt.Errorf("creating the demo database: %w", err)
		}
	}
	if s.listener, err = listen(s.config.Listen); err != nil {
		return nil, err
	}
	if err := s.newProtocol(functionSet); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *Server) setDefaults() {
	c := &s.config
	if c.Listen == "" {
		c.Listen = defaultListen
	}
	if c.ShutdownTimeout == 0 {
		c.ShutdownTimeout = defaultShutdownTimeout
	}
	if c.MaxConnections == 0 {
		c.MaxConnections = defaultMaxConnections
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	if c.Functions == nil {
		c.Functions = functions.All()
	}
	if c.Version == "" {
		c.Version = "(devel)"
	}
	if c.SecureFileDir == "" {
		c.SecureFileDir = filepath.Join(c.DataDir, "files")
	}
	if s.logger == nil {
		s.logger = slog.Default()
	}
}

func (s *Server) openStorage() error {
	dir := s.config.DataDir
	if dir == "" {
		return errors.New("no data directory given")
	}
	db, err := storage.Open(dir, storage.Options{Collate: sqltype.Collate, Logger: s.logger})
	switch {
	case err == nil:
		s.db = db
		return nil
	case errors.Is(err, storage.ErrLocked):
		return fmt.Errorf("data directory %s is in use by another almanac server", dir)
	case errors.Is(err, storage.ErrNotOurs):
		return fmt.Errorf("directory %s holds other files and no Almanac database; choose an empty or new one with --data-dir", dir)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("data directory %s cannot be read and written by this user: %w", dir, err)
	}
	return fmt.Errorf("data directory %s: %w", dir, err)
}

// newEngine builds the SQL engine: the catalog, our functions, and the rules that correct and extend it.
func (s *Server) newEngine() *tablefunc.Set {
	set := tablefunc.New(s.config.Functions, functions.Env{Models: s.config.Models, Workers: s.config.Workers}, columnsOf, s.logger)
	s.catalog = catalog.NewProvider(s.db,
		catalog.WithTableFunctions(set.Functions()...),
		catalog.WithFunctions(sql.Function1{Name: "sum", Fn: newSum}),
		catalog.WithFunctions(deviationFunctions()...),
		catalog.WithFunctions(calendarFunctions()...))
	views := newViewRights()
	databases := &provider{
		views:    views,
		Provider: s.catalog,
		system:   newSystemDatabase(s.config.Functions, s.config.Models, s.db),
	}
	alwaysApply()
	rules := analyzer.NewBuilder(databases).
		AddOverrides(sql.EngineOverrides{Builder: sql.BuilderOverrides{Parser: parser{sql.DefaultMySQLParser, databases, views}}}).
		AddPreAnalyzeRule(constantsID, constantsBesideAggregates).
		AddPreAnalyzeRule(existingTableID, keepExistingTable).
		AddPreAnalyzeRule(unionTypesID, unionTypes).
		AddPreAnalyzeRule(nullableFieldsID, tablefunc.NullableFields).
		AddPreAnalyzeRule(strictLoadID, strictLoad).
		AddPreAnalyzeRule(viewCommitID, viewsDoNotCommit).
		AddPostAnalyzeRule(loaddata.RuleID, loaddata.Rule).
		AddPostAnalyzeRule(outfile.RuleID, outfile.Rule).
		Build()
	newAuthorizer(rules.Catalog, views)
	s.engine = sqle.New(rules, nil)
	rules.ExecBuilder.PriorityBuilder = procedures{s.engine}
	set.Attach(rules)
	return set
}

// setVariables fills in the system variables that tell clients who we are. They are global to the process.
func (s *Server) setVariables() error {
	if err := os.MkdirAll(s.config.SecureFileDir, 0o755); err != nil {
		return fmt.Errorf("directory for files: %w", err)
	}
	sql.SystemVariables.AddSystemVariables([]sql.SystemVariable{&sql.MysqlSystemVariable{
		Name:    "innodb_version",
		Scope:   sql.GetMysqlScope(sql.SystemVariableScope_Global),
		Type:    types.NewSystemStringType("innodb_version"),
		Default: mysqlVersion,
	}})
	return sql.SystemVariables.AssignValues(map[string]any{
		"version":          mysqlVersion + "-almanac",
		"version_comment":  "Almanac " + s.config.Version,
		"local_infile":     int8(1),
		"secure_file_priv": s.config.SecureFileDir,
		"max_connections":  int64(s.config.MaxConnections),
	})
}

// openAccounts loads users and grants, makes sure that there is a root, and refuses an exposed address.
func (s *Server) openAccounts() error {
	accounts := s.engine.Analyzer.Catalog.MySQLDb
	persister := catalog.NewPrivilegePersister(s.db)
	ctx, err := s.newContext()
	if err != nil {
		return err
	}
	if _, err := persister.Load(ctx, accounts); err != nil {
		return fmt.Errorf("users and grants cannot be read: %w", err)
	}
	accounts.SetPersister(persister)
	accounts.SetEnabled(true) // until then any user and password is let in
	remote := !isLoopback(s.config.Listen)
	created, changed := ensureRoot(accounts, s.config.RootPassword, remote)
	if changed {
		ed := accounts.Editor()
		err := accounts.Persist(ctx, ed)
		ed.Close()
		if err != nil {
			return fmt.Errorf("users and grants cannot be saved: %w", err)
		}
	}
	if created && s.config.RootPassword == "" {
		s.logger.Warn("account root@localhost has no password; set one with ALTER USER 'root'@'localhost' IDENTIFIED BY '…'")
	}
	return checkExposure(s.config.Listen, accounts)
}

// newContext returns a context of an internal session with all privileges.
func (s *Server) newContext() (*sql.Context, error) { return catalog.ContextGetter(s.catalog)() }

// checkAddress refuses what is not host:port, before anything is opened.
func checkAddress(address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return fmt.Errorf("--listen %s: host and port are expected, such as 127.0.0.1:3306", address)
	}
	return nil
}

func listen(address string) (net.Listener, error) {
	l, err := net.Listen("tcp", address)
	switch {
	case err == nil:
		return l, nil
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("address %s is in use by another program; stop it or choose another with --listen", address)
	case errors.Is(err, syscall.EACCES):
		return nil, fmt.Errorf("address %s may not be listened on by this user; choose a port above 1023 with --listen", address)
	}
	return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
}

func (s *Server) newProtocol(set *tablefunc.Set) error {
	var wrapped *handler
	config := gms.Config{
		Protocol:           "tcp",
		Address:            s.listener.Addr().String(),
		Listener:           &limitedListener{s.listener, s.full},
		Version:            mysqlVersion + "-almanac",
		MaxConnections:     uint64(s.config.MaxConnections),
		MaxWaitConnections: uint32(s.config.MaxConnections),
	}
	builder := gms.SessionBuilder(catalog.SessionBuilder(s.catalog))
	protocol, err := gms.NewServerWithHandler(config, s.engine, sql.NewContext, builder, nil,
		func(inner mysql.Handler) (mysql.Handler, error) {
			wrapped = newHandler(inner, set)
			return wrapped, nil
		})
	if err != nil {
		return err
	}
	wrapped.sessions = protocol.SessionManager()
	s.protocol = protocol
	return nil
}

// full tells whether as many clients are connected as may be.
func (s *Server) full() bool { return len(s.engine.ProcessList.Processes()) >= s.config.MaxConnections }

// Addr is the address listened on.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// Engine returns the SQL engine, for statements from inside of the process.
func (s *Server) Engine() *sqle.Engine { return s.engine }

// Serve accepts connections and runs events until Stop. It returns at once.
func (s *Server) Serve() {
	s.openImportSocket()
	s.events = startEvents(s.engine, s.engine.Analyzer.Catalog.DbProvider, catalog.ContextGetter(s.catalog), s.logger)
	s.serving.Add(1)
	go func() {
		defer s.serving.Done()
		s.protocol.Listener.Accept()
	}()
	s.logger.Info("ready for connections", "address", s.Addr().String(), "data_dir", s.config.DataDir, "version", s.config.Version)
}

// Run is New, Serve and Stop: it returns when ctx is cancelled and the server has stopped.
func Run(ctx context.Context, config Config) error {
	s, err := New(config)
	if err != nil {
		return err
	}
	s.Serve()
	<-ctx.Done()
	s.logger.Info("stopping; running statements have time to finish", "seconds", s.config.ShutdownTimeout.Seconds())
	return s.Stop()
}

// Stop ends the server: no new connections, idle ones are closed, running statements and events get ShutdownTimeout to
// finish and are then cancelled, and the data directory is closed. It may be called more than once.
func (s *Server) Stop() error {
	s.stop.Do(func() { s.stopErr = s.shutdown() })
	return s.stopErr
}

func (s *Server) shutdown() error {
	_ = s.protocol.Close()
	s.serving.Wait()
	sessions := s.protocol.SessionManager()
	deadline := time.Now().Add(s.config.ShutdownTimeout)
	for s.closeIdle(sessions) || (s.events != nil && s.events.busy()) {
		if time.Now().After(deadline) {
			s.logger.Warn("cancelling statements that still run")
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	if s.events != nil {
		s.events.stop()
	}
	ctx, cancel := context.WithDeadline(context.Background(), deadline)
	s.closeImportSocket(ctx)
	cancel()
	for _, p := range s.engine.ProcessList.Processes() {
		s.engine.ProcessList.Kill(p.Connection)
		_ = sessions.KillConnection(p.Connection)
	}
	sessions.WaitForClosedConnections()
	err := errors.Join(s.engine.Close(), s.db.Close())
	s.logger.Info("stopped")
	return err
}

// closeIdle closes the connections that run nothing and tells whether any statement still runs.
func (s *Server) closeIdle(sessions *gms.SessionManager) (busy bool) {
	for _, p := range s.engine.ProcessList.Processes() {
		if p.Command == sql.ProcessCommandQuery {
			busy = true
			continue
		}
		_ = sessions.KillConnection(p.Connection)
	}
	return busy
}

// abandon undoes a New that failed half-way.
func (s *Server) abandon() {
	if s.listener != nil {
		_ = s.listener.Close()
	}
	if s.engine != nil {
		_ = s.engine.Close()
	}
	if s.db != nil {
		_ = s.db.Close()
	}
}
