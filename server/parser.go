package server

import (
	"context"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"
	"github.com/dolthub/vitess/go/vt/sqlparser"
)

// parser is the engine's parser, with statements on oneself open to everybody. The engine asks for SELECT on the database
// mysql for SHOW GRANTS, but drivers and BI tools send it with the account they were given; and for PROCESS and SUPER for
// SHOW PROCESSLIST and KILL, which every account may use on its own connections (see processListRule).
type parser struct {
	sql.Parser
	databases sql.DatabaseProvider
	views     *viewRights
}

func amend(stmt sqlparser.Statement) sqlparser.Statement {
	open := sqlparser.AuthInformation{AuthType: sqlparser.AuthType_IGNORE, TargetType: sqlparser.AuthTargetType_Ignore}
	switch stmt := stmt.(type) {
	case *sqlparser.ShowGrants:
		if stmt.For == nil {
			stmt.Auth = open
		}
	case *sqlparser.Show:
		switch strings.ToLower(stmt.Type) {
		case "processlist":
			stmt.Auth = open
		case sqlparser.CreateViewStr, sqlparser.CreateTableStr:
			stmt.Auth = sqlparser.AuthInformation{
				AuthType: authShowCreate, TargetType: sqlparser.AuthTargetType_SingleTableIdentifier,
				TargetNames: []string{stmt.Table.DbQualifier.String(), stmt.Table.Name.String()},
			}
		}
	case *sqlparser.DDL:
		acceptConditions(stmt)
	case *sqlparser.Kill:
		stmt.Auth = open
	}
	return rewrite(stmt)
}

// ParseSimple implements sql.Parser.
func (p parser) ParseSimple(query string) (sqlparser.Statement, error) {
	stmt, err := p.Parser.ParseSimple(plainComments(query))
	return amend(stmt), err
}

// Parse implements sql.Parser.
func (p parser) Parse(ctx *sql.Context, query string, multi bool) (sqlparser.Statement, string, string, error) {
	stmt, parsed, rest, err := p.Parser.Parse(ctx, plainComments(query), multi)
	p.views.adapt(query, stmt)
	return p.upserts(ctx, amend(stmt)), parsed, rest, err
}

// ParseWithOptions implements sql.Parser.
func (p parser) ParseWithOptions(ctx context.Context, query string, delimiter rune, multi bool, options sqlparser.ParserOptions) (sqlparser.Statement, string, string, error) {
	stmt, parsed, rest, err := p.Parser.ParseWithOptions(ctx, plainComments(query), delimiter, multi, options)
	p.views.adapt(query, stmt)
	return p.upserts(ctx, amend(stmt)), parsed, rest, err
}

// ParseOneWithOptions implements sql.Parser.
func (p parser) ParseOneWithOptions(ctx context.Context, query string, options sqlparser.ParserOptions) (sqlparser.Statement, int, error) {
	stmt, end, err := p.Parser.ParseOneWithOptions(ctx, plainComments(query), options)
	p.views.adapt(query, stmt)
	return p.upserts(ctx, amend(stmt)), end, err
}
