// Command almanac is the Almanac database: a forecasting database that speaks the MySQL protocol.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run executes the command line and returns the exit code. Errors take one line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRootCommand()
	root.SetArgs(args)
	root.SetOut(stdout)
	root.SetErr(stderr)
	if err := root.ExecuteContext(ctx); err != nil {
		fmt.Fprintln(stderr, "almanac: "+strings.Join(strings.Fields(err.Error()), " "))
		return 1
	}
	return 0
}

const rootHelp = `Almanac is a database that forecasts. It keeps your sales tables, speaks the MySQL
protocol, and answers for the future in SQL:

    SELECT * FROM FORECAST('sales', 'sold_on', 'units', 28, 'by=store,sku');

Any MySQL client, driver, BI tool or ETL job works with it as it is. There is
nothing to train and nothing to load: the models run inside the database.

Try it with a demo database of three years of sales of 5 stores and 40 products:

    almanac serve --demo
    mysql -h 127.0.0.1 -u root demo`

func newRootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "almanac",
		Short:         "A forecasting database that speaks the MySQL protocol",
		Long:          rootHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.CompletionOptions.HiddenDefaultCmd = true
	root.AddCommand(subcommands()...)
	return root
}

// subcommands lists the sub-commands, one file each.
func subcommands() []*cobra.Command {
	return []*cobra.Command{
		newServeCommand(),
		newImportCommand(),
		newExportCommand(),
		newDumpCommand(),
		newBackupCommand(),
		newCheckCommand(),
		newVersionCommand(),
	}
}
