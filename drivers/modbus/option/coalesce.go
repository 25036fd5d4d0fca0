package option

import (
	"fmt"
	"strconv"
	"strings"

	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/plan"
	"fieldferry/tag"
)

// Coalesce says how the tags of a device are joined to block reads: auto, off
// or gap:N.
type Coalesce struct {
	mode plan.Mode
	gap  int
}

// UnmarshalText reads auto, off and gap:N, where N is 0 to 2000.
func (c *Coalesce) UnmarshalText(b []byte) error {
	text := strings.ToLower(strings.TrimSpace(string(b)))
	switch text {
	case "auto":
		*c = Coalesce{}
		return nil
	case "off":
		*c = Coalesce{mode: plan.Single}
		return nil
	}
	rest, found := strings.CutPrefix(text, "gap")
	n, err := strconv.ParseUint(strings.TrimLeft(rest, ": "), 10, 16)
	if !found || err != nil || n > 2000 {
		return fmt.Errorf("%q is none of auto, off and gap:N with N from 0 to 2000", b)
	}
	*c = Coalesce{plan.Gap, int(n)}
	return nil
}

// MarshalText writes what UnmarshalText reads.
func (c Coalesce) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// String is auto, off or gap:N.
func (c Coalesce) String() string {
	switch c.mode {
	case plan.Single:
		return "off"
	case plan.Gap:
		return "gap:" + strconv.Itoa(c.gap)
	}
	return "auto"
}

// parseRange reads hr:100-119 or hr:100.
func parseRange(text string) (plan.Range, error) {
	first, last, several := strings.Cut(strings.TrimSpace(text), "-")
	a, err := layout.ParseAddress(first)
	if err != nil {
		return plan.Range{}, err
	}
	if a.Part != layout.Whole {
		return plan.Range{}, fmt.Errorf("%q names a part of a register", text)
	}
	r := plan.Range{Table: a.Table, Start: a.Number, Length: 1}
	if !several {
		return r, nil
	}
	n, err := strconv.ParseUint(strings.TrimSpace(last), 0, 17)
	if err != nil || int(n) < a.Number || n > 65535 {
		return plan.Range{}, fmt.Errorf("%q does not end with an address from %d to 65535", text, a.Number)
	}
	r.Length = int(n) - a.Number + 1
	return r, nil
}

// Limits are what bounds the reads of a device.
func (o Device) Limits() plan.Limits {
	l := plan.Limits{Mode: o.Coalesce.mode, Gap: o.Coalesce.gap, Max: [4]int{o.MaxBits, o.MaxBits, o.MaxRegisters, o.MaxRegisters}}
	for _, text := range o.Forbidden {
		if r, err := parseRange(text); err == nil {
			l.Walls = append(l.Walls, r)
		}
	}
	return l
}

// forbidden is the text of the forbidden range that a read would touch; empty
// where it touches none.
func (o Device) forbidden(x plan.Range) string {
	for _, text := range o.Forbidden {
		if r, err := parseRange(text); err == nil && r.Table == x.Table && r.Start < x.End() && x.Start < r.End() {
			return text
		}
	}
	return ""
}

// Longest is how many registers or bits of a table the device may be asked for
// from the start of a read on, if the read were longer than it is: no further
// than its caps and its forbidden ranges allow. No more than the read's own
// length means that nothing behind it may be touched.
func (o Device) Longest(x plan.Range) int {
	l := o.Limits()
	most := l.Max[x.Table]
	for _, w := range l.Walls {
		if w.Table == x.Table && w.End() > x.Start {
			most = min(most, w.Start-x.Start)
		}
	}
	return most
}

// forbids tells which forbidden range a tag lies in; nil where none does.
func (o Device) forbids(l *layout.Layout) *tag.Fault {
	start, n := l.Span()
	if text := o.forbidden(plan.Range{Table: l.Table, Start: start, Length: n}); text != "" {
		return &tag.Fault{Path: "address", Text: fmt.Sprintf("%s lies in the forbidden range %s", l.Address, text), Hint: "take the tag out, or narrow the range at the device"}
	}
	return nil
}
