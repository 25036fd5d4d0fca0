package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"fieldferry/buffer/inspect"
	"fieldferry/buffer/inspect/listing"
	"fieldferry/cmd/gateway/console"
)

func bufferLsCmd() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "ls [DIR]",
		Short: "List the segments, the readers and the drops of a buffer",
		Long: `Lists each log (class) of a buffer: its segments with their counts, sequence
numbers, times and state, its readers with what they have not settled, and the
samples that were dropped before every reader had them. It reads the ends of the
files and the newest segment alone; "verify" reads everything.

States: sealed (complete), open (being written, or not closed in order),
unsealed (given up after an error of the disk, or cut by the end of the process
or the power), damaged (its header cannot be read), set aside (kept because
something in it cannot be read).`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := openBuffer(args)
			if err != nil {
				return err
			}
			l, err := listing.List(c.Context(), d)
			switch {
			case err != nil:
				return console.Failed(err)
			case asJSON:
				return printJSON(c.OutOrStdout(), l)
			}
			if err := l.Text(c.OutOrStdout()); err != nil {
				return console.Failed(err)
			}
			return nil
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return c
}

// printJSON prints one value, fit for a terminal.
func printJSON(out io.Writer, v any) error {
	raw, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return console.Failed(err)
	}
	fmt.Fprintln(out, console.SafeJSON(raw))
	return nil
}

func bufferVerifyCmd() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "verify [DIR]",
		Short: "Check every byte of a buffer, and tell what is wrong and what it means",
		Long: `Reads every block of a buffer and checks the checksums, that counts and sequence
numbers go on without gaps, the dictionaries, the records of drops, and that the
account of each reader adds up: start + delivered + filtered + dropped + put
aside = position. Each finding is told with file, offset, and what it means.

Exit codes: 0 clean; 3 lossy but consistent: samples were damaged or dropped,
and every one of them is accounted for; 1 inconsistent: the log contradicts
itself, please report it; 2 usage, or no buffer to be read.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			d, err := openBuffer(args)
			if err != nil {
				return err
			}
			return verifyBuffer(c, d, asJSON)
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return c
}

// verifyBuffer prints the findings; the worst of them decides the exit code.
func verifyBuffer(c *cobra.Command, d *inspect.Dir, asJSON bool) error {
	out := c.OutOrStdout()
	if asJSON {
		out = nil
	}
	v, worst, err := listing.Verify(c.Context(), d, out)
	if err != nil {
		return console.Failed(err)
	}
	if asJSON {
		if err := printJSON(c.OutOrStdout(), v); err != nil {
			return err
		}
	}
	switch worst {
	case inspect.Fault:
		return &console.Coded{Code: console.ExitFailed}
	case inspect.Loss:
		return &console.Coded{Code: console.ExitFaults}
	}
	return nil
}
