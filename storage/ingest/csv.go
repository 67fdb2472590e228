package ingest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/klauspost/compress/gzip"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
)

// csvFile reads a CSV file as often as asked: once to infer its columns, once for its rows.
type csvFile struct {
	path      string
	opts      Options
	size      int64
	delimiter rune
	names     []string
	null      map[string]bool
	charset   encoding.Encoding
	given     *fieldOrder  // asked for
	orders    []fieldOrder // of each column's dates; nil until inferred
	commas    []bool       // columns whose numbers have a decimal comma
}

func openCSV(path string, o Options) (*csvFile, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	f := &csvFile{path: path, opts: o, size: st.Size(), delimiter: o.Delimiter, null: map[string]bool{"": true, "NULL": true, `\N`: true}}
	if o.Null != nil {
		f.null = make(map[string]bool, len(o.Null))
		for _, s := range o.Null {
			f.null[s] = true
		}
	}
	if o.Charset != "" {
		if f.charset, err = htmlindex.Get(o.Charset); err != nil {
			return nil, fmt.Errorf("character set %q is not known; use an IANA name such as utf-8, windows-1252 or iso-8859-1", o.Charset)
		}
	}
	if o.DateOrder != "" {
		order, ok := map[string]fieldOrder{"ymd": yearFirst, "mdy": monthFirst, "dmy": dayFirst}[strings.ToLower(o.DateOrder)]
		if !ok {
			return nil, fmt.Errorf("date order %q is not known; use ymd, mdy or dmy", o.DateOrder)
		}
		f.given = &order
	}
	return f, f.readHeader()
}

// readHeader finds the delimiter and the column names from the first line.
func (f *csvFile) readHeader() error {
	in, err := f.open()
	if err != nil {
		return err
	}
	defer in.Close()
	head, err := in.text.Peek(64 << 10)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, bufio.ErrBufferFull) {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	if len(bytes.TrimSpace(head)) == 0 {
		return fmt.Errorf("%s is empty", f.path)
	}
	if f.delimiter == 0 {
		f.delimiter = sniffDelimiter(head)
	}
	first, err := f.splitter(in).next()
	if err != nil {
		return f.rowError(err)
	}
	f.names = make([]string, len(first))
	seen := map[string]int{}
	for i, name := range first {
		name = strings.TrimSpace(name)
		if f.opts.NoHeader || name == "" {
			name = fmt.Sprintf("column_%d", i+1)
		}
		if j, twice := seen[strings.ToLower(name)]; twice {
			return &RowError{f.path, 1, fmt.Sprintf("columns %d and %d are both called %s; rename one (without a header line pass --no-header)", j+1, i+1, name)}
		}
		seen[strings.ToLower(name)] = i
		f.names[i] = name
	}
	return nil
}

// sniffDelimiter takes the candidate found most often in the first line among those found equally often in each of the lines seen.
func sniffDelimiter(head []byte) rune {
	best, bestCount := ',', 0
	for _, d := range []rune{',', ';', '\t', '|'} {
		if n := evenCount(head, byte(d)); n > bestCount {
			best, bestCount = d, n
		}
	}
	return best
}

// evenCount is how often c stands outside quotes in each of the first lines, or 0 if that differs. A line may go on inside
// quotes; the last line counts only if it is complete.
func evenCount(head []byte, c byte) int {
	count, n, quoted, blank, lines := -1, 0, false, true, 0
	for _, b := range head {
		switch {
		case b == '"':
			quoted = !quoted
		case quoted:
		case b == c:
			n++
		case b == '\n':
			if !blank {
				if count >= 0 && n != count {
					return 0
				}
				count = n
				if lines++; lines == 20 {
					return count
				}
			}
			n, blank = 0, true
			continue
		}
		blank = blank && (b == ' ' || b == '\r')
	}
	if count < 0 {
		return n
	}
	return count
}

// input is the text of a file, decompressed and in UTF-8, with a count of the bytes taken from disk.
type input struct {
	text *bufio.Reader
	file *os.File
	gzip *gzip.Reader
	disk *countingReader
}

type countingReader struct {
	r io.Reader
	n int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

func (in *input) Close() error {
	if in.gzip != nil {
		in.gzip.Close()
	}
	return in.file.Close()
}

func (f *csvFile) open() (*input, error) {
	file, err := os.Open(f.path)
	if err != nil {
		return nil, err
	}
	in := &input{file: file, disk: &countingReader{r: file}}
	packed := bufio.NewReaderSize(in.disk, 256<<10)
	var r io.Reader = packed
	// Its first bytes tell a gzip file, whatever its name.
	if magic, _ := packed.Peek(2); string(magic) == "\x1f\x8b" || strings.HasSuffix(strings.ToLower(f.path), ".gz") {
		if in.gzip, err = gzip.NewReader(r); err != nil {
			file.Close()
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
		r = in.gzip
	}
	if f.charset != nil {
		r = f.charset.NewDecoder().Reader(r)
	}
	in.text = bufio.NewReaderSize(r, 256<<10)
	if bom, _ := in.text.Peek(3); string(bom) == "\ufeff" {
		_, _ = in.text.Discard(3)
	}
	return in, nil
}

func (f *csvFile) splitter(in *input) *splitter {
	return newSplitter(in.text, f.delimiter, len(f.names)) // no names yet at the header: any number
}

// rowError puts the file's name and line on what the CSV parser found wrong.
func (f *csvFile) rowError(err error) error {
	var pe *csv.ParseError
	if !errors.As(err, &pe) {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	reason := pe.Err.Error()
	switch {
	case errors.Is(pe.Err, csv.ErrFieldCount):
		reason = fmt.Sprintf("wrong number of fields; the file has %d columns (%s), separated by %q", len(f.names), strings.Join(f.names, ", "), f.delimiter)
	case errors.Is(pe.Err, csv.ErrQuote):
		reason = fmt.Sprintf("a quote stands where it may not, at byte %d", pe.Column)
	case errors.Is(pe.Err, csv.ErrBareQuote):
		reason = fmt.Sprintf("a quote inside an unquoted field, at byte %d", pe.Column)
	}
	return &RowError{f.path, int64(pe.Line), reason}
}

// Names lists the columns in order.
func (f *csvFile) Names() []string { return f.names }

// rows calls do for each row of data. The slice of fields is valid during the call; at tells where a field was found and how.
func (f *csvFile) rows(ctx context.Context, do func(fields []string, at *splitter) error) error {
	in, err := f.open()
	if err != nil {
		return err
	}
	defer in.Close()
	split := f.splitter(in)
	for n := 0; ; n++ {
		if n&0x3fff == 0 {
			if err := ctx.Err(); err != nil {
				return err
			}
			if f.opts.Progress != nil {
				f.opts.Progress(in.disk.n, f.size)
			}
		}
		fields, err := split.next()
		if errors.Is(err, io.EOF) {
			if f.opts.Progress != nil {
				f.opts.Progress(f.size, f.size)
			}
			return nil
		}
		if err != nil {
			return f.rowError(err)
		}
		if n == 0 && !f.opts.NoHeader {
			continue
		}
		if err := do(fields, split); err != nil {
			return err
		}
	}
}

// Columns reads the whole file and infers each column's type.
func (f *csvFile) Columns(ctx context.Context) ([]Inferred, error) {
	guesses := make([]guess, len(f.names))
	err := f.rows(ctx, func(fields []string, split *splitter) error {
		for i, s := range fields {
			if f.null[s] {
				guesses[i].nulls++
				continue
			}
			if !utf8.ValidString(s) {
				return f.notUTF8(split.lineOf(i), i, s)
			}
			guesses[i].add(s, func() int64 { return split.lineOf(i) })
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]Inferred, len(guesses))
	f.orders = make([]fieldOrder, len(guesses))
	f.commas = make([]bool, len(guesses))
	for i := range guesses {
		g := &guesses[i]
		if f.opts.DecimalComma && g.notInt {
			g.notFloat, g.comma = true, true
		} else if f.delimiter == ',' {
			g.notComma = true
		}
		if f.given != nil {
			for o := range nOrders {
				g.wrongOrder[o] = g.wrongOrder[o] || (o != yearFirst && o != *f.given)
			}
		}
		out[i], f.orders[i] = g.infer(f.names[i])
		f.commas[i] = g.notInt && g.notFloat && !g.notComma && g.comma
	}
	return out, nil
}

func (f *csvFile) notUTF8(line int64, column int, value string) error {
	return &ValueError{File: f.path, Line: line, Column: f.names[column], Value: strings.ToValidUTF8(value, "�"), Want: "UTF-8 text (pass --charset, for example windows-1252)"}
}

// Read streams the rows, parsed by a goroutine that ends with the reader.
func (f *csvFile) Read(ctx context.Context, target []Column) (array.RecordReader, error) {
	at, err := f.match(target)
	if err != nil {
		return nil, err
	}
	if f.orders == nil { // the table exists already: its dates still need their order
		if err := f.inferOrders(ctx, target, at); err != nil {
			return nil, err
		}
	}
	fields := make([]arrow.Field, len(target))
	for i := range target {
		fields[i] = target[i].Field
	}
	schema := arrow.NewSchema(fields, nil)
	cells := make([]cell, len(target))
	for i := range target {
		if at[i] < 0 {
			continue
		}
		comma := f.opts.DecimalComma || (f.commas != nil && f.commas[at[i]])
		if cells[i], err = newCell(target[i], f.orders[at[i]], comma); err != nil {
			return nil, fmt.Errorf("%s: %w", f.path, err)
		}
	}
	return newStream(ctx, schema, func(ctx context.Context, emit func(arrow.RecordBatch) error) error {
		b := array.NewRecordBuilder(f.opts.mem(), schema)
		defer b.Release()
		rows, most := 0, f.opts.batchRows()
		b.Reserve(most)
		err := f.rows(ctx, func(fields []string, split *splitter) error {
			for i, j := range at {
				if j < 0 {
					b.Field(i).AppendNull()
					continue
				}
				s := fields[j]
				if f.null[s] && (f.opts.Null != nil || !split.quoted(j) || !target[i].isText()) {
					if target[i].Field.Nullable {
						b.Field(i).AppendNull()
						continue
					}
					if s != "" || target[i].Field.Type.ID() != arrow.STRING {
						return &ValueError{File: f.path, Line: split.lineOf(j), Column: f.names[j], Value: s, Want: "allowed: the column is NOT NULL"}
					}
				}
				if want := cells[i](b.Field(i), s); want != "" {
					if !utf8.ValidString(s) {
						return f.notUTF8(split.lineOf(j), j, s)
					}
					return &ValueError{File: f.path, Line: split.lineOf(j), Column: f.names[j], Value: s, Want: want}
				}
			}
			if rows++; rows == most {
				rows = 0
				return emit(b.NewRecordBatch())
			}
			return nil
		})
		if err == nil && rows > 0 {
			err = emit(b.NewRecordBatch())
		}
		return err
	}), nil
}

// match finds the file's column of each target column: by name, or by place in a file without names.
func (f *csvFile) match(target []Column) ([]int, error) {
	if !f.opts.NoHeader {
		return matchColumns(f.path, f.names, target)
	}
	if len(target) != len(f.names) {
		return nil, fmt.Errorf("%s has %d columns and no header, the table %d: without names the columns must be the same", f.path, len(f.names), len(target))
	}
	at := make([]int, len(target))
	for i := range at {
		at[i] = i
	}
	return at, nil
}

// inferOrders settles the order of day, month and year. ISO dates in the first rows settle it at once; otherwise the whole
// file is read.
func (f *csvFile) inferOrders(ctx context.Context, target []Column, at []int) error {
	f.orders = make([]fieldOrder, len(f.names))
	var dates []int
	for i, j := range at {
		if id := target[i].Field.Type.ID(); j >= 0 && (id == arrow.DATE32 || id == arrow.TIMESTAMP) {
			dates = append(dates, j)
		}
	}
	if len(dates) == 0 {
		return nil
	}
	iso := errors.New("ISO dates")
	seen := 0
	err := f.rows(ctx, func(fields []string, _ *splitter) error {
		for _, j := range dates {
			if _, ok := parseStamp(fields[j], yearFirst); !ok && !f.null[fields[j]] {
				return io.ErrUnexpectedEOF // some other order: look at everything
			}
		}
		if seen++; seen == 1000 {
			return iso
		}
		return nil
	})
	if err == nil || errors.Is(err, iso) {
		return nil
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	f.orders = nil
	_, err = f.Columns(ctx)
	return err
}
