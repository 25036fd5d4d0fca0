// Package modbus has the subcommands of `fieldferry modbus`, which find out
// what is on a Modbus link: scan, read, detect, identify, frames and replay.
//
// A link of the running gateway is asked through its control socket: the
// gateway owns the port and lends it for one request at a time. What no
// gateway owns is opened for as long as the command runs. Nothing here writes
// to a device.
package modbus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/console"
	_ "fieldferry/drivers/all" // the protocols
)

// Command returns `fieldferry modbus` with its subcommands.
func Command() *cobra.Command {
	c := &cobra.Command{
		Use:   "modbus",
		Short: "Find out what is on a Modbus link",
		Long: `Finds out which units are on a Modbus link, what they say they are, what their
registers hold and in which byte order, and what has passed on the link.

TARGET is the name of a link of the running gateway, a serial port
(/dev/serial/by-id/...), or tcp://HOST:PORT. A link or port of the running
gateway is asked through it, between two of its reads, so that its schedule is
held up by no more than one request at a time; any other is opened for as long
as the command runs. Nothing is written to a device.`,
		Args: cobra.NoArgs,
	}
	c.AddCommand(scanCmd(), readCmd(), detectCmd(), identifyCmd(), framesCmd(), replayCmd())
	return c
}

// asking are the flags of the commands that ask units.
type asking struct {
	socket  string
	framing string
	baud    string
	parity  string
	stop    int
	limit   time.Duration
	pace    time.Duration
	tries   int
	json    bool
}

func (a *asking) flags(c *cobra.Command, pace time.Duration) {
	f := c.Flags()
	f.StringVar(&a.socket, "socket", console.DefaultSocket, "control socket of the running gateway")
	f.StringVar(&a.framing, "framing", "", "without the gateway: tcp (the default on TCP), rtu (the default on a serial port; on TCP for converters) or ascii")
	f.StringVar(&a.baud, "baud", "9600", "without the gateway: speed of a serial port")
	f.StringVar(&a.parity, "parity", "", "without the gateway: none, even or odd (default none, in ASCII even)")
	f.IntVar(&a.stop, "stop-bits", 1, "without the gateway: 1 or 2")
	f.DurationVar(&a.limit, "timeout", 300*time.Millisecond, "how long a unit may take to answer, up to 10s")
	f.DurationVar(&a.pace, "pace", pace, "pause between two requests")
	f.IntVar(&a.tries, "tries", 1, "how often a silent unit is asked")
	f.BoolVar(&a.json, "json", false, "print as JSON")
}

// check refuses flags that make no sense.
func (a *asking) check() error {
	switch {
	case a.limit < time.Millisecond || a.limit > 10*time.Second:
		return console.Usage("--timeout %v: use 1ms to 10s", a.limit)
	case a.pace < 0 || a.pace > time.Minute:
		return console.Usage("--pace %v: use 0s to 1m", a.pace)
	case a.tries < 1 || a.tries > 10:
		return console.Usage("--tries %d: use 1 to 10", a.tries)
	}
	return nil
}

// printJSON writes a value as indented JSON that is safe on a terminal.
func printJSON(out io.Writer, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return console.Failed(err)
	}
	_, err = fmt.Fprintln(out, console.SafeJSON(raw))
	return err
}

// failed gives an error its exit code, unless it has one. That somebody
// pressed Ctrl-C is said in words.
func failed(err error) error {
	var c *console.Coded
	switch {
	case err == nil || errors.As(err, &c) && !errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, context.Canceled):
		return console.Failed(errors.New("interrupted"))
	}
	return console.Failed(errors.New(console.Safe(err.Error())))
}
