package sqltest

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"strings"
)

// block is one step of a script.
type block struct {
	line      int      // of the directive, from 1
	leading   []string // comments and blank lines before it
	directive string
	text      string
	separated bool // a line of dashes was there
	expected  string
}

// parse reads a script.
func parse(name string) (blocks []block, trailing []string, err error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, err
	}
	var leading []string
	scan := bufio.NewScanner(bytes.NewReader(data))
	scan.Buffer(nil, 1<<20)
	line := 0
	next := func() (string, bool) {
		if !scan.Scan() {
			return "", false
		}
		line++
		return scan.Text(), true
	}
	for {
		l, ok := next()
		if !ok {
			return blocks, leading, scan.Err()
		}
		if strings.TrimSpace(l) == "" || strings.HasPrefix(l, "#") {
			leading = append(leading, l)
			continue
		}
		b := block{line: line, leading: leading, directive: strings.TrimSpace(l)}
		leading = nil
		var text, expected []string
		for {
			l, ok := next()
			if !ok || strings.TrimSpace(l) == "" {
				if ok {
					leading = append(leading, l)
				}
				break
			}
			switch {
			case l == "----":
				b.separated = true
			case b.separated:
				expected = append(expected, l)
			default:
				text = append(text, l)
			}
		}
		b.text, b.expected = strings.Join(text, "\n"), strings.Join(expected, "\n")
		blocks = append(blocks, b)
	}
}

// format is the inverse of parse.
func format(blocks []block, trailing []string) []byte {
	var out bytes.Buffer
	for _, b := range blocks {
		for _, l := range b.leading {
			fmt.Fprintln(&out, l)
		}
		fmt.Fprintln(&out, b.directive)
		if b.text != "" {
			fmt.Fprintln(&out, b.text)
		}
		if b.separated {
			fmt.Fprintln(&out, "----")
			if b.expected != "" {
				fmt.Fprintln(&out, b.expected)
			}
		}
	}
	for _, l := range trailing {
		fmt.Fprintln(&out, l)
	}
	return out.Bytes()
}
