package server_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/almanacdb/almanac/server"
	"github.com/almanacdb/almanac/server/sqltest"
)

// TestImportBesideARunningServer runs the real command on the directory that a server holds.
func TestImportBesideARunningServer(t *testing.T) {
	binary := filepath.Join(t.TempDir(), "almanac")
	if out, err := exec.Command("go", "build", "-tags", "gms_pure_go", "-o", binary, "../cmd/almanac").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	dir := t.TempDir()
	s := sqltest.Start(t, server.Config{DataDir: dir, Version: "test"})
	db := sqltest.Open(t, s, "root", "")
	csv := filepath.Join(t.TempDir(), "sales.csv")
	if err := os.WriteFile(csv, []byte("sku,day,units\na,2025-01-01,3\nb,2025-01-01,4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) (string, error) {
		out, err := exec.Command(binary, append([]string{"import", csv, "--data-dir", dir, "--table", "shop.sales"}, args...)...).CombinedOutput()
		return string(out), err
	}
	if out, err := run(); err == nil || !strings.Contains(out, "there is no table shop.sales; add --create") {
		t.Errorf("without --create: %v %s", err, out)
	}
	if out, err := run("--create", "--primary-key", "sku,day"); err != nil || !strings.Contains(out, "2 rows in shop.sales") {
		t.Fatalf("%v %s", err, out)
	}
	var sum int
	if err := db.QueryRow("SELECT SUM(units) FROM shop.sales").Scan(&sum); err != nil || sum != 7 {
		t.Errorf("sum %d, %v", sum, err)
	}
	if out, err := run(); err == nil || !strings.Contains(out, "repeats key PRIMARY of shop.sales (a, 2025-01-01)") {
		t.Errorf("the same rows again: %v %s", err, out)
	}
	if _, err := db.Exec("CREATE TABLE shop.numbered (id TINYINT AUTO_INCREMENT PRIMARY KEY, sku VARCHAR(9), day DATE, units INT)"); err != nil {
		t.Fatal(err)
	}
	explicit := filepath.Join(t.TempDir(), "explicit.csv")
	if err := os.WriteFile(explicit, []byte("id,sku,day,units\n100,x,2025-01-01,1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{csv, explicit, csv} {
		if out, err := exec.Command(binary, "import", file, "--data-dir", dir, "--table", "shop.numbered").CombinedOutput(); err != nil {
			t.Fatalf("%v %s", err, out)
		}
	}
	var ids string
	if err := db.QueryRow("SELECT GROUP_CONCAT(id ORDER BY id) FROM shop.numbered").Scan(&ids); err != nil || ids != "1,2,100,101,102" {
		t.Errorf("AUTO_INCREMENT gave %s, %v", ids, err)
	}
	if _, err := db.Exec("ALTER TABLE shop.sales ADD CONSTRAINT positive CHECK (units > 0)"); err != nil {
		t.Fatal(err)
	}
	if out, err := run(); err == nil || !strings.Contains(out, "LOAD DATA") {
		t.Errorf("a table with a CHECK: %v %s", err, out)
	}
}
