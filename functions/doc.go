// Package functions holds the table functions that an analyst calls: FORECAST, DECOMPOSE and their family. Each function is one
// file that exports one declarative Spec. Binding, validation, help text, documentation and example tests all derive from the
// Spec; the SQL server adapts Specs to its engine and never looks inside.
//
// # Calling a function from the server
//
// A server adapter needs four calls.
//
//	for _, spec := range functions.All() { … }          // register spec.Name (upper case; match without regard to case)
//
//	bound, err := functions.Bind(spec, relation, args, env) // at planning: no data is read
//	schema := bound.Schema()                               // the output columns, exact types and metadata
//
//	reader, err := spec.Run(ctx, env, bound)               // at the first Next, not before
//	for reader.Next() { batch := reader.RecordBatch(); … } // batch is valid until the following Next; Retain to keep it
//	err = reader.Err()
//	reader.Release()                                       // always, also after an error or half-way: stops the workers and waits
//
// Run itself returns at once; panel building and computing happen inside the first Next. Cancelling ctx ends Next within a
// second with ctx's error in Err. Release may be called at any time from the goroutine that calls Next.
//
// # Arguments
//
// relation is the source, already resolved (and its privileges checked); its Schema must be known at Bind. args are the
// arguments behind the source as plain Go values: nil for NULL, string, bool, int64 or any Go integer, float64 (convert
// DECIMAL), time.Time, map[string]any or []any for JSON, and functions.Unbound{} for a `?` that has no value yet. A bare
// number of arguments that does not fit, or one of a wrong type, is an error of Bind with a message for the user; the
// adapter checks nothing itself.
//
// With Unbound among horizon, k or options, Bind succeeds provisionally (bound.Provisional): the schema is that of the
// defaults (no keys when options is Unbound) and Run refuses. Bind again with the values at execution. Column names must be
// literal.
//
// env may be shared by all calls: Models is models.All(), Workers the number of cores. Progress and Warn differ by statement:
// give Run a copy of env with both set. Bind uses only env.Models.
//
// # Results
//
// Key columns and the time column carry the source's field (name, type and metadata) unchanged; the other columns are int64,
// float64 and utf8 without metadata. utf8 columns arrive as utf8 or as dictionary(int32, utf8), batch by batch. Rows are
// ordered by key, then time.
//
// # Errors
//
// Every error of Bind and of a reader that is the user's to mend is (or wraps) a *functions.Error with Code ("FC0203"),
// SQLState, Message and Fix; errors.As finds it. Its Error() is "FC0203 forecast: what, why.\nFix: …". context.Canceled and
// DeadlineExceeded pass through unwrapped for errors.Is; an error of Relation.Read passes through wrapped.
package functions
