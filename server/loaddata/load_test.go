package loaddata_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/almanacdb/almanac/server"
	"github.com/almanacdb/almanac/server/sqltest"
)

const rows = 150_000 // more than two batches

// file writes n lines "i,i mod 7" in order, and calls at(i) before line i.
func file(n int, at func(i int) error) io.Reader {
	r, w := io.Pipe()
	go func() {
		var b strings.Builder
		for i := range n {
			if at != nil {
				if err := at(i); err != nil {
					_, _ = io.WriteString(w, b.String())
					w.CloseWithError(err)
					return
				}
			}
			fmt.Fprintf(&b, "%d,%d\n", i, i%7)
			if b.Len() > 1<<16 {
				if _, err := io.WriteString(w, b.String()); err != nil {
					return
				}
				b.Reset()
			}
		}
		_, _ = io.WriteString(w, b.String())
		w.Close()
	}()
	return r
}

func register(t *testing.T, r io.Reader) string {
	mysql.RegisterReaderHandler(t.Name(), func() io.Reader { return r })
	t.Cleanup(func() { mysql.DeregisterReaderHandler(t.Name()) })
	return "Reader::" + t.Name()
}

func open(t *testing.T) (*server.Server, *sql.DB) {
	t.Helper()
	s := sqltest.Start(t, server.Config{})
	db := sqltest.Open(t, s, "root", "")
	for _, q := range []string{"CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY, v INT NOT NULL)"} {
		if _, err := db.Exec(q); err != nil {
			t.Fatal(err)
		}
	}
	return s, db
}

func count(t *testing.T, db *sql.DB) (n int) {
	t.Helper()
	if err := db.QueryRow("SELECT COUNT(*) FROM d.t").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func load(t *testing.T, db *sql.DB, r io.Reader, how string) (int64, error) {
	t.Helper()
	result, err := db.Exec("LOAD DATA LOCAL INFILE '" + register(t, r) + "' " + how + " INTO TABLE d.t FIELDS TERMINATED BY ','")
	if err != nil {
		return 0, err
	}
	n, err := result.RowsAffected()
	return n, err
}

func TestManyBatches(t *testing.T) {
	_, db := open(t)
	if n, err := load(t, db, file(rows, nil), ""); err != nil || n != rows {
		t.Fatal(n, err)
	}
	var n, sum int
	if err := db.QueryRow("SELECT COUNT(*), SUM(id * 10 + v) FROM d.t").Scan(&n, &sum); err != nil {
		t.Fatal(err)
	}
	want := 0
	for i := range rows {
		want += i*10 + i%7
	}
	if n != rows || sum != want {
		t.Errorf("%d rows with sum %d, want %d with %d", n, sum, rows, want)
	}
	// Every row again: refused, left out, put in place of the old ones; each in time that grows with the rows.
	if _, err := load(t, db, file(rows, nil), ""); err == nil || !strings.Contains(err.Error(), "Duplicate entry '0' for key 't.PRIMARY'") {
		t.Error(err)
	}
	if n, err := load(t, db, file(rows+1, nil), "IGNORE"); err != nil || n != 1 {
		t.Error(n, err)
	}
	if n, err := load(t, db, file(rows+1, nil), "REPLACE"); err != nil || n != 2*(rows+1) {
		t.Error(n, err)
	}
	if n := count(t, db); n != rows+1 {
		t.Error(n)
	}
}

func TestMistakeInALaterBatch(t *testing.T) {
	_, db := open(t)
	bad := io.MultiReader(file(rows, nil), strings.NewReader("1000000,x\n"))
	_, err := load(t, db, bad, "")
	want := fmt.Sprintf("Error 1366 (HY000): Incorrect integer value: 'x' for column 'v' at row %d, line %d of the file", rows+1, rows+1)
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
	if n := count(t, db); n != 0 {
		t.Errorf("%d rows stayed", n)
	}
	if n, err := load(t, db, file(10, nil), ""); err != nil || n != 10 {
		t.Error("the connection must still be good:", n, err)
	}
}

func TestKill(t *testing.T) {
	s, db := open(t)
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var id int
	if err := conn.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	other := sqltest.Open(t, s, "root", "")
	reached := make(chan struct{})
	killed := make(chan error, 1)
	go func() {
		<-reached
		var state string
		deadline := time.Now().Add(10 * time.Second)
		for !strings.HasPrefix(state, "LOAD DATA: ") || strings.HasPrefix(state, "LOAD DATA: 0 ") {
			if err := other.QueryRow("SELECT COALESCE(state, '') FROM information_schema.processlist WHERE id = ?", id).Scan(&state); err != nil || time.Now().After(deadline) {
				killed <- fmt.Errorf("no progress, but %q: %w", state, err)
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		_, err := other.Exec(fmt.Sprintf("KILL QUERY %d", id))
		killed <- err
	}()
	var killing error
	r := file(3*rows, func(i int) error {
		if i == rows {
			close(reached)
			killing = <-killed
		}
		return nil
	})
	_, err = conn.ExecContext(t.Context(), "LOAD DATA LOCAL INFILE '"+register(t, r)+"' INTO TABLE d.t FIELDS TERMINATED BY ','")
	if killing != nil {
		t.Fatal(killing)
	}
	var known *mysql.MySQLError
	if !errors.As(err, &known) || known.Number != 1317 {
		t.Error("want error 1317, got", err)
	}
	if n := count(t, other); n != 0 {
		t.Errorf("%d rows stayed", n)
	}
	if err := conn.QueryRowContext(t.Context(), "SELECT 1").Scan(&id); err != nil {
		t.Error("the connection must still be good:", err)
	}
}

// A connection that ends between two lines must not pass for the end of the file.
func TestClientLost(t *testing.T) {
	s, db := open(t)
	for _, mode := range []string{"closed", "reset"} {
		t.Run(mode, func(t *testing.T) {
			var mu sync.Mutex
			var wire net.Conn
			mysql.RegisterDialContext(t.Name(), func(ctx context.Context, addr string) (net.Conn, error) {
				c, err := (&net.Dialer{}).DialContext(ctx, "tcp", addr)
				mu.Lock()
				defer mu.Unlock()
				wire = c
				return c, err
			})
			defer mysql.DeregisterDialContext(t.Name())
			lossy, err := sql.Open("mysql", "root@"+t.Name()+"("+s.Addr().String()+")/d?allowAllFiles=true")
			if err != nil {
				t.Fatal(err)
			}
			defer lossy.Close()
			conn, err := lossy.Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			r := &wholeLines{lines: 1000, end: func() error {
				time.Sleep(50 * time.Millisecond) // what was sent arrives first
				mu.Lock()
				defer mu.Unlock()
				if mode == "reset" {
					_ = wire.(*net.TCPConn).SetLinger(0)
				}
				_ = wire.Close()
				return errors.New("gone")
			}}
			if _, err := conn.ExecContext(t.Context(), "LOAD DATA LOCAL INFILE '"+register(t, r)+"' INTO TABLE d.t FIELDS TERMINATED BY ','"); err == nil {
				t.Fatal("the client should have noticed")
			}
			deadline := time.Now().Add(5 * time.Second)
			for running := 1; running > 0; {
				if err := db.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE info LIKE 'LOAD DATA%'").Scan(&running); err != nil {
					t.Fatal(err)
				}
				if time.Now().After(deadline) {
					t.Fatal("the statement still runs")
				}
				time.Sleep(10 * time.Millisecond)
			}
			if n := count(t, db); n != 0 {
				t.Errorf("%d rows of half a file stayed", n)
			}
		})
	}
}

// wholeLines is a file that is read by whole lines, so that its packets end where lines do.
type wholeLines struct {
	next, lines int
	end         func() error
}

func (w *wholeLines) Read(p []byte) (int, error) {
	if w.next == w.lines {
		return 0, w.end()
	}
	n := 0
	for ; w.next < w.lines && n < len(p)-32; w.next++ {
		n += copy(p[n:], fmt.Sprintf("%d,1\n", w.next))
	}
	return n, nil
}
