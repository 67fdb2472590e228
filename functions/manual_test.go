package functions_test

import (
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/almanacdb/almanac/engine/models"
	"github.com/almanacdb/almanac/functions"
)

//go:generate go test -run TestManual -rewrite .

var rewrite = flag.Bool("rewrite", false, "write docs/functions.md anew")

const manualPath = "../docs/functions.md"

// TestManual holds docs/functions.md to the declarations.
func TestManual(t *testing.T) {
	want := functions.Markdown(functions.All(), models.All())
	if *rewrite {
		if err := os.WriteFile(manualPath, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	got, err := os.ReadFile(manualPath)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("docs/functions.md is stale; run go generate ./functions")
	}
}

// TestDeclarations holds every Spec to the conventions of the SQL surface.
func TestDeclarations(t *testing.T) {
	// Words that would have to be quoted as column names (MySQL 8.0, reserved words).
	reserved := strings.Fields("rank groups group order key keys index interval lag lead row rows range system window table of values lateral cube first_value function")
	for _, s := range functions.All() {
		if s.Name != strings.ToUpper(s.Name) || s.Summary == "" || s.Doc == "" || len(s.Examples) == 0 || s.Run == nil || s.Output == nil {
			t.Errorf("%s: something is missing in its declaration", s.Name)
		}
		if len(s.Args) < 2 || s.Args[0].Kind != functions.TimeColumn || s.Args[1].Kind != functions.ValueColumn {
			t.Errorf("%s: does not open with time and value column", s.Name)
		}
		seen := make(map[string]bool)
		for _, o := range s.Options {
			if seen[o.Name] || o.Name != strings.ToLower(o.Name) || o.Doc == "" || o.Values == "" || o.Default == "" {
				t.Errorf("%s: option %q", s.Name, o.Name)
			}
			seen[o.Name] = true
		}
		for _, name := range []string{"by", "freq", "period", "missing", "agg", "cutoff", "seed", "device", "on_error"} {
			if !seen[name] {
				t.Errorf("%s lacks the shared option %s", s.Name, name)
			}
		}
		for _, c := range s.Columns() {
			if c.Name != strings.ToLower(c.Name) || c.Doc == "" {
				t.Errorf("%s: column %q", s.Name, c.Name)
			}
			for _, word := range reserved {
				if c.Name == word {
					t.Errorf("%s: column %q is a reserved word", s.Name, c.Name)
				}
			}
		}
		for _, e := range s.Examples {
			if !strings.Contains(e.SQL, s.Name+"(") || e.Title == "" {
				t.Errorf("%s: example %q does not call it", s.Name, e.SQL)
			}
		}
	}
}
