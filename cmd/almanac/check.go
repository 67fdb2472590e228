package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/almanacdb/almanac/storage"
)

const checkHelp = `Read every byte of a data directory and verify every checksum. Nothing is changed;
the server must not be running on the directory.

The command prints one line for each problem (file, position, table, what is wrong)
and ends with exit code 1 if there was any.`

func newCheckCommand() *cobra.Command {
	var dataDir string
	cmd := &cobra.Command{
		Use:     "check",
		Short:   "Verify the files of a data directory",
		Long:    checkHelp,
		Example: "  almanac check --data-dir /var/lib/almanac",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			problems := 0
			err := storage.Check(dataDir, nil, func(p storage.Problem) {
				problems++
				fmt.Fprintln(cmd.OutOrStdout(), describe(p))
			})
			if err != nil {
				return err
			}
			if problems > 0 {
				return fmt.Errorf("%d problem(s) in %s", problems, dataDir)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s is sound\n", dataDir)
			return nil
		},
	}
	cmd.Flags().StringVar(&dataDir, "data-dir", defaultDataDir, "directory that holds the databases")
	return cmd
}

func describe(p storage.Problem) string {
	where := p.File
	if p.Offset >= 0 {
		where = fmt.Sprintf("%s at byte %d", where, p.Offset)
	}
	if p.Table != "" {
		where += " (table " + p.Table + ")"
	}
	return where + ": " + p.What
}
