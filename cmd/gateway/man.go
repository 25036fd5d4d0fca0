package main

import (
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"fieldferry/cmd/gateway/console"
	"fieldferry/web"
)

func manCmd() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIR",
		Short:  "Write the manual pages into a directory",
		Hidden: true, // for packaging
		Args:   cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return console.Failed(err)
			}
			head := &doc.GenManHeader{Title: "FIELDFERRY", Section: "8", Source: "Fieldferry " + version, Manual: "Fieldferry"}
			if epoch := sourceDate(); !epoch.IsZero() {
				head.Date = &epoch
			}
			c.Root().DisableAutoGenTag = true
			if err := doc.GenManTree(c.Root(), head, args[0]); err != nil {
				return console.Failed(fmt.Errorf("write manual pages: %w", err))
			}
			return nil
		},
	}
}

// sourceDate is the time of SOURCE_DATE_EPOCH, which makes builds repeatable.
func sourceDate() time.Time {
	var sec int64
	if _, err := fmt.Sscan(os.Getenv("SOURCE_DATE_EPOCH"), &sec); err != nil {
		return time.Time{}
	}
	return time.Unix(sec, 0).UTC()
}

func openapiCmd() *cobra.Command {
	return &cobra.Command{
		Use:   "openapi",
		Short: "Print the description of the HTTP API",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			spec, err := web.OpenAPI()
			if err != nil {
				return console.Failed(err)
			}
			_, err = c.OutOrStdout().Write(spec)
			return err
		},
	}
}
