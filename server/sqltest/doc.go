// Package sqltest runs the scripts of testdata/sql against a server over the MySQL protocol, with the stock Go driver.
//
// A script is a series of blocks separated by blank lines; lines that begin with # are comments. A block begins with a
// directive; the lines behind it are its text; expected output follows after a line of four dashes.
//
//	exec                  run a statement; with ---- its "affected N" is compared
//	query [names]         run a query and compare its rows: tab-separated, NULL as NULL, floats to six significant
//	                      digits; with names the first line lists the columns
//	prepared [JSON array] the same through a binary prepared statement with these arguments
//	error [starts]        run a statement that must fail; the output is "Error 1146 (42S02): …"; with starts, only its
//	                      beginning is compared
//	eventually            a query, repeated for up to 15 seconds until it gives the expected rows
//	warnings              the rows of SHOW WARNINGS after the statement
//	connect NAME user[:password][@database]   open a connection and make it current
//	use NAME              make another connection current; the first one is called root
//	disconnect NAME       close a connection
//	restart               stop the server and start another one on the same data directory; connections are reopened
//	file NAME             write the block's text into the file $DIR/NAME
//	sleep 500ms           wait
//
// Every script has a server, a data directory and a directory for files of its own; $DIR in a text stands for the latter.
// `go test ./server/sqltest -rewrite` writes what the server answered into the scripts: read the diff.
package sqltest
