// Command fieldferry is an industrial edge gateway: it reads Modbus and OPC UA
// devices, keeps what it read on disk until it is delivered, and publishes it
// over MQTT. This package is the command line only: flags, signals and exit
// codes, one file per subcommand.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/console"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:])
	stop()
	os.Exit(code)
}

// run executes a command line and returns the exit code.
func run(ctx context.Context, args []string) int {
	root := newRoot()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	var c *console.Coded
	switch {
	case err == nil:
		return console.ExitDone
	case errors.As(err, &c):
		if text := c.Error(); text != "" {
			fmt.Fprintln(os.Stderr, "fieldferry:", text)
		}
		return c.Code
	}
	// What cobra itself refuses is a wrong command line.
	fmt.Fprintln(os.Stderr, "fieldferry:", err)
	return console.ExitUsage
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "fieldferry",
		Short: "Industrial edge gateway: Modbus and OPC UA to MQTT, with a buffer that survives outages",
		Long: `Fieldferry polls Modbus RTU/TCP and OPC UA devices, maps tag values to topics
and payloads, and delivers them over MQTT from a buffer on disk.

Exit codes: 0 done, 1 failed, 2 usage, 3 faults found, 69 gateway not
reachable, 78 configuration.`,
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.AddCommand(runCmd(), reloadCmd(), checkCmd(), readCmd(), statusCmd(), bufferCmd(), modbusCmd(), versionCmd(), openapiCmd(), manCmd())
	if demo := demoCmd(); demo != nil {
		root.AddCommand(demo)
	}
	return root
}
