package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fieldferry/buffer"
	"fieldferry/buffer/inspect"
	"fieldferry/buffer/inspect/export"
	"fieldferry/cmd/gateway/console"
)

func bufferCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "buffer",
		Short: "Look into the buffer's directory: of a running gateway, a stopped one, or a copy",
		Long: `Looks into the directory of a buffer, DIR, which is ` + buffer.Default().Dir + `
unless it is named: that of a running gateway, of one that has stopped, or a
copy. It needs no configuration, writes nothing there and locks nothing, and
does not disturb a gateway that is at work. What waits in the gateway's memory,
a sync interval of samples at most, is not on the disk and is not shown.

The commands end with 2 when there is no buffer to be read.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return &console.Coded{Code: console.ExitUsage, Err: errors.New("buffer needs a command: ls, cat, verify or export (see fieldferry buffer --help)")}
		},
	}
	c.AddCommand(bufferLsCmd(), bufferCatCmd(), bufferVerifyCmd(), bufferExportCmd())
	return c
}

// openBuffer opens the directory that the arguments name.
func openBuffer(args []string) (*inspect.Dir, error) {
	dir := buffer.Default().Dir
	if len(args) == 1 {
		dir = args[0]
	}
	d, err := inspect.Open(buffer.DirFS(), dir)
	switch {
	case errors.Is(err, os.ErrPermission):
		err = fmt.Errorf("%w: run this as root or as the user of the gateway", err)
	case errors.Is(err, os.ErrNotExist):
		err = fmt.Errorf("%w: name the directory, such as fieldferry buffer ls DIR", err)
	}
	if err != nil {
		return nil, &console.Coded{Code: console.ExitUsage, Err: err}
	}
	return d, nil
}

// pick are the flags that say which samples are wanted.
type pick struct {
	from, to      string
	tags, devices []string
	json          bool
}

func (p *pick) flags(c *cobra.Command) {
	c.Flags().StringVar(&p.from, "from", "", "first sample: a sequence number, a time (2026-11-20T08:00:00Z, \"2026-11-20 08:00\", UTC unless it says otherwise), or how long ago (2h)")
	c.Flags().StringVar(&p.to, "to", "", "last sample: a sequence number, included; or a time or how long ago, not included")
	c.Flags().StringArrayVar(&p.tags, "tag", nil, "only this DEVICE/TAG, with * and ? as in file names; may be repeated")
	c.Flags().StringArrayVar(&p.devices, "device", nil, "only this device, likewise")
	c.Flags().BoolVar(&p.json, "json", false, "print JSON lines: one object for each sample")
}

// filter reads the flags.
func (p *pick) filter(now time.Time) (f inspect.Filter, err error) {
	if f.FromSeq, f.From, err = parseBound("from", p.from, now); err != nil {
		return f, err
	}
	if f.ToSeq, f.To, err = parseBound("to", p.to, now); err != nil {
		return f, err
	}
	f.Tags, f.Devices = p.tags, p.devices
	for _, pattern := range append(append([]string(nil), f.Tags...), f.Devices...) {
		if _, err := filepath.Match(pattern, ""); err != nil {
			return f, &console.Coded{Code: console.ExitUsage, Err: fmt.Errorf("%q is not a pattern: %w", pattern, err)}
		}
	}
	return f, nil
}

// timeForms are the ways to write a time, the finest first.
var timeForms = []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02 15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04", "2006-01-02"}

// parseBound reads a sequence number, a time, or a duration before now.
func parseBound(name, text string, now time.Time) (seq uint64, t time.Time, err error) {
	if text == "" {
		return 0, t, nil
	}
	if seq, err := strconv.ParseUint(text, 10, 64); err == nil {
		if seq == 0 {
			return 0, t, wrongBound(name, text)
		}
		return seq, t, nil
	}
	if ago, err := time.ParseDuration(strings.TrimPrefix(text, "-")); err == nil {
		return 0, now.Add(-ago), nil
	}
	for _, form := range timeForms {
		if t, err := time.Parse(form, text); err == nil {
			return 0, t, nil
		}
	}
	return 0, t, wrongBound(name, text)
}

func wrongBound(name, text string) error {
	return &console.Coded{Code: console.ExitUsage, Err: fmt.Errorf("--%s %q is neither a sequence number from 1 nor a time: write 4711, 2026-11-20T08:00:00Z or 2h", name, text)}
}

func bufferCatCmd() *cobra.Command {
	var p pick
	c := &cobra.Command{
		Use:   "cat [DIR]",
		Short: "Print the samples in a buffer",
		Long: `Prints the samples on disk in the order of their sequence numbers, those that
every uplink has delivered and that are not deleted yet, too. Times are source
timestamps in UTC. What cannot be read is passed over and counted at the end;
the exit code is 3 then.`,
		Example: `  fieldferry buffer cat --tag 'press/*' --from 1h
  fieldferry buffer cat --from 120000 --to 120999 --json /mnt/card/buffer`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := p.filter(time.Now())
			if err != nil {
				return err
			}
			format := export.Columns
			if p.json {
				format = export.JSONLines
			}
			return copySamples(c, args, f, format, c.OutOrStdout())
		},
	}
	p.flags(c)
	return c
}

func bufferExportCmd() *cobra.Command {
	var p pick
	var format, output string
	c := &cobra.Command{
		Use:   "export [DIR]",
		Short: "Write every sample that can be read as CSV or JSON lines, also from a damaged disk",
		Long: `Writes every sample that can be read to standard output or to a file, in the
order of the sequence numbers, from the files that were set aside, too. Times
are RFC 3339 with nanoseconds, integers have all their digits, floats read back
as the same bits, bytes are base64. Damage is passed over, page by page; what was
lost with it is told at the end, and the exit code is 3 then. A tag whose name
cannot be read is written as its number: "#17".`,
		Example: `  fieldferry buffer export --output /media/usb/samples.csv
  fieldferry buffer export --format jsonl --device press /mnt/card/buffer | zstd > press.jsonl.zst`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			f, err := p.filter(time.Now())
			if err != nil {
				return err
			}
			f.Aside = true
			if p.json {
				format = string(export.JSONLines)
			}
			if format != string(export.CSV) && format != string(export.JSONLines) {
				return &console.Coded{Code: console.ExitUsage, Err: fmt.Errorf("unknown format %q: use csv or jsonl", format)}
			}
			if output == "" {
				return copySamples(c, args, f, export.Format(format), c.OutOrStdout())
			}
			return exportTo(c, args, f, export.Format(format), output)
		},
	}
	p.flags(c)
	c.Flags().StringVar(&format, "format", "csv", "csv, or jsonl: one JSON object a line")
	c.Flags().StringVar(&output, "output", "", "write to this new file instead of standard output")
	return c
}

// exportTo writes to a file that must not exist yet, and not in the buffer's
// own directory.
func exportTo(c *cobra.Command, args []string, f inspect.Filter, format export.Format, output string) error {
	d, err := openBuffer(args)
	if err != nil {
		return err
	}
	if inside(d.Path, output) {
		return &console.Coded{Code: console.ExitUsage, Err: fmt.Errorf("%s lies in the buffer's directory, in which nothing is ever written: choose another place", output)}
	}
	file, err := os.OpenFile(output, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return console.Failed(err)
	}
	err = copySamples(c, args, f, format, file)
	if syncErr := errors.Join(file.Sync(), file.Close()); syncErr != nil {
		return console.Failed(syncErr)
	}
	return err
}

// inside says that a file lies in or below a directory, whatever they are
// called.
func inside(dir, file string) bool {
	root, err := os.Stat(dir)
	if err != nil {
		return false
	}
	path, err := filepath.Abs(file)
	if err != nil {
		return false
	}
	for at := filepath.Dir(path); ; at = filepath.Dir(at) {
		if st, err := os.Stat(at); err == nil && os.SameFile(st, root) {
			return true
		}
		if at == filepath.Dir(at) {
			return false
		}
	}
}

// copySamples writes the samples and tells on standard error what could not be
// read.
func copySamples(c *cobra.Command, args []string, f inspect.Filter, format export.Format, out io.Writer) error {
	d, err := openBuffer(args)
	if err != nil {
		return err
	}
	w, err := export.New(out, format)
	if err != nil {
		return console.Failed(err)
	}
	lost, err := d.Samples(c.Context(), f, w.Write)
	if err := errors.Join(err, w.Close()); err != nil {
		return console.Failed(err)
	}
	if lost == (inspect.Lost{}) {
		return nil
	}
	text := fmt.Sprintf("%d samples could not be read, in %s (see fieldferry buffer verify)", lost.Samples, console.Count(int(lost.Files), "file"))
	if lost.Unnamed > 0 {
		text += fmt.Sprintf("; of %d samples the name could not be read", lost.Unnamed)
	}
	return &console.Coded{Code: console.ExitFaults, Err: errors.New(text)}
}
