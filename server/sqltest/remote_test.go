package sqltest

import (
	"context"
	"database/sql"
	"log/slog"
	"net"
	"strconv"
	"testing"

	"github.com/go-sql-driver/mysql"

	"github.com/almanacdb/almanac/engine/models"
	"github.com/almanacdb/almanac/server"
)

// TestOpeningToOthers follows the README's section of that name, and logs in from an address that is not loopback.
func TestOpeningToOthers(t *testing.T) {
	own := ""
	addresses, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addresses {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() && !ip.IP.IsLinkLocalUnicast() {
			own = ip.IP.String()
		}
	}
	if own == "" {
		t.Skip("this machine has no address but loopback")
	}
	dir := t.TempDir()
	local, err := server.New(server.Config{DataDir: dir, Listen: "127.0.0.1:0", Demo: true, Models: models.All(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	local.Serve()
	root := Open(t, local, "root", "")
	for _, statement := range []string{
		"ALTER USER root@localhost IDENTIFIED BY 'strong'", "CREATE USER ann@'%' IDENTIFIED BY 'pear'", "GRANT SELECT ON demo.* TO ann@'%'",
	} {
		if _, err := root.Exec(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	_ = root.Close()
	if err := local.Stop(); err != nil {
		t.Fatal(err)
	}

	open, err := server.New(server.Config{DataDir: dir, Listen: "0.0.0.0:0", Models: models.All(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	open.Serve()
	defer func() {
		if err := open.Stop(); err != nil {
			t.Errorf("stop: %v", err)
		}
	}()
	port := open.Addr().(*net.TCPAddr).Port
	login := func(user, password, database string) error {
		config := mysql.NewConfig()
		config.User, config.Passwd, config.DBName, config.Net = user, password, database, "tcp"
		config.Addr = net.JoinHostPort(own, strconv.Itoa(port))
		connector, err := mysql.NewConnector(config)
		if err != nil {
			t.Fatal(err)
		}
		db := sql.OpenDB(connector)
		defer db.Close()
		var n int
		return db.QueryRowContext(context.Background(), "SELECT COUNT(*) FROM demo.airline").Scan(&n)
	}
	if err := login("ann", "pear", "demo"); err != nil {
		t.Errorf("ann from %s: %v", own, err)
	}
	if err := login("ann", "apple", "demo"); number(err) != 1045 {
		t.Errorf("ann with a wrong password: %v, want error 1045", err)
	}
	if err := login("root", "strong", ""); number(err) != 1045 {
		t.Errorf("root@localhost from %s: %v, want error 1045", own, err)
	}
}
