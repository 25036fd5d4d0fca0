package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/console"
	"fieldferry/configs"
	"fieldferry/internal/gateway"
)

// Where a packaged gateway keeps its files.
const (
	defaultConfig  = "/var/lib/fieldferry/config"
	defaultRuntime = "/run/fieldferry"
	defaultAdmin   = "/etc/fieldferry/fieldferry.yaml"
)

// runFlags are the flags of run.
type runFlags struct {
	config, runtime, admin string
	logFormat, logLevel    string
}

func runCmd() *cobra.Command {
	var f runFlags
	c := &cobra.Command{
		Use:   "run",
		Short: "Run the gateway until it is told to stop",
		Long: `Runs the gateway in the foreground. SIGTERM and SIGINT stop it in order within
20 seconds; SIGHUP reads the configuration again, like "fieldferry reload". With
a broken configuration at the first start it ends with 78; later it runs the
last good one and shows the fault.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return f.run(c.Context()) },
	}
	c.Flags().StringVar(&f.config, "config", defaultConfig, "directory of gateway.yaml, tagmap.yaml and profiles/")
	c.Flags().StringVar(&f.runtime, "runtime", defaultRuntime, "directory of the control socket and the buffer's pending block")
	c.Flags().StringVar(&f.admin, "admin", defaultAdmin, "file of what only the administrator decides")
	c.Flags().StringVar(&f.logFormat, "log-format", "text", "text or json")
	c.Flags().StringVar(&f.logLevel, "log-level", "info", "debug, info, warn or error")
	return c
}

func (f runFlags) run(ctx context.Context) error {
	log, err := newLog(f.logFormat, f.logLevel)
	if err != nil {
		return &console.Coded{Code: console.ExitUsage, Err: err}
	}
	g, err := gateway.New(gateway.Options{
		ConfigDir: f.config, AdminFile: f.admin, RuntimeDir: f.runtime, Version: version, Log: log,
	})
	var faults configs.Faults
	if errors.As(err, &faults) {
		fmt.Fprintln(os.Stderr, console.SafeLines(faults.Error()))
		return &console.Coded{Code: console.ExitConfig, Err: fmt.Errorf("%s in the configuration in %s", console.Count(len(faults), "fault"), f.config)}
	}
	if err != nil {
		return console.Failed(err)
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	if err := g.Run(ctx, hup); err != nil {
		return console.Failed(err)
	}
	return nil
}

// newLog makes the program's log on stderr, where journald picks it up.
func newLog(format, level string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("--log-level %q: use debug, info, warn or error", level)
	}
	o := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(slog.NewTextHandler(os.Stderr, o)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(os.Stderr, o)), nil
	}
	return nil, fmt.Errorf("--log-format %q: use text or json", format)
}
