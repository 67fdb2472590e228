package tablefunc

import (
	"strings"
	"unicode"
)

// isStatement tells a SELECT given as text from a table's name.
func isStatement(text string) bool {
	text = skipComments(text)
	if strings.HasPrefix(text, "(") {
		return true
	}
	word := text
	if i := strings.IndexFunc(text, func(r rune) bool { return !unicode.IsLetter(r) }); i > 0 {
		word = text[:i]
	}
	if word == text { // one word and nothing behind it: a name
		return false
	}
	switch strings.ToLower(word) {
	case "select", "with", "table", "values":
		return !strings.HasPrefix(text[len(word):], ".")
	}
	// Anything else of several words is meant as a statement only if it starts like one that cannot be a source.
	switch strings.ToLower(word) {
	case "insert", "update", "delete", "replace", "call", "show", "drop", "create", "alter", "truncate", "set":
		return unicode.IsSpace(rune(text[len(word)]))
	}
	return false
}

func skipComments(text string) string {
	for {
		text = strings.TrimSpace(text)
		switch {
		case strings.HasPrefix(text, "/*"):
			_, rest, ok := strings.Cut(text, "*/")
			if !ok {
				return text
			}
			text = rest
		case strings.HasPrefix(text, "-- "), strings.HasPrefix(text, "#"):
			_, rest, ok := strings.Cut(text, "\n")
			if !ok {
				return text
			}
			text = rest
		default:
			return text
		}
	}
}

// splitName reads `table` or `database.table`, each part plain or in back-quotes. database is empty if absent.
func splitName(text string) (database, table string, ok bool) {
	first, rest, ok := identifier(strings.TrimSpace(text))
	if !ok {
		return "", "", false
	}
	if rest == "" {
		return "", first, true
	}
	if !strings.HasPrefix(rest, ".") {
		return "", "", false
	}
	second, rest, ok := identifier(strings.TrimSpace(rest[1:]))
	if !ok || rest != "" {
		return "", "", false
	}
	return first, second, true
}

// identifier reads one identifier at the start of text and returns what follows it.
func identifier(text string) (name, rest string, ok bool) {
	if strings.HasPrefix(text, "`") {
		var b strings.Builder
		for i := 1; i < len(text); i++ {
			if text[i] != '`' {
				b.WriteByte(text[i])
				continue
			}
			if i+1 < len(text) && text[i+1] == '`' {
				b.WriteByte('`')
				i++
				continue
			}
			return b.String(), strings.TrimSpace(text[i+1:]), b.Len() > 0
		}
		return "", "", false
	}
	end := len(text)
	for i, r := range text {
		if !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '$' && r < 0x80 {
			end = i
			break
		}
	}
	return text[:end], strings.TrimSpace(text[end:]), end > 0
}

func quoted(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }
