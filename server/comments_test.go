package server

import "testing"

func TestPlainComments(t *testing.T) {
	for _, c := range []struct{ query, want string }{
		{"SELECT 1", "SELECT 1"},
		{"SELECT 1 /*M!100100 + 1 */", "SELECT 1 /*  100100 + 1 */"},
		{"SELECT '/*M! \\' */', \"/*M!\", `/*M!` /*M!x*/", "SELECT '/*M! \\' */', \"/*M!\", `/*M!` /*  x*/"},
		{"SELECT 1 # it's\n/*M!2*/", "SELECT 1 # it's\n/*  2*/"},
		{"SELECT 1 -- '\n/*M!2*/", "SELECT 1 -- '\n/*  2*/"},
		{"/* ' */ /*!80000 SELECT '/*M!' */ /*M! unfinished", "/* ' */ /*!80000 SELECT '/*M!' */ /*   unfinished"},
		{"SELECT 'it''s /*M!' /*M!*/", "SELECT 'it''s /*M!' /*  */"},
	} {
		if got := plainComments(c.query); got != c.want {
			t.Errorf("%s\n got %s\nwant %s", c.query, got, c.want)
		}
	}
}
