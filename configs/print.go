package configs

import (
	"encoding/json"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"

	"fieldferry/configs/tagmap"
)

// WriteText writes what `check` prints: each fault on a line that editors can
// follow, file names below dir, and a last line that sums up. g is nil when
// there are faults.
func WriteText(w io.Writer, dir string, g *Gateway, faults Faults) error {
	var b strings.Builder
	list := faults
	if g != nil {
		list = g.Warnings
	}
	for _, f := range list {
		if !filepath.IsAbs(f.File) && !strings.HasPrefix(f.File, tagmap.Bundled) {
			f.File = filepath.Join(dir, f.File)
		}
		if g != nil {
			f.Text = "warning: " + f.Text
		}
		b.WriteString(f.Error() + "\n")
	}
	if g == nil {
		fmt.Fprintf(&b, "%s found\n", count(len(faults), "fault"))
	} else {
		fmt.Fprintf(&b, "no faults: %s\n", g.sum())
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// sum says in words how much there is.
func (g *Gateway) sum() string {
	devices, tags := 0, 0
	for _, l := range g.Links {
		devices += len(l.Devices)
		for _, d := range l.Devices {
			tags += len(d.Tags)
		}
	}
	s := strings.Join([]string{count(len(g.Links), "link"), count(devices, "device"), count(tags, "tag"), count(len(g.Uplinks), "uplink")}, ", ")
	if n := len(g.Disabled); n > 0 {
		s += fmt.Sprintf("; %d not enabled", n)
	}
	return s
}

func count(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

// WriteJSON writes what `check --json` prints: one object with ok, faults and
// warnings, and with version, the numbers of things and the bus time of each
// link, in words, when all is well.
func WriteJSON(w io.Writer, g *Gateway, faults Faults, busTimes []string) error {
	out := struct {
		OK       bool           `json:"ok"`
		Faults   []Fault        `json:"faults"`
		Warnings []Fault        `json:"warnings"`
		Version  string         `json:"version,omitempty"`
		Counts   map[string]int `json:"counts,omitempty"`
		Disabled []string       `json:"disabled,omitempty"`
		BusTimes []string       `json:"bus_times,omitempty"`
	}{OK: g != nil, Faults: slices.Concat([]Fault{}, faults), Warnings: []Fault{}, BusTimes: busTimes}
	if g != nil {
		out.Warnings = slices.Concat(out.Warnings, g.Warnings)
		out.Version, out.Disabled = g.Version, g.Disabled
		out.Counts = map[string]int{"links": len(g.Links), "uplinks": len(g.Uplinks), "tags": len(g.Tags())}
		for _, l := range g.Links {
			out.Counts["devices"] += len(l.Devices)
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

// WriteSettings writes what `check --explain` prints: one setting per line,
// its value, and where it comes from.
func WriteSettings(w io.Writer, settings []Setting) error {
	tw := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	of := ""
	for _, s := range settings {
		if s.Of != of {
			of = s.Of
			fmt.Fprintf(tw, "%s\n", of)
		}
		from := s.From
		if s.File != "" {
			from += fmt.Sprintf(" (%s:%d)", s.File, s.Line)
		}
		fmt.Fprintf(tw, "  %s\t%s\t%s\n", s.Key, s.Value, from)
	}
	return tw.Flush()
}
