package bulk

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/dolthub/go-mysql-server/sql"

	"github.com/almanacdb/almanac/server/catalog"
	"github.com/almanacdb/almanac/storage"
)

// DumpOptions say what a dump holds.
type DumpOptions struct {
	// Databases names them; none means all.
	Databases []string
	// Drop puts a DROP … IF EXISTS before each CREATE.
	Drop bool
	// NoData leaves the rows out.
	NoData bool
}

// Dumper writes databases as SQL: this process's own, or a server's through its socket.
type Dumper interface {
	// Dump writes the statements that make the databases again, in Almanac, MySQL or MariaDB: databases, tables with their keys and
	// rows, views, triggers, procedures and events, all as they were at one moment. Users and grants are not among them. The
	// error is storage.ErrNoDatabase for a name that is not there.
	Dump(ctx context.Context, w io.Writer, o DumpOptions) error
}

// Sessions that read a dump must take it literally: zeros in AUTO_INCREMENT columns, times as UTC, references in any order. What they
// had before is restored at the end.
const (
	dumpHead = `-- Almanac dump, to be read by Almanac, MySQL or MariaDB

/*!40101 SET @OLD_CHARACTER_SET_CLIENT=@@CHARACTER_SET_CLIENT */;
/*!40101 SET @OLD_CHARACTER_SET_RESULTS=@@CHARACTER_SET_RESULTS */;
/*!40101 SET @OLD_COLLATION_CONNECTION=@@COLLATION_CONNECTION */;
/*!40101 SET NAMES utf8mb4 */;
/*!40103 SET @OLD_TIME_ZONE=@@TIME_ZONE */;
/*!40103 SET TIME_ZONE='+00:00' */;
/*!40014 SET @OLD_UNIQUE_CHECKS=@@UNIQUE_CHECKS, UNIQUE_CHECKS=0 */;
/*!40014 SET @OLD_FOREIGN_KEY_CHECKS=@@FOREIGN_KEY_CHECKS, FOREIGN_KEY_CHECKS=0 */;
/*!40101 SET @OLD_SQL_MODE=@@SQL_MODE, SQL_MODE='NO_AUTO_VALUE_ON_ZERO' */;
`
	dumpTail = `
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;
/*!40101 SET SQL_MODE=@OLD_SQL_MODE */;
/*!40014 SET FOREIGN_KEY_CHECKS=@OLD_FOREIGN_KEY_CHECKS */;
/*!40014 SET UNIQUE_CHECKS=@OLD_UNIQUE_CHECKS */;
/*!40101 SET CHARACTER_SET_CLIENT=@OLD_CHARACTER_SET_CLIENT */;
/*!40101 SET CHARACTER_SET_RESULTS=@OLD_CHARACTER_SET_RESULTS */;
/*!40101 SET COLLATION_CONNECTION=@OLD_COLLATION_CONNECTION */;

-- Dump completed
`
)

// Dump implements Dumper.
func (l *Local) Dump(ctx context.Context, w io.Writer, o DumpOptions) error {
	pro := catalog.NewProvider(l.db)
	session, err := catalog.ContextGetter(pro)()
	if err != nil {
		return err
	}
	sctx := session.WithContext(ctx)
	owner := sctx.Session.(*catalog.Session)
	tx, err := owner.StartTransaction(sctx, sql.ReadOnly)
	if err != nil {
		return err
	}
	sctx.SetTransaction(tx)
	defer func() { _ = owner.Rollback(sctx, tx) }()

	out := bufio.NewWriterSize(w, 256<<10)
	d := &dumper{ctx: sctx, out: out, options: o}
	databases, err := d.databases(pro)
	if err != nil {
		return err
	}
	d.print(dumpHead)
	for _, db := range databases {
		if err := d.database(db); err != nil {
			return fmt.Errorf("database %s: %w", db.Name(), err)
		}
	}
	d.print(dumpTail)
	return out.Flush()
}

type dumper struct {
	ctx     *sql.Context
	out     *bufio.Writer
	options DumpOptions
}

func (d *dumper) print(format string, args ...any) {
	if len(args) == 0 {
		_, _ = d.out.WriteString(format)
		return
	}
	fmt.Fprintf(d.out, format, args...) // Flush reports what failed
}

func (d *dumper) databases(pro *catalog.Provider) ([]*catalog.Database, error) {
	names := d.options.Databases
	if len(names) == 0 {
		for _, db := range pro.AllDatabases(d.ctx) {
			names = append(names, db.Name())
		}
	}
	slices.Sort(names)
	out := make([]*catalog.Database, 0, len(names))
	for _, name := range slices.Compact(names) {
		db, err := pro.Database(d.ctx, name)
		if sql.ErrDatabaseNotFound.Is(err) {
			return nil, fmt.Errorf("%w: %s", storage.ErrNoDatabase, name)
		}
		if err != nil {
			return nil, err
		}
		known, ok := db.(*catalog.Database)
		if !ok {
			return nil, fmt.Errorf("database %s is a %T", name, db)
		}
		out = append(out, known)
	}
	return out, nil
}

func quoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

func (d *dumper) database(db *catalog.Database) error {
	collation := db.GetCollation(d.ctx)
	d.print("\n--\n-- Database %s\n--\n\nCREATE DATABASE IF NOT EXISTS %s DEFAULT CHARACTER SET %s%s;\nUSE %[2]s;\n", quoteName(db.Name()), quoteName(db.Name()),
		collation.CharacterSet().Name(), collate(collation.Name()))
	names, err := db.GetTableNames(d.ctx)
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, name := range names {
		t, ok, err := db.GetTableInsensitive(d.ctx, name)
		if err != nil {
			return err
		}
		table, known := catalog.Underlying(t)
		if !ok || !known {
			return fmt.Errorf("table %s is gone", name)
		}
		if err := d.table(table); err != nil {
			return fmt.Errorf("table %s: %w", name, err)
		}
	}
	if err := d.views(db); err != nil {
		return err
	}
	if err := d.triggers(db); err != nil {
		return err
	}
	if err := d.procedures(db); err != nil {
		return err
	}
	return d.events(db)
}

// views come after the tables, each after those that it names.
func (d *dumper) views(db *catalog.Database) error {
	views, err := db.AllViews(d.ctx)
	if err != nil {
		return err
	}
	slices.SortFunc(views, func(a, b sql.ViewDefinition) int { return strings.Compare(a.Name, b.Name) })
	names := make([]*regexp.Regexp, len(views))
	for i, v := range views {
		names[i] = regexp.MustCompile(`(?i)\b` + regexp.QuoteMeta(v.Name) + `\b`)
	}
	done := make([]bool, len(views))
	var visit func(i int)
	visit = func(i int) {
		if done[i] {
			return
		}
		done[i] = true
		for j := range views {
			if names[j].MatchString(views[i].TextDefinition) { // a name inside of a text counts too: FORECAST('view', …)
				visit(j)
			}
		}
		d.print("\n")
		if d.options.Drop {
			d.print("DROP VIEW IF EXISTS %s;\n", quoteName(views[i].Name))
		}
		d.inMode(views[i].SqlMode, func() {
			d.print("CREATE VIEW %s AS %s;\n", quoteName(views[i].Name), views[i].TextDefinition)
		})
	}
	for i := range views {
		visit(i)
	}
	return nil
}

// inMode runs emit between statements that set the SQL mode in which a definition was written.
func (d *dumper) inMode(mode string, emit func()) {
	if mode == "" {
		emit()
		return
	}
	d.print("/*!50003 SET @DUMP_SQL_MODE=@@SQL_MODE, SQL_MODE='%s' */;\n", mode)
	emit()
	d.print("/*!50003 SET SQL_MODE=@DUMP_SQL_MODE */;\n")
}

// statement prints a statement that may hold semicolons.
func (d *dumper) statement(text string) {
	d.print("DELIMITER ;;\n")
	d.print("%s ;;\n", strings.TrimRight(strings.TrimSpace(text), "; \n\t"))
	d.print("DELIMITER ;\n")
}

func (d *dumper) triggers(db *catalog.Database) error {
	triggers, err := db.GetTriggers(d.ctx)
	if err != nil {
		return err
	}
	for _, t := range triggers { // in the order in which they fire
		d.print("\n")
		if d.options.Drop {
			d.print("DROP TRIGGER IF EXISTS %s;\n", quoteName(t.Name))
		}
		d.inMode(t.SqlMode, func() { d.statement(t.CreateStatement) })
	}
	return nil
}

func (d *dumper) procedures(db *catalog.Database) error {
	procedures, err := db.GetStoredProcedures(d.ctx)
	if err != nil {
		return err
	}
	for _, p := range procedures {
		d.print("\n")
		if d.options.Drop {
			d.print("DROP PROCEDURE IF EXISTS %s;\n", quoteName(p.Name))
		}
		d.inMode(p.SqlMode, func() { d.statement(p.CreateStatement) })
	}
	return nil
}

func (d *dumper) events(db *catalog.Database) error {
	events, _, err := db.GetEvents(d.ctx)
	if err != nil {
		return err
	}
	for _, e := range events {
		d.print("\n")
		if d.options.Drop {
			d.print("DROP EVENT IF EXISTS %s;\n", quoteName(e.Name))
		}
		d.inMode(e.SqlMode, func() { d.statement(e.CreateEventStatement()) })
	}
	return nil
}

// collate names a collation so that each server understands it: MySQL 8 and Almanac by its name; MariaDB, which passes over
// comments for MySQL 8, by that of its own collation with the same order.
func collate(name string) string {
	if !strings.HasPrefix(name, "utf8mb4_0900_") {
		return " COLLATE " + name
	}
	out := " /*!80000 COLLATE " + name + " */"
	switch rest := strings.TrimPrefix(name, "utf8mb4_0900_"); rest {
	case "bin":
		return out + " /*M!100200 COLLATE utf8mb4_nopad_bin */"
	case "ai_ci", "as_ci", "as_cs":
		return out + " /*M!101000 COLLATE utf8mb4_uca1400_nopad_" + rest + " */"
	}
	return out
}
