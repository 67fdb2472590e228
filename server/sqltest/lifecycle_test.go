package sqltest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/almanacdb/almanac/engine/models"
	"github.com/almanacdb/almanac/server"
)

// refused checks that a server with the config does not start, with a one-line reason.
func refused(t *testing.T, config server.Config, reason string) {
	t.Helper()
	config.Models, config.Logger = models.All(), slog.New(slog.DiscardHandler)
	s, err := server.New(config)
	if err == nil {
		_ = s.Stop()
		t.Fatalf("started, want an error with %q", reason)
	}
	if !strings.Contains(err.Error(), reason) {
		t.Errorf("got %q, want %q in it", err, reason)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("%q has several lines", err)
	}
}

func TestPortInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	refused(t, server.Config{DataDir: t.TempDir(), Listen: l.Addr().String()}, "in use by another program")
}

func TestSecondServerOnTheDirectory(t *testing.T) {
	dir := t.TempDir()
	Start(t, server.Config{DataDir: dir})
	refused(t, server.Config{DataDir: dir, Listen: "127.0.0.1:0"}, "in use by another almanac server")
}

func TestUnusableDirectory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, server.Config{DataDir: file, Listen: "127.0.0.1:0"}, file)
	if os.Getuid() == 0 {
		t.Skip("root may read every directory")
	}
	closed := filepath.Join(t.TempDir(), "closed")
	if err := os.Mkdir(closed, 0); err != nil {
		t.Fatal(err)
	}
	refused(t, server.Config{DataDir: closed, Listen: "127.0.0.1:0"}, "cannot be read")
}

func TestExposedAddressNeedsPasswords(t *testing.T) {
	dir := t.TempDir()
	refused(t, server.Config{DataDir: dir, Listen: "0.0.0.0:0"}, "--password-file")
	refused(t, server.Config{DataDir: dir, Listen: ":0"}, "'root'@'localhost' can log in without a password")

	s, err := server.New(server.Config{DataDir: dir, Listen: "0.0.0.0:0", RootPassword: "strong", Models: models.All(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s.Serve()
	db := Open(t, s, "root:strong", "")
	if err := db.Ping(); err != nil {
		t.Error(err)
	}
	if err := Open(t, s, "root", "").Ping(); err == nil {
		t.Error("root is let in without the password")
	}
	if _, err := db.Exec("CREATE USER 'open'@'%'"); err != nil {
		t.Error(err)
	}
	_ = db.Close()
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	// The password lasts, and the new account without one closes the door again.
	refused(t, server.Config{DataDir: dir, Listen: "0.0.0.0:0"}, "'open'@'%'")
}

func TestStopWaitsForRunningStatements(t *testing.T) {
	s := Start(t, server.Config{ShutdownTimeout: 30 * time.Second})
	db := Open(t, s, "root", "")
	idle := Open(t, s, "root", "")
	if err := idle.Ping(); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		var zero int
		failed <- db.QueryRow("SELECT SLEEP(1)").Scan(&zero)
	}()
	time.Sleep(300 * time.Millisecond)
	began := time.Now()
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if err := <-failed; err != nil {
		t.Errorf("the running statement got %v", err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
	if err := idle.Ping(); err == nil {
		t.Error("the idle connection is still served")
	}
}

func TestStopCancelsWhatTakesTooLong(t *testing.T) {
	s := Start(t, server.Config{ShutdownTimeout: 200 * time.Millisecond})
	db := Open(t, s, "root", "")
	failed := make(chan error)
	go func() {
		_, err := db.Exec("SELECT SLEEP(60)")
		failed <- err
	}()
	time.Sleep(300 * time.Millisecond)
	began := time.Now()
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("the stop took %v", took)
	}
	<-failed
}

// syncBuffer is a buffer that the server's goroutines may write to.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

func TestRunEndsWithItsContext(t *testing.T) {
	var log syncBuffer
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() {
		ended <- server.Run(ctx, server.Config{
			DataDir: t.TempDir(), Listen: "127.0.0.1:0", Models: models.All(), Logger: slog.New(slog.NewJSONHandler(&log, nil)),
		})
	}()
	deadline := time.Now().Add(20 * time.Second)
	for !strings.Contains(log.String(), "ready for connections") {
		if time.Now().After(deadline) {
			t.Fatal(log.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	for _, want := range []string{"has no password", `"msg":"stopped"`} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("no %q in the log:\n%s", want, log.String())
		}
	}
}

func TestKillQuery(t *testing.T) {
	s := Start(t, server.Config{})
	db := Open(t, s, "root", "")
	victim, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var id int
	if err := victim.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error)
	go func() {
		_, err := victim.ExecContext(t.Context(), "SELECT SLEEP(60)")
		failed <- err
	}()
	time.Sleep(200 * time.Millisecond)
	began := time.Now()
	if _, err := db.Exec("KILL QUERY " + strconv.Itoa(id)); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err == nil {
		t.Error("the killed statement succeeded")
	}
	if took := time.Since(began); took > time.Second {
		t.Errorf("the statement ended %v after KILL", took)
	}
	if err := victim.PingContext(t.Context()); err != nil {
		t.Errorf("the connection is gone: %v", err)
	}
	_ = victim.Close()
}

// TestKillForecast kills a table function half-way and watches its progress.
func TestKillForecast(t *testing.T) {
	s := Start(t, server.Config{})
	db := Open(t, s, "root", "")
	for _, q := range []string{
		"CREATE DATABASE shop",
		"CREATE TABLE shop.digit AS SELECT 0 AS d UNION SELECT 1 UNION SELECT 2 UNION SELECT 3 UNION SELECT 4 UNION SELECT 5 UNION SELECT 6 UNION SELECT 7 UNION SELECT 8 UNION SELECT 9",
		`CREATE TABLE shop.sales AS SELECT a.d * 10 + b.d AS sku, DATE(DATE_ADD('2020-01-01', INTERVAL c.d * 100 + e.d * 10 + f.d DAY)) AS ds, (a.d * 7 + b.d * 3 + f.d * 5 + e.d * c.d) % 23 AS y
			FROM shop.digit a, shop.digit b, shop.digit c, shop.digit e, shop.digit f WHERE c.d < 2`,
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(q, err)
		}
	}
	victim, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer victim.Close()
	var id int
	if err := victim.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 1)
	go func() {
		_, err := victim.ExecContext(t.Context(), "CREATE TABLE shop.outlook AS SELECT * FROM FORECAST('shop.sales', 'ds', 'y', 28, 'by=sku; period=7,28; model=arima')")
		failed <- err
	}()
	progress := regexp.MustCompile(`^FORECAST: [1-9][0-9]* of 100 series$`)
	var state string
	for deadline := time.Now().Add(30 * time.Second); !progress.MatchString(state); {
		select {
		case err := <-failed:
			t.Fatalf("ended before its progress was seen (%q): %v", state, err)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("the process list says %q", state)
		}
		rows, err := db.Query("SHOW PROCESSLIST")
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var connection, seconds int
			var user, host, command, shown string
			var database, info *string
			if err := rows.Scan(&connection, &user, &host, &database, &command, &seconds, &shown, &info); err != nil {
				t.Fatal(err)
			}
			if connection == id {
				state = shown
			}
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	}
	began := time.Now()
	if _, err := db.Exec("KILL QUERY " + strconv.Itoa(id)); err != nil {
		t.Fatal(err)
	}
	err = <-failed
	if took := time.Since(began); took > time.Second {
		t.Errorf("the statement ended %v after KILL", took)
	}
	var known *mysql.MySQLError
	if !errors.As(err, &known) || known.Number != 1317 {
		t.Errorf("got %v, want error 1317", err)
	}
	var n int
	if err := db.QueryRow("SELECT COUNT(*) FROM shop.outlook").Scan(&n); err == nil && n > 0 {
		t.Errorf("%d rows of the killed statement stayed", n)
	}
}
