// Package outfile writes the rows of SELECT … INTO OUTFILE and INTO DUMPFILE as MySQL does. The engine has these statements, but
// its files cannot be read back: it prints values as Go does and escapes none of the characters that end a field.
//
// A file is written into the directory that secure_file_priv names, or below it; a name without a directory is one in it. Nothing
// is ever overwritten, and a statement that fails leaves no file behind. The account needs FILE. LOAD DATA INFILE with the same
// clauses reads the file back.
package outfile

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"
	"github.com/dolthub/go-mysql-server/sql/plan"
	"github.com/dolthub/go-mysql-server/sql/transform"
	"github.com/dolthub/vitess/go/mysql"
)

// RuleID is the rule's number in the analyzer.
const RuleID analyzer.RuleId = 10_021

// cantCreate is the number that MySQL gives the errors of files it cannot make.
const cantCreate = 1

// Rule replaces the engine's INTO OUTFILE and INTO DUMPFILE by this package's. It belongs after the analysis.
func Rule(ctx *sql.Context, a *analyzer.Analyzer, n sql.Node, _ *plan.Scope, _ analyzer.RuleSelector, _ *sql.QueryFlags) (sql.Node, transform.TreeIdentity, error) {
	return transform.Node(ctx, n, func(ctx *sql.Context, n sql.Node) (sql.Node, transform.TreeIdentity, error) {
		into, ok := n.(*plan.Into)
		if !ok || into.Outfile == "" && into.Dumpfile == "" {
			return n, transform.SameTree, nil
		}
		accounts := a.Catalog.MySQLDb
		if accounts.Enabled() && !accounts.UserHasPrivileges(ctx, sql.NewPrivilegedOperation(sql.PrivilegeCheckSubject{}, sql.PrivilegeType_File)) {
			return nil, transform.SameTree, mysql.NewSQLError(mysql.ERSpecifiedAccessDenied, "42000",
				"Access denied; you need (at least one of) the FILE privilege(s) for this operation")
		}
		return &statement{Into: into}, transform.NewTree, nil
	})
}

// statement is a plan.Into that builds its own iterator.
type statement struct{ *plan.Into }

var _ sql.ExecBuilderNode = (*statement)(nil)

// WithChildren implements sql.Node.
func (s *statement) WithChildren(ctx *sql.Context, children ...sql.Node) (sql.Node, error) {
	into, err := s.Into.WithChildren(ctx, children...)
	if err != nil {
		return nil, err
	}
	return &statement{into.(*plan.Into)}, nil
}

// WithExpressions implements sql.Expressioner.
func (s *statement) WithExpressions(ctx *sql.Context, e ...sql.Expression) (sql.Node, error) {
	into, err := s.Into.WithExpressions(ctx, e...)
	if err != nil {
		return nil, err
	}
	return &statement{into.(*plan.Into)}, nil
}

// BuildRowIter implements sql.ExecBuilderNode.
func (s *statement) BuildRowIter(ctx *sql.Context, b sql.NodeExecBuilder, row sql.Row) (sql.RowIter, error) {
	name := s.Outfile
	if name == "" {
		name = s.Dumpfile
	}
	path, err := allowed(name)
	if err != nil {
		return nil, err
	}
	return &iter{statement: s, path: path, name: name, build: func(ctx *sql.Context) (sql.RowIter, error) { return b.Build(ctx, s.Child, row) }}, nil
}

// allowed is the file that a name means, if secure_file_priv allows it. Links are followed before the comparison.
func allowed(name string) (string, error) {
	_, value, ok := sql.SystemVariables.GetGlobal("secure_file_priv")
	if !ok {
		return "", fmt.Errorf("there is no variable secure_file_priv")
	}
	secure, _ := value.(string)
	if secure == "" {
		return filepath.Abs(name)
	}
	secure, err := filepath.Abs(secure)
	if err != nil {
		return "", err
	}
	if secure, err = filepath.EvalSymlinks(secure); err != nil {
		return "", err
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(secure, name)
	}
	dir, err := filepath.EvalSymlinks(filepath.Dir(name))
	if err != nil && !os.IsNotExist(err) {
		return "", err
	}
	if err != nil {
		dir = filepath.Dir(filepath.Clean(name)) // whether it is inside decides what is said of it
	}
	inside, relErr := filepath.Rel(secure, dir)
	if relErr != nil || inside == ".." || strings.HasPrefix(inside, ".."+string(filepath.Separator)) {
		return "", mysql.NewSQLError(mysql.EROptionPreventsStatement, "HY000",
			"The MySQL server is running with the --secure-file-priv option so it cannot execute this statement")
	}
	if err != nil {
		return "", mysql.NewSQLError(cantCreate, "HY000", "Can't create/write to file '%s' (there is no such directory)", name)
	}
	return filepath.Join(dir, filepath.Base(name)), nil
}
