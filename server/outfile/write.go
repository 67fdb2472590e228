package outfile

import (
	"bufio"
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/mysql"
	"github.com/dolthub/vitess/go/sqltypes"
)

// iter writes the whole file at its first Next and answers with the number of rows.
type iter struct {
	statement  *statement
	path, name string
	build      func(*sql.Context) (sql.RowIter, error)
	done       bool
}

// Next implements sql.RowIter.
func (it *iter) Next(ctx *sql.Context) (sql.Row, error) {
	if it.done {
		return nil, io.EOF
	}
	it.done = true
	n, err := it.write(ctx)
	if err != nil {
		return nil, err
	}
	return sql.NewRow(types.NewOkResult(n)), nil
}

// Close implements sql.RowIter.
func (it *iter) Close(*sql.Context) error { return nil }

func (it *iter) write(ctx *sql.Context) (rows int, err error) {
	file, err := os.OpenFile(it.path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if errors.Is(err, fs.ErrExist) {
		return 0, mysql.NewSQLError(mysql.ERFileExists, "HY000", "File '%s' already exists", it.name)
	}
	if err != nil {
		return 0, mysql.NewSQLError(cantCreate, "HY000", "Can't create/write to file '%s' (%v)", it.name, err)
	}
	defer func() {
		if closeErr := file.Close(); err == nil { // the protocol wants the statement's error bare
			err = closeErr
		}
		if err != nil {
			_ = os.Remove(it.path)
		}
	}()
	child, err := it.build(ctx)
	if err != nil {
		return 0, err
	}
	defer func() {
		if closeErr := child.Close(ctx); err == nil {
			err = closeErr
		}
	}()
	out := bufio.NewWriterSize(file, 256<<10)
	schema := it.statement.Child.Schema(ctx)
	put := it.statement.appendRow
	if it.statement.Outfile == "" {
		put = dumpRow
	}
	var line []byte
	for {
		row, err := child.Next(ctx)
		if errors.Is(err, io.EOF) {
			return rows, out.Flush()
		}
		if err != nil {
			return 0, err
		}
		if rows++; rows > 1 && it.statement.Outfile == "" {
			return 0, mysql.NewSQLError(mysql.ERTooManyRows, "42000", "Result consisted of more than one row")
		}
		if rows&0x3ff == 0 && ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if line, err = put(ctx, line[:0], schema, row); err != nil {
			return 0, err
		}
		if _, err := out.Write(line); err != nil {
			return 0, err
		}
	}
}

// dumpRow appends the bytes of all values and nothing else.
func dumpRow(ctx *sql.Context, dst []byte, schema sql.Schema, row sql.Row) ([]byte, error) {
	for i, v := range row {
		if v == nil {
			continue
		}
		text, err := schema[i].Type.SQL(ctx, nil, v)
		if err != nil {
			return nil, err
		}
		dst = append(dst, text.Raw()...)
	}
	return dst, nil
}

// appendRow appends one line. A value is what a client would get as text. Characters are escaped by MySQL's rules: NUL, the
// escape character, the first of the line's end, and the enclosing character inside of enclosed fields or the first of the field's
// end in others. Without an escape character NULL is a word, and nothing is escaped.
func (s *statement) appendRow(ctx *sql.Context, dst []byte, schema sql.Schema, row sql.Row) ([]byte, error) {
	dst = append(dst, s.LinesStartingBy...)
	for i, v := range row {
		if i > 0 {
			dst = append(dst, s.FieldsTerminatedBy...)
		}
		if v == nil {
			if s.FieldsEscapedBy == "" {
				dst = append(dst, "NULL"...)
			} else {
				dst = append(append(dst, s.FieldsEscapedBy...), 'N')
			}
			continue
		}
		t := schema[i].Type
		text, err := t.SQL(ctx, nil, v)
		if err != nil {
			return nil, err
		}
		if s.FieldsEnclosedBy != "" && (!s.FieldsEnclosedByOpt || isString(t)) {
			dst = append(dst, s.FieldsEnclosedBy...)
			dst = s.appendEscaped(dst, text.Raw(), s.FieldsEnclosedBy[0])
			dst = append(dst, s.FieldsEnclosedBy...)
		} else {
			end := -1
			if s.FieldsTerminatedBy != "" {
				end = int(s.FieldsTerminatedBy[0])
			}
			dst = s.appendEscaped(dst, text.Raw(), byte(max(end, 0)))
		}
	}
	return append(dst, s.LinesTerminatedBy...), nil
}

// appendEscaped appends a value in which the character end is not to be taken for its end.
func (s *statement) appendEscaped(dst, value []byte, end byte) []byte {
	if s.FieldsEscapedBy == "" {
		return append(dst, value...)
	}
	escape := s.FieldsEscapedBy[0]
	for _, c := range value {
		switch {
		case c == 0:
			dst = append(dst, escape, '0')
		case c == escape, c == end, s.LinesTerminatedBy != "" && c == s.LinesTerminatedBy[0]:
			dst = append(dst, escape, c)
		default:
			dst = append(dst, c)
		}
	}
	return dst
}

// isString tells which types OPTIONALLY ENCLOSED BY encloses: all that are no numbers, as in MySQL.
func isString(t sql.Type) bool {
	if _, ok := t.(sql.NumberType); ok {
		return false
	}
	switch t.Type() {
	case sqltypes.Decimal, sqltypes.Year, sqltypes.Bit:
		return false
	}
	return true
}
