package sqltest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/almanacdb/almanac/functions"
	"github.com/almanacdb/almanac/server"
)

// TestExamples runs the examples of every table function on the demo database and compares the outputs that the manual shows. -rewrite
// rewrites them; go generate ./functions then brings them into the manual.
func TestExamples(t *testing.T) {
	const folder = "../../functions/examples"
	s := Start(t, server.Config{Demo: true, Version: "test"})
	conn, err := Open(t, s, "root", "").Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	known := make(map[string]bool)
	for _, spec := range functions.All() {
		for i, example := range spec.Examples {
			file := spec.ExampleFile(i)
			known[file] = true
			got, err := table(conn, example.SQL)
			switch {
			case err != nil:
				t.Errorf("%s\n%v", example.SQL, err)
			case *rewrite:
				if err := os.WriteFile(filepath.Join(folder, file), []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			case got != example.Output:
				t.Errorf("%s\n(-%s +got):\n%s", example.SQL, file, cmp.Diff(strings.Split(example.Output, "\n"), strings.Split(got, "\n")))
			}
		}
	}
	files, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if !known[filepath.Base(f)] {
			t.Errorf("%s belongs to no example", f)
		}
	}
}
