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
// Table functions read a table's Arrow columns without going through rows: resolve the table by the engine's catalog,
// which checks privileges, then [Underlying] and [Table.Open].
//
// # Transactions
//
// A [Session] owns at most one storage.Txn, opened at the first use in a transaction and shared by every table it
// touches. Readers see a snapshot; a write that lost the race to another session fails at COMMIT with MySQL error 1213
// (SQLSTATE 40001), which drivers know to retry. DDL commits what was pending before it, and itself at once. A driver of
// the engine other than its server must call CommandBegin and CommandEnd around each statement: the latter rolls back
// what a failed statement in autocommit mode left.
//
// A statement's rows stay in its [edits] until it ends, so that unique keys are checked row by row while the storage
// gets few and large batches. A statement does not see its own changes.
//
// Tables are values of the statement that resolved them. They ask the session for the transaction at run time and are
// not safe for concurrent use, like the session.
package catalog
