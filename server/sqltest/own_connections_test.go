package sqltest

import (
	"context"
	"database/sql"
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/almanacdb/almanac/server"
)

// TestOwnConnections: an account without any privilege sees and kills its own connections, as JDBC's setQueryTimeout and
// the clients' Ctrl-C need, and nobody else's.
func TestOwnConnections(t *testing.T) {
	s := Start(t, server.Config{})
	root := Open(t, s, "root", "")
	for _, statement := range []string{"CREATE USER bob@'%'", "CREATE USER eve@'%'", "CREATE USER ops@'%'", "GRANT SUPER ON *.* TO ops@'%'"} {
		if _, err := root.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	bob, eve, ops := Open(t, s, "bob", ""), Open(t, s, "eve", ""), Open(t, s, "ops", "")
	start := func() (id int, failed chan error) {
		t.Helper()
		victim, err := bob.Conn(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		if err := victim.QueryRowContext(t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
			t.Fatal(err)
		}
		failed = make(chan error, 1)
		go func() {
			var zero int
			err := victim.QueryRowContext(context.Background(), "SELECT SLEEP(30)").Scan(&zero)
			_ = victim.Close()
			failed <- err
		}()
		for running := 0; running == 0; time.Sleep(10 * time.Millisecond) {
			if err := root.QueryRow("SELECT COUNT(*) FROM information_schema.processlist WHERE id = ? AND info LIKE '%SLEEP%'", id).Scan(&running); err != nil {
				t.Fatal(err)
			}
		}
		return id, failed
	}
	ended := func(failed chan error) {
		t.Helper()
		select {
		case err := <-failed:
			if err == nil {
				t.Error("the killed statement succeeded")
			}
		case <-time.After(5 * time.Second):
			t.Fatal("the statement still runs 5 s after KILL")
		}
	}

	id, failed := start()
	if _, err := eve.Exec("KILL QUERY " + strconv.Itoa(id)); number(err) != 1095 {
		t.Errorf("KILL QUERY of another account's: %v, want error 1095", err)
	}
	if _, err := eve.Exec("KILL " + strconv.Itoa(id)); number(err) != 1095 {
		t.Errorf("KILL of another account's: %v, want error 1095", err)
	}
	if got := users(t, eve, "SHOW PROCESSLIST"); len(got) == 0 || got["bob"] || got["root"] {
		t.Errorf("eve sees the connections of %v", got)
	}
	if got := users(t, bob, "SHOW FULL PROCESSLIST"); !got["bob"] || len(got) != 1 {
		t.Errorf("bob sees the connections of %v", got)
	}
	if got := users(t, root, "SHOW PROCESSLIST"); !got["bob"] || !got["root"] || !got["eve"] {
		t.Errorf("root sees the connections of %v", got)
	}
	if _, err := bob.Exec("KILL QUERY " + strconv.Itoa(id)); err != nil {
		t.Errorf("KILL QUERY of one's own: %v", err)
	}
	ended(failed)

	id, failed = start()
	if _, err := bob.Exec("KILL " + strconv.Itoa(id)); err != nil {
		t.Errorf("KILL of one's own: %v", err)
	}
	ended(failed)

	id, failed = start()
	if _, err := ops.Exec("KILL QUERY " + strconv.Itoa(id)); err != nil {
		t.Errorf("KILL QUERY with SUPER: %v", err)
	}
	ended(failed)
}

// TestUptime waits for a full second, which SHOW STATUS then tells.
func TestUptime(t *testing.T) {
	db := Open(t, Start(t, server.Config{}), "root", "")
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		var name string
		var seconds int
		if err := db.QueryRow("SHOW GLOBAL STATUS LIKE 'Uptime'").Scan(&name, &seconds); err != nil {
			t.Fatal(err)
		}
		if seconds > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("Uptime is still 0")
		}
	}
}

// number is the error's number in MySQL, 0 if it has none.
func number(err error) uint16 {
	var known *mysql.MySQLError
	if errors.As(err, &known) {
		return known.Number
	}
	return 0
}

// users are the accounts in a SHOW PROCESSLIST.
func users(t *testing.T, db *sql.DB, query string) map[string]bool {
	t.Helper()
	rows, err := db.Query(query)
	if err != nil {
		t.Errorf("%s: %v", query, err)
		return nil
	}
	defer rows.Close()
	seen := make(map[string]bool)
	for rows.Next() {
		var user string
		rest := make([]any, 8)
		for i := range rest {
			rest[i] = new(any)
		}
		rest[1] = &user
		if err := rows.Scan(rest...); err != nil {
			t.Fatal(err)
		}
		seen[user] = true
	}
	return seen
}
