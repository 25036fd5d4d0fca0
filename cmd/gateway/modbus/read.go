package modbus

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/console"
	"fieldferry/drivers/modbus/find"
	"fieldferry/drivers/modbus/layout"
)

// readFlags are the flags of read.
type readFlags struct {
	asking
	unit, count int
	from        string
	every       time.Duration
}

func readCmd() *cobra.Command {
	var f readFlags
	c := &cobra.Command{
		Use:   "read [TARGET]",
		Short: "Read registers or bits as they are",
		Long: `Reads holding registers (hr:0), input registers (ir:0), coils (coil:0) or
discrete inputs (di:0) of a unit and prints them in hexadecimal, decimal and as
text. Addresses are written as in a tag map: zero based, or the classic numbers
such as 40001. More than 125 registers are read in several requests. With
--every it reads again and again until Ctrl-C, and marks what has changed.`,
		Example: `  fieldferry modbus read line1 --unit 7 --from hr:100 --count 10
  fieldferry modbus read tcp://10.0.0.7 --from 30001 --count 4 --every 2s`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			first, err := parseFrom(f.from)
			if err != nil {
				return err
			}
			if f.count < 1 || first.Number+f.count > 65536 {
				return console.Usage("--count %d from %s on: a table ends at 65535", f.count, first)
			}
			if f.every < 0 {
				return console.Usage("--every %v: write a time such as 2s", f.every)
			}
			return failed(f.ask(c, args, f.unit, func(l *find.Link) error { return f.repeat(c.Context(), c.OutOrStdout(), l, first) }))
		},
	}
	f.flags(c, 0)
	c.Flags().IntVar(&f.unit, "unit", 1, "unit id")
	c.Flags().StringVar(&f.from, "from", "hr:0", "the first register or bit")
	c.Flags().IntVar(&f.count, "count", 1, "how many")
	c.Flags().DurationVar(&f.every, "every", 0, "read again this often, until Ctrl-C (0: once)")
	return c
}

func parseFrom(s string) (layout.Address, error) {
	a, err := layout.ParseAddress(s)
	if err != nil {
		return a, console.Usage("--from: %w (%s)", err, layout.NotationHint())
	}
	if a.Part != layout.Whole {
		return a, console.Usage("--from %s: name a whole register", a)
	}
	return a, nil
}

// repeat reads until ctx ends, or once. A device that does not answer ends a
// single read; a repeated one says so and goes on.
func (f *readFlags) repeat(ctx context.Context, out io.Writer, l *find.Link, first layout.Address) error {
	tick := time.NewTicker(max(f.every, time.Millisecond))
	defer tick.Stop()
	var before []byte
	for {
		data, err := l.Read(ctx, f.unit, first, f.count)
		var refused *find.Refusal
		switch {
		case ctx.Err() != nil && f.every > 0:
			return nil // Ctrl-C is how it is ended
		case f.every > 0 && errors.As(err, &refused):
			fmt.Fprintln(out, now(), console.Safe(err.Error()))
		case err != nil:
			return err
		default:
			if err := f.print(out, first, data, before); err != nil {
				return err
			}
			before = data
		}
		if f.every == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

func now() string { return time.Now().UTC().Format("2006-01-02T15:04:05.000Z") }

// cell is one register or bit.
type cell struct {
	Address string `json:"address"`
	Hex     string `json:"hex,omitempty"` // of a register
	Value   int    `json:"value"`
}

func cells(first layout.Address, count int, data []byte) []cell {
	out := make([]cell, count)
	for i := range out {
		at := first
		at.Number += i
		out[i].Address = at.String()
		if first.Table.Bits() {
			// Reads of more than 2000 bits come in parts of whole bytes.
			out[i].Value = int(data[i/8] >> (i % 8) & 1)
			continue
		}
		w := binary.BigEndian.Uint16(data[2*i:])
		out[i].Hex, out[i].Value = fmt.Sprintf("%04X", w), int(w)
	}
	return out
}

func (f *readFlags) print(out io.Writer, first layout.Address, data, before []byte) error {
	list := cells(first, f.count, data)
	if f.json {
		return printJSON(out, struct {
			At     string `json:"at"`
			Unit   int    `json:"unit"`
			Data   string `json:"data"`
			Values []cell `json:"values"`
		}{now(), f.unit, hex.EncodeToString(data), list})
	}
	var old []cell
	if before != nil {
		old = cells(first, f.count, before)
	}
	fmt.Fprintf(out, "%s unit %d\n", now(), f.unit)
	if first.Table.Bits() {
		printBits(out, list, old)
		return nil
	}
	t := newTable(out, "ADDRESS", "HEX", "UNSIGNED", "SIGNED", "TEXT")
	for i, c := range list {
		changed := ""
		if old != nil && old[i] != c {
			changed = "*"
		}
		t.row(c.Address, c.Hex, strconv.Itoa(c.Value), strconv.Itoa(int(int16(c.Value))), text(uint16(c.Value)), changed)
	}
	t.flush()
	return nil
}

func printBits(out io.Writer, list, old []cell) {
	t := newTable(out, "ADDRESS", "VALUE")
	for i, c := range list {
		changed := ""
		if old != nil && old[i] != c {
			changed = "*"
		}
		t.row(c.Address, strconv.Itoa(c.Value), changed)
	}
	t.flush()
}

// text is a register as two characters.
func text(w uint16) string {
	b := []byte{byte(w >> 8), byte(w)}
	for i := range b {
		if b[i] < ' ' || b[i] > '~' {
			b[i] = '.'
		}
	}
	return string(b)
}
