package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"fieldferry/web"
)

// version is set by the linker to what git describes.
var version = "dev"

// build is what `version --json` prints.
type build struct {
	Version  string            `json:"version"`
	Go       string            `json:"go"`
	Platform string            `json:"platform"`
	UI       string            `json:"ui"`
	Modules  map[string]string `json:"modules"`
}

func versionCmd() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "version",
		Short: "Print the version, and with --json all that the binary was built from",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			b := build{Version: version, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH, UI: web.UI(), Modules: map[string]string{}}
			if info, ok := debug.ReadBuildInfo(); ok {
				for _, m := range info.Deps {
					b.Modules[m.Path] = m.Version
				}
			}
			if asJSON {
				e := json.NewEncoder(c.OutOrStdout())
				e.SetIndent("", "  ")
				return e.Encode(b)
			}
			_, err := fmt.Fprintf(c.OutOrStdout(), "fieldferry %s (%s, %s, ui: %s)\n", b.Version, b.Go, b.Platform, b.UI)
			return err
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON, with every module")
	return c
}
