package server

import (
	"fmt"
	"sort"
	"strings"
	"sync"
	"time"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/information_schema"
	"github.com/dolthub/go-mysql-server/sql/mysql_db"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/go-mysql-server/sql/types"
	"github.com/dolthub/vitess/go/mysql"

	"github.com/almanacdb/almanac/server/loaddata"
)

const (
	processListID    analyzer.RuleId = 10_002
	nullableFieldsID analyzer.RuleId = 10_003
)

var (
	alwaysOnce sync.Once
	started    time.Time // of the first server in the process
)

// alwaysApply puts our rules on privileges and the process list among those that apply to every statement. The engine
// analyses simple SELECTs by a short cut that leaves out added rules, unless this list, which is global to the process, has
// members.
func alwaysApply() {
	alwaysOnce.Do(func() {
		started = time.Now()
		analyzer.AlwaysBeforeDefault = append(analyzer.AlwaysBeforeDefault,
			analyzer.Rule{Id: processListID, Apply: processListRule},
			analyzer.Rule{Id: globalVariablesID, Apply: globalVariablesRule})
		// information_schema.tables asks for the databases as they are without grants. It gets what the account may see.
		every := information_schema.AllDatabasesWithNames
		information_schema.AllDatabasesWithNames = func(ctx *sql.Context, cat sql.Catalog, _ bool) ([]information_schema.DbWithNames, error) {
			return every(ctx, cat, false)
		}
	})
}

// processListRule replaces SHOW PROCESSLIST and information_schema.processlist by views that say how far table functions
// are ("FORECAST: 120 of 3049 series") and that show other accounts' statements only to those who hold PROCESS, and KILL by
// one that every account may use on its own connections. SHOW STATUS gets its uptime.
func processListRule(ctx *sql.Context, a *analyzer.Analyzer, n sql.Node, _ *plan.Scope, _ analyzer.RuleSelector, _ *sql.QueryFlags) (sql.Node, transform.TreeIdentity, error) {
	accounts := a.Catalog.MySQLDb
	return transform.NodeWithOpaque(ctx, n, func(_ *sql.Context, n sql.Node) (sql.Node, transform.TreeIdentity, error) {
		switch n := n.(type) {
		case *plan.ShowProcessList:
			return &showProcessList{ShowProcessList: n, accounts: accounts}, transform.NewTree, nil
		case *plan.ShowStatus:
			for _, name := range []string{"Uptime", "Uptime_since_flush_status"} { // the engine leaves them at 0
				if err := sql.StatusVariables.SetGlobal(name, uint64(time.Since(started).Seconds())); err != nil {
					return nil, transform.SameTree, err
				}
			}
			return n, transform.SameTree, nil
		case *plan.Kill:
			return &kill{Kill: n, accounts: accounts}, transform.NewTree, nil
		case *plan.ResolvedTable:
			if _, done := n.Table.(*processTable); done || n.SqlDatabase == nil ||
				!strings.EqualFold(n.SqlDatabase.Name(), sql.InformationSchemaDatabaseName) ||
				!strings.EqualFold(n.Table.Name(), information_schema.ProcessListTableName) {
				return n, transform.SameTree, nil
			}
			replaced := *n
			replaced.Table = &processTable{Table: n.Table, accounts: accounts}
			return &replaced, transform.NewTree, nil
		}
		return n, transform.SameTree, nil
	})
}

// processes returns the connections that the session may see, by number.
func processes(ctx *sql.Context, accounts *mysql_db.MySQLDb) []sql.Process {
	if ctx.ProcessList == nil {
		return nil
	}
	all := ctx.ProcessList.Processes()
	everything := holdsGlobal(ctx, accounts, sql.PrivilegeType_Process)
	visible := all[:0]
	for _, p := range all {
		if everything || p.User == ctx.Client().User {
			visible = append(visible, p)
		}
	}
	sort.Slice(visible, func(i, j int) bool { return visible[i].Connection < visible[j].Connection })
	return visible
}

// state says what a connection is doing.
func state(p sql.Process) string {
	var functions []string
	for name, progress := range p.Progress {
		function, _, ok := strings.Cut(name, "#")
		if !ok {
			continue // a table's scan: of no use to a reader
		}
		if function == loaddata.Progress {
			functions = append(functions, fmt.Sprintf("%s: %d rows", function, progress.Done))
			continue
		}
		functions = append(functions, fmt.Sprintf("%s: %d of %d series", function, progress.Done, progress.Total))
	}
	sort.Strings(functions)
	if len(functions) > 0 {
		return strings.Join(functions, "; ")
	}
	if p.Command == sql.ProcessCommandQuery {
		return "running"
	}
	return ""
}

func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}

type showProcessList struct {
	*plan.ShowProcessList
	accounts *mysql_db.MySQLDb
}

var _ sql.ExecSourceRel = (*showProcessList)(nil)

// WithChildren implements sql.Node.
func (s *showProcessList) WithChildren(*sql.Context, ...sql.Node) (sql.Node, error) { return s, nil }

// RowIter implements sql.ExecSourceRel.
func (s *showProcessList) RowIter(ctx *sql.Context, _ sql.Row) (sql.RowIter, error) {
	var rows []sql.Row
	for _, p := range processes(ctx, s.accounts) {
		rows = append(rows, sql.Row{
			int64(p.Connection), p.User, p.Host, textOrNull(p.Database), string(p.Command), int64(p.Seconds()), state(p), textOrNull(p.Query),
		})
	}
	return sql.RowsToRowIter(rows...), nil
}

// processTable is information_schema.processlist with our rows.
type processTable struct {
	sql.Table
	accounts *mysql_db.MySQLDb
}

// Underlying implements sql.TableWrapper.
func (t *processTable) Underlying() sql.Table { return t.Table }

// PartitionRows implements sql.Table.
func (t *processTable) PartitionRows(ctx *sql.Context, _ sql.Partition) (sql.RowIter, error) {
	var rows []sql.Row
	for _, p := range processes(ctx, t.accounts) {
		rows = append(rows, sql.Row{
			uint64(p.Connection), p.User, p.Host, textOrNull(p.Database), string(p.Command), int32(p.Seconds()), state(p), p.Query,
		})
	}
	return sql.RowsToRowIter(rows...), nil
}

// kill is KILL and KILL QUERY: of one's own connections without a privilege, of others' with SUPER.
type kill struct {
	*plan.Kill
	accounts *mysql_db.MySQLDb
}

var _ sql.ExecSourceRel = (*kill)(nil)

// WithChildren implements sql.Node.
func (k *kill) WithChildren(*sql.Context, ...sql.Node) (sql.Node, error) { return k, nil }

// RowIter implements sql.ExecSourceRel.
func (k *kill) RowIter(ctx *sql.Context, _ sql.Row) (sql.RowIter, error) {
	target, known := sql.Process{}, false
	for _, p := range ctx.ProcessList.Processes() {
		if p.Connection == k.ConnID {
			target, known = p, true
		}
	}
	if !known {
		return nil, mysql.NewSQLError(mysql.ERNoSuchThread, "HY000", "Unknown thread id: %d", k.ConnID)
	}
	if target.User != ctx.Client().User && !holdsGlobal(ctx, k.accounts, sql.PrivilegeType_Super) {
		return nil, mysql.NewSQLError(mysql.ERKillDenied, "HY000", "You are not owner of thread %d", k.ConnID)
	}
	ctx.ProcessList.Kill(k.ConnID)
	if k.Kt == plan.KillType_Connection {
		if err := ctx.KillConnection(k.ConnID); err != nil {
			return nil, err
		}
	}
	return sql.RowsToRowIter(sql.NewRow(types.NewOkResult(0))), nil
}
