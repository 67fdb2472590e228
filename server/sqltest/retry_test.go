package sqltest

import (
	"context"
	"sync"
	"testing"

	"github.com/almanacdb/almanac/server"
)

// TestConcurrentStatements: single statements of many sessions on one row all succeed, none counts twice.
func TestConcurrentStatements(t *testing.T) {
	s := Start(t, server.Config{})
	db := Open(t, s, "root", "")
	ctx := context.Background()
	for _, q := range []string{"CREATE DATABASE d", "CREATE TABLE d.counter (id INT PRIMARY KEY, n INT)", "INSERT INTO d.counter VALUES (1, 0), (2, 0)"} {
		if _, err := db.ExecContext(ctx, q); err != nil {
			t.Fatal(err)
		}
	}
	const sessions, rounds = 8, 50
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() {
			conn, err := db.Conn(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			defer func() { _ = conn.Close() }()
			for k := range rounds {
				if i%2 == 0 {
					_, err = conn.ExecContext(ctx, "UPDATE d.counter SET n = n + 1 WHERE id = 1")
				} else { // as a prepared statement
					_, err = conn.ExecContext(ctx, "UPDATE d.counter SET n = n + ? WHERE id = 1", 1)
				}
				if err == nil && k%10 == 0 {
					_, err = conn.ExecContext(ctx, "INSERT INTO d.counter VALUES (2, 1) ON DUPLICATE KEY UPDATE n = n + 1")
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	var n, upserts int
	if err := db.QueryRowContext(ctx, "SELECT MAX(IF(id = 1, n, 0)), MAX(IF(id = 2, n, 0)) FROM d.counter").Scan(&n, &upserts); err != nil {
		t.Fatal(err)
	}
	if n != sessions*rounds || upserts != sessions*rounds/10 {
		t.Errorf("n = %d and %d, want %d and %d", n, upserts, sessions*rounds, sessions*rounds/10)
	}
}
