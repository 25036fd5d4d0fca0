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
)

// Exit codes, as the manual tells them.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitFaults      = 3  // check found faults
	exitUnreachable = 69 // EX_UNAVAILABLE of sysexits.h: no running gateway
	exitConfig      = 78 // EX_CONFIG of sysexits.h; the unit does not restart after it
)

// coded is an error that decides the exit code. Its text may be empty where
// everything has been said.
type coded struct {
	code int
	err  error
}

func (c *coded) Error() string {
	if c.err == nil {
		return ""
	}
	return c.err.Error()
}

func (c *coded) Unwrap() error { return c.err }

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
	var c *coded
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &c):
		if text := c.Error(); text != "" {
			fmt.Fprintln(os.Stderr, "fieldferry:", text)
		}
		return c.code
	}
	// What cobra itself refuses is a wrong command line.
	fmt.Fprintln(os.Stderr, "fieldferry:", err)
	return exitUsage
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
	root.AddCommand(runCmd(), reloadCmd(), checkCmd(), readCmd(), statusCmd(), bufferCmd(), versionCmd(), openapiCmd(), manCmd())
	if demo := demoCmd(); demo != nil {
		root.AddCommand(demo)
	}
	return root
}

// failed gives an error the exit code 1.
func failed(err error) error { return &coded{exitFailed, err} }
