package catalog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/storage"
)

// Provider is the engine's view of a storage.DB: it lists, creates and drops databases, and offers the table functions
// and functions it was given. It is safe for concurrent use.
type Provider struct {
	db             *storage.DB
	tableFunctions map[string]sql.TableFunction
	functions      map[string]sql.Function
	definitions    definitionCache
}

var (
	_ sql.MutableDatabaseProvider  = (*Provider)(nil)
	_ sql.CollatedDatabaseProvider = (*Provider)(nil)
	_ sql.TableFunctionProvider    = (*Provider)(nil)
	_ sql.FunctionProvider         = (*Provider)(nil)
)

// An Option adjusts a Provider under construction.
type Option func(*Provider)

// WithTableFunctions offers table functions; names are compared without regard to case.
func WithTableFunctions(fns ...sql.TableFunction) Option {
	return func(p *Provider) {
		for _, fn := range fns {
			p.tableFunctions[strings.ToLower(fn.Name())] = fn
		}
	}
}

// WithFunctions offers scalar or aggregate functions; they take precedence over the engine's own of the same name.
func WithFunctions(fns ...sql.Function) Option {
	return func(p *Provider) {
		for _, fn := range fns {
			p.functions[strings.ToLower(fn.FunctionName())] = fn
		}
	}
}

// NewProvider returns the Provider over db, which stays the caller's to close, after the engine.
func NewProvider(db *storage.DB, opts ...Option) *Provider {
	p := &Provider{db: db, tableFunctions: map[string]sql.TableFunction{}, functions: map[string]sql.Function{}}
	for _, opt := range opts {
		opt(p)
	}
	return p
}

// Storage returns the database underneath.
func (p *Provider) Storage() *storage.DB { return p.db }

// databaseMeta is what is kept with a database.
type databaseMeta struct {
	Collation string `json:"collation,omitempty"`
}

// Database implements sql.DatabaseProvider.
func (p *Provider) Database(ctx *sql.Context, name string) (sql.Database, error) {
	var found *Database
	err := p.view(ctx, func(t *storage.Txn) error {
		for _, n := range t.Databases() {
			if strings.EqualFold(n, name) {
				found = &Database{pro: p, name: n}
				return nil
			}
		}
		return sql.ErrDatabaseNotFound.New(name)
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// HasDatabase implements sql.DatabaseProvider.
func (p *Provider) HasDatabase(ctx *sql.Context, name string) bool {
	_, err := p.Database(ctx, name)
	return err == nil
}

// AllDatabases implements sql.DatabaseProvider.
func (p *Provider) AllDatabases(ctx *sql.Context) []sql.Database {
	var all []sql.Database
	_ = p.view(ctx, func(t *storage.Txn) error {
		for _, n := range t.Databases() {
			all = append(all, &Database{pro: p, name: n})
		}
		return nil
	})
	return all
}

// CreateDatabase implements sql.MutableDatabaseProvider.
func (p *Provider) CreateDatabase(ctx *sql.Context, name string) error {
	return p.CreateCollatedDatabase(ctx, name, sql.Collation_Default)
}

// CreateCollatedDatabase implements sql.CollatedDatabaseProvider.
func (p *Provider) CreateCollatedDatabase(ctx *sql.Context, name string, collation sql.CollationID) error {
	meta, err := json.Marshal(databaseMeta{Collation: collation.Name()})
	if err != nil {
		return err
	}
	return p.alter(ctx, func(t *storage.Txn) error {
		err := t.CreateDatabase(name, meta)
		if errors.Is(err, storage.ErrExists) {
			return sql.ErrDatabaseExists.New(name)
		}
		return err
	})
}

// DropDatabase implements sql.MutableDatabaseProvider; tables, views and all else in it go with it.
func (p *Provider) DropDatabase(ctx *sql.Context, name string) error {
	return p.alter(ctx, func(t *storage.Txn) error {
		for _, kind := range objectKinds {
			for _, o := range t.Objects(kind, name) {
				if err := t.DeleteObject(kind, name, o.Name); err != nil {
					return err
				}
			}
		}
		err := t.DropDatabase(name)
		if errors.Is(err, storage.ErrNoDatabase) {
			return sql.ErrDatabaseNotFound.New(name)
		}
		return err
	})
}

// TableFunction implements sql.TableFunctionProvider.
func (p *Provider) TableFunction(_ *sql.Context, name string) (sql.TableFunction, bool) {
	fn, ok := p.tableFunctions[strings.ToLower(name)]
	return fn, ok
}

// WithTableFunctions implements sql.TableFunctionProvider: a Provider over the same storage with only these.
func (p *Provider) WithTableFunctions(fns ...sql.TableFunction) (sql.TableFunctionProvider, error) {
	q := NewProvider(p.db, WithTableFunctions(fns...))
	q.functions = p.functions
	return q, nil
}

// Function implements sql.FunctionProvider.
func (p *Provider) Function(_ *sql.Context, _, name string) (sql.Function, bool) {
	fn, ok := p.functions[strings.ToLower(name)]
	return fn, ok
}

// view runs fn in the session's transaction, or in one of its own that ends with it.
func (p *Provider) view(ctx *sql.Context, fn func(*storage.Txn) error) error {
	txn, release := p.acquire(ctx)
	defer release()
	return fn(txn)
}

// acquire returns the transaction to read in. Outside of any (the engine asks for databases before it begins one) it is
// a fresh snapshot, given back by release.
func (p *Provider) acquire(ctx *sql.Context) (txn *storage.Txn, release func()) {
	if tx := transactionOf(ctx); tx != nil {
		return tx.storage(), func() {}
	}
	txn = p.db.Begin()
	return txn, txn.Rollback
}

// alter runs a change of the schema. What the session's explicit transaction did before is committed first, as MySQL
// does for DDL; a failing change leaves no trace; without a transaction the change commits at once.
func (p *Provider) alter(ctx *sql.Context, fn func(*storage.Txn) error) error {
	tx := transactionOf(ctx)
	if tx == nil {
		txn := p.db.Begin()
		defer txn.Rollback()
		if err := fn(txn); err != nil {
			return err
		}
		return commitError(txn.Commit(context.WithoutCancel(ctx)))
	}
	s := sessionOf(ctx)
	if s.GetIgnoreAutoCommit() || tx.readOnly {
		if err := s.CommitTransaction(ctx, tx); err != nil {
			return err
		}
		next, err := s.StartTransaction(ctx, sql.ReadWrite)
		if err != nil {
			return err
		}
		s.SetTransaction(next)
		tx = next.(*Transaction)
	}
	if err := tx.flush(ctx); err != nil {
		return err
	}
	save := tx.storage().Savepoint()
	if err := fn(tx.storage()); err != nil {
		tx.storage().RollbackTo(save)
		return err
	}
	tx.writes++
	return nil
}

// commitError maps a failed commit to what drivers understand; see conflictError.
func commitError(err error) error {
	if errors.Is(err, storage.ErrConflict) {
		return conflictError()
	}
	return err
}

func unsupported(format string, args ...any) error {
	return sql.ErrUnsupportedFeature.New(fmt.Sprintf(format, args...))
}
