package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/console"
	"fieldferry/configs"
)

// report is what a reload answers.
type report struct {
	Faults  []fault  `json:"faults"`
	Effects []effect `json:"effects"`
}

type fault struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Path   string `json:"path"`
	Text   string `json:"text"`
	Hint   string `json:"hint"`
	Device string `json:"device"`
	Tag    string `json:"tag"`
}

// String is the fault in one line; what is unknown is left out.
func (f fault) String() string {
	path := f.Path
	if path == "" {
		path = strings.Trim(f.Device+"/"+f.Tag, "/")
	}
	c := configs.Fault{File: f.File, Line: f.Line, Column: f.Column, Path: path, Text: f.Text, Hint: f.Hint}
	return console.Safe(strings.TrimPrefix(c.Error(), ": "))
}

type effect struct {
	Text string `json:"text"`
}

func reloadCmd() *cobra.Command {
	var socket string
	c := &cobra.Command{
		Use:   "reload",
		Short: "Make the running gateway read its configuration again",
		Long: `Makes the running gateway check and apply its configuration files. Only the
links and uplinks that changed are touched. With faults nothing changes, the
faults are printed, and the exit code is 3.`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var rep report
			if err := (control{socket}).call(c.Context(), http.MethodPost, "/api/reload", &rep); err != nil {
				return err
			}
			return rep.print(c.OutOrStdout())
		},
	}
	addSocketFlag(c, &socket)
	return c
}

func (r report) print(out io.Writer) error {
	for _, f := range r.Faults {
		fmt.Fprintln(out, f)
	}
	if len(r.Faults) > 0 {
		return &console.Coded{Code: console.ExitFaults, Err: fmt.Errorf("%s; nothing was changed", console.Count(len(r.Faults), "fault"))}
	}
	if len(r.Effects) == 0 {
		fmt.Fprintln(out, "nothing changed")
	}
	for _, e := range r.Effects {
		fmt.Fprintln(out, console.Safe(e.Text))
	}
	return nil
}

// reading is what a read answers.
type reading struct {
	Unit   string `json:"unit"`
	Latest struct {
		Text    string `json:"text"`
		Quality string `json:"quality"`
		Reason  string `json:"reason"`
		Time    int64  `json:"time"` // milliseconds since 1970 UTC
	} `json:"latest"`
}

func readCmd() *cobra.Command {
	var socket string
	var asJSON bool
	c := &cobra.Command{
		Use:   "read DEVICE/TAG",
		Short: "Ask a device for one tag, now",
		Long: `Asks the running gateway to read one tag from its device, ahead of the
schedule, and prints the value, its unit and quality. The value is not
published. Exit code 1 when it is bad.`,
		Args: cobra.ExactArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			device, name, ok := strings.Cut(args[0], "/")
			if !ok || device == "" || name == "" {
				return &console.Coded{Code: console.ExitUsage, Err: fmt.Errorf("%q is not DEVICE/TAG, such as pump/speed", args[0])}
			}
			var raw json.RawMessage
			path := "/api/read/" + url.PathEscape(device) + "/" + url.PathEscape(name)
			if err := (control{socket}).call(c.Context(), http.MethodGet, path, &raw); err != nil {
				return err
			}
			return printReading(c.OutOrStdout(), raw, asJSON)
		},
	}
	addSocketFlag(c, &socket)
	c.Flags().BoolVar(&asJSON, "json", false, "print as JSON")
	return c
}

func printReading(out io.Writer, raw json.RawMessage, asJSON bool) error {
	var r reading
	if err := json.Unmarshal(raw, &r); err != nil {
		return console.Failed(fmt.Errorf("the gateway's answer: %w", err))
	}
	v := r.Latest
	if asJSON {
		fmt.Fprintln(out, console.SafeJSON(raw))
	} else {
		line := strings.TrimSpace(cmp.Or(v.Text, "no value")+" "+r.Unit) + "  " + v.Quality
		if v.Reason != "" {
			line += " (" + v.Reason + ")"
		}
		fmt.Fprintln(out, console.Safe(line)+"  "+time.UnixMilli(v.Time).UTC().Format("2006-01-02T15:04:05.000Z"))
	}
	if v.Quality == "bad" {
		return &console.Coded{Code: console.ExitFailed, Err: errors.New("the value is bad")}
	}
	return nil
}
