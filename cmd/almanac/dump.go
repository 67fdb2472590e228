package main

import (
	"bufio"
	"context"
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/almanacdb/almanac/server/bulk"
)

const dumpHelp = `Write databases as SQL that Almanac, MySQL and MariaDB read back: CREATE DATABASE and
TABLE with all keys, the rows with exact values, views, triggers, procedures and events.
Everything is as it was at one moment, while others go on writing. Users are not in it.

Without names all databases are dumped. It works on a data directory that no server has
open, and beside a running server. Views over FORECAST and the like are for Almanac only.`

const dumpExample = `  almanac dump > all.sql
  almanac dump shop --drop --output shop.sql
  almanac dump shop | mysql -h other-host -u root -p`

type dumpFlags struct {
	dataDir, output         string
	drop, noData, overwrite bool
}

func newDumpCommand() *cobra.Command {
	var f dumpFlags
	cmd := &cobra.Command{
		Use:     "dump [DATABASE…]",
		Short:   "Write databases as SQL",
		Long:    dumpHelp,
		Example: dumpExample,
		RunE: func(cmd *cobra.Command, databases []string) error {
			return runDump(cmd.Context(), databases, f, cmd.OutOrStdout())
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.dataDir, "data-dir", defaultDataDir, "directory that holds the databases")
	flags.StringVar(&f.output, "output", "", "file to write, which appears when it is complete (default: the standard output)")
	flags.BoolVar(&f.drop, "drop", false, "drop what has the name of something in the dump before it is created")
	flags.BoolVar(&f.noData, "no-data", false, "leave the rows out")
	flags.BoolVar(&f.overwrite, "overwrite", false, "replace the output file if there is one")
	return cmd
}

func runDump(ctx context.Context, databases []string, f dumpFlags, stdout io.Writer) error {
	from, err := openExporter(f.dataDir)
	if err != nil {
		return err
	}
	defer from.Close()
	dump := func(w io.Writer) error {
		return from.Dump(ctx, w, bulk.DumpOptions{Databases: databases, Drop: f.drop, NoData: f.noData})
	}
	if f.output != "" {
		_, err := writeFile(f.output, f.overwrite, dump)
		return err
	}
	out := bufio.NewWriterSize(stdout, 256<<10)
	return errors.Join(dump(out), out.Flush())
}
