// Package tablefunc makes table functions of the SQL engine out of functions.Specs.
//
// A [Set] holds one sql.TableFunction per Spec. When a statement is planned, the engine calls NewInstance with the
// unevaluated arguments, and the call
//
//  1. resolves its source (a table or view name, a SELECT as text, or an inline sub-query) with the privileges of the
//     session,
//  2. evaluates the arguments that are constant and binds the Spec to them, which fixes the output columns,
//  3. leaves arguments that are not known yet (`?` while preparing, outer columns under LATERAL, scalar sub-queries)
//     to the execution, where the call is bound a second time and must give the same columns.
//
// Nothing is computed before the first row is asked for. A source that is a plain table is read as Arrow columns through
// [ArrowTable], without becoming rows; every other SELECT is run by the engine in the same session and transaction, and
// turned back into columns once.
//
// A call that the engine runs more than once in one statement (the inner side of a nested-loop join) is computed twice at
// most: the second run keeps its result for the third and later ones.
package tablefunc
