package server

import (
	"testing"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
)

func at(t *testing.T, text string) time.Time {
	t.Helper()
	v, err := time.Parse("2006-01-02 15:04:05", text)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSchedule(t *testing.T) {
	for _, c := range []struct{ every, starts, now, want string }{
		{"1 DAY", "2026-01-01 02:00:00", "2025-12-31 00:00:00", "2026-01-01 02:00:00"},
		{"1 DAY", "2026-01-01 02:00:00", "2026-01-01 02:00:00", "2026-01-02 02:00:00"},
		{"1 DAY", "2026-01-01 02:00:00", "2026-03-05 01:59:59", "2026-03-05 02:00:00"},
		{"90 SECOND", "2026-01-01 00:00:00", "2026-01-01 00:03:01", "2026-01-01 00:04:30"},
		// months by the calendar, with the last day of short ones
		{"1 MONTH", "2026-01-31 00:00:00", "2026-02-01 00:00:00", "2026-02-28 00:00:00"},
		{"1 MONTH", "2026-01-31 00:00:00", "2026-02-28 00:00:00", "2026-03-31 00:00:00"},
		{"1 MONTH", "2026-01-31 00:00:00", "2036-01-31 00:00:00", "2036-02-29 00:00:00"},
		{"1 YEAR", "2024-02-29 00:00:00", "2026-01-01 00:00:00", "2026-02-28 00:00:00"},
		{"'1:2' MONTH_DAY", "2026-01-01 00:00:00", "2026-02-02 00:00:00", "2026-02-03 00:00:00"},
	} {
		s, err := newSchedule(sql.EventDefinition{ExecuteEvery: c.every, Starts: at(t, c.starts)})
		if err != nil {
			t.Errorf("%s: %v", c.every, err)
			continue
		}
		if got := s.after(at(t, c.now)); !got.Equal(at(t, c.want)) {
			t.Errorf("every %s from %s: after %s comes %s, want %s", c.every, c.starts, c.now, got, c.want)
		}
	}
	if _, err := newSchedule(sql.EventDefinition{ExecuteEvery: "0 DAY"}); err == nil {
		t.Error("an interval of 0 days is accepted")
	}
}

func TestSplitAccount(t *testing.T) {
	for _, text := range []string{"`ann`@`host`", "'ann'@'host'", "ann@host"} {
		user, host, err := splitAccount(text)
		if user != "ann" || host != "host" || err != nil {
			t.Errorf("splitAccount(%s) = %q, %q, %v", text, user, host, err)
		}
	}
	if _, _, err := splitAccount("ann"); err == nil {
		t.Error("an account without a host is accepted")
	}
}

func TestIsLoopback(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:3306": true, "localhost:3306": true, "[::1]:3306": true, "127.8.9.1:1": true,
		"0.0.0.0:3306": false, ":3306": false, "[::]:3306": false, "10.0.0.1:3306": false, "example.com:3306": false, "nonsense": false,
	} {
		if got := isLoopback(address); got != want {
			t.Errorf("isLoopback(%q) = %v", address, got)
		}
	}
}

func TestNativePassword(t *testing.T) {
	// The value that MySQL's PASSWORD('secret') gave.
	if got, want := nativePassword("secret"), "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
