package sqltest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/almanacdb/almanac/server"
)

func TestTooManyConnections(t *testing.T) {
	s := Start(t, server.Config{MaxConnections: 2})
	db := Open(t, s, "root", "")
	ctx := context.Background()
	for range 2 {
		conn, err := db.Conn(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.PingContext(ctx); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
	}
	_, err := db.Conn(ctx)
	var known *mysql.MySQLError
	if !errors.As(err, &known) || known.Number != 1040 {
		t.Errorf("third connection: %v, want error 1040", err)
	}
}

type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// TestQuietStop: idle clients at a stop, and an event that fails, cost the log no more than a line.
func TestQuietStop(t *testing.T) {
	log := &lines{}
	s := Start(t, server.Config{Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelWarn})), RootPassword: "secret"})
	db := Open(t, s, "root:secret", "")
	ctx := context.Background()
	for _, q := range []string{
		"CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY)", "INSERT INTO d.t VALUES (1)",
		"CREATE EVENT d.fails ON SCHEDULE AT CURRENT_TIMESTAMP DO INSERT INTO d.t VALUES (1)",
	} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); log.String() == "" && time.Now().Before(deadline); {
		time.Sleep(20 * time.Millisecond)
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := log.String(); bytes.Count([]byte(got), []byte("\n")) != 1 || len(got) > 400 || !bytes.Contains([]byte(got), []byte("event failed")) {
		t.Errorf("log: %s", got)
	}
}
