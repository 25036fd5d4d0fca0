package modbus

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"fieldferry/cmd/gateway/console"
	"fieldferry/drivers/ask"
	"fieldferry/drivers/modbus/detect"
	"fieldferry/drivers/modbus/find"
	"fieldferry/drivers/modbus/layout"
)

// detectFlags are the flags of detect.
type detectFlags struct {
	asking
	unit, count int
	from        string
	shows       string
	data        string
	top         int
}

func detectCmd() *cobra.Command {
	var f detectFlags
	c := &cobra.Command{
		Use:   "detect [TARGET]",
		Short: "Show every plausible way to read some registers",
		Long: `Reads registers of a unit and shows every plausible reading: 16, 32 and 64 bit
integers, floats, BCD and text in all byte orders, each with the line of a tag
map that reads it so, the most plausible first. With --shows, what the display
of the device says at the moment, those that agree with it come first, also
scaled by the usual factors and one register beside those asked for: manuals
count from one or from zero. With --data it looks at registers that you have,
without asking anybody.`,
		Example: `  fieldferry modbus detect line1 --unit 1 --from hr:0 --count 20 --shows 231.4
  fieldferry modbus detect --from hr:100 --data "4367 6000" --shows 231.4`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return failed(f.run(c, args)) },
	}
	f.flags(c, 0)
	c.Flags().IntVar(&f.unit, "unit", 1, "unit id")
	c.Flags().StringVar(&f.from, "from", "hr:0", "the first register")
	c.Flags().IntVar(&f.count, "count", 4, "how many registers, up to 123")
	c.Flags().StringVar(&f.shows, "shows", "", "what the display of the device shows now, such as 231.4")
	c.Flags().StringVar(&f.data, "data", "", "registers in hexadecimal, instead of asking for them")
	c.Flags().IntVar(&f.top, "top", 10, "how many readings to print; 0: all")
	return c
}

func (f *detectFlags) run(c *cobra.Command, args []string) error {
	first, err := parseFrom(f.from)
	if err != nil {
		return err
	}
	if f.top < 0 {
		return console.Usage("--top %d: write how many readings to print", f.top)
	}
	q := &detect.Question{Table: first.Table, First: first.Number, Shows: f.shows}
	if f.data != "" {
		q.Data, err = hex.DecodeString(strings.NewReplacer(" ", "", ",", "", "0x", "").Replace(f.data))
		if err != nil {
			return console.Usage("--data: write registers in hexadecimal, such as \"4367 6000\": %w", err)
		}
		return f.print(c.OutOrStdout(), q)
	}
	if first.Table.Bits() || f.count < 1 || f.count > detect.MaxRegisters-2 || first.Number+f.count > 65536 {
		return console.Usage("--from %s --count %d: name 1 to %d registers (hr: or ir:)", first, f.count, detect.MaxRegisters-2)
	}
	return f.ask(c, args, f.unit, func(l *find.Link) error {
		if err := f.read(c.Context(), l, first, q); err != nil {
			return err
		}
		return f.print(c.OutOrStdout(), q)
	})
}

// read reads the registers asked for, and one on either side where the device
// has it: all at once if it can, since a value may move.
func (f *detectFlags) read(ctx context.Context, l *find.Link, first layout.Address, q *detect.Question) error {
	q.Asked, q.Count = first.Number, f.count
	before, behind := min(1, first.Number), min(1, 65536-first.Number-f.count)
	var err error
	for _, side := range [][2]int{{before, behind}, {0, behind}, {before, 0}, {0, 0}} {
		at := first
		at.Number -= side[0]
		q.First = at.Number
		q.Data, err = l.Read(ctx, f.unit, at, f.count+side[0]+side[1])
		var refused *find.Refusal
		if !errors.As(err, &refused) || refused.Answer.Outcome != ask.Declined {
			return err
		}
	}
	return err
}

// readingJSON is one reading, as the HTTP API has it.
type readingJSON struct {
	Line  string   `json:"line"`
	Shown string   `json:"shown"`
	Match string   `json:"match"`
	Score float64  `json:"score"`
	Also  []string `json:"also,omitempty"`
	Notes []string `json:"notes,omitempty"`
}

func (f *detectFlags) print(out io.Writer, q *detect.Question) error {
	all, err := q.Readings()
	if err != nil {
		return console.Usage("%w", err)
	}
	n := len(all)
	if f.top > 0 {
		n = min(n, f.top)
	}
	if f.json {
		v := struct {
			First    string        `json:"first"`
			Data     string        `json:"data"`
			Readings []readingJSON `json:"readings"`
		}{layout.Address{Table: q.Table, Number: q.First}.String(), hex.EncodeToString(q.Data), []readingJSON{}}
		for i := range all[:n] {
			r := &all[i]
			v.Readings = append(v.Readings, readingJSON{r.Line("value"), r.Shown(), r.Match.String(), r.Score, r.Also, r.Notes})
		}
		return printJSON(out, v)
	}
	t := newTable(out, "VALUE", "AGREES", "TAG", "NOTES")
	for i := range all[:n] {
		r := &all[i]
		notes := r.Notes
		if len(r.Also) > 0 {
			notes = append([]string{"also " + strings.Join(r.Also, ", ")}, notes...)
		}
		agrees := r.Match.String()
		if agrees == "" {
			agrees = "-"
		}
		t.row(r.Shown(), agrees, r.Line("value"), strings.Join(notes, "; "))
	}
	t.flush()
	if len(all) > n {
		fmt.Fprintln(out, strconv.Itoa(len(all)-n)+" less plausible readings more (--top 0)")
	}
	if f.shows != "" && (len(all) == 0 || all[0].Match == detect.MatchNone) {
		return console.Failed(fmt.Errorf("nothing reads as %s: look a few registers further (--count), in the other table (hr: or ir:), or at another unit", console.Safe(f.shows)))
	}
	return nil
}
