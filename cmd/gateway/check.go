package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/console"
	"fieldferry/configs"
	"fieldferry/internal/gateway"
)

// checkFlags are the flags of check.
type checkFlags struct {
	admin   string
	explain string
	json    bool
}

func checkCmd() *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Use:   "check [DIR]",
		Short: "Check a configuration directory and tell every fault at once",
		Long: `Checks a configuration as the gateway would load it, without talking to any
device or broker. Every fault is told with file, line, column, path and what to
do; the exit code is 3 then. With --explain it tells where each setting of a
tag comes from.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			dir := defaultConfig
			if len(args) == 1 {
				dir = args[0]
			}
			return f.run(c, dir)
		},
	}
	c.Flags().StringVar(&f.admin, "admin", defaultAdmin, "file of what only the administrator decides")
	c.Flags().StringVar(&f.explain, "explain", "", "tell where each setting of this DEVICE/TAG comes from")
	c.Flags().BoolVar(&f.json, "json", false, "print as JSON")
	return c
}

func (f checkFlags) run(c *cobra.Command, dir string) error {
	out := c.OutOrStdout()
	cfg, err := gateway.Check(gateway.Options{ConfigDir: dir, AdminFile: f.admin})
	var faults configs.Faults
	if err != nil && !errors.As(err, &faults) {
		return console.Failed(err)
	}
	var busTimes []string
	if cfg != nil {
		busTimes = gateway.BusTimes(cfg)
	}
	if f.json {
		if err := configs.WriteJSON(out, cfg, faults, busTimes); err != nil {
			return console.Failed(err)
		}
	} else {
		var text strings.Builder
		if err := configs.WriteText(&text, dir, cfg, faults); err != nil {
			return console.Failed(err)
		}
		fmt.Fprint(out, console.SafeLines(text.String()))
		for _, line := range busTimes {
			fmt.Fprintln(out, console.Safe(line))
		}
	}
	if len(faults) > 0 {
		return &console.Coded{Code: console.ExitFaults}
	}
	if f.explain == "" {
		return nil
	}
	device, name, _ := strings.Cut(f.explain, "/")
	t := cfg.Find(device, name)
	if t == nil {
		return console.Failed(fmt.Errorf("no tag %q (write DEVICE/TAG)", f.explain))
	}
	if err := configs.WriteSettings(out, cfg.Explain(t)); err != nil {
		return console.Failed(err)
	}
	return nil
}
