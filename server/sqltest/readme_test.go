package sqltest

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/almanacdb/almanac/server"
)

// A SQL block of the README, and the block behind it that shows its output, if there is one.
var readmeBlock = regexp.MustCompile("(?s)```sql\n(.*?)```(?:\n\n```\n(.*?)```)?")

// TestReadme runs the README's SQL on the demo database and compares the tables it shows. -rewrite rewrites them.
func TestReadme(t *testing.T) {
	const file = "../../README.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	s := Start(t, server.Config{Demo: true, Version: "test"})
	conn, err := Open(t, s, "root", "demo").Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()

	blocks := readmeBlock.FindAllStringSubmatchIndex(string(text), -1)
	if len(blocks) < 5 {
		t.Fatalf("the README has %d SQL blocks only", len(blocks))
	}
	var out strings.Builder
	end := 0
	for _, b := range blocks {
		query := string(text[b[2]:b[3]])
		if b[4] < 0 { // statements without a result shown
			for _, statement := range statements(query) {
				if _, err := conn.ExecContext(context.Background(), statement); err != nil {
					t.Errorf("%s\n%v", statement, err)
				}
			}
			continue
		}
		got, err := table(conn, strings.TrimRight(strings.TrimSpace(query), ";"))
		if err != nil {
			t.Errorf("%s\n%v", query, err)
			continue
		}
		if want := string(text[b[4]:b[5]]); got != want && !*rewrite {
			t.Errorf("%s\n(-README +got):\n%s", query, cmp.Diff(strings.Split(want, "\n"), strings.Split(got, "\n")))
		}
		out.Write(text[end:b[4]])
		out.WriteString(got)
		end = b[5]
	}
	out.Write(text[end:])
	if *rewrite && !t.Failed() {
		if err := os.WriteFile(file, []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// statements splits at semicolons that end a line which begins a new statement afterwards: a procedure's body stays whole.
func statements(text string) []string {
	var out []string
	for _, s := range strings.Split(text, ";\n\n") {
		if s = strings.TrimRight(strings.TrimSpace(s), ";"); s != "" {
			out = append(out, s)
		}
	}
	return out
}

// table runs a query and draws its result as the command-line clients do. Floats have six significant digits.
func table(conn *sql.Conn, query string) (string, error) {
	rows, err := conn.QueryContext(context.Background(), query)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil {
		return "", err
	}
	types, err := rows.ColumnTypes()
	if err != nil {
		return "", err
	}
	lines := [][]string{names}
	number := make([]bool, len(names))
	for i, t := range types {
		switch t.DatabaseTypeName() {
		case "DOUBLE", "FLOAT", "BIGINT", "INT", "TINYINT", "SMALLINT", "DECIMAL":
			number[i] = true
		}
	}
	for rows.Next() {
		cells := make([]sql.NullString, len(names))
		into := make([]any, len(names))
		for i := range cells {
			into[i] = &cells[i]
		}
		if err := rows.Scan(into...); err != nil {
			return "", err
		}
		line := make([]string, len(names))
		for i, c := range cells {
			switch {
			case !c.Valid:
				line[i] = "NULL"
			case number[i]:
				line[i] = sixDigits(c.String)
			default:
				line[i] = c.String
			}
		}
		lines = append(lines, line)
	}
	if err := rows.Err(); err != nil {
		return "", err
	}
	width := make([]int, len(names))
	for _, line := range lines {
		for i, cell := range line {
			width[i] = max(width[i], len([]rune(cell)))
		}
	}
	rule := "+"
	for _, w := range width {
		rule += strings.Repeat("-", w+2) + "+"
	}
	var b strings.Builder
	fmt.Fprintln(&b, rule)
	for n, line := range lines {
		b.WriteString("|")
		for i, cell := range line {
			pad := strings.Repeat(" ", width[i]-len([]rune(cell)))
			if number[i] && n > 0 {
				b.WriteString(" " + pad + cell + " |")
			} else {
				b.WriteString(" " + cell + pad + " |")
			}
		}
		b.WriteString("\n")
		if n == 0 {
			fmt.Fprintln(&b, rule)
		}
	}
	fmt.Fprintln(&b, rule)
	return b.String(), nil
}

func sixDigits(s string) string {
	if !strings.ContainsAny(s, ".eE") {
		return s
	}
	v, err := strconv.ParseFloat(s, 64)
	if err != nil {
		return s
	}
	return strconv.FormatFloat(v, 'g', 6, 64)
}
