// Package loaddata runs LOAD DATA [LOCAL] INFILE by columns. [Rule] replaces the engine's plan for a statement into one of our
// tables: the file is split into fields and converted into Arrow arrays by one goroutine while the one that runs the
// statement hands finished batches to the storage, inside of the session's transaction. SQL expressions (SET, CHECK,
// generated columns, defaults that are not constant) are evaluated a row at a time, for their columns only.
//
// Values mean what they mean to INSERT: a text that the fast conversions do not know goes through the column's SQL type. In
// strict mode, and without IGNORE, whatever does not fit ends the statement, which then has changed nothing; otherwise the
// nearest value is stored and a warning says so, as in MySQL. Tables with triggers are left to the engine.
//
// Files are split as MySQL and MariaDB split them, with these exceptions, each of which would load a mistake in silence: a
// closing quote at the end of the file closes also where the quote escapes itself; quotes count in fields beyond the last
// column, too; and such fields are complained of on a last line without a terminator as on any other. Columns of fixed width
// (FIELDS TERMINATED BY the empty string) are refused. A client that breaks off in the middle of its file loads nothing.
package loaddata
