package functions

import (
	"embed"
	"fmt"
	"strings"
)

// The output of every example, written by `go test ./server/sqltest -run TestExamples -rewrite`.
//
//go:embed examples
var exampleOutputs embed.FS

// ExampleFile is the name of the file with the output of an example, in folder examples of this package.
func (s *Spec) ExampleFile(i int) string {
	return fmt.Sprintf("%s_%d.txt", strings.ToLower(s.Name), i+1)
}

// exampleOutput is empty for an example that has not been run yet.
func exampleOutput(file string) string {
	text, err := exampleOutputs.ReadFile("examples/" + file)
	if err != nil {
		return ""
	}
	return string(text)
}
