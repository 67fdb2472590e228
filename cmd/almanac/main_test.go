package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// almanac runs a command line that ends by itself.
func almanac(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), args, &out, &errs)
	return code, out.String(), errs.String()
}

func TestVersion(t *testing.T) {
	code, out, _ := almanac(t, "version")
	if code != 0 || !strings.HasPrefix(out, "almanac ") {
		t.Errorf("exit code %d, output %q", code, out)
	}
}

// TestErrorsAreOneLine checks what an operator sees when a start fails.
func TestErrorsAreOneLine(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty")
	if err := os.WriteFile(empty, []byte("\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		want string
		args []string
	}{
		{"in use by another program", []string{"serve", "--data-dir", filepath.Join(dir, "a"), "--listen", l.Addr().String(), "--log-level", "error"}},
		{"--password-file", []string{"serve", "--data-dir", filepath.Join(dir, "b"), "--listen", "0.0.0.0:0", "--log-level", "error"}},
		{"first line is empty", []string{"serve", "--data-dir", filepath.Join(dir, "c"), "--password-file", empty}},
		{"no such file", []string{"serve", "--data-dir", filepath.Join(dir, "c"), "--password-file", filepath.Join(dir, "nowhere")}},
		{"use debug, info, warn or error", []string{"serve", "--log-level", "loud"}},
		{"use text or json", []string{"serve", "--log-format", "xml"}},
		{"unknown flag: --dta-dir", []string{"serve", "--dta-dir", dir}},
		{`unknown command "serv"`, []string{"serv"}},
		{"such as 127.0.0.1:3306", []string{"serve", "--data-dir", filepath.Join(dir, "d"), "--listen", "127.0.0.1"}},
		{"no Almanac database", []string{"serve", "--data-dir", dir, "--listen", "127.0.0.1:0"}},
		{"holds no database", []string{"check", "--data-dir", dir}},
		{"nowhere", []string{"check", "--data-dir", filepath.Join(dir, "nowhere")}},
	} {
		code, _, stderr := almanac(t, c.args...)
		if code != 1 {
			t.Errorf("%v: exit code %d", c.args, code)
		}
		if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "almanac: ") || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: got %q, want one line with %q", c.args, stderr, c.want)
		}
	}
}

func TestServeStopsAndCheckFindsNothing(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // as if the signal came during the start
	var out, errs bytes.Buffer
	if code := run(ctx, []string{"serve", "--data-dir", dir, "--listen", "127.0.0.1:0", "--demo"}, &out, &errs); code != 0 {
		t.Fatalf("exit code %d: %s", code, errs.String())
	}
	code, stdout, stderr := almanac(t, "check", "--data-dir", dir)
	if code != 0 || !strings.Contains(stdout, "is sound") {
		t.Errorf("exit code %d, %s%s", code, stdout, stderr)
	}
}

func TestHelpNamesEveryCommand(t *testing.T) {
	_, out, _ := almanac(t, "--help")
	for _, cmd := range subcommands() {
		if !strings.Contains(out, cmd.Short) {
			t.Errorf("help does not mention %q", cmd.Name())
		}
	}
}
