package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/console"
)

func factsCmd() *cobra.Command {
	var socket, forget string
	var asJSON bool
	c := &cobra.Command{
		Use:   "facts",
		Short: "Show what the gateway has learnt about devices, or have it forgotten",
		Long: `Shows what the running gateway has learnt about devices: registers that they do
not have, the longest request that they answer, the pause that they need. The
gateway goes round these and tries each again at its time. A fact that is
forgotten, by its id or all of a device by its name, is learnt anew if it is
still so.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if c.Flags().Changed("forget") {
				return forgetFacts(c, control{socket}, forget)
			}
			var raw json.RawMessage
			if err := (control{socket}).call(c.Context(), http.MethodGet, "/api/facts", &raw); err != nil {
				return err
			}
			if asJSON {
				fmt.Fprintln(c.OutOrStdout(), console.SafeJSON(raw))
				return nil
			}
			return printFacts(c.OutOrStdout(), raw)
		},
	}
	addSocketFlag(c, &socket)
	c.Flags().StringVar(&forget, "forget", "", "forget this fact, or all of this device")
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return c
}

func forgetFacts(c *cobra.Command, gw control, id string) error {
	var done struct {
		Facts int `json:"facts"`
	}
	if err := gw.call(c.Context(), http.MethodPost, "/api/facts/forget?id="+url.QueryEscape(id), &done); err != nil {
		return err
	}
	fmt.Fprintf(c.OutOrStdout(), "%s forgotten\n", console.Count(done.Facts, "fact"))
	return nil
}

func printFacts(out io.Writer, raw json.RawMessage) error {
	var list struct {
		Facts []struct {
			Link    string `json:"link"`
			ID      string `json:"id"`
			Text    string `json:"text"`
			Why     string `json:"why"`
			Learned int64  `json:"learned"`
			Retry   int64  `json:"retry"`
		} `json:"facts"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return console.Failed(fmt.Errorf("the gateway's answer: %w", err))
	}
	if len(list.Facts) == 0 {
		fmt.Fprintln(out, "nothing has been learnt: every device answers what it is asked")
		return nil
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "LINK\tFACT\tWHAT\tLEARNT\tTRIED AGAIN\tWHY")
	for _, f := range list.Facts {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", console.Safe(f.Link), console.Safe(f.ID), console.Safe(f.Text), when(f.Learned), when(f.Retry), console.Safe(f.Why))
	}
	return w.Flush()
}

// when is a time in UTC, or never.
func when(ms int64) string {
	if ms == 0 {
		return "never"
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04Z")
}
