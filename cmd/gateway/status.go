package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/console"
)

func statusCmd() *cobra.Command {
	var socket string
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Show what the running gateway is doing",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var raw json.RawMessage
			if err := (control{socket}).call(c.Context(), http.MethodGet, "/api/status", &raw); err != nil {
				return err
			}
			if asJSON {
				fmt.Fprintln(c.OutOrStdout(), console.SafeJSON(raw))
				return nil
			}
			return printStatus(c.OutOrStdout(), raw)
		},
	}
	addSocketFlag(c, &socket)
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON, with every figure")
	return c
}

// status is what the gateway says of itself, as far as it is printed.
type status struct {
	Now    int64 `json:"now"`
	Health struct {
		Sentence string `json:"sentence"`
	} `json:"health"`
	Fault string `json:"fault"`
	Links []struct {
		Name     string  `json:"name"`
		State    string  `json:"state"`
		Used     float64 `json:"used"`
		Budget   string  `json:"budget"`
		Overruns uint64  `json:"overruns"`
		Counts   []struct {
			Name  string `json:"name"`
			Count uint64 `json:"count"`
		} `json:"counts"`
		Notes []string `json:"notes"`
	} `json:"links"`
	Devices []struct {
		Name   string `json:"name"`
		Link   string `json:"link"`
		State  string `json:"state"`
		Since  int64  `json:"since"`
		Missed uint64 `json:"missed"`
		Tags   int    `json:"tags"`
		Error  string `json:"error"`
	} `json:"devices"`
	Uplinks []struct {
		Name      string    `json:"name"`
		Broker    string    `json:"broker"`
		State     string    `json:"state"`
		Pending   uint64    `json:"pending"`
		Delivered uint64    `json:"delivered"`
		Dropped   []byCause `json:"dropped"`
		PutAside  []byCause `json:"put_aside"`
		Error     string    `json:"error"`
	} `json:"uplinks"`
	Buffer bufferState `json:"buffer"`
}

type byCause struct {
	Reason  string `json:"reason"`
	Samples uint64 `json:"samples"`
}

type bufferState struct {
	State    string    `json:"state"`
	Error    string    `json:"error"`
	Failing  int64     `json:"failing_since"`
	Bytes    int64     `json:"bytes"`
	MaxBytes int64     `json:"max_bytes"`
	Oldest   int64     `json:"oldest"`
	Written  uint64    `json:"written_bytes"`
	Aside    int       `json:"set_aside"`
	Dropped  []byCause `json:"dropped"`
	Syncs    struct {
		Last float64 `json:"last_seconds"`
		Max  float64 `json:"max_seconds"`
	} `json:"syncs"`
}

func printStatus(out io.Writer, raw json.RawMessage) error {
	var s status
	if err := json.Unmarshal(raw, &s); err != nil {
		return console.Failed(fmt.Errorf("the gateway's answer: %w", err))
	}
	fmt.Fprintln(out, console.Safe(s.Health.Sentence))
	if s.Fault != "" {
		fmt.Fprintln(out, "The newest configuration does not run: "+console.Safe(s.Fault))
	}
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "\nLINK\tSTATE\tUSED\tOVERRUNS\tBUS TIME")
	for _, l := range s.Links {
		fmt.Fprintf(w, "%s\t%s\t%.0f %%\t%d\t%s\n", console.Safe(l.Name), console.Safe(l.State), 100*l.Used, l.Overruns, console.Safe(l.Budget))
	}
	printSeen(w, &s)
	fmt.Fprintln(w, "\nDEVICE\tLINK\tSTATE\tFOR\tTAGS\tMISSED\tERROR")
	for _, d := range s.Devices {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%d\t%s\n", console.Safe(d.Name), console.Safe(d.Link), console.Safe(d.State), ago(s.Now, d.Since), d.Tags, d.Missed, console.Safe(d.Error))
	}
	fmt.Fprintln(w, "\nUPLINK\tBROKER\tSTATE\tPENDING\tDELIVERED\tMISSING\tERROR")
	for _, u := range s.Uplinks {
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%s\n", console.Safe(u.Name), console.Safe(u.Broker), console.Safe(u.State), u.Pending, u.Delivered, samples(u.Dropped)+samples(u.PutAside), console.Safe(u.Error))
	}
	b := &s.Buffer
	fmt.Fprintln(w, "\nBUFFER\tUSED\tOF\tWAITING FOR\tWRITTEN\tLAST SYNC\tSLOWEST\tDROPPED\tSET ASIDE\tERROR")
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%d\t%d\t%s\n", console.Safe(b.State), mebibytes(uint64(b.Bytes)), mebibytes(uint64(b.MaxBytes)), ago(s.Now, b.Oldest),
		mebibytes(b.Written), span(b.Syncs.Last), span(b.Syncs.Max), samples(b.Dropped), b.Aside, console.Safe(b.Error))
	return w.Flush()
}

// printSeen tells what was counted on links, and what somebody should look at.
func printSeen(w io.Writer, s *status) {
	for _, l := range s.Links {
		var parts []string
		for _, c := range l.Counts {
			if c.Count > 0 {
				parts = append(parts, fmt.Sprintf("%d %s", c.Count, strings.ReplaceAll(c.Name, "_", " ")))
			}
		}
		if len(parts) > 0 {
			fmt.Fprintf(w, "\n%s has seen %s\n", console.Safe(l.Name), console.Safe(strings.Join(parts, ", ")))
		}
		for _, note := range l.Notes {
			fmt.Fprintf(w, "%s: warning: %s\n", console.Safe(l.Name), console.Safe(note))
		}
	}
}

func samples(by []byCause) (n uint64) {
	for _, c := range by {
		n += c.Samples
	}
	return n
}

func mebibytes(n uint64) string { return fmt.Sprintf("%.1f MiB", float64(n)/(1<<20)) }

func span(seconds float64) string {
	return time.Duration(seconds * float64(time.Second)).Round(100 * time.Microsecond).String()
}

func ago(now, since int64) string {
	if since == 0 {
		return "-"
	}
	return (time.Duration(now-since) * time.Millisecond).Round(time.Second).String()
}
