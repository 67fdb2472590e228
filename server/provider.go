package server

import (
	"strings"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/server/catalog"
)

// provider is the catalog's databases and the system database beside them.
type provider struct {
	*catalog.Provider
	system *systemDatabase
}

var (
	_ sql.MutableDatabaseProvider  = (*provider)(nil)
	_ sql.CollatedDatabaseProvider = (*provider)(nil)
	_ sql.TableFunctionProvider    = (*provider)(nil)
	_ sql.FunctionProvider         = (*provider)(nil)
)

// Database implements sql.DatabaseProvider.
func (p *provider) Database(ctx *sql.Context, name string) (sql.Database, error) {
	if strings.EqualFold(name, p.system.Name()) {
		return p.system, nil
	}
	return p.Provider.Database(ctx, name)
}

// HasDatabase implements sql.DatabaseProvider.
func (p *provider) HasDatabase(ctx *sql.Context, name string) bool {
	return strings.EqualFold(name, p.system.Name()) || p.Provider.HasDatabase(ctx, name)
}

// AllDatabases implements sql.DatabaseProvider.
func (p *provider) AllDatabases(ctx *sql.Context) []sql.Database {
	return append([]sql.Database{p.system}, p.Provider.AllDatabases(ctx)...)
}

// CreateDatabase implements sql.MutableDatabaseProvider.
func (p *provider) CreateDatabase(ctx *sql.Context, name string) error {
	if strings.EqualFold(name, p.system.Name()) {
		return sql.ErrDatabaseExists.New(name)
	}
	return p.Provider.CreateDatabase(ctx, name)
}

// CreateCollatedDatabase implements sql.CollatedDatabaseProvider.
func (p *provider) CreateCollatedDatabase(ctx *sql.Context, name string, collation sql.CollationID) error {
	if strings.EqualFold(name, p.system.Name()) {
		return sql.ErrDatabaseExists.New(name)
	}
	return p.Provider.CreateCollatedDatabase(ctx, name, collation)
}

// DropDatabase implements sql.MutableDatabaseProvider.
func (p *provider) DropDatabase(ctx *sql.Context, name string) error {
	if strings.EqualFold(name, p.system.Name()) {
		return errSystemReadOnly()
	}
	return p.Provider.DropDatabase(ctx, name)
}
