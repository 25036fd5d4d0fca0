//go:build !demo

package main

import (
	"errors"

	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/console"
)

// demoCmd tells how to get a binary that contains the simulated plant.
func demoCmd() *cobra.Command {
	return &cobra.Command{
		Use:    "demo",
		Short:  "Run against a simulated plant (only in binaries built by `make demo`)",
		Hidden: true,
		RunE: func(*cobra.Command, []string) error {
			return console.Failed(errors.New("this binary was built without the simulated plant: run `make demo`"))
		},
	}
}
