package sqltest

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/almanacdb/almanac/server"
)

// TestClients runs other people's clients against the server: each a program in testdata/clients. A client that is not
// installed is skipped by name; go-sql-driver/mysql is what all other tests use.
func TestClients(t *testing.T) {
	s := Start(t, server.Config{Demo: true, Version: "test"})
	host, port, err := net.SplitHostPort(s.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Run("PyMySQL, SQLAlchemy and pandas", func(t *testing.T) {
		python := os.Getenv("ALMANAC_PYTHON")
		if python == "" {
			python = "python3"
		}
		if out, err := exec.Command(python, "-c", "import pymysql, sqlalchemy, pandas").CombinedOutput(); err != nil {
			t.Skipf("%s lacks the packages of testdata/clients/requirements.txt: %v %s", python, err, lastLine(out))
		}
		runClient(t, exec.Command(python, "../../testdata/clients/pandas_client.py", host, port))
	})
	t.Run("JDBC", func(t *testing.T) {
		if _, err := exec.LookPath("java"); err != nil {
			t.Skip("no java here")
		}
		drivers, _ := filepath.Glob(filepath.Join(os.Getenv("ALMANAC_JDBC"), "*.jar"))
		if os.Getenv("ALMANAC_JDBC") == "" || len(drivers) == 0 {
			t.Skip("no driver: put MariaDB's or MySQL's .jar into a folder and name it in ALMANAC_JDBC")
		}
		for _, driver := range drivers {
			t.Run(filepath.Base(driver), func(t *testing.T) {
				scheme := "mysql"
				if strings.Contains(driver, "mariadb") {
					scheme = "mariadb"
				}
				url := fmt.Sprintf("jdbc:%s://%s:%s/demo?user=root&useServerPrepStmts=true", scheme, host, port)
				runClient(t, exec.Command("java", "-cp", driver, "../../testdata/clients/Jdbc.java", url))
			})
		}
	})
	t.Run("mariadb command line", func(t *testing.T) {
		client, err := exec.LookPath("mariadb")
		if err != nil {
			t.Skip("no mariadb client here")
		}
		run := func(args ...string) string {
			out, err := exec.Command(client, append([]string{"--no-defaults", "-h", host, "-P", port, "-u", "root", "--skip-ssl", "demo"}, args...)...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			return string(out)
		}
		if got := run("-BNe", "SHOW TABLES"); got != "airline\nsales\n" {
			t.Errorf("SHOW TABLES: %q", got)
		}
		if got := run("-te", "SELECT step, model FROM FORECAST('airline', 'month', 'passengers', 2, 'model=snaive')"); strings.Count(got, "\n") != 6 {
			t.Errorf("a table of two rows:\n%s", got)
		}
		csv := filepath.Join(t.TempDir(), "a.csv")
		if err := os.WriteFile(csv, []byte("day,units\n2025-01-01,3\n2025-01-02,4\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		got := run("--local-infile=1", "-BNe", fmt.Sprintf("CREATE TABLE loaded (day DATE PRIMARY KEY, units INT); LOAD DATA LOCAL INFILE '%s' INTO TABLE loaded FIELDS TERMINATED BY ',' IGNORE 1 LINES; SELECT SUM(units) FROM loaded; DROP TABLE loaded", csv))
		if got != "7\n" {
			t.Errorf("LOAD DATA LOCAL: %q", got)
		}
	})
}

// runClient runs a client's program, which prints a line a check and ends with a code other than 0 if one fails.
func runClient(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	out, err := cmd.CombinedOutput()
	t.Log("\n" + string(out))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "ok ") {
		t.Fatal("the client checked nothing")
	}
}

func lastLine(out []byte) string {
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return lines[len(lines)-1]
}
