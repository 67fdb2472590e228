package loaddata

import "testing"

// The mysql client shows this line, and scripts read it.
func TestInfo(t *testing.T) {
	if got, want := (info{5, 1, 2, 3}).String(), "Records: 5  Deleted: 1  Skipped: 2  Warnings: 3"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
