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
	views  *viewRights
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
	db, err := p.Provider.Database(ctx, name)
	if err != nil {
		return nil, err
	}
	return p.withRights(db), nil
}

func (p *provider) withRights(db sql.Database) sql.Database {
	if stored, ok := db.(*catalog.Database); ok {
		return &database{Database: stored, rights: p.views}
	}
	return db
}

// HasDatabase implements sql.DatabaseProvider.
func (p *provider) HasDatabase(ctx *sql.Context, name string) bool {
	return strings.EqualFold(name, p.system.Name()) || p.Provider.HasDatabase(ctx, name)
}

// AllDatabases implements sql.DatabaseProvider.
func (p *provider) AllDatabases(ctx *sql.Context) []sql.Database {
	all := []sql.Database{p.system}
	for _, db := range p.Provider.AllDatabases(ctx) {
		all = append(all, p.withRights(db))
	}
	return all
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
