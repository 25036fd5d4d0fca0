package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"fieldferry/drivers/modbus/layout"
	"fieldferry/tag"
)

// MaxRegisters is the most registers that one question may hold.
const MaxRegisters = layout.MaxRegisters

// Question is some registers and what is known of them.
type Question struct {
	Table layout.Table // holding or input registers
	First int          // number of the first register, zero based
	Data  []byte       // two bytes for each register, as they came from the wire

	// Asked and Count are the registers that the manual names, where Data
	// holds more than these; Count 0 means all of Data.
	Asked, Count int

	// Shows is what the display of the device says at the same time, such as
	// 231.4 or a text; empty when nobody has looked.
	Shows string
}

// Match is how a reading agrees with what the display shows.
type Match uint8

// The degrees of agreement, the best last.
const (
	MatchNone  Match = iota // not at all, or nothing is known of the display
	MatchNear               // within half a percent: the value may have moved
	MatchCut                // the display cuts off digits instead of rounding
	MatchExact              // rounded to the digits of the display, it is the same
)

var matchNames = [...]string{"", "near", "cut off", "exact"}

// String is the degree in words; empty for none.
func (m Match) String() string {
	if int(m) < len(matchNames) {
		return matchNames[m]
	}
	return fmt.Sprintf("match(%d)", uint8(m))
}

// Reading is one way to read some of the registers.
type Reading struct {
	Spec  layout.Spec // address, type, byte order and length, as a tag map has them
	Scale float64     // what the value is multiplied by; 1: as it is
	Value tag.Value   // before scaling
	Match Match
	Score float64  // the higher the more plausible; comparable within one question
	Also  []string // types that give the same value here and now
	Notes []string // what speaks for it or against it, in words

	number int // of the first register
	length int // registers
}

// Shown is the scaled value as text.
func (r *Reading) Shown() string {
	n, numeric := r.Value.Number()
	if !numeric || r.Scale == 1 {
		if s, ok := r.Value.Text(); ok {
			return strconv.Quote(s)
		}
		return r.Value.String()
	}
	return strconv.FormatFloat(n*r.Scale, 'g', 12, 64)
}

// Line is the tag as a tag map has it: {name: x, address: "hr:100", ...}.
func (r *Reading) Line(name string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "{name: %s, address: %q, type: %s", name, r.Spec.Address, r.Spec.Type)
	if r.Spec.Order != "" {
		fmt.Fprintf(&b, ", byte_order: %s", r.Spec.Order)
	}
	if r.Spec.Length > 0 {
		fmt.Fprintf(&b, ", length: %d", r.Spec.Length)
	}
	if r.Scale != 1 {
		fmt.Fprintf(&b, ", scale: %s", strconv.FormatFloat(r.Scale, 'g', -1, 64))
	}
	return b.String() + "}"
}

// Check tells what is wrong with a question.
func (q *Question) Check() error {
	n := len(q.Data) / 2
	switch {
	case q.Table.Bits():
		return fmt.Errorf("a %s is a single bit: only registers have a byte order", q.Table)
	case n == 0 || len(q.Data)%2 != 0:
		return fmt.Errorf("%d bytes are not registers of two bytes each", len(q.Data))
	case n > MaxRegisters:
		return fmt.Errorf("%d registers, more than %d", n, MaxRegisters)
	case q.First < 0 || q.First+n > 65536:
		return fmt.Errorf("registers %d-%d: the last register of a device is 65535", q.First, q.First+n-1)
	case len(q.Shows) > maxShows:
		return fmt.Errorf("what the display shows has %d characters, more than %d", len(q.Shows), maxShows)
	}
	return nil
}

// maxShows bounds what a user types in.
const maxShows = 200

// Readings returns every plausible reading, the best first. A number that
// several types read alike appears once. With a value of the display those
// that agree with it come first; the others follow. It is an error to ask
// what Check refuses.
func (q *Question) Readings() ([]Reading, error) {
	if err := q.Check(); err != nil {
		return nil, err
	}
	seen := shown(q.Shows)
	var all []Reading
	for i := range len(q.Data) / 2 {
		for _, k := range kinds {
			all = q.appendNumbers(all, &k, i, seen)
		}
	}
	all = q.appendTexts(all, seen)
	all = merge(all)
	slices.SortStableFunc(all, func(a, b Reading) int {
		return cmp.Or(cmp.Compare(agrees(b.Match), agrees(a.Match)), cmp.Compare(b.Score, a.Score), cmp.Compare(a.number, b.number))
	})
	return all, nil
}

// kind is a type of number and the orders that it can have.
type kind struct {
	name      string
	registers int
	prior     float64 // how common it is, in the units of a score
}

// kinds are the types that are tried; what reads alike is kept under the
// first name.
var kinds = []kind{
	{"uint16", 1, 0}, {"int16", 1, -0.5}, {"bcd16", 1, -3},
	{"float32", 2, 0}, {"uint32", 2, -1}, {"int32", 2, -1.2}, {"bcd32", 2, -4},
	{"float64", 4, -1.5}, {"uint64", 4, -2.5}, {"int64", 4, -2.7},
}

// orders are the byte orders by the number of registers, with what each costs.
var orders = map[int][]struct {
	name  string
	prior float64
}{
	1: {{"", 0}, {"BA", -3}},
	2: {{"", 0}, {"CDAB", -0.6}, {"DCBA", -2}, {"BADC", -2.2}},
	4: {{"", 0}, {"GHEFCDAB", -0.6}, {"HGFEDCBA", -2}, {"BADCFEHG", -2.2}},
}

// appendNumbers tries a kind at the i-th register, in all orders and scales.
func (q *Question) appendNumbers(all []Reading, k *kind, i int, seen display) []Reading {
	if 2*(i+k.registers) > len(q.Data) {
		return all
	}
	for _, o := range orders[k.registers] {
		spec := layout.Spec{Address: q.address(i), Type: k.name, Order: o.name}
		l, faults := spec.Parse()
		if len(faults) > 0 {
			continue
		}
		v, err := l.Decode(q.Data, i)
		if err != nil {
			continue
		}
		base := Reading{Spec: spec, Value: v, Scale: 1, number: q.First + i, length: k.registers}
		score, notes, ok := q.plausible(&base, k)
		if !ok {
			continue
		}
		base.Score, base.Notes = score+k.prior+o.prior, notes
		all = appendScales(all, &base, k, seen)
	}
	return all
}

func (q *Question) address(i int) string {
	return layout.Address{Table: q.Table, Number: q.First + i}.String()
}

// scales are the usual ones, with what each costs.
var scales = []struct{ by, prior float64 }{
	{1, 0}, {0.1, -0.7}, {0.01, -1}, {0.001, -1.2}, {10, -2}, {100, -2.2}, {1000, -2},
}

// appendScales appends a reading unscaled, and in those scales in which it
// agrees with the display.
func appendScales(all []Reading, base *Reading, k *kind, seen display) []Reading {
	n, numeric := base.Value.Number()
	if !numeric {
		return all
	}
	for _, s := range scales {
		m := seen.compare(n * s.by)
		if m == MatchNone && s.by != 1 {
			continue
		}
		r := *base
		r.Scale, r.Match = s.by, m
		r.Score += s.prior + seen.evidence(m, k.name, n)
		if s.by != 1 && isFloat(k.name) {
			r.Score -= 1.5 // a float seldom needs one: W and kW, Wh and kWh
		}
		all = append(all, r)
	}
	return all
}

func isFloat(name string) bool { return strings.HasPrefix(name, "float") }

// merge puts numbers that several types read alike together, under the type
// that was tried first.
func merge(all []Reading) []Reading {
	type key struct {
		address, order string
		length         int
		scale          float64
		value          string
	}
	at := map[key]int{}
	kept := all[:0]
	for _, r := range all {
		if isFloat(r.Spec.Type) || r.Spec.Type == "string" {
			kept = append(kept, r)
			continue
		}
		k := key{r.Spec.Address, r.Spec.Order, r.length, r.Scale, r.Value.String()}
		if i, ok := at[k]; ok {
			kept[i].Also = append(kept[i].Also, r.Spec.Type)
			continue
		}
		at[k] = len(kept)
		kept = append(kept, r)
	}
	return kept
}

// agrees is 1 for a reading that the display confirms.
func agrees(m Match) int {
	if m > MatchNone {
		return 1
	}
	return 0
}
