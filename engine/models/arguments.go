package models

import (
	"fmt"
	"strings"

	"github.com/almanacdb/almanac/engine"
)

// inBrackets takes the brackets off "(a, b)"; text without brackets stays as it is. false means that they do not match.
func inBrackets(args string) (inside string, ok bool) {
	args = strings.TrimSpace(args)
	if strings.HasPrefix(args, "(") && strings.HasSuffix(args, ")") {
		args = args[1 : len(args)-1]
	}
	return args, !strings.ContainsAny(args, "()")
}

// words splits text at commas and blanks, in lower case.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return strings.ContainsRune(", \t", r) })
}

// noArguments refuses text behind the name of a model that has no options.
func noArguments(name, args string) error {
	if inside, ok := inBrackets(args); ok && len(words(inside)) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s takes nothing in brackets, not %q", engine.ErrSyntax, name, args)
}
