package functions

import (
	"sort"
	"strings"

	"github.com/agnivade/levenshtein"
)

// nearest returns the candidates that a person may have meant by word, best first, at most three: those within a third of
// the word's length in edits, those the word begins or that begin with it, and those with the same letters but for case,
// blanks, hyphens and underscores.
func nearest(word string, candidates []string) []string {
	type scored struct {
		name  string
		edits int
	}
	plain := normalise(word)
	if plain == "" {
		return nil
	}
	var found []scored
	for _, c := range candidates {
		p := normalise(c)
		if p == "" {
			continue
		}
		d := levenshtein.ComputeDistance(plain, p)
		switch limit := 1 + len([]rune(plain))/3; {
		case d <= limit && d < len([]rune(p)):
		case len(plain) >= 2 && len(p) >= 2 && (strings.HasPrefix(p, plain) || strings.HasPrefix(plain, p)):
		case len(plain) >= 4 && strings.Contains(p, plain):
		default:
			continue
		}
		found = append(found, scored{c, d})
	}
	sort.SliceStable(found, func(i, j int) bool { return found[i].edits < found[j].edits })
	names := make([]string, 0, 3)
	for _, f := range found[:min(3, len(found))] {
		names = append(names, f.name)
	}
	return names
}

func normalise(s string) string {
	return strings.Map(func(r rune) rune {
		switch r {
		case ' ', '_', '-', '`', '"', '\'', '\t', '\n', '\r':
			return -1
		}
		return r
	}, strings.ToLower(s))
}

// quoteList quotes names and joins them: 'a', 'b' or 'c'.
func quoteList(names []string, last string) string {
	var b strings.Builder
	for i, n := range names {
		switch {
		case i == 0:
		case i == len(names)-1:
			b.WriteString(last)
		default:
			b.WriteString(", ")
		}
		b.WriteString("'" + n + "'")
	}
	return b.String()
}

// enumerate lists names for a message, cut short when there are very many.
func enumerate(names []string) string {
	const most = 40
	if len(names) > most {
		return strings.Join(names[:most], ", ") + ", …"
	}
	return strings.Join(names, ", ")
}
