// Package server is Almanac as clients see it: a listener that speaks the MySQL protocol, sessions and accounts, and the
// SQL engine over storage.
//
// Everything below it is free of the SQL engine; everything that must know go-mysql-server lives here and in the packages
// below this folder: catalog (storage as databases and tables), sqltype (values and types), tablefunc (functions.Spec as
// table functions). What this package adds to the engine:
//
//   - safe defaults: accounts are always checked, and only loopback is listened on until every account has a password;
//   - the system database `almanac` that describes the server in tables;
//   - corrections of the engine: exact SUM, constant functions beside aggregates, a process list that shows progress,
//     events that are not lost when several are due at once;
//   - a stop that lets running statements finish for a while.
package server
