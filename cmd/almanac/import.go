package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/almanacdb/almanac/server/bulk"
	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/ingest"
)

const importHelp = `Load files into a table: CSV (also .csv.gz, .tsv, .txt), Parquet and Arrow IPC.

With --create the table is made from the files: all of them are read to find each
column's type, so that no late value surprises. Without it the table exists and the
files' columns are matched by name.

All files of one call are one transaction. After a mistake, which is named with its
file, line, column and value, nothing of them stays behind.

It works on a data directory that no server has open, and beside a running server,
which then stores the rows.`

const importExample = `  almanac import sales.csv.gz --table shop.sales --create --primary-key sku,day
  almanac import 2025-*.parquet --table shop.sales
  almanac import kunden.csv --table shop.customers --create --charset windows-1252`

type importFlags struct {
	dataDir, table, delimiter, charset, dateOrder string
	create, noHeader, decimalComma                bool
	primaryKey, null                              []string
}

func newImportCommand() *cobra.Command {
	var f importFlags
	cmd := &cobra.Command{
		Use:     "import FILE… --table DATABASE.TABLE",
		Short:   "Load CSV, Parquet or Arrow files into a table",
		Long:    importHelp,
		Example: importExample,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			err := runImport(cmd.Context(), files, f, cmd.Flags().Changed("null"), cmd.OutOrStdout(), cmd.ErrOrStderr())
			if errors.Is(err, context.Canceled) {
				return errors.New("import interrupted; nothing was loaded")
			}
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.dataDir, "data-dir", defaultDataDir, "directory that holds the databases")
	flags.StringVar(&f.table, "table", "", "table to load into, as database.table")
	flags.BoolVar(&f.create, "create", false, "create the table, with types found from the files")
	flags.StringSliceVar(&f.primaryKey, "primary-key", nil, "columns of the primary key of a created table; series stored together are read faster")
	flags.StringVar(&f.delimiter, "delimiter", "", `character between CSV fields, \t for a tab (default: found)`)
	flags.BoolVar(&f.noHeader, "no-header", false, "the first line of a CSV file is data: columns are matched by place")
	flags.StringSliceVar(&f.null, "null", nil, `CSV texts that mean NULL (default: the empty field, NULL, \N)`)
	flags.StringVar(&f.dateOrder, "date-order", "", "order of CSV dates that are not ISO: mdy or dmy (default: found)")
	flags.BoolVar(&f.decimalComma, "decimal-comma", false, "numbers of CSV files have a decimal comma: 1.234,5")
	flags.StringVar(&f.charset, "charset", "", "character set of CSV files, such as windows-1252 (default: UTF-8)")
	_ = cmd.MarkFlagRequired("table")
	return cmd
}

func runImport(ctx context.Context, paths []string, f importFlags, nullSet bool, stdout, stderr io.Writer) error {
	database, table, ok := strings.Cut(f.table, ".")
	if !ok || database == "" || table == "" {
		return fmt.Errorf("--table %s: name the table as database.table, for example shop.%s", f.table, strings.Trim(f.table, "."))
	}
	if len(f.primaryKey) > 0 && !f.create {
		return errors.New("--primary-key belongs to --create: an existing table keeps its key")
	}
	o, err := f.options(nullSet)
	if err != nil {
		return err
	}
	loader, where, err := openLoader(f.dataDir, f.create)
	if err != nil {
		return err
	}
	defer loader.Close()

	existing, err := loader.Target(ctx, database, table)
	missing := errors.Is(err, storage.ErrNoTable) || errors.Is(err, storage.ErrNoDatabase)
	switch {
	case err != nil && !missing:
		return err
	case missing && !f.create:
		return fmt.Errorf("there is no table %s.%s; add --create to make it from the files", database, table)
	case !missing && f.create:
		return fmt.Errorf("table %s.%s exists already; leave out --create to add the rows to it, or drop it first", database, table)
	}
	p := newProgress(stderr, paths)
	files, err := p.open(paths, o)
	if err != nil {
		return err
	}
	start := time.Now()
	var target *bulk.Target
	if f.create {
		p.begin("finding types")
		columns, err := files.Columns(ctx)
		p.end()
		if err != nil {
			return err
		}
		if target, err = bulk.NewTarget(database, table, columns, f.primaryKey); err != nil {
			return err
		}
		for _, c := range columns {
			if c.Note != "" {
				fmt.Fprintf(stderr, "note: column %s: %s\n", c.Field.Name, c.Note)
			}
		}
	} else {
		target = existing
		if !f.noHeader {
			noteLeftOut(stderr, files.Names(), target.Names())
		}
	}
	columns, err := target.Columns(files.Names())
	if err != nil {
		return err
	}
	if f.noHeader && !f.create {
		if columns, err = target.Columns(target.Names()); err != nil {
			return err
		}
	}
	p.begin("loading")
	rows, err := files.Read(ctx, columns)
	if err != nil {
		p.end()
		return err
	}
	loaded, err := loader.Load(ctx, target, rows)
	rows.Release()
	p.end()
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	message.NewPrinter(language.English).Fprintf(stdout, "%d rows in %s.%s, %.1f s (%d rows/s), stored %s\n", loaded, database, table, seconds, int64(float64(loaded)/max(seconds, 1e-3)), where)
	if f.create {
		for _, field := range target.Fields {
			fmt.Fprintf(stdout, "  %-20s %s\n", field.Name, bulk.TypeOf(field))
		}
	}
	return nil
}

// noteLeftOut says which columns of the files the table does not have.
func noteLeftOut(stderr io.Writer, names, table []string) {
	for _, n := range names {
		if !slices.ContainsFunc(table, func(t string) bool { return strings.EqualFold(t, n) }) {
			fmt.Fprintf(stderr, "note: column %s of the files is not in the table and left out\n", n)
		}
	}
}

func (f importFlags) options(nullSet bool) (ingest.Options, error) {
	o := ingest.Options{NoHeader: f.noHeader, Charset: f.charset, DateOrder: f.dateOrder, DecimalComma: f.decimalComma}
	if nullSet {
		o.Null = append([]string{}, f.null...)
	}
	switch d := f.delimiter; {
	case d == "":
	case d == `\t` || d == "tab":
		o.Delimiter = '\t'
	case utf8.RuneCountInString(d) == 1:
		o.Delimiter, _ = utf8.DecodeRuneInString(d)
	default:
		return o, fmt.Errorf("--delimiter %s: one character, or \\t", d)
	}
	return o, nil
}

// openLoader opens the directory, or finds the server that has it open. where says which of them, for the report.
func openLoader(dir string, create bool) (loader bulk.Loader, where string, err error) {
	absolute, err := filepath.Abs(dir)
	if err != nil {
		return nil, "", err
	}
	where = "in " + absolute
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		if !create {
			return nil, "", fmt.Errorf("there is no data directory %s; name it with --data-dir", absolute)
		}
		where = "in the new data directory " + absolute
	}
	local, err := bulk.OpenLocal(dir, storage.Options{})
	if err == nil {
		return local, where, nil
	}
	if !errors.Is(err, storage.ErrLocked) {
		return nil, "", fmt.Errorf("data directory %s: %w", dir, err)
	}
	remote, err := bulk.Dial(dir)
	if err != nil {
		return nil, "", fmt.Errorf("data directory %s is in use by another process that takes no imports: %w", dir, err)
	}
	return remote, "by the server running on " + absolute, nil
}

// progress shows a bar over the bytes of all files, on a terminal only.
type progress struct {
	out   io.Writer
	total int64
	done  []int64
	bar   *progressbar.ProgressBar
	show  bool
}

func newProgress(stderr io.Writer, paths []string) *progress {
	p := &progress{out: stderr, done: make([]int64, len(paths))}
	if file, ok := stderr.(*os.File); ok {
		p.show = term.IsTerminal(int(file.Fd()))
	}
	for _, path := range paths {
		if st, err := os.Stat(path); err == nil {
			p.total += st.Size()
		}
	}
	return p
}

// open opens the files so that each tells how far it has been read.
func (p *progress) open(paths []string, o ingest.Options) (ingest.Files, error) {
	var files ingest.Files
	for i, path := range paths {
		o.Progress = func(read, _ int64) {
			p.done[i] = read
			if p.bar != nil {
				sum := int64(0)
				for _, n := range p.done {
					sum += n
				}
				_ = p.bar.Set64(min(sum, p.total))
			}
		}
		f, err := ingest.Open(path, o)
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	return files, nil
}

func (p *progress) begin(what string) {
	clear(p.done)
	if p.show {
		p.bar = progressbar.NewOptions64(p.total, progressbar.OptionSetWriter(p.out), progressbar.OptionSetDescription(what),
			progressbar.OptionShowBytes(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())
	}
}

func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
		p.bar = nil
	}
}
