package ingest

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"io"
)

// splitter splits CSV text into rows of fields. Unlike encoding/csv it tells which fields were quoted, on which a text's being NULL
// hangs, and keeps line breaks inside quotes as they are. Errors are *csv.ParseError, as that package's.
type splitter struct {
	in     *bufio.Reader
	comma  []byte
	fields int // wanted in each row; 0 takes any number

	long   []byte // a line longer than the reader's buffer
	text   []byte // the fields' texts, one after another
	starts []fieldStart
	row    []string
	line   int // lines read so far
}

// fieldStart is where a field begins, in the row's text and in the file.
type fieldStart struct {
	at, line, column int
	quoted           bool
}

func newSplitter(in *bufio.Reader, comma rune, fields int) *splitter {
	return &splitter{in: in, comma: []byte(string(comma)), fields: fields}
}

// next reads a row; io.EOF at the end. Blank lines are skipped. The slice, not its strings, is reused by the next call.
func (s *splitter) next() ([]string, error) {
	s.text, s.starts, s.row = s.text[:0], s.starts[:0], s.row[:0]
	line, err := s.readLine()
	for err == nil && len(trimLineEnd(line)) == 0 {
		line, err = s.readLine()
	}
	if err != nil {
		return nil, err
	}
	for i, more := 0, true; more; {
		s.starts = append(s.starts, fieldStart{at: len(s.text), line: s.line, column: i + 1, quoted: i < len(line) && line[i] == '"'})
		if s.starts[len(s.starts)-1].quoted {
			line, i, more, err = s.quotedField(line, i+1)
		} else {
			i, more, err = s.bareField(line, i)
		}
		if err != nil {
			return nil, err
		}
	}
	if s.fields > 0 && len(s.starts) != s.fields {
		return nil, s.fail(csv.ErrFieldCount, s.starts[0].line, 1)
	}
	text := string(s.text)
	for i, f := range s.starts {
		end := len(text)
		if i+1 < len(s.starts) {
			end = s.starts[i+1].at
		}
		s.row = append(s.row, text[f.at:end])
	}
	return s.row, nil
}

// bareField takes the field that starts at i and returns where the next one starts, if there is one.
func (s *splitter) bareField(line []byte, i int) (next int, more bool, err error) {
	field := trimLineEnd(line)[i:]
	if n := bytes.Index(field, s.comma); n >= 0 {
		field, next, more = field[:n], i+n+len(s.comma), true
	}
	if q := bytes.IndexByte(field, '"'); q >= 0 {
		return 0, false, s.fail(csv.ErrBareQuote, s.line, i+q+1)
	}
	s.text = append(s.text, field...)
	return next, more, nil
}

// quotedField takes the field whose text starts at i, after its quote; it may go on over further lines.
func (s *splitter) quotedField(line []byte, i int) (_ []byte, next int, more bool, err error) {
	for {
		n := bytes.IndexByte(line[i:], '"')
		if n < 0 {
			s.text = append(s.text, line[i:]...)
			column := len(line) + 1
			if line, err = s.readLine(); err != nil {
				if errors.Is(err, io.EOF) {
					err = s.fail(csv.ErrQuote, s.line, column)
				}
				return nil, 0, false, err
			}
			i = 0
			continue
		}
		s.text = append(s.text, line[i:i+n]...)
		i += n + 1
		rest := line[i:]
		switch {
		case len(rest) > 0 && rest[0] == '"':
			s.text = append(s.text, '"')
			i++
		case bytes.HasPrefix(rest, s.comma):
			return line, i + len(s.comma), true, nil
		case len(trimLineEnd(rest)) == 0:
			return line, 0, false, nil
		default:
			return nil, 0, false, s.fail(csv.ErrQuote, s.line, i)
		}
	}
}

// readLine returns the next line with its end, valid until the next call.
func (s *splitter) readLine() ([]byte, error) {
	line, err := s.in.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		s.long = append(s.long[:0], line...)
		for errors.Is(err, bufio.ErrBufferFull) {
			line, err = s.in.ReadSlice('\n')
			s.long = append(s.long, line...)
		}
		line = s.long
	}
	if len(line) > 0 && errors.Is(err, io.EOF) {
		err = nil
	}
	if err == nil {
		s.line++
	}
	return line, err
}

// trimLineEnd takes off the line feed and the carriage return before it.
func trimLineEnd(line []byte) []byte {
	if n := len(line); n > 0 && line[n-1] == '\n' {
		line = line[:n-1]
	}
	if n := len(line); n > 0 && line[n-1] == '\r' {
		line = line[:n-1]
	}
	return line
}

// lineOf is the line that a field of the last row starts on, quoted tells whether it was in quotes.
func (s *splitter) lineOf(field int) int64 { return int64(s.starts[field].line) }
func (s *splitter) quoted(field int) bool  { return s.starts[field].quoted }
func (s *splitter) fail(err error, line, column int) error {
	start := line
	if len(s.starts) > 0 {
		start = s.starts[0].line
	}
	return &csv.ParseError{StartLine: start, Line: line, Column: column, Err: err}
}
