package ingest

import (
	"bufio"
	"encoding/csv"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func splitAll(text string, comma rune) (rows [][]string, quoted [][]bool, err error) {
	s := newSplitter(bufio.NewReaderSize(strings.NewReader(text), 16), comma, 0)
	for {
		row, err := s.next()
		if errors.Is(err, io.EOF) {
			return rows, quoted, nil
		}
		if err != nil {
			return rows, quoted, err
		}
		q := make([]bool, len(row))
		for i := range row {
			q[i] = s.quoted(i)
		}
		rows, quoted = append(rows, append([]string{}, row...)), append(quoted, q)
	}
}

func TestSplitter(t *testing.T) {
	rows, quoted, err := splitAll("a,\"\",\r\n\n\"x\r\ny\"\"z\",NULL,\"NULL\"\n,a longer field than the buffer,\"one more that is longer than the buffer\"", ',')
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([][]string{{"a", "", ""}, {"x\r\ny\"z", "NULL", "NULL"}, {"", "a longer field than the buffer", "one more that is longer than the buffer"}}, rows); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([][]bool{{false, true, false}, {true, false, true}, {false, false, true}}, quoted); d != "" {
		t.Error(d)
	}
}

// FuzzSplitter compares with encoding/csv, which reads the same language but for carriage returns.
func FuzzSplitter(f *testing.F) {
	for _, s := range []string{"a,b\n1,\"x\"\n", "\"a\"\"b\",\"c\nd\"\n\n,", "a\"b", "\"a\"b,c", "\"a", "é,\"ü\"\nx"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "\r") {
			t.Skip("encoding/csv reads carriage returns otherwise")
		}
		p := csv.NewReader(strings.NewReader(text))
		p.FieldsPerRecord = -1
		want, wantErr := p.ReadAll()
		got, _, err := splitAll(text, ',')
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: %v, encoding/csv says %v", text, err, wantErr)
		}
		var a, b *csv.ParseError
		if errors.As(err, &a) && errors.As(wantErr, &b) && !errors.Is(a.Err, b.Err) {
			t.Fatalf("%q: %v, encoding/csv says %v", text, err, wantErr)
		}
		if err == nil {
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("%q: %s", text, d)
			}
		}
	})
}
