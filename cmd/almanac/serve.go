package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/almanacdb/almanac/engine/models"
	"github.com/almanacdb/almanac/server"
)

const defaultDataDir = "almanac-data"

const serveHelp = `Start the database. Data lives in --data-dir, which is created at the first start,
and is there again after the next one.

The server is safe as it starts: only programs on this machine reach it. Accounts are
always checked; the first start creates root@localhost without a password. To let
other machines in, give every account a password first:

    almanac serve --password-file /run/secrets/root --listen 0.0.0.0:3306

sets root's password from the file's first line (and creates 'root'@'%' for other
machines). From a client, ALTER USER 'root'@'localhost' IDENTIFIED BY '…' does the same.

SIGTERM or Ctrl-C stops the server: running statements may finish for a while
(--shutdown-timeout), then they are cancelled. Committed data is on disk at any time.`

func newServeCommand() *cobra.Command {
	var (
		config       server.Config
		passwordFile string
		logs         logFlags
	)
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Start the database",
		Long:  serveHelp,
		Example: `  almanac serve --demo
  almanac serve --data-dir /var/lib/almanac --listen 127.0.0.1:3307`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if config.Logger, err = logs.logger(cmd.ErrOrStderr()); err != nil {
				return err
			}
			if passwordFile != "" {
				if config.RootPassword, err = readPassword(passwordFile); err != nil {
					return err
				}
			}
			config.Version = versionText()
			config.Models = models.All()
			return server.Run(cmd.Context(), config)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&config.DataDir, "data-dir", defaultDataDir, "directory that holds the databases")
	flags.StringVar(&config.Listen, "listen", "127.0.0.1:3306", "address to listen on, host:port")
	flags.BoolVar(&config.Demo, "demo", false, "create the database demo with simulated sales, if there is none")
	flags.StringVar(&passwordFile, "password-file", "", "file whose first line becomes root's password")
	flags.StringVar(&config.SecureFileDir, "secure-file-dir", "", "the only directory LOAD DATA INFILE (without LOCAL) may read (default DATA-DIR/files)")
	flags.IntVar(&config.MaxConnections, "max-connections", 0, "clients served at a time (default 500)")
	flags.IntVar(&config.Workers, "workers", 0, "threads that one table function uses (default one per core)")
	flags.DurationVar(&config.ShutdownTimeout, "shutdown-timeout", 0, "how long a stop waits for running statements (default 10s)")
	logs.register(flags)
	return cmd
}

// readPassword returns the first line of a file.
func readPassword(file string) (string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return "", fmt.Errorf("--password-file: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	if line = strings.TrimRight(line, "\r"); line == "" {
		return "", fmt.Errorf("--password-file %s: the first line is empty", file)
	}
	return line, nil
}
