package sqltest

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"github.com/almanacdb/almanac/engine/models"
	"github.com/almanacdb/almanac/server"
)

// Run runs the script in the file. With rewrite, it writes the server's answers into it.
func Run(t *testing.T, file string, rewrite bool) {
	t.Helper()
	blocks, trailing, err := parse(file)
	if err != nil {
		t.Fatal(err)
	}
	r := &runner{t: t, data: t.TempDir(), files: t.TempDir(), connections: map[string]*connection{}}
	r.start()
	defer r.stop()
	r.connect("root", "root")
	for i := range blocks {
		b := &blocks[i]
		got, err := r.step(b)
		if err != nil {
			t.Errorf("%s:%d: %s\n%s\n%v", filepath.Base(file), b.line, b.directive, b.text, err)
			continue
		}
		if !b.separated || got == b.expected {
			continue
		}
		if rewrite {
			b.expected = got
			continue
		}
		t.Errorf("%s:%d: %s\n%s\n(-expected +got):\n%s", filepath.Base(file), b.line, b.directive, b.text, cmp.Diff(strings.Split(b.expected, "\n"), strings.Split(got, "\n")))
	}
	if rewrite {
		if err := os.WriteFile(file, format(blocks, trailing), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Start starts a server on dir for tests and returns its address. It is stopped when the test ends.
func Start(t testing.TB, config server.Config) *server.Server {
	t.Helper()
	config.Listen = "127.0.0.1:0"
	if config.DataDir == "" {
		config.DataDir = t.TempDir()
	}
	config.Models = models.All()
	if config.Logger == nil {
		config.Logger = slog.New(slog.DiscardHandler)
	}
	s, err := server.New(config)
	if err != nil {
		t.Fatal(err)
	}
	s.Serve()
	t.Cleanup(func() {
		if err := s.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return s
}

// Open returns a pool of connections to s for the account ("user" or "user:password") and database, which may be empty.
func Open(t testing.TB, s *server.Server, account, database string) *sql.DB {
	t.Helper()
	db, err := open(s, account, database)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

func open(s *server.Server, account, database string) (*sql.DB, error) {
	config := mysql.NewConfig()
	config.Net, config.Addr, config.DBName = "tcp", s.Addr().String(), database
	config.User, config.Passwd, _ = strings.Cut(account, ":")
	config.AllowAllFiles = true // LOAD DATA LOCAL
	config.AllowNativePasswords = true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

type connection struct {
	account string
	pool    *sql.DB
	conn    *sql.Conn
}

type runner struct {
	t           *testing.T
	data, files string
	server      *server.Server
	connections map[string]*connection
	current     string
}

func (r *runner) start() {
	s, err := server.New(server.Config{
		DataDir: r.data, Listen: "127.0.0.1:0", SecureFileDir: r.files, Models: models.All(), Version: "test",
		Logger: slog.New(slog.NewTextHandler(r.t.Output(), &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		r.t.Fatal(err)
	}
	s.Serve()
	r.server = s
}

func (r *runner) stop() {
	for _, c := range r.connections {
		c.close()
	}
	if err := r.server.Stop(); err != nil {
		r.t.Errorf("stop: %v", err)
	}
}

func (c *connection) close() {
	_ = c.conn.Close()
	_ = c.pool.Close()
}

func (r *runner) connect(name, account string) {
	if err := r.tryConnect(name, account); err != nil {
		r.t.Fatalf("connect %s: %v", account, err)
	}
}

func (r *runner) tryConnect(name, target string) error {
	account, database, _ := strings.Cut(target, "@")
	pool, err := open(r.server, account, database)
	if err != nil {
		return err
	}
	conn, err := pool.Conn(context.Background())
	if err != nil {
		_ = pool.Close()
		return err
	}
	if old := r.connections[name]; old != nil {
		old.close()
	}
	r.connections[name] = &connection{account: target, pool: pool, conn: conn}
	r.current = name
	return nil
}

// statementTimeout ends a statement that hangs.
const statementTimeout = time.Minute

// step runs one block and returns its output.
func (r *runner) step(b *block) (string, error) {
	directive, rest, _ := strings.Cut(b.directive, " ")
	rest = strings.TrimSpace(rest)
	text := strings.ReplaceAll(b.text, "$DIR", r.files)
	ctx, cancel := context.WithTimeout(context.Background(), statementTimeout)
	defer cancel()
	conn := r.connections[r.current].conn
	switch directive {
	case "exec":
		result, err := conn.ExecContext(ctx, text)
		if err != nil {
			return "", err
		}
		n, err := result.RowsAffected()
		return "affected " + strconv.FormatInt(n, 10), err
	case "query":
		return query(ctx, conn, text, rest == "names")
	case "warnings":
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return "", err
		}
		return query(ctx, conn, "SHOW WARNINGS", false)
	case "prepared":
		var args []any
		decoder := json.NewDecoder(strings.NewReader(rest))
		decoder.UseNumber()
		if err := decoder.Decode(&args); err != nil {
			return "", fmt.Errorf("arguments %s: %w", rest, err)
		}
		return prepared(ctx, conn, text, args)
	case "error":
		_, err := query(ctx, conn, text, false)
		if err == nil {
			return "", errors.New("the statement succeeded")
		}
		got := strings.ReplaceAll(err.Error(), r.files, "$DIR")
		if rest == "starts" && b.expected != "" && strings.HasPrefix(got, b.expected) {
			return b.expected, nil
		}
		return got, nil
	case "eventually":
		deadline := time.Now().Add(15 * time.Second)
		for {
			got, err := query(ctx, conn, text, false)
			if err == nil && got == b.expected || time.Now().After(deadline) {
				return got, err
			}
			time.Sleep(100 * time.Millisecond)
		}
	case "connect":
		name, target, _ := strings.Cut(rest, " ")
		err := r.tryConnect(name, target)
		if err != nil && b.separated {
			return err.Error(), nil
		}
		return "", err
	case "use":
		if r.connections[rest] == nil {
			return "", fmt.Errorf("no connection %q", rest)
		}
		r.current = rest
		return "", nil
	case "disconnect":
		r.connections[rest].close()
		delete(r.connections, rest)
		r.current = "root"
		return "", nil
	case "restart":
		r.stop()
		r.start()
		current := r.current
		for name, c := range r.connections {
			r.connect(name, c.account)
		}
		r.current = current
		return "", nil
	case "file":
		return "", os.WriteFile(filepath.Join(r.files, rest), []byte(text+"\n"), 0o644)
	case "sleep":
		d, err := time.ParseDuration(rest)
		time.Sleep(d)
		return "", err
	}
	return "", fmt.Errorf("unknown directive %q", directive)
}

func query(ctx context.Context, conn *sql.Conn, text string, names bool) (string, error) {
	rows, err := conn.QueryContext(ctx, text)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	return render(rows, names)
}

func prepared(ctx context.Context, conn *sql.Conn, text string, args []any) (string, error) {
	for i, a := range args {
		number, ok := a.(json.Number)
		if !ok {
			continue
		}
		if whole, err := number.Int64(); err == nil {
			args[i] = whole
		} else if args[i], err = number.Float64(); err != nil {
			return "", err
		}
	}
	stmt, err := conn.PrepareContext(ctx, text)
	if err != nil {
		return "", err
	}
	defer stmt.Close()
	rows, err := stmt.QueryContext(ctx, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	return render(rows, false)
}

// render prints rows, of all result sets.
func render(rows *sql.Rows, names bool) (string, error) {
	var lines []string
	for {
		columns, err := rows.Columns()
		if err != nil {
			return "", err
		}
		types, err := rows.ColumnTypes()
		if err != nil {
			return "", err
		}
		if names {
			lines = append(lines, strings.Join(columns, "\t"))
		}
		values := make([]any, len(columns))
		targets := make([]any, len(columns))
		for i := range values {
			targets[i] = &values[i]
		}
		for rows.Next() {
			if err := rows.Scan(targets...); err != nil {
				return "", err
			}
			cells := make([]string, len(values))
			for i, v := range values {
				cells[i] = cell(v, types[i].DatabaseTypeName())
			}
			lines = append(lines, strings.Join(cells, "\t"))
		}
		if !rows.NextResultSet() {
			break
		}
	}
	return strings.Join(lines, "\n"), rows.Err()
}

func cell(v any, typeName string) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case float64:
		return float(v)
	case float32:
		return float(float64(v))
	case []byte:
		if typeName == "DOUBLE" || typeName == "FLOAT" {
			if f, err := strconv.ParseFloat(string(v), 64); err == nil {
				return float(f)
			}
		}
		return clean(string(v))
	case string:
		return clean(v)
	}
	return fmt.Sprint(v)
}

// clean keeps a cell on one line; an empty text shows as two quotes, so that no line looks like the end of a block.
func clean(s string) string {
	if s == "" {
		return "''"
	}
	return strings.NewReplacer("\n", `\n`, "\t", `\t`, "\r", `\r`).Replace(s)
}

// float prints six significant digits: processors differ beyond about twelve, where some fuse multiplication and addition.
func float(f float64) string {
	if f == 0 {
		return "0"
	}
	return strconv.FormatFloat(f, 'g', 6, 64)
}
