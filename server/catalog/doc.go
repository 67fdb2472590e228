// Package catalog presents Almanac's storage to the SQL engine: databases, tables, editors, transactions, views,
// events, procedures, triggers, users and grants.
//
// # Wiring
//
//	db, err := storage.Open(dir, storage.Options{Collate: sqltype.Collate})
//	pro := catalog.NewProvider(db, catalog.WithTableFunctions(fns...))  // sql.MutableDatabaseProvider, sql.TableFunctionProvider
//	engine := sqle.New(analyzer.NewBuilder(pro).Build(), cfg)
//	engine.Analyzer.Catalog.MySQLDb                                     // users and grants:
//	persister := catalog.NewPrivilegePersister(db)                      //   mysql_db.MySQLDbPersistence
//	mysqlDB.SetPersister(persister); persister.Load(ctx, mysqlDB)
//	builder := catalog.SessionBuilder(pro)                              // server.SessionBuilder for the listener
//	session := catalog.NewSession(base, pro)                            // the same without a connection (events, tests)
//	ctxGetter := catalog.ContextGetter(pro)                             // for engine.InitializeEventScheduler
//
// # Transactions
//
// A [Session] owns at most one storage.Txn, opened at the first use in a transaction and shared by every table it
// touches. Readers see a snapshot; a write that lost the race to another session fails at COMMIT with MySQL error 1213
// (SQLSTATE 40001), which drivers know to retry. DDL commits what was pending before it, and itself at once.
//
// Tables are values of the statement that resolved them. They ask the session for the transaction at run time and are
// not safe for concurrent use, like the session.
package catalog
