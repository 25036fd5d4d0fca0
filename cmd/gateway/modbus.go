package main

import (
	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/modbus"
)

// modbusCmd is what finds out about Modbus links.
func modbusCmd() *cobra.Command {
	c := modbus.Command()
	c.AddCommand(factsCmd())
	return c
}
