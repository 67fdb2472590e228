package loaddata

import (
	"fmt"
	"slices"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/mysql"
)

// MySQL's numbers of what LOAD DATA complains about.
const (
	erCannotBeNull   = 1048
	erDuplicate      = 1062
	erTooFewFields   = 1261
	erTooManyFields  = 1262
	erNullToNotNull  = 1263
	erOutOfRange     = 1264
	erTruncated      = 1265
	erWrongValue     = 1292
	erNoDefault      = 1364
	erWrongForField  = 1366
	erTooLong        = 1406
	erBadJSON        = 3140
	erSecureFilePriv = 1290
)

// complaint is what is wrong with a value, without its place.
type complaint struct {
	number int
	state  string
	text   string // with %d for the row
}

// at words a complaint about a row. MySQL's words come first, since tools look for them.
func (c *complaint) at(row int64) string { return strings.Replace(c.text, "%d", fmt.Sprint(row), 1) }

// err is the complaint as the error that ends a statement: it adds where in the file the row is, and the value as it is there.
func (c *complaint) err(row, line int64, value []byte) error {
	text := c.at(row)
	if shown := quote(value); value == nil || strings.Contains(text, shown) {
		text += fmt.Sprintf(", line %d of the file", line)
	} else {
		text += fmt.Sprintf(": line %d of the file has %s", line, shown)
	}
	switch {
	case value == nil:
	case len(value) == 0:
		text += "\nFix: where empty means NULL, read the field as a variable: (…, @v) SET column = NULLIF(@v, '')"
	case value[len(value)-1] == '\r':
		text += "\nFix: its lines end in a carriage return and a line feed; add LINES TERMINATED BY '\\r\\n'"
	}
	return mysql.NewSQLError(c.number, c.state, "%s", text)
}

// quote shows a value in a message, shortened if long.
func quote(value []byte) string {
	const most = 64
	var b strings.Builder
	b.WriteByte('\'')
	for i, r := range string(value) {
		if i >= most {
			b.WriteRune('…')
			break
		}
		switch {
		case r == '\ufffd':
			fmt.Fprintf(&b, "\\x%02X", value[i])
		case r < ' ':
			b.WriteString(strings.Trim(fmt.Sprintf("%q", r), "'"))
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('\'')
	return b.String()
}

// warning is a complaint about a row that was loaded all the same, or left out.
type warning struct {
	number int
	text   string
}

// warnings are counted all and kept up to a number.
type warnings struct {
	kept  []warning
	count int64
	most  int
}

func (w *warnings) add(number int, text func() string) {
	w.count++
	if len(w.kept) < w.most {
		w.kept = append(w.kept, warning{number, text()})
	}
}

// flush hands the kept warnings to the session, which shows those it got last first: so that the first one is shown first.
func (w *warnings) flush(ctx *sql.Context) {
	for _, k := range slices.Backward(w.kept[:min(len(w.kept), w.most)]) {
		ctx.Session.Warn(&sql.Warning{Level: "Warning", Code: k.number, Message: k.text})
	}
	w.kept = nil
}
