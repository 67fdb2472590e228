package loaddata

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Dialect says how a text file is divided, as the FIELDS and LINES clauses do.
type Dialect struct {
	FieldTerminator []byte // never empty
	LineTerminator  []byte // empty: a record ends when its fields are read
	LineStart       []byte // what comes before it on a line is skipped, with the whole line if it does not come
	Enclosure       int    // a byte, or none
	Escape          int    // a byte, or none
}

// none stands for no enclosing or escaping character.
const none = -1

// Field is one value of a record. Its text is valid until the next record is read.
type Field struct {
	Text []byte
	Null bool // written \N, or as the word NULL where fields may be enclosed and this one is not
}

// errTooLong says that no line terminator came.
var errTooLong = errors.New("a line is longer than 256 MiB; look whether LINES TERMINATED BY names what ends the file's lines")

const (
	readSize  = 256 << 10
	mostBytes = 256 << 20 // of one record
)

// A scanner splits a text into records and fields in one pass over its bytes, without copying fields that hold no escapes.
// The rules are those of MySQL's manual for LOAD DATA; where the enclosing character is also the escaping one, it means a
// doubled enclosing character, and a closing one at the end of the file closes.
type scanner struct {
	src     io.Reader
	dialect Dialect
	want    int // fields kept of a record; further ones are counted

	buf      []byte
	pos, end int
	eof      bool
	special  [256]bool // bytes at which a field may end or be escaped

	fields  []Field
	surplus int // fields of the record beyond want
	scratch []byte

	line      int64 // of the record read last, counted from 1
	next      int64 // of the record that comes
	countable bool  // lines end in a line feed, so that those inside of values count
}

func newScanner(src io.Reader, d Dialect, want int) *scanner {
	s := &scanner{src: src, dialect: d, want: want, buf: make([]byte, readSize), next: 1}
	s.special[d.FieldTerminator[0]] = true
	if n := len(d.LineTerminator); n > 0 {
		s.special[d.LineTerminator[0]] = true
		s.countable = d.LineTerminator[n-1] == '\n'
	}
	if d.Enclosure != none {
		s.special[d.Enclosure] = true
	}
	if d.Escape != none {
		s.special[d.Escape] = true
	}
	return s
}

// skipMark drops a UTF-8 byte order mark at the start of the file.
func (s *scanner) skipMark() error {
	for s.end-s.pos < 3 && !s.eof {
		if err := s.fill(); err != nil {
			return err
		}
	}
	if bytes.HasPrefix(s.buf[s.pos:s.end], []byte("\ufeff")) {
		s.pos += 3
	}
	return nil
}

// skipLine passes over a line whatever is in it but escaped terminators.
func (s *scanner) skipLine() error {
	t := s.dialect.LineTerminator
	escape := s.dialect.Escape
	if escape == s.dialect.Enclosure { // which does not escape terminators
		escape = none
	}
	for {
		p := s.pos
		for {
			if escape != none && p+1 < s.end && int(s.buf[p]) == escape {
				p += 2
				continue
			}
			if len(t) > 0 && p+len(t) <= s.end && bytes.Equal(s.buf[p:p+len(t)], t) {
				s.pos = p + len(t)
				s.next++
				return nil
			}
			if p+max(len(t), 2) > s.end && !s.eof {
				break
			}
			if p >= s.end {
				s.pos = s.end
				return nil
			}
			p++
		}
		// What was looked at needs no second look, except for the start of a terminator or an escape.
		s.pos = min(p, s.end)
		if err := s.fill(); err != nil {
			return err
		}
	}
}

// record reads the next record into fields and surplus; io.EOF after the last.
func (s *scanner) record() error {
	for {
		n, state := s.parse(s.pos)
		switch state {
		case complete:
			lines := int64(1)
			if s.countable && (s.dialect.Enclosure != none || len(s.scratch) > 0 || len(s.dialect.LineStart) > 0) {
				lines = int64(bytes.Count(s.buf[s.pos:n], []byte{'\n'}))
			}
			s.line, s.next, s.pos = s.next, s.next+lines, n
			return nil
		case exhausted:
			return io.EOF
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
}

// fill reads more of the file: at least as much as waits, so that a long record is looked at only a few times.
func (s *scanner) fill() error {
	if s.pos > 0 {
		copy(s.buf, s.buf[s.pos:s.end])
		s.end -= s.pos
		s.pos = 0
	}
	waiting := s.end
	if waiting*2 > len(s.buf) {
		if len(s.buf) >= mostBytes {
			return errTooLong
		}
		grown := make([]byte, len(s.buf)*2)
		copy(grown, s.buf[:s.end])
		s.buf = grown
	}
	n, err := io.ReadAtLeast(s.src, s.buf[s.end:], max(waiting, 1))
	s.end += n
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		s.eof = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading the file: %w", err)
	}
	return nil
}

// What parse found.
type parsed int

const (
	incomplete parsed = iota // more of the file is needed
	complete                 // a record, up to the returned position
	exhausted                // the file has no further record
)

// parse reads the record at p.
func (s *scanner) parse(p int) (int, parsed) {
	s.fields, s.surplus, s.scratch = s.fields[:0], 0, s.scratch[:0]
	if start := s.dialect.LineStart; len(start) > 0 {
		i := bytes.Index(s.buf[p:s.end], start)
		if i < 0 {
			if !s.eof { // let go of what is known not to begin a record
				keep := max(s.pos, s.end-len(start)+1)
				s.next += int64(bytes.Count(s.buf[s.pos:keep], []byte{'\n'}))
				s.pos = keep
				return 0, incomplete
			}
			return 0, exhausted
		}
		p += i + len(start)
	}
	for n := 0; ; n++ {
		if p >= s.end { // nothing after a field's terminator, at the end of the file, is no field
			if !s.eof {
				return 0, incomplete
			}
			if n == 0 {
				return 0, exhausted
			}
			return p, complete
		}
		field, next, last, ok := s.field(p)
		if !ok {
			return 0, incomplete
		}
		switch {
		case n < s.want:
			s.fields = append(s.fields, field)
		case n == s.want && last && bytes.HasPrefix(s.buf[p:s.end], s.dialect.LineTerminator): // a terminator after the last field
		default:
			s.surplus++
		}
		p = next
		if last || len(s.dialect.LineTerminator) == 0 && n+1 >= s.want {
			return p, complete
		}
	}
}

// field reads the field at start. last tells that its line ends with it; not ok that the file must be read on.
func (s *scanner) field(start int) (f Field, next int, last, ok bool) {
	d, b := &s.dialect, s.buf[:s.end]
	p := start
	enclosed := int(b[p]) == d.Enclosure
	if enclosed {
		p++
	}
	from := start // of what is not yet in scratch; the opening character stays until the closing one is found
	kept := len(s.scratch)
	copied, null := false, false
	take := func(to int) []byte {
		if !copied {
			return b[from:to]
		}
		s.scratch = append(s.scratch, b[from:to]...)
		return s.scratch[kept:]
	}
	flush := func(to int) {
		s.scratch = append(s.scratch, b[from:to]...)
		copied = true
	}
	for {
		for p < len(b) && !s.special[b[p]] {
			p++
		}
		if p == len(b) {
			if !s.eof {
				return f, 0, false, false
			}
			text := take(p) // an enclosure that never closes is part of the value
			return s.finish(text, false, null), p, true, true
		}
		c := int(b[p])
		if c == d.Escape {
			if p+1 == len(b) && !s.eof {
				return f, 0, false, false
			}
			if p+1 < len(b) && (d.Escape != d.Enclosure || int(b[p+1]) == d.Escape) {
				flush(p)
				s.scratch = append(s.scratch, unescape(b[p+1]))
				null = null || b[p+1] == 'N'
				p += 2
				from = p
				continue
			}
		}
		if !enclosed {
			switch n, state := match(b, p, d.LineTerminator, s.eof); state {
			case incomplete:
				return f, 0, false, false
			case complete:
				return s.finish(take(p), false, null), n, true, true
			}
			switch n, state := match(b, p, d.FieldTerminator, s.eof); state {
			case incomplete:
				return f, 0, false, false
			case complete:
				return s.finish(take(p), false, null), n, false, true
			}
			p++
			continue
		}
		if c != d.Enclosure {
			p++
			continue
		}
		// An enclosing character inside: doubled it stands for itself, before a terminator it closes, elsewhere it is a character.
		n := p + 1
		if n == len(b) {
			if !s.eof {
				return f, 0, false, false
			}
			return s.finish(take(p)[1:], true, null), n, true, true
		}
		if int(b[n]) == d.Enclosure {
			flush(n)
			p, from = n+1, n+1
			continue
		}
		switch after, state := match(b, n, d.LineTerminator, s.eof); state {
		case incomplete:
			return f, 0, false, false
		case complete:
			return s.finish(take(p)[1:], true, null), after, true, true
		}
		switch after, state := match(b, n, d.FieldTerminator, s.eof); state {
		case incomplete:
			return f, 0, false, false
		case complete:
			return s.finish(take(p)[1:], true, null), after, false, true
		}
		p++
	}
}

func (s *scanner) finish(text []byte, enclosed, escapedN bool) Field {
	word := !enclosed && s.dialect.Enclosure != none && string(text) == "NULL"
	return Field{Text: text, Null: word || escapedN && len(text) == 1}
}

// match tells whether t stands at p and gives the position after it.
func match(b []byte, p int, t []byte, eof bool) (int, parsed) {
	if len(t) == 0 || b[p] != t[0] {
		return 0, exhausted
	}
	if len(t) == 1 {
		return p + 1, complete
	}
	rest := b[p:]
	if bytes.HasPrefix(rest, t) {
		return p + len(t), complete
	}
	if !eof && len(rest) < len(t) && bytes.HasPrefix(t, rest) {
		return 0, incomplete
	}
	return 0, exhausted
}

// unescape is the character that an escaped one stands for.
func unescape(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 't':
		return '\t'
	case 'r':
		return '\r'
	case 'b':
		return '\b'
	case '0':
		return 0
	case 'Z':
		return 26
	}
	return c
}
