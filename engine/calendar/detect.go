package calendar

import (
	"fmt"
	"strings"
)

// FrequencyError means that the spacing of the times could not be found, or does not suit the time column.
type FrequencyError struct {
	// Column is the time column, if the caller filled it in.
	Column string
	// Reason says why.
	Reason string
	// Examples show some steps between successive times, "2024-01-01 08:26:00 → 2024-01-01 08:28:00".
	Examples []string
	// Suggestion is a frequency to set instead, as in freq=D; empty if there is none to name.
	Suggestion string
}

// Error says what was seen and how to mend it.
func (e *FrequencyError) Error() string {
	var b strings.Builder
	b.WriteString("no frequency found")
	if e.Column != "" {
		fmt.Fprintf(&b, " in time column %q", e.Column)
	}
	b.WriteString(": ")
	b.WriteString(e.Reason)
	if len(e.Examples) > 0 {
		fmt.Fprintf(&b, " (%s)", strings.Join(e.Examples, ", "))
	}
	if e.Suggestion != "" {
		fmt.Fprintf(&b, "; set freq=%s", e.Suggestion)
	}
	return b.String()
}
