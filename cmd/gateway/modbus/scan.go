package modbus

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"fieldferry/cmd/gateway/console"
	"fieldferry/drivers"
	"fieldferry/drivers/modbus/find"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/place"
)

// scanFlags are the flags of scan.
type scanFlags struct {
	asking
	units      string
	ask        string
	all        bool
	noIdentify bool
}

func scanCmd() *cobra.Command {
	var f scanFlags
	c := &cobra.Command{
		Use:   "scan [TARGET]",
		Short: "Look for units on a line or at an address",
		Long: `Asks every unit id for one register and tells which answer; any answer will do,
an exception too. Those that answer are asked what they are (functions 43/14
and 17). It only reads, one request at a time, slowly unless told otherwise.

On a serial port that no gateway owns, --baud any and --parity any search the
settings of the line, the usual ones first; units are 1-32 then unless --units
says otherwise. On a converter, --framing auto tries Modbus TCP and RTU over
TCP. The search ends at the first setting at which somebody answers, or goes on
with --all. Ctrl-C ends it and prints what was found.

TARGET is a link of the running gateway, a serial port, or tcp://HOST:PORT; it
may be left out where the gateway has one Modbus link. Exit code 1 when no unit
answers.`,
		Example: `  fieldferry modbus scan line1
  fieldferry modbus scan /dev/serial/by-id/usb-FTDI-if00-port0 --baud any --parity any
  fieldferry modbus scan tcp://10.0.0.7:4001 --framing auto --units 1-20`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error { return failed(f.run(c, args)) },
	}
	f.flags(c, 100*time.Millisecond)
	c.Flags().StringVar(&f.units, "units", "", "unit ids to ask, such as 1-32,40 (default 1-247)")
	c.Flags().StringVar(&f.ask, "ask", "hr:0", "what each unit is asked for")
	c.Flags().BoolVar(&f.all, "all", false, "go on with other settings when somebody has answered")
	c.Flags().BoolVar(&f.noIdentify, "no-identify", false, "do not ask units what they are")
	return c
}

// scanned is what a scan found at one setting.
type scanned struct {
	Setting string      `json:"setting"`
	Units   []foundUnit `json:"units"`
	Note    string      `json:"note,omitempty"`
}

type foundUnit struct {
	Unit     int           `json:"unit"`
	Certain  bool          `json:"certain"`
	Answer   string        `json:"answer"`
	Took     float64       `json:"took_seconds"`
	Device   string        `json:"device,omitempty"`
	Identity *identityJSON `json:"identity,omitempty"`
}

func (f *scanFlags) run(c *cobra.Command, args []string) error {
	if err := f.check(); err != nil {
		return err
	}
	ask, err := layout.ParseAddress(f.ask)
	if err != nil || ask.Part != layout.Whole {
		return console.Usage("--ask %q: write an address such as hr:0", f.ask)
	}
	explicit := c.Flags().Changed("baud") || c.Flags().Changed("parity") || c.Flags().Changed("framing") || c.Flags().Changed("stop-bits")
	t, err := f.choose(c.Context(), args, explicit)
	if err != nil {
		return err
	}
	if f.units == "" {
		f.units = "1-247"
		if len(t.places) > 2 {
			f.units = "1-32"
		}
	}
	units, err := parseUnits(f.units)
	if err != nil {
		return err
	}
	s := &scanner{f: f, t: t, units: units, ask: ask, out: c.OutOrStdout(), tell: c.ErrOrStderr()}
	return s.run(c.Context())
}

// parseUnits reads a list such as 1-32,40.
func parseUnits(s string) ([]int, error) {
	var units []int
	seen := map[int]bool{}
	for part := range strings.SplitSeq(s, ",") {
		first, last, ranged := strings.Cut(strings.TrimSpace(part), "-")
		if !ranged {
			last = first
		}
		a, erra := strconv.Atoi(first)
		b, errb := strconv.Atoi(last)
		if erra != nil || errb != nil || a < 0 || b > 255 || a > b {
			return nil, console.Usage("--units %q: write unit ids from 0 to 255, such as 1-32,40", s)
		}
		for u := a; u <= b; u++ {
			if !seen[u] {
				seen[u] = true
				units = append(units, u)
			}
		}
	}
	return units, nil
}

// scanner is one run of scan.
type scanner struct {
	f         *scanFlags
	t         *target
	units     []int
	ask       layout.Address
	out, tell io.Writer
	found     []scanned
}

func (s *scanner) run(ctx context.Context) error {
	places := make([]*place.Place, 0, max(1, len(s.t.places)))
	for i := range s.t.places {
		places = append(places, &s.t.places[i])
	}
	if s.t.link != "" {
		places = append(places, nil)
	}
	estimate := (&find.Scan{Link: &find.Link{Limit: s.f.limit, Pace: s.f.pace, Tries: s.f.tries}, Units: s.units}).Estimate() * time.Duration(len(places))
	s.say("scanning %s: %s at %s, at most about %v where nobody answers; Ctrl-C ends it\n", s.t.where, console.Count(len(s.units), "unit"), console.Count(len(places), "setting"), estimate.Round(time.Second))
	var hungUp error
	for i, p := range places {
		units, err := s.at(ctx, p)
		switch {
		case errors.Is(err, drivers.ErrLinkDown) && len(places) > 1:
			// A converter may hang up on frames that it does not know.
			hungUp = err
			s.say("%s: %v; going on without it\n", setting(places[i]), err)
		case err != nil:
			return s.report(err)
		}
		if len(units) > 0 && !s.f.all {
			break
		}
	}
	if len(s.found) > 0 {
		hungUp = nil
	}
	return s.report(hungUp)
}

// at scans one setting.
func (s *scanner) at(ctx context.Context, p *place.Place) (units []find.Unit, err error) {
	name := "the settings of the link"
	if p != nil {
		name = setting(p)
	}
	err = s.t.use(&s.f.asking, p, func(l *find.Link) error {
		scan := &find.Scan{Link: l, Units: s.units, Ask: s.ask, Identify: !s.f.noIdentify, Progress: func(p find.Progress) { s.progress(name, p) }, Found: s.hit}
		units, err = scan.Run(ctx)
		result := scanned{Setting: name, Units: []foundUnit{}}
		for i := range units {
			result.Units = append(result.Units, viewUnit(&units[i]))
		}
		if scan.IgnoresUnit(units) {
			result.Note = "every unit id answers, and all alike: this is probably one device that does not look at the unit id"
		}
		if len(units) > 0 || len(s.t.places) <= 1 {
			s.found = append(s.found, result)
		}
		return err
	})
	s.clear()
	return units, err
}

func viewUnit(u *find.Unit) foundUnit {
	v := foundUnit{Unit: u.ID, Certain: u.Certain(), Answer: "values", Took: u.Answer.Took.Seconds()}
	if u.Answer.Text != "" {
		v.Answer = u.Answer.Text
	}
	if u.Identity != nil {
		v.Device, v.Identity = u.Identity.String(), viewIdentity(u.Identity)
	}
	return v
}

// say tells people on stderr what is going on.
func (s *scanner) say(format string, args ...any) {
	if !s.f.json {
		fmt.Fprint(s.tell, console.SafeLines(fmt.Sprintf(format, args...)))
	}
}

// progress rewrites one line of a terminal; elsewhere it says nothing.
func (s *scanner) progress(setting string, p find.Progress) {
	if s.f.json || !terminal(s.tell) {
		return
	}
	fmt.Fprintf(s.tell, "\r\x1b[K%s: unit %d (%d of %d), %d found", setting, p.Unit, p.Done+1, p.Units, p.Found)
}

// hit tells of a unit as soon as it has answered.
func (s *scanner) hit(u *find.Unit) {
	s.clear()
	v := viewUnit(u)
	s.say("unit %d answers: %s %s\n", u.ID, console.Safe(v.Answer), console.Safe(v.Device))
}

// clear takes the line of progress away.
func (s *scanner) clear() {
	if !s.f.json && terminal(s.tell) {
		fmt.Fprint(s.tell, "\r\x1b[K")
	}
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	_, err := unix.IoctlGetTermios(int(f.Fd()), unix.TCGETS)
	return err == nil
}

// report prints what was found, also of a scan that was interrupted.
func (s *scanner) report(err error) error {
	n := 0
	for _, r := range s.found {
		n += len(r.Units)
	}
	if s.f.json {
		v := struct {
			Target   string    `json:"target"`
			Complete bool      `json:"complete"`
			Found    []scanned `json:"found"`
		}{s.t.where, err == nil, s.found}
		if v.Found == nil {
			v.Found = []scanned{}
		}
		if perr := printJSON(s.out, v); perr != nil {
			return perr
		}
	} else {
		s.print()
	}
	switch {
	case errors.Is(err, context.Canceled):
		return console.Failed(fmt.Errorf("interrupted; %s found until then", console.Count(n, "unit")))
	case err != nil:
		return err
	case n == 0:
		return console.Failed(errors.New("no unit answered: check power, wiring (A and B swapped?) and unit ids; a longer --timeout, other settings (--baud any --parity any, --framing auto) or another register (--ask ir:0) may help"))
	}
	return nil
}

func (s *scanner) print() {
	for _, r := range s.found {
		if len(r.Units) == 0 {
			continue
		}
		fmt.Fprintf(s.out, "%s:\n", console.Safe(r.Setting))
		table := newTable(s.out, "UNIT", "ANSWER", "TOOK", "DEVICE")
		for _, u := range r.Units {
			answer := u.Answer
			if !u.Certain {
				answer = "unusable: " + answer
			}
			table.row(strconv.Itoa(u.Unit), answer, time.Duration(u.Took*float64(time.Second)).Round(time.Millisecond).String(), u.Device)
		}
		table.flush()
		if r.Note != "" {
			fmt.Fprintln(s.out, r.Note)
		}
	}
}
