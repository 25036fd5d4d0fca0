package main

import "github.com/spf13/cobra"

// modbusCmd is what finds out about Modbus links.
func modbusCmd() *cobra.Command {
	c := &cobra.Command{
		Use:   "modbus",
		Short: "Find out about Modbus links",
		Args:  cobra.NoArgs,
	}
	c.AddCommand(factsCmd())
	return c
}
