//go:build demo

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/console"
	"fieldferry/internal/demo"
	"fieldferry/internal/gateway"
)

// demoFlags are the flags of the demo.
type demoFlags struct {
	killBroker time.Duration
	listen     string
	verbose    bool
	writes     bool
	duration   time.Duration
}

// demoCmd runs the gateway against a simulated plant.
func demoCmd() *cobra.Command {
	var f demoFlags
	c := &cobra.Command{
		Use:   "demo",
		Short: "Run the gateway against a simulated bottling plant and an embedded broker",
		Long: `Runs the gateway against a simulated plant on loopback: a Modbus TCP bottling
line whose labeler dies now and then, four energy meters, a Modbus RTU line on
a pseudo terminal, an OPC UA press, and an MQTT broker. Everything it writes
lies in one temporary directory, which is removed when you press Ctrl-C.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if !c.Flags().Changed("listen") && taken(f.listen) {
				f.listen = "127.0.0.1:0"
			}
			// A closed terminal or pipe ends it in order, too: its directory goes.
			ctx, stop := signal.NotifyContext(c.Context(), syscall.SIGHUP, syscall.SIGPIPE)
			defer stop()
			if err := runDemo(ctx, c.OutOrStdout(), f); err != nil {
				return console.Failed(err)
			}
			return nil
		},
	}
	c.Flags().DurationVar(&f.killBroker, "kill-broker-every", 0, "kill the broker this often, to see an outage heal")
	c.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8443", "address of the page; port 0 picks a free one (default: any free port where this one is taken)")
	c.Flags().BoolVar(&f.writes, "allow-writes", false, "let commands write set points")
	c.Flags().BoolVar(&f.verbose, "verbose", false, "print the gateway's log")
	c.Flags().DurationVar(&f.duration, "for", 0, "end by itself after this time")
	return c
}

// taken tells whether another program listens on an address, such as a
// packaged gateway on the same machine.
func taken(address string) bool {
	ln, err := net.Listen("tcp", address)
	if err != nil {
		return true
	}
	ln.Close()
	return false
}

func runDemo(ctx context.Context, out io.Writer, f demoFlags) error {
	if f.duration > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, f.duration)
		defer cancel()
	}
	say := func(line string) { fmt.Fprintf(out, "%s  %s\n", time.Now().Format(time.TimeOnly), line) }
	dir, err := os.MkdirTemp("", "fieldferry-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	plant, err := demo.NewPlant(f.killBroker, say)
	if err != nil {
		return err
	}
	plantCtx, stopPlant := context.WithCancel(context.WithoutCancel(ctx))
	played := make(chan error, 1)
	go func() { played <- plant.Run(plantCtx) }()
	// The plant outlives the gateway, so that it can say goodbye to the broker.
	err = errors.Join(runDemoGateway(ctx, out, dir, plant, f, say), func() error { stopPlant(); return <-played }())
	say("stopped; " + dir + " is removed")
	return err
}

func runDemoGateway(ctx context.Context, out io.Writer, dir string, plant *demo.Plant, f demoFlags, say func(string)) error {
	config := filepath.Join(dir, "config")
	if err := plant.WriteConfig(config, filepath.Join(dir, "buffer"), f.listen); err != nil {
		return err
	}
	admin := filepath.Join(dir, "fieldferry.yaml")
	if err := os.WriteFile(admin, fmt.Appendf(nil, "writes: %t\n", f.writes), 0o600); err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	if f.verbose {
		log = slog.New(slog.NewTextHandler(out, nil))
	}
	g, err := gateway.New(gateway.Options{
		ConfigDir: config, AdminFile: admin, RuntimeDir: filepath.Join(dir, "run"), Version: version, Log: log,
		Ready: func(page string) { plant.Welcome(out, page, config) },
	})
	if err != nil {
		return err
	}
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() { tellLife(done, g, plant, say) })
	defer wg.Wait()
	defer close(done)
	return g.Run(ctx, nil)
}

// tellLife prints a line every ten seconds.
func tellLife(done <-chan struct{}, g *gateway.Gateway, plant *demo.Plant, say func(string)) {
	t := time.NewTicker(10 * time.Second)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			say(g.Sentence() + fmt.Sprintf(" Broker: %d messages.", plant.Messages()))
		case <-done:
			return
		}
	}
}
