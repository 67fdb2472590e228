// Package storage keeps durable tables of Apache Arrow record batches, with the databases and named objects around them. It
// knows nothing of SQL or of models.
//
// # Shape
//
// A [DB] owns one directory. A [Txn] is a snapshot of the whole directory together with its own changes; a [Table] is a table seen
// through a transaction; a [Scanner] reads one fixed version of a table. Readers never block writers: every version of a table is an
// immutable list of parts (segment files or in-memory batches) with bitmaps of deleted rows, and a commit publishes a new list.
//
// A [KeyRange] finds rows by the leading columns of any key without reading through the table; [Table.Lookup] finds the one row of a
// unique key. Checkpoints move committed rows to segments, and compaction merges segments so that neighbours in the primary key are
// neighbours in the file; both run in the background. [DB.Backup] copies a running database.
//
// Commit is durable on return: the changes are in the log and the log is synced. Committers that arrive together share one sync.
// Isolation is snapshot isolation; of two transactions that collide the first to commit wins, the other gets [ErrConflict].
//
// # On disk
//
//	LOCK               held exclusively while the directory is open
//	MANIFEST           the state as of the last checkpoint
//	log/NNNNNN.log     committed transactions since then
//	segments/NNNNNN.seg  immutable column files
//
// The byte layouts are described in docs/format. All file access goes through package storage/vfs.
//
// # Ownership of Arrow memory
//
// Append copies what it needs: the caller keeps its batch. Batches from a Scanner are valid until its next Next or Release, unless
// retained, as with any array.RecordReader. Batches from Row belong to the caller. Stored data live on the Go heap.
package storage
