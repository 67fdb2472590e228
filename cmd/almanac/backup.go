package main

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

const backupHelp = `Copy a data directory as it is at one moment, beside a running server or without one.
Clients go on reading and writing meanwhile; what they commit after the start is not in
the copy. Every byte of the copy is read back and its checksums verified.

The copy is a data directory like any other. To restore, stop the server and start one
on the copy, or on a copy of the copy:

    almanac serve --data-dir /backup/monday`

func newBackupCommand() *cobra.Command {
	var dataDir, to string
	cmd := &cobra.Command{
		Use:     "backup --to DIRECTORY",
		Short:   "Copy a data directory, also a running server's",
		Long:    backupHelp,
		Example: "  almanac backup --to /backup/$(date +%F)",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			dir, err := filepath.Abs(to) // a server has another working directory
			if err != nil {
				return err
			}
			from, err := openExporter(dataDir)
			if err != nil {
				return err
			}
			start := time.Now()
			if err := errors.Join(from.Backup(cmd.Context(), dir), from.Close()); err != nil {
				return err
			}
			size := int64(0)
			_ = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
				if err == nil && d.Type().IsRegular() {
					if info, err := d.Info(); err == nil {
						size += info.Size()
					}
				}
				return nil
			})
			fmt.Fprintln(cmd.OutOrStdout(), message.NewPrinter(language.English).Sprintf("%d bytes in %s, verified, %.1f s", size, dir, time.Since(start).Seconds()))
			return nil
		},
	}
	cmd.Flags().StringVar(&dataDir, "data-dir", defaultDataDir, "directory that holds the databases")
	cmd.Flags().StringVar(&to, "to", "", "directory to make; it must be empty or absent")
	_ = cmd.MarkFlagRequired("to")
	return cmd
}
