package server

import (
	"regexp"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
)

const strictLoadID analyzer.RuleId = 10_004

var explicitIgnore = regexp.MustCompile(`(?i)\bIGNORE\s+INTO\s+TABLE\b`)

// strictLoad makes LOAD DATA LOCAL as strict as LOAD DATA: a line that does not fit is an error and nothing is loaded. In
// MySQL, LOCAL implies IGNORE, which turns an unreadable date into a zero date and a number into 0; in a database of
// sales that is data lost in silence. LOAD DATA LOCAL … IGNORE INTO TABLE has MySQL's behaviour still.
func strictLoad(ctx *sql.Context, _ *analyzer.Analyzer, n sql.Node, _ *plan.Scope, _ analyzer.RuleSelector, _ *sql.QueryFlags) (sql.Node, transform.TreeIdentity, error) {
	insert, ok := n.(*plan.InsertInto)
	if !ok || !insert.Ignore {
		return n, transform.SameTree, nil
	}
	load, ok := insert.Source.(*plan.LoadData)
	if !ok || !load.Local || explicitIgnore.MatchString(ctx.Query()) {
		return n, transform.SameTree, nil
	}
	strict, strictLoad := *insert, *load
	strictLoad.IsIgnore = false
	strict.Ignore, strict.Source = false, &strictLoad
	return &strict, transform.NewTree, nil
}
