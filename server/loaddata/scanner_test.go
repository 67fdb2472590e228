package loaddata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// scanAll renders a file's records: fields in brackets, NULL as a dash, the number of surplus fields after a plus sign.
func scanAll(r io.Reader, d Dialect, want, skip int) ([]string, error) {
	s := newScanner(r, d, want)
	for range skip {
		if err := s.skipLine(); err != nil {
			return nil, err
		}
	}
	out := []string{}
	for {
		err := s.record()
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
		out = append(out, render(s.fields, s.surplus))
	}
}

func render(fields []Field, surplus int) string {
	var b strings.Builder
	for _, f := range fields {
		if f.Null {
			b.WriteString("[-]")
		} else {
			fmt.Fprintf(&b, "[%q]", f.Text)
		}
	}
	if surplus > 0 {
		fmt.Fprintf(&b, "+%d", surplus)
	}
	return b.String()
}

// reference splits a text by the manual's rules, a character at a time and without a thought for speed.
func reference(text []byte, d Dialect, want int) []string {
	out := []string{}
	at := func(p int, t []byte) bool { return len(t) > 0 && bytes.HasPrefix(text[p:], t) }
	p := 0
	for {
		if len(d.LineStart) > 0 {
			i := bytes.Index(text[p:], d.LineStart)
			if i < 0 {
				return out
			}
			p += i + len(d.LineStart)
		}
		if p >= len(text) {
			return out
		}
		var fields []Field
		all := 0
		for ended := false; !ended && p < len(text); {
			opened := int(text[p]) == d.Enclosure
			var value []byte
			begin := p
			if opened {
				value = append(value, text[p])
				p++
			}
			closed, null := false, false
			for done := false; !done; {
				if p >= len(text) {
					done, ended = true, true
					break
				}
				c := int(text[p])
				if c == d.Escape && p+1 < len(text) && (d.Escape != d.Enclosure || int(text[p+1]) == d.Escape) {
					switch e := text[p+1]; e {
					case 'n':
						value = append(value, '\n')
					case 't':
						value = append(value, '\t')
					case 'r':
						value = append(value, '\r')
					case 'b':
						value = append(value, '\b')
					case '0':
						value = append(value, 0)
					case 'Z':
						value = append(value, 26)
					default:
						value = append(value, e)
						null = null || e == 'N'
					}
					p += 2
					continue
				}
				if opened && c == d.Enclosure { //nolint:gocritic // the cases of the manual, in its order
					q := p + 1
					switch {
					case q < len(text) && int(text[q]) == d.Enclosure:
						value = append(value, text[p])
						p += 2
						continue
					case q >= len(text):
						p, closed, done, ended = q, true, true, true
					case at(q, d.LineTerminator):
						p, closed, done, ended = q+len(d.LineTerminator), true, true, true
					case at(q, d.FieldTerminator):
						p, closed, done = q+len(d.FieldTerminator), true, true
					}
					if done {
						break
					}
				} else if !opened && at(p, d.LineTerminator) {
					p += len(d.LineTerminator)
					done, ended = true, true
					break
				} else if !opened && at(p, d.FieldTerminator) {
					p += len(d.FieldTerminator)
					done = true
					break
				}
				value = append(value, text[p])
				p++
			}
			if closed {
				value = value[1:]
			}
			f := Field{Text: value}
			f.Null = null && len(value) == 1 || !closed && d.Enclosure != none && string(value) == "NULL"
			if all++; all <= want {
				fields = append(fields, f)
			} else if all == want+1 && ended && len(d.LineTerminator) > 0 && bytes.HasPrefix(text[begin:], d.LineTerminator) {
				all-- // a terminator after the last field is none too many
			}
			ended = ended || len(d.LineTerminator) == 0 && all >= want
		}
		out = append(out, render(fields, all-len(fields)))
	}
}

func dialect(field, line, start string, enclosure, escape int) Dialect {
	return Dialect{FieldTerminator: []byte(field), LineTerminator: []byte(line), LineStart: []byte(start), Enclosure: enclosure, Escape: escape}
}

func TestScanner(t *testing.T) {
	csv := dialect(",", "\n", "", '"', '\\')
	plain := dialect("\t", "\n", "", none, '\\')
	for name, c := range map[string]struct {
		text    string
		dialect Dialect
		want    []string
	}{
		"no file":                      {"", plain, nil},
		"lines":                        {"1\ta\n2\tb\n", plain, []string{`["1"]["a"]`, `["2"]["b"]`}},
		"last line without a feed":     {"1\ta\n2\tb", plain, []string{`["1"]["a"]`, `["2"]["b"]`}},
		"empty lines are records":      {"\n\n", plain, []string{`[""]`, `[""]`}},
		"empty fields":                 {"\t\n", plain, []string{`[""][""]`}},
		"a file that ends in a tab":    {"1\t", plain, []string{`["1"]`}},
		"surplus":                      {"1\t2\t3\t4\t5\n", plain, []string{`["1"]["2"]["3"]+2`}},
		"a tab after the last field":   {"1\t2\t3\t\n", plain, []string{`["1"]["2"]["3"]`}},
		"escapes":                      {`\t\n\\\0\Z\x` + "\n", plain, []string{`["\t\n\\\x00\x1ax"]`}},
		"escaped terminators":          {"a\\\tb\\\nc\td\n", plain, []string{`["a\tb\nc"]["d"]`}},
		"NULL":                         {"\\N\tN\t\\Nx\n", plain, []string{`[-]["N"]["Nx"]`}},
		"an escape at the end":         {`a\`, plain, []string{`["a\\"]`}},
		"the word NULL needs quotes":   {"NULL\n", plain, []string{`["NULL"]`}},
		"NULL where quotes are known":  {"NULL,\"NULL\",\\N\n", csv, []string{`[-]["NULL"][-]`}},
		"quotes":                       {"\"a,b\",\"c\nd\",\"\"\n", csv, []string{`["a,b"]["c\nd"][""]`}},
		"quotes in quotes":             {`"a""b","c\"d","e"f"` + "\n", csv, []string{`["a\"b"]["c\"d"]["e\"f"]`}},
		"a quote inside of a bare one": {`a"b,"c"` + "\n", csv, []string{`["a\"b"]["c"]`}},
		"a quote that never closes":    {"\"a,b\nc", csv, []string{`["\"a,b\nc"]`}},
		"a quote closed by the end":    {`1,"a"`, csv, []string{`["1"]["a"]`}},
		"quotes that escape quotes":    {`1,"a""b"` + "\n" + `2,"c"`, dialect(",", "\n", "", '"', '"'), []string{`["1"]["a\"b"]`, `["2"]["c"]`}},
		"long terminators":             {"a|b||c|;d;;e||f;;", dialect("||", ";;", "", none, none), []string{`["a|b"]["c|;d"]`, `["e"]["f"]`}},
		"Windows":                      {"1\t2\r\n3\t4\r\n", dialect("\t", "\r\n", "", none, '\\'), []string{`["1"]["2"]`, `["3"]["4"]`}},
		"prefix":                       {"no\n>>1\t2\nx>>3\t4\nno", dialect("\t", "\n", ">>", none, '\\'), []string{`["1"]["2"]`, `["3"]["4"]`}},
		"no line terminator":           {"1,2,3,4,5,6", dialect(",", "", "", none, '\\'), []string{`["1"]["2"]["3"]`, `["4"]["5"]["6"]`}},
	} {
		t.Run(name, func(t *testing.T) {
			if c.want == nil {
				c.want = []string{}
			}
			got, err := scanAll(strings.NewReader(c.text), c.dialect, 3, 0)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			got, err = scanAll(iotest.OneByteReader(strings.NewReader(c.text)), c.dialect, 3, 0)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error("a byte at a time:", d)
			}
			if d := cmp.Diff(c.want, reference([]byte(c.text), c.dialect, 3)); d != "" {
				t.Error("the reference:", d)
			}
		})
	}
}

func TestScannerCountsLines(t *testing.T) {
	s := newScanner(strings.NewReader("head\n1,\"a\nb\"\n2,c\\\nd\n3,e\n"), dialect(",", "\n", "", '"', '\\'), 2)
	if err := s.skipLine(); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int64{2, 4, 6} {
		if err := s.record(); err != nil {
			t.Fatal(err)
		}
		if s.line != want {
			t.Errorf("record %s begins on line %d, found %d", s.fields[0].Text, want, s.line)
		}
	}
}

func TestScannerLongRecords(t *testing.T) {
	long := strings.Repeat("x", 3*readSize)
	got, err := scanAll(iotest.HalfReader(strings.NewReader("1\t"+long+"\n2\ty\n")), dialect("\t", "\n", "", none, '\\'), 2, 0)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]string{`["1"]["` + long + `"]`, `["2"]["y"]`}, got); d != "" {
		t.Error("a record longer than the buffer is not read whole")
	}
	// A prefix that does not come must not keep the file in memory.
	s := newScanner(io.LimitReader(neverEnding('a'), 64<<20), dialect("\t", "\n", ">>", none, '\\'), 2)
	if err := s.record(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
	if len(s.buf) > 4*readSize {
		t.Errorf("%d bytes held for a prefix", len(s.buf))
	}
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

func TestScannerPassesReadErrors(t *testing.T) {
	broken := errors.New("connection reset")
	r := io.MultiReader(strings.NewReader("1\ta\n2"), iotest.ErrReader(broken))
	got, err := scanAll(r, dialect("\t", "\n", "", none, '\\'), 2, 0)
	if !errors.Is(err, broken) {
		t.Error(got, err)
	}
}

func FuzzScanner(f *testing.F) {
	for _, text := range []string{"1,\"a\"\"b\"\n", "\\N,NULL\n", "a\\", "\"", ">>a,b\r\n", "a||b;;", "\"a\"\n\"b", "\"\"\"\""} {
		for k := range uint8(8) {
			f.Add([]byte(text), k, uint8(3))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, kind, size uint8) {
		dialects := []Dialect{
			dialect(",", "\n", "", '"', '\\'), dialect("\t", "\n", "", none, '\\'), dialect(",", "\r\n", "", '"', '"'), dialect("||", ";;", "", none, none),
			dialect(",", "\n", ">>", '"', '\\'), dialect(",", "", "", '"', '\\'), dialect("a", "ab", "", 'c', 'c'), dialect(",", ",\n", "", '\'', '\\'),
		}
		d := dialects[int(kind)%len(dialects)]
		want := reference(text, d, 3)
		got, err := scanAll(bytes.NewReader(text), d, 3, 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q: %s", text, diff)
		}
		got, err = scanAll(&chunks{text, int(size)%7 + 1}, d, 3, 0)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q in pieces of %d: %s", text, int(size)%7+1, diff)
		}
	})
}

// chunks reads a text in small pieces.
type chunks struct {
	text []byte
	size int
}

func (c *chunks) Read(p []byte) (int, error) {
	if len(c.text) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.text[:min(c.size, len(c.text))])
	c.text = c.text[n:]
	return n, nil
}

func BenchmarkScanner(b *testing.B) {
	line := []byte("CA_1_FOODS_1_001,2011-01-29,3,2.0\n")
	text := bytes.Repeat(line, 10_000)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		s := newScanner(bytes.NewReader(text), dialect(",", "\n", "", none, '\\'), 4)
		for s.record() == nil {
		}
	}
}
