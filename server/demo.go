package server

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/server/demo"
)

const demoDatabase = "demo"

// createDemo fills the database `demo`, unless there is one.
func (s *Server) createDemo(ctx context.Context) error {
	txn := s.db.Begin()
	databases := txn.Databases()
	txn.Rollback()
	for _, name := range databases {
		if name == demoDatabase {
			return nil
		}
	}
	if err := s.exec(ctx, "", "CREATE DATABASE "+demoDatabase); err != nil {
		return err
	}
	for _, table := range demo.Tables() {
		if err := s.exec(ctx, demoDatabase, table.DDL); err != nil {
			return fmt.Errorf("table %s: %w", table.Name, err)
		}
		rows := table.Rows(memory.DefaultAllocator)
		defer rows.Release()
		txn := s.db.Begin()
		defer txn.Rollback()
		stored, err := txn.Table(demoDatabase, table.Name)
		if err != nil {
			return err
		}
		if err := stored.Append(ctx, rows); err != nil {
			return fmt.Errorf("table %s: %w", table.Name, err)
		}
		if err := txn.Commit(ctx); err != nil {
			return fmt.Errorf("table %s: %w", table.Name, err)
		}
		s.logger.Info("demo table created", "table", demoDatabase+"."+table.Name, "rows", rows.NumRows())
	}
	return nil
}

// exec runs one statement as the server itself.
func (s *Server) exec(ctx context.Context, database, query string) error {
	statement, err := s.newContext()
	if err != nil {
		return err
	}
	statement = statement.WithContext(ctx)
	defer sql.SessionEnd(statement.Session)
	statement.SetCurrentDatabase(database)
	_, rows, _, err := s.engine.Query(statement, query)
	if err != nil {
		return err
	}
	for {
		if _, err = rows.Next(statement); err != nil {
			break
		}
	}
	if !errors.Is(err, io.EOF) {
		_ = rows.Close(statement)
		return err
	}
	return rows.Close(statement)
}
