//go:build enginetest

package catalog_test

import (
	"testing"

	"github.com/dolthub/go-mysql-server/enginetest"
	"github.com/dolthub/go-mysql-server/enginetest/scriptgen/setup"
	"github.com/dolthub/go-mysql-server/server"
	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/server/catalog"
	"github.com/almanacdb/almanac/server/sqltype"
	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/vfs"
)

// The engine's own suite over our tables. It is an early look at correctness, not a gate: foreign keys, full text, spatial
// types and temporary tables are refused here by design, and the tests of them fail. It needs modules that the product
// does not, so it runs with a go.mod of its own:
//
//	cp go.mod go.sum /tmp/ && go test -mod=mod -modfile=/tmp/go.mod -tags=gms_pure_go,enginetest -c -o /tmp/suite ./server/catalog
//	cd $(go list -m -f '{{.Dir}}' github.com/dolthub/go-mysql-server)/enginetest && /tmp/suite -test.run EngineSuite -test.v

type harness struct {
	t       *testing.T
	scripts []setup.SetupScript
	db      *storage.DB
	pro     *catalog.Provider
	session sql.Session
}

var (
	_ enginetest.Harness            = (*harness)(nil)
	_ enginetest.ClientHarness      = (*harness)(nil)
	_ enginetest.TransactionHarness = (*harness)(nil)
	_ enginetest.IndexHarness       = (*harness)(nil)
	_ enginetest.ForeignKeyHarness  = (*harness)(nil)
	_ enginetest.ServerHarness      = (*harness)(nil)
)

func newHarness(t *testing.T) *harness { return &harness{t: t} }

func (h *harness) provider() *catalog.Provider {
	if h.pro == nil {
		h.open()
	}
	return h.pro
}

func (h *harness) open() {
	db, err := storage.Open("data", storage.Options{FS: vfs.NewMem(), Collate: sqltype.Collate})
	if err != nil {
		h.t.Fatal(err)
	}
	h.t.Cleanup(func() { _ = db.Close() })
	h.db, h.pro, h.session = db, catalog.NewProvider(db), nil
}

func (h *harness) NewContext() *sql.Context {
	if h.session == nil {
		h.session = catalog.NewSession(enginetest.NewBaseSession(), h.provider())
	}
	return sql.NewContext(h.t.Context(), sql.WithSession(h.session))
}

func (h *harness) NewContextWithClient(client sql.Client) *sql.Context {
	base := sql.NewBaseSessionWithClientServer("address", client, 1)
	return sql.NewContext(h.t.Context(), sql.WithSession(catalog.NewSession(base, h.provider())))
}

func (h *harness) NewSession() *sql.Context {
	h.session = catalog.NewSession(enginetest.NewBaseSession(), h.provider())
	return sql.NewContext(h.t.Context(), sql.WithSession(h.session))
}

func (h *harness) SessionBuilder() server.SessionBuilder { return catalog.SessionBuilder(h.provider()) }

func (h *harness) Setup(scripts ...[]setup.SetupScript) {
	h.scripts = nil
	for _, s := range scripts {
		h.scripts = append(h.scripts, s...)
	}
}

func (h *harness) NewEngine(t *testing.T) (enginetest.QueryEngine, error) {
	h.open()
	for _, name := range []string{"mydb", "foo"} {
		if err := h.pro.CreateDatabase(h.NewContext(), name); err != nil {
			return nil, err
		}
	}
	h.session = nil
	e := enginetest.NewEngineWithProvider(t, h, h.pro)
	scripts := h.scripts
	if len(scripts) == 0 {
		scripts = setup.MydbData
	}
	for _, script := range scripts {
		for _, statement := range script {
			// What we refuse by design must not keep the tests of all the rest from running.
			ctx := enginetest.NewContext(h).WithQuery(statement)
			_, iter, _, err := e.Query(ctx, statement)
			if err == nil {
				_, err = sql.RowIterToRows(ctx, iter)
			}
			if err != nil {
				t.Logf("setup: %s: %v", statement, err)
			}
		}
	}
	h.session = nil // the tests' session knows nothing of the setup
	return e, nil
}

func (h *harness) SupportsNativeIndexCreation() bool { return true }
func (h *harness) SupportsForeignKeys() bool         { return false }

func TestEngineSuite(t *testing.T) {
	for name, run := range map[string]func(*testing.T, enginetest.Harness){
		"Queries":               enginetest.TestQueries,
		"JoinQueries":           enginetest.TestJoinQueries,
		"LateralJoinQueries":    enginetest.TestLateralJoinQueries,
		"OrderByGroupBy":        enginetest.TestOrderByGroupBy,
		"QueryErrors":           enginetest.TestQueryErrors,
		"InsertInto":            enginetest.TestInsertInto,
		"InsertKeyless":         enginetest.TestInsertDuplicateKeyKeyless,
		"InsertIgnore":          enginetest.TestInsertIgnoreInto,
		"InsertErrors":          enginetest.TestInsertIntoErrors,
		"LoadData":              enginetest.TestLoadData,
		"ReplaceInto":           enginetest.TestReplaceInto,
		"Update":                enginetest.TestUpdate,
		"UpdateIgnore":          enginetest.TestUpdateIgnore,
		"Delete":                enginetest.TestDelete,
		"Truncate":              enginetest.TestTruncate,
		"Scripts":               enginetest.TestScripts,
		"GeneratedColumns":      enginetest.TestGeneratedColumns,
		"ComplexIndexQueries":   enginetest.TestComplexIndexQueries,
		"Triggers":              enginetest.TestTriggers,
		"RollbackTriggers":      enginetest.TestRollbackTriggers,
		"StoredProcedures":      enginetest.TestStoredProcedures,
		"Events":                enginetest.TestEvents,
		"Views":                 enginetest.TestViews,
		"CreateTable":           enginetest.TestCreateTable,
		"DropTable":             enginetest.TestDropTable,
		"RenameTable":           enginetest.TestRenameTable,
		"RenameColumn":          enginetest.TestRenameColumn,
		"AddColumn":             enginetest.TestAddColumn,
		"ModifyColumn":          enginetest.TestModifyColumn,
		"DropColumn":            enginetest.TestDropColumn,
		"CreateDatabase":        enginetest.TestCreateDatabase,
		"PkOrdinalsDDL":         enginetest.TestPkOrdinalsDDL,
		"PkOrdinalsDML":         enginetest.TestPkOrdinalsDML,
		"DropDatabase":          enginetest.TestDropDatabase,
		"CheckConstraints":      enginetest.TestCreateCheckConstraints,
		"ChecksOnInsert":        enginetest.TestChecksOnInsert,
		"ChecksOnUpdate":        enginetest.TestChecksOnUpdate,
		"DropCheckConstraints":  enginetest.TestDropCheckConstraints,
		"WindowFunctions":       enginetest.TestWindowFunctions,
		"NaturalJoin":           enginetest.TestNaturalJoin,
		"TransactionScripts":    enginetest.TestTransactionScripts,
		"ConcurrentTransaction": enginetest.TestConcurrentTransactions,
		"OnUpdate":              enginetest.TestOnUpdateExprScripts,
		"AddDropPks":            enginetest.TestAddDropPks,
		"NullRanges":            enginetest.TestNullRanges,
		"AlterTable":            enginetest.TestAlterTable,
		"ColumnDefaults":        enginetest.TestColumnDefaults,
		"PreparedInsert":        enginetest.TestPreparedInsert,
		"Prepared":              enginetest.TestPrepared,
		"CharsetCollation":      enginetest.TestCharsetCollationEngine,
		"Blobs":                 enginetest.TestBlobs,
		"Indexes":               enginetest.TestIndexes,
		"IndexPrefix":           enginetest.TestIndexPrefix,
		"InfoSchema":            enginetest.TestInfoSchema,
		"ShowTableStatus":       enginetest.TestShowTableStatus,
	} {
		t.Run(name, func(t *testing.T) { run(t, newHarness(t)) })
	}
	t.Run("JSONScripts", func(t *testing.T) { enginetest.TestJsonScripts(t, newHarness(t), nil) })
	t.Run("UserPrivileges", func(t *testing.T) { enginetest.TestUserPrivileges(t, newHarness(t)) })
}
