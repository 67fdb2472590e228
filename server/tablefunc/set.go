package tablefunc

import (
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/go-mysql-server/sql/analyzer"

	"github.com/almanacdb/almanac/functions"
)

// Set is the table functions of one server.
type Set struct {
	specs  []*functions.Spec
	env    functions.Env
	logger *slog.Logger
	// columns tells how to read a table as columns; nil if it cannot be.
	columns func(sql.Table) ArrowTable

	analyzer atomic.Pointer[analyzer.Analyzer]
	calls    atomic.Uint64 // numbers the progress entries of calls within the process list
}

// New returns the table functions for specs. env is copied; Progress and Warn are set anew for every call. columns tells
// for a table how to read it as Arrow columns, and returns nil for tables that only have rows. A nil logger means
// slog.Default.
func New(specs []*functions.Spec, env functions.Env, columns func(sql.Table) ArrowTable, logger *slog.Logger) *Set {
	if logger == nil {
		logger = slog.Default()
	}
	if env.Workers < 1 {
		env.Workers = 1
	}
	return &Set{specs: specs, env: env, columns: columns, logger: logger}
}

// Attach names the analyzer of the engine that runs the functions. It must be called once, before the first statement:
// engine and functions need each other.
func (s *Set) Attach(a *analyzer.Analyzer) { s.analyzer.Store(a) }

// Specs returns the functions in their documented order.
func (s *Set) Specs() []*functions.Spec { return s.specs }

// Functions returns the functions for a sql.TableFunctionProvider. Their names are lower case.
func (s *Set) Functions() []sql.TableFunction {
	fns := make([]sql.TableFunction, len(s.specs))
	for i, spec := range s.specs {
		fns[i] = &call{set: s, spec: spec}
	}
	return fns
}

// Has tells whether there is a function of that name, in any case.
func (s *Set) Has(name string) bool {
	for _, spec := range s.specs {
		if strings.EqualFold(spec.Name, name) {
			return true
		}
	}
	return false
}
