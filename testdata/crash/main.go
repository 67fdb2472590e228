// Command crash kills an Almanac server with SIGKILL at random moments while a client writes, restarts it, and checks that exactly
// the acknowledged transactions are there: `make crash`.
//
// The client writes numbered transactions, each of which changes every table: it inserts a row into two of them, updates a
// counter, moves an amount between accounts whose sum must not change, and now and then deletes, bulk-inserts or alters. A
// transaction is acknowledged when COMMIT returned without an error. After each restart the numbers found must be those
// acknowledged, and at most one more: the transaction in flight when the server died, which must be there whole or not at all.
//
// Everything is on this machine: the server listens on the loopback address only.
package main

import (
	"bufio"
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

type options struct {
	binary, dir        string
	rounds, checkEvery int
	seed               uint64
	least, most        time.Duration
	limit              time.Duration
}

func main() {
	log.SetFlags(0)
	var o options
	flag.StringVar(&o.binary, "almanac", "bin/almanac", "the server's program")
	flag.StringVar(&o.dir, "dir", "", "data directory, kept if named (default: a temporary one, removed on success)")
	flag.IntVar(&o.rounds, "rounds", 300, "how often the server is killed")
	flag.IntVar(&o.checkEvery, "check-every", 10, "rounds between runs of almanac check, which also runs after the last")
	flag.Uint64Var(&o.seed, "seed", uint64(time.Now().UnixNano()), "seed of all random choices but the scheduler's")
	flag.DurationVar(&o.least, "least", 5*time.Millisecond, "shortest life of a server after it answers")
	flag.DurationVar(&o.most, "most", 900*time.Millisecond, "longest life")
	flag.DurationVar(&o.limit, "limit", 30*time.Minute, "end after this time, with the rounds done by then")
	flag.Parse()
	temporary := o.dir == ""
	if temporary {
		dir, err := os.MkdirTemp("", "almanac-crash-")
		if err != nil {
			log.Fatal(err)
		}
		o.dir = dir
	}
	log.Printf("seed %d, %d rounds, data in %s", o.seed, o.rounds, o.dir)
	if err := run(o); err != nil {
		log.Fatalf("FAILED with seed %d, data kept in %s: %v", o.seed, o.dir, err)
	}
	if temporary {
		_ = os.RemoveAll(o.dir)
	}
}

// test is the state of a run.
type test struct {
	options
	random  *rand.Rand
	address string
	server  *exec.Cmd
	log     *os.File

	acknowledged          int64 // the last transaction whose COMMIT returned
	begun                 int64 // the last whose COMMIT may have reached the server
	landed, early, checks int
	slowest               time.Duration // from start to the first answer
}

func run(o options) error {
	t := &test{options: o, random: rand.New(rand.NewPCG(o.seed, 1))}
	var err error
	if t.log, err = os.Create(filepath.Join(o.dir, "server.log")); err != nil {
		return err
	}
	defer t.log.Close()
	if t.address, err = freeAddress(); err != nil {
		return err
	}
	start := time.Now()
	deadline := start.Add(o.limit)
	if err := t.start(); err != nil {
		return err
	}
	defer t.kill()
	if err := t.create(); err != nil {
		return fmt.Errorf("creating the tables: %w", err)
	}
	round := 0
	for round < o.rounds && time.Now().Before(deadline) {
		round++
		if err := t.round(round); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		if round%50 == 0 {
			log.Printf("%d rounds, %d transactions, %.0f s", round, t.acknowledged, time.Since(start).Seconds())
		}
	}
	t.kill()
	if err := t.check(); err != nil {
		return fmt.Errorf("after the last round: %w", err)
	}
	size := int64(0)
	_ = filepath.Walk(o.dir, func(_ string, info os.FileInfo, err error) error {
		if err == nil && info.Mode().IsRegular() {
			size += info.Size()
		}
		return nil
	})
	log.Printf("ok: %d kills, %d transactions acknowledged, all there; %d of the transactions in flight had landed, %d kills before the first commit of a round; almanac check clean %d times; slowest restart %d ms; %d KB on disk; %.0f s; seed %d",
		round, t.acknowledged, t.landed, t.early, t.checks, t.slowest.Milliseconds(), size>>10, time.Since(start).Seconds(), o.seed)
	if round < o.rounds {
		return fmt.Errorf("only %d of %d rounds in %s", round, o.rounds, o.limit)
	}
	return nil
}

func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close()
	return l.Addr().String(), nil
}

func (t *test) data() string { return filepath.Join(t.dir, "data") }

// start starts the server and waits until it answers.
func (t *test) start() error {
	t.server = exec.Command(t.binary, "serve", "--data-dir", t.data(), "--listen", t.address, "--log-level", "warn")
	t.server.Stdout, t.server.Stderr = t.log, t.log
	begin := time.Now()
	if err := t.server.Start(); err != nil {
		return err
	}
	for time.Since(begin) < 30*time.Second {
		db, err := t.open("")
		if err != nil {
			return err
		}
		err = db.Ping()
		_ = db.Close()
		if err == nil {
			t.slowest = max(t.slowest, time.Since(begin))
			return nil
		}
		time.Sleep(2 * time.Millisecond)
	}
	return fmt.Errorf("the server does not answer within 30 s of its start; its log ends: %s", tail(t.log.Name()))
}

func tail(file string) string {
	f, err := os.Open(file)
	if err != nil {
		return err.Error()
	}
	defer f.Close()
	var last []string
	for scan := bufio.NewScanner(f); scan.Scan(); {
		if last = append(last, scan.Text()); len(last) > 5 {
			last = last[1:]
		}
	}
	return strings.Join(last, " | ")
}

func (t *test) open(database string) (*sql.DB, error) {
	c := mysql.NewConfig()
	c.Net, c.Addr, c.User, c.DBName = "tcp", t.address, "root", database
	c.Logger = log.New(discard{}, "", 0)
	connector, err := mysql.NewConnector(c)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(connector), nil
}

type discard struct{}

func (discard) Write(p []byte) (int, error) { return len(p), nil }

func (t *test) kill() {
	if t.server == nil {
		return
	}
	_ = t.server.Process.Signal(syscall.SIGKILL)
	_ = t.server.Wait()
	t.server = nil
}

// check runs almanac check on the directory, which no server holds.
func (t *test) check() error {
	t.checks++
	if out, err := exec.Command(t.binary, "check", "--data-dir", t.data()).CombinedOutput(); err != nil {
		return fmt.Errorf("almanac check: %w: %s", err, out)
	}
	return nil
}

// round lets a client write until the server is killed, restarts it and compares.
func (t *test) round(n int) error {
	db, err := t.open("crash")
	if err != nil {
		return err
	}
	written := make(chan error, 1)
	before := t.acknowledged
	seed := t.random.Uint64()
	go func() { written <- t.write(db, rand.New(rand.NewPCG(seed, uint64(n)))) }()
	// Quadratic: many short lives, in which recovery follows recovery, and some long ones that reach checkpoints.
	r := t.random.Float64()
	time.Sleep(t.least + time.Duration(r*r*float64(t.most-t.least)))
	t.kill()
	err = <-written
	_ = db.Close()
	if err != nil {
		return err
	}
	if t.acknowledged == before {
		t.early++
	}
	if n%t.checkEvery == 0 {
		if err := t.check(); err != nil {
			return err
		}
	}
	if err := t.start(); err != nil {
		return err
	}
	return t.compare()
}

// statements that change all tables, of transaction n. What they leave is a function of n alone, so that compare can know it.
const (
	accounts = 10
	balance  = 1000
	keepRows = 200 // of the table recent
)

var schema = []string{
	"CREATE DATABASE crash",
	"CREATE TABLE crash.journal (n BIGINT PRIMARY KEY, what VARCHAR(40) NOT NULL, amount DECIMAL(12,2) NOT NULL)",
	"CREATE TABLE crash.lines (n BIGINT, line INT, words TEXT, PRIMARY KEY (n, line), KEY by_line (line))",
	"CREATE TABLE crash.counter (id INT PRIMARY KEY, n BIGINT NOT NULL)",
	"CREATE TABLE crash.account (id INT PRIMARY KEY, balance BIGINT NOT NULL)",
	"CREATE TABLE crash.recent (id BIGINT AUTO_INCREMENT PRIMARY KEY, n BIGINT NOT NULL UNIQUE)",
	"CREATE TABLE crash.version (n BIGINT PRIMARY KEY)",
	"INSERT INTO crash.counter VALUES (1, 0)",
}

func (t *test) create() error {
	db, err := t.open("")
	if err != nil {
		return err
	}
	defer db.Close()
	statements := append([]string{}, schema...)
	for i := range accounts {
		statements = append(statements, fmt.Sprintf("INSERT INTO crash.account VALUES (%d, %d)", i, balance))
	}
	for _, s := range statements {
		if _, err := db.Exec(s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// linesOf is how many rows transaction n puts into the table lines: one mostly, at times enough to matter.
func linesOf(n int64) int {
	switch {
	case n%97 == 0:
		return 5000
	case n%7 == 0:
		return 40
	}
	return 1
}

// write runs transactions until the connection breaks. Any other error is the server's fault.
func (t *test) write(db *sql.DB, random *rand.Rand) error {
	ctx := context.Background()
	conn, err := db.Conn(ctx)
	if err != nil {
		return broken(err)
	}
	defer conn.Close()
	for n := t.acknowledged + 1; ; n++ {
		if err := transaction(ctx, conn, n, random); err != nil {
			return broken(err)
		}
		t.begun = n
		if _, err := conn.ExecContext(ctx, "COMMIT"); err != nil {
			return broken(err)
		}
		t.acknowledged = n
	}
}

// broken passes what a killed server does to its clients.
func broken(err error) error {
	var refused *mysql.MySQLError
	if errors.As(err, &refused) {
		return fmt.Errorf("the client got an error of the server: %w", err)
	}
	return nil
}

func transaction(ctx context.Context, conn *sql.Conn, n int64, random *rand.Rand) error {
	from := random.IntN(accounts)
	to := (from + 1 + random.IntN(accounts-1)) % accounts
	amount := random.IntN(50)
	statements := []string{
		"START TRANSACTION",
		fmt.Sprintf("INSERT INTO journal VALUES (%d, 'transaction %d', %d.25)", n, n, n%1000),
		insertLines(n),
		fmt.Sprintf("UPDATE counter SET n = %d WHERE id = 1", n),
		fmt.Sprintf("UPDATE account SET balance = balance - %d WHERE id = %d", amount, from),
		fmt.Sprintf("UPDATE account SET balance = balance + %d WHERE id = %d", amount, to),
		fmt.Sprintf("INSERT INTO recent (n) VALUES (%d)", n),
		fmt.Sprintf("DELETE FROM recent WHERE n <= %d", n-keepRows),
		fmt.Sprintf("REPLACE INTO version VALUES (%d)", n/10),
	}
	if random.IntN(20) == 0 { // a transaction that ends in nothing
		for _, s := range append(statements, "ROLLBACK") {
			if _, err := conn.ExecContext(ctx, s); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
	}
	for _, s := range statements {
		if _, err := conn.ExecContext(ctx, s); err != nil {
			return fmt.Errorf("%.200s: %w", s, err)
		}
	}
	return nil
}

func insertLines(n int64) string {
	var b strings.Builder
	b.WriteString("INSERT INTO `lines` VALUES ")
	for i := range linesOf(n) {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "(%d,%d,'%s')", n, i, words(n, i))
	}
	return b.String()
}

func words(n int64, i int) string {
	return strings.Repeat(fmt.Sprintf("%d words of %d. ", i, n), 1+i%12)
}

// compare checks that the tables hold the transactions 1 … m for one m, the last acknowledged or the one begun after it.
func (t *test) compare() error {
	db, err := t.open("crash")
	if err != nil {
		return err
	}
	defer db.Close()
	one := func(query string) (v int64, err error) {
		var got sql.NullInt64
		if err := db.QueryRow(query).Scan(&got); err != nil {
			return 0, fmt.Errorf("%s: %w", query, err)
		}
		return got.Int64, nil
	}
	m, err := one("SELECT n FROM counter WHERE id = 1")
	if err != nil {
		return err
	}
	if m != t.acknowledged && m != t.begun {
		return fmt.Errorf("the counter says %d; acknowledged are %d, in flight was %d", m, t.acknowledged, t.begun)
	}
	lines := int64(0)
	for n := int64(1); n <= m; n++ {
		lines += int64(linesOf(n))
	}
	for _, c := range []struct {
		query string
		want  int64
	}{
		{"SELECT COUNT(*) FROM journal", m},
		{"SELECT MAX(n) FROM journal", m},
		{"SELECT CAST(SUM(n) AS SIGNED) FROM journal", m * (m + 1) / 2},
		{"SELECT COUNT(*) FROM journal WHERE what <> CONCAT('transaction ', n) OR amount <> n % 1000 + 0.25", 0},
		{"SELECT COUNT(*) FROM `lines`", lines},
		{"SELECT COUNT(DISTINCT n) FROM `lines`", m},
		{fmt.Sprintf("SELECT COUNT(*) FROM `lines` WHERE n > %d", m), 0},
		{"SELECT CAST(SUM(balance) AS SIGNED) FROM account", accounts * balance},
		{"SELECT COUNT(*) FROM recent", min(m, keepRows)},
		{fmt.Sprintf("SELECT COUNT(*) FROM recent WHERE n > %d AND n <= %d", m-keepRows, m), min(m, keepRows)},
		{"SELECT COUNT(*) FROM version", versions(m)},
	} {
		got, err := one(c.query)
		if err != nil {
			return err
		}
		if got != c.want {
			return fmt.Errorf("%s: %d, expected %d with the transactions 1 to %d (acknowledged %d, begun %d)", c.query, got, c.want, m, t.acknowledged, t.begun)
		}
	}
	if m > 0 { // the last transaction, cell by cell and through the index
		for i := range min(linesOf(m), 5) {
			var text string
			if err := db.QueryRow(fmt.Sprintf("SELECT words FROM `lines` WHERE n = %d AND line = %d", m, i)).Scan(&text); err != nil || text != words(m, i) {
				return fmt.Errorf("line %d of transaction %d: %q, %w", i, m, text, err)
			}
		}
	}
	if m > t.acknowledged {
		t.landed++
	}
	t.acknowledged, t.begun = m, m
	return nil
}

// versions counts the rows that REPLACE made: one for every ten transactions begun.
func versions(m int64) int64 {
	if m == 0 {
		return 0
	}
	return m/10 + 1
}
