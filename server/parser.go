package server

import (
	"context"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/vt/sqlparser"
)

// parser is the engine's parser, with SHOW GRANTS for oneself open to everybody: the engine asks for SELECT on the database
// mysql, but drivers and BI tools send it with the account they were given.
type parser struct{ sql.Parser }

func amend(stmt sqlparser.Statement) sqlparser.Statement {
	if show, ok := stmt.(*sqlparser.ShowGrants); ok && show.For == nil {
		show.Auth = sqlparser.AuthInformation{AuthType: sqlparser.AuthType_IGNORE}
	}
	return stmt
}

// ParseSimple implements sql.Parser.
func (p parser) ParseSimple(query string) (sqlparser.Statement, error) {
	stmt, err := p.Parser.ParseSimple(query)
	return amend(stmt), err
}

// Parse implements sql.Parser.
func (p parser) Parse(ctx *sql.Context, query string, multi bool) (sqlparser.Statement, string, string, error) {
	stmt, parsed, rest, err := p.Parser.Parse(ctx, query, multi)
	return amend(stmt), parsed, rest, err
}

// ParseWithOptions implements sql.Parser.
func (p parser) ParseWithOptions(ctx context.Context, query string, delimiter rune, multi bool, options sqlparser.ParserOptions) (sqlparser.Statement, string, string, error) {
	stmt, parsed, rest, err := p.Parser.ParseWithOptions(ctx, query, delimiter, multi, options)
	return amend(stmt), parsed, rest, err
}

// ParseOneWithOptions implements sql.Parser.
func (p parser) ParseOneWithOptions(ctx context.Context, query string, options sqlparser.ParserOptions) (sqlparser.Statement, int, error) {
	stmt, end, err := p.Parser.ParseOneWithOptions(ctx, query, options)
	return amend(stmt), end, err
}
