package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"
	"golang.org/x/term"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/almanacdb/almanac/server/bulk"
	"github.com/almanacdb/almanac/storage"
	"github.com/almanacdb/almanac/storage/export"
)

const exportHelp = `Write a table to a file: CSV (also .csv.gz), Parquet or Arrow IPC, by the file's name.

The rows are those of one moment, in the order of the primary key, with exact values.
The file appears under its name when it is complete and on disk, never half written.

CSV: UTF-8, a header line, commas; a field is quoted with " where that is needed, NULL is
the unquoted word NULL, "" the empty text. almanac import reads it back as it is, and SQL:

    LOAD DATA LOCAL INFILE 'f.csv' INTO TABLE t FIELDS TERMINATED BY ','
      OPTIONALLY ENCLOSED BY '"' ESCAPED BY '' LINES TERMINATED BY '\n' IGNORE 1 LINES

Parquet and Arrow files keep numbers, decimals, dates and times as such. ENUM, SET and
TIME become text, BIT its bytes, and a TIMESTAMP is in UTC.

It works on a data directory that no server has open, and beside a running server.`

const exportExample = `  almanac export shop.sales sales.parquet
  almanac export shop.sales sales.csv.gz --columns sku,day,units
  almanac export shop.sales - --format csv | head`

type exportFlags struct {
	dataDir, format     string
	columns             []string
	noHeader, overwrite bool
}

func newExportCommand() *cobra.Command {
	var f exportFlags
	cmd := &cobra.Command{
		Use:     "export DATABASE.TABLE FILE",
		Short:   "Write a table to a CSV, Parquet or Arrow file",
		Long:    exportHelp,
		Example: exportExample,
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runExport(cmd.Context(), args[0], args[1], f, cmd.OutOrStdout(), cmd.ErrOrStderr())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.dataDir, "data-dir", defaultDataDir, "directory that holds the databases")
	flags.StringVar(&f.format, "format", "", "csv, parquet or arrow (default: by the file's name)")
	flags.StringSliceVar(&f.columns, "columns", nil, "columns to write, in this order (default: all)")
	flags.BoolVar(&f.noHeader, "no-header", false, "leave out the line of column names of a CSV file")
	flags.BoolVar(&f.overwrite, "overwrite", false, "replace the file if there is one")
	return cmd
}

func runExport(ctx context.Context, name, path string, f exportFlags, stdout, stderr io.Writer) error {
	database, table, ok := strings.Cut(name, ".")
	if !ok || database == "" || table == "" {
		return fmt.Errorf("%s: name the table as database.table, for example shop.%s", name, strings.Trim(name, "."))
	}
	o := export.Options{NoHeader: f.noHeader, Gzip: strings.HasSuffix(strings.ToLower(path), ".gz")}
	var err error
	switch {
	case f.format != "":
		o.Format, err = export.ParseFormat(f.format)
		o.Gzip = o.Gzip && o.Format == export.CSV
	case path == "-":
		return errors.New("name the format of the standard output with --format")
	default:
		o.Format, o.Gzip, err = export.FormatOf(path)
	}
	if err != nil {
		return err
	}
	exporter, err := openExporter(f.dataDir)
	if err != nil {
		return err
	}
	defer exporter.Close()
	rows, err := exporter.Export(ctx, database, table, f.columns)
	if errors.Is(err, storage.ErrNoTable) || errors.Is(err, storage.ErrNoDatabase) {
		return fmt.Errorf("there is no table %s.%s", database, table)
	}
	if err != nil {
		return err
	}
	defer rows.Release()

	start := time.Now()
	if path == "-" {
		out := bufio.NewWriterSize(stdout, 256<<10)
		if _, err := export.Write(ctx, out, rows, o); err != nil {
			return err
		}
		return out.Flush()
	}
	bar := rowBar(stderr, rows.Rows)
	o.Progress = func(done int64) { _ = bar.Set64(done) }
	n := int64(0)
	size, err := writeFile(path, f.overwrite, func(w io.Writer) (err error) {
		n, err = export.Write(ctx, w, rows, o)
		return err
	})
	_ = bar.Finish()
	if err != nil {
		return err
	}
	seconds := time.Since(start).Seconds()
	message.NewPrinter(language.English).Fprintf(stdout, "%d rows, %d bytes in %s, %.1f s (%d rows/s)\n", n, size, path, seconds, int64(float64(n)/max(seconds, 1e-3)))
	return nil
}

// rowBar shows how many of all rows are done, on a terminal only.
func rowBar(stderr io.Writer, rows int64) *progressbar.ProgressBar {
	file, ok := stderr.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return progressbar.DefaultSilent(rows)
	}
	return progressbar.NewOptions64(rows, progressbar.OptionSetWriter(stderr), progressbar.OptionSetDescription("writing"), progressbar.OptionShowCount(),
		progressbar.OptionSetItsString("rows"), progressbar.OptionShowIts(), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish(), progressbar.OptionFullWidth())
}

// writeFile gives a file its name when write has filled it and its bytes are on disk. A file of that name stays as it is until
// then, and for good unless overwrite allows to replace it.
func writeFile(path string, overwrite bool, write func(io.Writer) error) (size int64, err error) {
	if st, err := os.Stat(path); err == nil && st.IsDir() {
		return 0, fmt.Errorf("%s is a folder; name the file in it", path)
	} else if err == nil && !overwrite {
		return 0, fmt.Errorf("%s is there already; pass --overwrite to replace it", path)
	}
	dir := filepath.Dir(path)
	temp, err := os.CreateTemp(dir, "."+filepath.Base(path)+".*.tmp")
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			_ = temp.Close()
			_ = os.Remove(temp.Name())
		}
	}()
	if err := write(temp); err != nil {
		return 0, err
	}
	st, err := temp.Stat()
	if err != nil {
		return 0, err
	}
	if err := errors.Join(temp.Chmod(0o644), temp.Sync(), temp.Close()); err != nil {
		return 0, err
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return 0, err
	}
	return st.Size(), syncDir(dir)
}

// syncDir makes a new name in a directory survive a loss of power.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// reader is what a data directory gives out, opened here or held by a server.
type reader interface {
	bulk.Exporter
	bulk.Dumper
	bulk.Backuper
}

// openExporter opens the directory, or finds the server that has it open.
func openExporter(dir string) (reader, error) {
	if _, err := os.Stat(dir); errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("there is no data directory %s; name it with --data-dir", dir)
	}
	local, err := bulk.OpenLocal(dir, storage.Options{})
	if err == nil {
		return local, nil
	}
	if !errors.Is(err, storage.ErrLocked) {
		return nil, fmt.Errorf("data directory %s: %w", dir, err)
	}
	remote, err := bulk.Dial(dir)
	if err != nil {
		return nil, fmt.Errorf("data directory %s is in use by another process that answers no requests: %w", dir, err)
	}
	return remote, nil
}
