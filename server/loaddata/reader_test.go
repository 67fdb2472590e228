package loaddata

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

func newTestReader(t *testing.T, mem memory.Allocator, text string) *reader {
	t.Helper()
	r := &reader{mem: mem, scanner: newScanner(strings.NewReader(text), dialect(",", "\n", "", none, '\\'), 3)}
	for _, name := range []string{"int", "varchar(20)"} {
		c := newTestColumn(t, mem, name)
		c.ordinal = len(r.columns)
		r.columns = append(r.columns, c)
		r.fields = append(r.fields, target{column: c})
	}
	v := &variable{name: "v", builder: array.NewStringBuilder(mem)}
	r.variables = append(r.variables, v)
	r.fields = append(r.fields, target{variable: v})
	return r
}

func numberedLines(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%d,text %d,%d\n", i, i, -i)
	}
	return b.String()
}

// Whether it ends well, with a mistake or in the middle, a reader gives all its memory and its goroutine back.
func TestReaderGivesEverythingBack(t *testing.T) {
	n := 3*batchRows + 10
	for name, c := range map[string]struct {
		text  string
		take  int // batches
		rows  int
		wrong string
	}{
		"whole":     {text: numberedLines(n), take: 10, rows: n},
		"a mistake": {text: numberedLines(n) + "x,y,z\n", take: 10, rows: n, wrong: fmt.Sprintf("at row %d, line %d of the file", n+1, n+1)},
		"left":      {text: numberedLines(n), take: 1, rows: batchRows},
		"not begun": {text: numberedLines(n)},
	} {
		t.Run(name, func(t *testing.T) {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			defer mem.AssertSize(t, 0)
			r := newTestReader(t, mem, c.text)
			defer r.stop()
			if c.take == 0 {
				return
			}
			r.start(context.Background())
			rows := 0
			for range c.take {
				b, ok := <-r.batches
				if !ok {
					break
				}
				if b.first != int64(rows)+1 {
					t.Errorf("a batch begins with row %d, not %d", b.first, rows+1)
				}
				last := b.rows - 1
				if got, want := b.columns[0].ValueStr(last)+b.columns[1].ValueStr(last)+b.texts[0].ValueStr(last), fmt.Sprintf("%dtext %d%d", rows+last, rows+last, -rows-last); got != want {
					t.Errorf("row %d is %s, not %s", rows+last+1, got, want)
				}
				rows += b.rows
				b.release()
			}
			if rows != c.rows {
				t.Errorf("%d rows, not %d", rows, c.rows)
			}
			if c.take > 1 {
				<-r.done
				if c.wrong == "" && r.err != nil || c.wrong != "" && (r.err == nil || !strings.Contains(r.err.Error(), c.wrong)) {
					t.Error(r.err)
				}
			}
		})
	}
}
