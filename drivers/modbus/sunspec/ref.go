package sunspec

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Prefix begins the address of a tag that is found by the device's own
// description.
const Prefix = "sunspec:"

// Ref names a point of some models, whichever of them a device has.
type Ref struct {
	text   string
	models []int
	module int // of a model that repeats, from 1; 0: the model itself
	point  string
}

// kinds are names for models that differ in phases and number format.
var kinds = map[string][]int{
	"common":   {1},
	"inverter": {101, 102, 103, 111, 112, 113},
	"mppt":     {160},
	"meter":    {201, 202, 203, 204, 211, 212, 213, 214},
}

// Hint tells how a point is named.
const Hint = "write sunspec:inverter.W, sunspec:meter.W, sunspec:mppt.1.DCW, sunspec:common.SN or a model by its number, as sunspec:103.W"

// Is says that an address names a point of a model.
func Is(address string) bool {
	address = strings.TrimSpace(address)
	return len(address) >= len(Prefix) && strings.EqualFold(address[:len(Prefix)], Prefix)
}

// ParseRef reads sunspec:103.W, sunspec:inverter.W, or sunspec:mppt.2.DCW for
// the second module. Names are compared without regard to case.
func ParseRef(address string) (Ref, error) {
	if !Is(address) {
		return Ref{}, fmt.Errorf("address %q does not begin with %s", address, Prefix)
	}
	text := strings.TrimSpace(address)
	parts := strings.Split(text[len(Prefix):], ".")
	r := Ref{text: text, models: kinds[strings.ToLower(parts[0])], point: parts[len(parts)-1]}
	if n, err := strconv.ParseUint(parts[0], 10, 16); err == nil {
		r.models = []int{int(n)}
	}
	if len(parts) == 3 {
		n, err := strconv.ParseUint(parts[1], 10, 8)
		if err != nil || n < 1 {
			return Ref{}, fmt.Errorf("address %q names the module %q: they are counted from 1", address, parts[1])
		}
		r.module = int(n)
	}
	if len(parts) < 2 || len(parts) > 3 {
		return Ref{}, fmt.Errorf("address %q is not a model and a point", address)
	}
	if r.models == nil {
		return Ref{}, fmt.Errorf("address %q names the unknown model %q", address, parts[0])
	}
	if !slices.ContainsFunc(r.models, func(m int) bool { return find(m, r) != nil }) {
		return Ref{}, fmt.Errorf("address %q names a point that the model does not have, or that is not known here", address)
	}
	return r, nil
}

// point is a point of a model.
type point struct {
	name   string
	offset int    // from the register with the model's number
	typ    string // of SunSpec
	length int    // registers of a string
	sf     int    // offset of the scale factor; 0: none
	repeat int    // registers of a module
}

// find looks a point up in the tables; nil if the model has none.
func find(model int, r Ref) *point {
	for _, p := range table[model] {
		if strings.EqualFold(p.name, r.point) && (p.repeat > 0) == (r.module > 0) {
			return &p
		}
	}
	return nil
}

// table holds the points by model.
var table = parsePoints()

func parsePoints() map[int][]point {
	out := map[int][]point{}
	for _, row := range points {
		for text := range strings.SplitSeq(row.text, ";") {
			p := parsePoint(strings.Fields(text))
			p.repeat = row.repeat
			for _, m := range row.models {
				out[m] = append(out[m], p)
			}
		}
	}
	return out
}

// parsePoint reads the fields of one point; an error in the tables is seen by
// a test over all of them.
func parsePoint(fields []string) point {
	var p point
	for i, f := range fields {
		name, after, _ := strings.Cut(f, "@")
		n, _ := strconv.Atoi(after)
		switch {
		case i == 0:
			p.name, p.offset = name, n
		case name == "sf":
			p.sf = n
		default:
			typ, length, _ := strings.Cut(f, "*")
			p.typ = typ
			p.length, _ = strconv.Atoi(length)
		}
	}
	return p
}
