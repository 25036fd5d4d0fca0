package modbus

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/console"
	"fieldferry/drivers/modbus/find"
)

// identityJSON is what a device says of itself.
type identityJSON struct {
	Objects  []objectJSON `json:"objects"`
	ServerID string       `json:"server_id,omitempty"`
	Running  string       `json:"running,omitempty"`
	Cut      string       `json:"cut,omitempty"`
}

type objectJSON struct {
	ID    int    `json:"id"`
	Name  string `json:"name"`
	Value string `json:"value"`
}

func viewIdentity(d *find.Identity) *identityJSON {
	v := &identityJSON{Objects: []objectJSON{}, ServerID: d.ServerID, Running: d.Running, Cut: d.Cut}
	for _, o := range d.Objects {
		v.Objects = append(v.Objects, objectJSON{int(o.ID), o.Name, o.Value})
	}
	return v
}

func identifyCmd() *cobra.Command {
	var a asking
	var unit int
	var depth string
	c := &cobra.Command{
		Use:   "identify [TARGET]",
		Short: "Ask a unit what it is",
		Long: `Asks a unit for its device identification (function 43/14) and its server id
(function 17), and prints what it says. Exit code 1 when it offers neither.`,
		Example: "  fieldferry modbus identify line1 --unit 7 --depth extended",
		Args:    cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			level, ok := map[string]find.Depth{"basic": find.Basic, "regular": find.Regular, "extended": find.Extended}[depth]
			if !ok {
				return console.Usage("--depth %q: use basic, regular or extended", depth)
			}
			return failed(a.ask(c, args, unit, func(l *find.Link) error {
				d, err := l.Identify(c.Context(), unit, level)
				if err != nil {
					return err
				}
				return printIdentity(c, d, unit, a.json)
			}))
		},
	}
	a.flags(c, 0)
	c.Flags().IntVar(&unit, "unit", 1, "unit id")
	c.Flags().StringVar(&depth, "depth", "regular", "basic, regular or extended")
	return c
}

// ask finds the target and calls f with a link to it.
func (a *asking) ask(c *cobra.Command, args []string, unit int, f func(*find.Link) error) error {
	if err := a.check(); err != nil {
		return err
	}
	if unit < 0 || unit > 255 {
		return console.Usage("--unit %d: use 0 to 255", unit)
	}
	explicit := c.Flags().Changed("baud") || c.Flags().Changed("parity") || c.Flags().Changed("framing") || c.Flags().Changed("stop-bits")
	t, err := a.choose(c.Context(), args, explicit)
	if err != nil {
		return err
	}
	return t.one(a, f)
}

func printIdentity(c *cobra.Command, d *find.Identity, unit int, asJSON bool) error {
	if d == nil {
		return console.Failed(errors.New("it does not say what it is: it answers neither function 43/14 nor function 17"))
	}
	out := c.OutOrStdout()
	if asJSON {
		return printJSON(out, viewIdentity(d))
	}
	t := newTable(out, fmt.Sprintf("unit %d", unit))
	for _, o := range d.Objects {
		t.row(o.Name, o.Value)
	}
	if d.ServerID != "" {
		t.row("server id", d.ServerID)
	}
	if d.Running != "" {
		t.row("running", d.Running)
	}
	if d.Cut != "" {
		t.row("incomplete", d.Cut)
	}
	t.flush()
	return nil
}
