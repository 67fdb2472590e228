package catalog

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
)

// cutString matches the engine's note on a string that INSERT IGNORE cut, which shows the bytes as numbers.
var cutString = regexp.MustCompile(`^string '(\[[0-9 ]*\]|(?s:.*))' is too large for column '(.*)'$`)

// erTruncated is MySQL's WARN_DATA_TRUNCATED.
const erTruncated = 1265

// maxQuoted bounds how much of a value a warning quotes, in characters.
const maxQuoted = 40

// Warn implements sql.Session.
func (s *Session) Warn(w *sql.Warning) {
	if m := cutString.FindStringSubmatch(w.Message); m != nil {
		value := []rune(writtenBytes(m[1]))
		quoted := string(value[:min(len(value), maxQuoted)])
		if len(value) > maxQuoted {
			quoted += "…"
		}
		w = &sql.Warning{Level: "Warning", Code: erTruncated, Message: fmt.Sprintf("Data truncated: '%s' is too long for %s", quoted, m[2])}
	}
	s.BaseSession.Warn(w)
}

// writtenBytes reads "[104 105]" as "hi"; other text is as it is.
func writtenBytes(text string) string {
	inner, ok := strings.CutPrefix(text, "[")
	if !ok {
		return text
	}
	var bytes []byte
	for _, number := range strings.Fields(strings.TrimSuffix(inner, "]")) {
		b, err := strconv.ParseUint(number, 10, 8)
		if err != nil {
			return text
		}
		bytes = append(bytes, byte(b))
	}
	return string(bytes)
}
