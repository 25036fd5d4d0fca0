package modbus

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"

	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/console"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/recorder"
	"fieldferry/drivers/modbus/replay"
)

// replayFlags are the flags of replay.
type replayFlags struct {
	listen  string
	pty     bool
	framing string
	timing  bool
	verbose bool
}

func replayCmd() *cobra.Command {
	var f replayFlags
	c := &cobra.Command{
		Use:   "replay FILE",
		Short: "Play a record of a link as a simulated device",
		Long: `Answers as the devices of a record did: the same values, exceptions, wrong
answers and silences, one time after the other, and from the beginning again. A
request that the record does not have is answered from the values that its
reads brought, or refused. With --timing answers take as long as they did, and
what came late or as noise comes again; without, every answer comes at once.
Ctrl-C ends it. The record is one that "fieldferry modbus frames" wrote; it is
text and may be edited.`,
		Example: `  fieldferry modbus replay fault.txt --listen 127.0.0.1:1502
  fieldferry modbus replay fault.txt --pty --timing`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			return failed(f.run(c.Context(), c.OutOrStdout(), args[0]))
		},
	}
	c.Flags().StringVar(&f.listen, "listen", "", "play to those who connect to this address; port 0 picks a free one")
	c.Flags().BoolVar(&f.pty, "pty", false, "play on a pseudo terminal, whose path is printed")
	c.Flags().StringVar(&f.framing, "framing", "", "tcp or rtu (default tcp with --listen, rtu with --pty)")
	c.Flags().BoolVar(&f.timing, "timing", false, "answer after the recorded time")
	c.Flags().BoolVar(&f.verbose, "verbose", false, "print each request")
	return c
}

func (f *replayFlags) run(ctx context.Context, out io.Writer, name string) error {
	framings := map[string]replay.Framing{"tcp": replay.TCP, "rtu": replay.RTU}
	if f.framing == "" {
		f.framing = map[bool]string{false: "tcp", true: "rtu"}[f.pty]
	}
	framing, ok := framings[f.framing]
	switch {
	case (f.listen == "") == !f.pty:
		return console.Usage("say where to play: --listen 127.0.0.1:1502 or --pty")
	case !ok || f.pty && framing == replay.TCP:
		return console.Usage("--framing %q: use tcp or rtu; a pseudo terminal speaks rtu", f.framing)
	}
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	rec, err := recorder.Parse(file)
	_ = file.Close() // it was only read
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	p := &replay.Player{Script: replay.New(rec), Framing: framing}
	if f.timing {
		p.Timing = replay.AsTimed
	}
	say := teller(out)
	if f.verbose {
		p.Asked = func(unit byte, req frame.PDU, replies int) {
			r := recorder.Frame{Unit: unit, PDU: req}
			say("unit %d: %s: %s", unit, r.Words(), map[bool]string{true: "silence", false: "answered"}[replies == 0])
		}
	}
	units := strings.Trim(strings.ReplaceAll(fmt.Sprint(p.Script.Units()), " ", ", "), "[]")
	say("%s; units that answer: %s", console.Count(len(rec.Frames), "frame"), map[bool]string{true: "none", false: units}[units == ""])
	if n := p.Script.Unasked(); n > 0 {
		say("%s of the record belong to no request in it and are not played", console.Count(n, "frame"))
	}
	return f.play(ctx, p, say)
}

func (f *replayFlags) play(ctx context.Context, p *replay.Player, say func(string, ...any)) error {
	if f.pty {
		port, path, err := replay.OpenPTY()
		if err != nil {
			return err
		}
		say("playing on %s", path)
		return p.ServePort(ctx, port)
	}
	ln, err := net.Listen("tcp", f.listen)
	if err != nil {
		return err
	}
	say("playing on tcp://%s", ln.Addr())
	return p.Serve(ctx, ln)
}

// teller prints lines, whoever calls it.
func teller(out io.Writer) func(format string, args ...any) {
	var mu sync.Mutex
	return func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintln(out, console.Safe(fmt.Sprintf(format, args...)))
	}
}
