package server

import "strings"

// plainComments makes comments for MariaDB alone, /*M! … */, into comments that the parser passes over, as MySQL does. It would run
// what they hold. The text keeps its length, so that positions stay right.
func plainComments(query string) string {
	const mark = "/*M!"
	if !strings.Contains(query, mark) {
		return query
	}
	out := []byte(query)
	for i := 0; i < len(out); {
		switch c := out[i]; {
		case c == '\'' || c == '"' || c == '`':
			i = afterQuote(query, i)
		case strings.HasPrefix(query[i:], "/*!"): // runs: what is in it may hold quotes and comments
			i += len("/*!")
		case strings.HasPrefix(query[i:], mark):
			out[i+2], out[i+3] = ' ', ' '
			i = after(query, i+2, "*/")
		case strings.HasPrefix(query[i:], "/*"):
			i = after(query, i+2, "*/")
		case c == '#' || strings.HasPrefix(query[i:], "-- ") || strings.HasPrefix(query[i:], "--\n"):
			i = after(query, i, "\n")
		default:
			i++
		}
	}
	return string(out)
}

// afterQuote returns the position after the quoted text that begins at i. A doubled quote reads as two texts, which is as good.
func afterQuote(s string, i int) int {
	quote := s[i]
	for i++; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote != '`':
			i++
		case s[i] == quote:
			return i + 1
		}
	}
	return len(s)
}

// after returns the position after the next end, or the length of s.
func after(s string, i int, end string) int {
	if n := strings.Index(s[i:], end); n >= 0 {
		return i + n + len(end)
	}
	return len(s)
}
