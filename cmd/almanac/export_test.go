package main

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/almanacdb/almanac/server"
	"github.com/almanacdb/almanac/server/sqltest"
)

// everyType has a column of each type, and rows with the extremes, NULLs, empty texts and texts that look like NULL.
var everyType = []string{
	"CREATE DATABASE shop",
	`CREATE TABLE shop.every (id INT PRIMARY KEY, i8 TINYINT, u8 TINYINT UNSIGNED, b1 BOOLEAN, i16 SMALLINT, i24 MEDIUMINT, i32 INT, i64 BIGINT, u64 BIGINT UNSIGNED,
		f FLOAT, d DOUBLE, dec1 DECIMAL(10,2), dec2 DECIMAL(65,30), da DATE, dt DATETIME, dt6 DATETIME(6), ts TIMESTAMP NULL, ts6 TIMESTAMP(6) NULL, tm TIME(6), yr YEAR,
		c CHAR(5), v VARCHAR(100), tx TEXT, js JSON, bin BINARY(4), vb VARBINARY(20), bl BLOB, e ENUM('a','b''c','d,e','','NULL'), s SET('x','y','NULL'), bt BIT(12))`,
	`INSERT INTO shop.every VALUES
		(1, -128, 255, 1, -32768, -8388608, -2147483648, -9223372036854775808, 18446744073709551615, 1.5, 0.1, -12345678.91, 12345678901234567890123456789012345.123456789012345678901234567891,
			'2024-02-29', '2024-02-29 23:59:59', '1999-12-31 23:59:59.123456', '2038-01-01 00:00:00', '2001-02-03 04:05:06.000001', '-838:59:59', 2155,
			'abc', 'a "q", \\ \n\r\n\t''x''', 'NULL', '{"a": [1, "x\\"y"]}', X'00FF0A22', X'5C4E', '\\N', 'b''c', 'x,y', b'101000001010'),
		(2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
		(3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, '1000-01-01', '1000-01-01 00:00:00', '9999-12-31 23:59:59.999999', '1970-01-01 00:00:01', '1970-01-01 00:00:01', '00:00:00.5', 1901,
			'', '', '', 'null', '', '', '', '', '', 0),
		(4, 127, 1, 1, 32767, 8388607, 2147483647, 9223372036854775807, 1, -1e-30, 1.7976931348623157e308, 0.01, -0.000000000000000000000000000001, '9999-12-31', '9999-12-31 00:00:00', '1969-12-31 23:59:59.999999', NULL, NULL, '838:59:59', 2000,
			' é', 'NULL', '\\N', '"NULL"', 'NULL', 'NULL', 'NULL', 'NULL', 'NULL', b'000000001101')`,
}

// differing counts the rows of two tables that are not the same in all columns.
func differing(t *testing.T, db *sql.DB, a, b string) (n int) {
	t.Helper()
	rows, err := db.Query("SELECT * FROM " + a + " LIMIT 0")
	if err != nil {
		t.Fatal(err)
	}
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	_ = rows.Close()
	for _, c := range columns[1:] {
		m := 0
		query := fmt.Sprintf("SELECT COUNT(*) FROM %s a LEFT JOIN %s b ON a.id = b.id WHERE b.id IS NULL OR NOT (a.%[3]s <=> b.%[3]s)", a, b, c)
		if err := db.QueryRow(query).Scan(&m); err != nil {
			t.Fatal(err)
		}
		if m > 0 {
			t.Errorf("column %s differs in %d rows", c, m)
		}
		n += m
	}
	return n
}

func startEvery(t *testing.T) (dir string, db *sql.DB) {
	t.Helper()
	dir = t.TempDir()
	s := sqltest.Start(t, server.Config{DataDir: dir, Version: "test"})
	db = sqltest.Open(t, s, "root", "")
	for _, q := range everyType {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	return dir, db
}

// TestExportAndImport takes every type through every format, beside a running server.
func TestExportAndImport(t *testing.T) {
	dir, db := startEvery(t)
	files := t.TempDir()
	for i, name := range []string{"every.csv", "every.csv.gz", "every.parquet", "every.arrow"} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(files, name)
			if code, out, errs := almanac(t, "export", "shop.every", file, "--data-dir", dir); code != 0 || !strings.HasPrefix(out, "4 rows, ") {
				t.Fatalf("%d %s %s", code, out, errs)
			}
			table := fmt.Sprintf("shop.copy%d", i)
			if _, err := db.Exec("CREATE TABLE " + table + " LIKE shop.every"); err != nil {
				t.Fatal(err)
			}
			if code, _, errs := almanac(t, "import", file, "--data-dir", dir, "--table", table); code != 0 {
				t.Fatal(errs)
			}
			differing(t, db, "shop.every", table)
			if code, _, errs := almanac(t, "export", "shop.every", file, "--data-dir", dir); code == 0 || !strings.Contains(errs, "--overwrite") {
				t.Errorf("over a file that is there: %s", errs)
			}
		})
	}
	t.Run("LOAD DATA", func(t *testing.T) {
		if _, err := db.Exec("CREATE TABLE shop.loaded LIKE shop.every"); err != nil {
			t.Fatal(err)
		}
		_, err := db.Exec("LOAD DATA LOCAL INFILE '" + filepath.Join(files, "every.csv") + `' INTO TABLE shop.loaded
			FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"' ESCAPED BY '' LINES TERMINATED BY '\n' IGNORE 1 LINES`)
		if err != nil {
			t.Fatal(err)
		}
		differing(t, db, "shop.every", "shop.loaded")
	})
	left, err := filepath.Glob(filepath.Join(files, ".*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestExportMistakes(t *testing.T) {
	dir, _ := startEvery(t)
	file := filepath.Join(t.TempDir(), "f.csv")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"name the table as database.table", []string{"every", file}},
		{"there is no table shop.nothing", []string{"shop.nothing", file}},
		{"no such column 'prize'; its columns are id, i8", []string{"shop.every", file, "--columns", "id,prize"}},
		{"unknown file format; use .csv", []string{"shop.every", "f.xlsx"}},
		{"use csv, parquet or arrow", []string{"shop.every", file, "--format", "xls"}},
		{"--format", []string{"shop.every", "-"}},
	} {
		code, _, errs := almanac(t, append([]string{"export", "--data-dir", dir}, c.args...)...)
		if code != 1 || !strings.Contains(errs, c.want) {
			t.Errorf("%v: %s", c.args, errs)
		}
	}
	if _, err := os.Stat(file); err == nil {
		t.Error("a failed export left its file")
	}
}

// TestExportWithoutServer reads a directory that nobody holds, to the standard output.
func TestExportWithoutServer(t *testing.T) {
	dir := t.TempDir()
	csv := filepath.Join(t.TempDir(), "in.csv")
	if err := os.WriteFile(csv, []byte("sku,units\nb,NULL\na,2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := almanac(t, "import", csv, "--data-dir", dir, "--table", "shop.sales", "--create", "--primary-key", "sku"); code != 0 {
		t.Fatal(errs)
	}
	code, out, errs := almanac(t, "export", "shop.sales", "-", "--format", "csv", "--data-dir", dir)
	if code != 0 || out != "sku,units\na,2\nb,NULL\n" {
		t.Errorf("%s%s", out, errs)
	}
	code, out, errs = almanac(t, "export", "shop.sales", "-", "--format", "csv", "--data-dir", dir, "--columns", "units", "--no-header")
	if code != 0 || out != "2\nNULL\n" {
		t.Errorf("%s%s", out, errs)
	}
}

// runDumpFile runs the statements of a dump, as the mysql client does: DELIMITER is the client's command.
func runDumpFile(t *testing.T, db *sql.DB, text string) {
	t.Helper()
	conn, err := db.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	delimiter, statement := ";", ""
	for line := range strings.Lines(text) {
		if d, ok := strings.CutPrefix(line, "DELIMITER "); ok {
			delimiter = strings.TrimSpace(d)
			continue
		}
		if statement == "" && (strings.HasPrefix(line, "--") || strings.TrimSpace(line) == "") {
			continue
		}
		statement += line
		if s, ok := strings.CutSuffix(strings.TrimSpace(statement), delimiter); ok {
			if _, err := conn.ExecContext(t.Context(), s); err != nil {
				t.Fatalf("%.300s: %v", s, err)
			}
			statement = ""
		}
	}
}

// TestDump loads a dump into a fresh server: the dump of that is the same, to the byte.
func TestDump(t *testing.T) {
	dir, db := startEvery(t)
	for _, q := range []string{
		"CREATE DATABASE other COLLATE utf8mb4_0900_ai_ci",
		"USE other",
		`CREATE TABLE more (id INT PRIMARY KEY, ts TIMESTAMP DEFAULT CURRENT_TIMESTAMP ON UPDATE CURRENT_TIMESTAMP, dt DATETIME(3) DEFAULT NOW(3), u CHAR(36) DEFAULT (UUID()), n DECIMAL(5,2) NOT NULL DEFAULT 1.50,
			t VARCHAR(20) COLLATE utf8mb4_0900_bin DEFAULT 'it''s \\' COMMENT 'a ''comment''', e ENUM('x','y') DEFAULT 'y', b BIT(4) DEFAULT b'101', d DATE DEFAULT '2020-01-01',
			v INT AS (id*2) STORED, tt TEXT, KEY pre (tt(10)) COMMENT 'c', UNIQUE KEY (t, n), CHECK (n > 0)) COMMENT='table ''q'' \\ "d"'`,
		"INSERT INTO more (id, t, tt) VALUES (1, 'a', 'x'), (2, 'b', NULL)",
		"CREATE TABLE `odd ``name` (id INT AUTO_INCREMENT PRIMARY KEY, `select` INT)",
		"INSERT INTO `odd ``name` VALUES (7, 1)",
		"UPDATE `odd ``name` SET id = 0",
		"CREATE TABLE nothing (x INT)",
		"CREATE VIEW vw AS SELECT id, t FROM more WHERE n > 0",
		"CREATE VIEW aa AS SELECT * FROM vw WHERE t <> 'x;y'",
		"CREATE TRIGGER upper_t BEFORE INSERT ON more FOR EACH ROW SET NEW.t = UPPER(NEW.t)",
		"CREATE PROCEDURE two(IN a INT) BEGIN SELECT a + 1; SELECT ';'; END",
		"CREATE EVENT nightly ON SCHEDULE EVERY 1 DAY DISABLE DO INSERT INTO nothing VALUES (1)",
	} {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	dump := func(dir string) string {
		t.Helper()
		code, out, errs := almanac(t, "dump", "shop", "other", "--data-dir", dir)
		if code != 0 {
			t.Fatal(errs)
		}
		return out
	}
	text := dump(dir)
	fresh := t.TempDir()
	s := sqltest.Start(t, server.Config{DataDir: fresh, Version: "test"})
	there := sqltest.Open(t, s, "root", "")
	runDumpFile(t, there, text)
	again := dump(fresh)
	if d := cmp.Diff(text, again); d != "" {
		t.Errorf("the dump of what was loaded differs:\n%s", d)
	}
	var id, next int
	if err := there.QueryRow("SELECT id FROM other.`odd ``name`").Scan(&id); err != nil || id != 0 {
		t.Errorf("an AUTO_INCREMENT of 0 became %d, %v", id, err)
	}
	if _, err := there.Exec("INSERT INTO other.`odd ``name` VALUES (NULL, 2)"); err != nil {
		t.Fatal(err)
	}
	if err := there.QueryRow("SELECT MAX(id) FROM other.`odd ``name`").Scan(&next); err != nil || next != 8 {
		t.Errorf("the next number is %d, %v", next, err)
	}
	if _, err := sqltest.Open(t, s, "root", "other").Exec("INSERT INTO more (id, t) VALUES (3, 'c')"); err != nil {
		t.Fatal(err)
	}
	var upper string
	if err := there.QueryRow("SELECT t FROM other.aa WHERE id = 3").Scan(&upper); err != nil || upper != "C" {
		t.Errorf("trigger and views: %q, %v", upper, err)
	}

	// Once more over what is there, from a file that appears whole.
	file := filepath.Join(t.TempDir(), "all.sql")
	if code, _, errs := almanac(t, "dump", "--drop", "--output", file, "--data-dir", dir); code != 0 {
		t.Fatal(errs)
	}
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	runDumpFile(t, there, string(whole))
	if d := cmp.Diff(text, dump(fresh)); d != "" {
		t.Errorf("after the second load:\n%s", d)
	}
	if code, _, errs := almanac(t, "dump", "nowhere", "--data-dir", dir); code != 1 || !strings.Contains(errs, "no such database: nowhere") {
		t.Errorf("a database that is not there: %s", errs)
	}
	if code, out, _ := almanac(t, "dump", "shop", "--no-data", "--data-dir", dir); code != 0 || strings.Contains(out, "INSERT INTO") || !strings.Contains(out, "CREATE TABLE") {
		t.Errorf("--no-data: %s", out)
	}
}

// TestBackup restores a copy that was taken beside a running server.
func TestBackup(t *testing.T) {
	dir, db := startEvery(t)
	to := filepath.Join(t.TempDir(), "copy")
	code, out, errs := almanac(t, "backup", "--to", to, "--data-dir", dir)
	if code != 0 || !strings.Contains(out, "verified") {
		t.Fatalf("%s%s", out, errs)
	}
	if _, err := db.Exec("DELETE FROM shop.every WHERE id > 0"); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := almanac(t, "backup", "--to", to, "--data-dir", dir); code != 1 || !strings.Contains(errs, "not empty") {
		t.Errorf("into a directory with a copy: %s", errs)
	}
	if code, out, errs := almanac(t, "check", "--data-dir", to); code != 0 {
		t.Errorf("%s%s", out, errs)
	}
	restored := sqltest.Open(t, sqltest.Start(t, server.Config{DataDir: to, Version: "test"}), "root", "")
	var rows, sum int
	if err := restored.QueryRow("SELECT COUNT(*), CAST(SUM(i8) AS SIGNED) FROM shop.every").Scan(&rows, &sum); err != nil || rows != 4 || sum != -1 {
		t.Errorf("%d rows, sum %d, %v", rows, sum, err)
	}
	if err := db.QueryRow("SELECT COUNT(*) FROM shop.every").Scan(&rows); err != nil || rows != 0 {
		t.Errorf("the original: %d rows, %v", rows, err)
	}
}
