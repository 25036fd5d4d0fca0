package sunspec

import (
	"fmt"

	"fieldferry/drivers/modbus/layout"
)

// types are SunSpec's, as the driver reads them, with the raw number that
// means that the device does not offer the point. Accumulators have none:
// theirs is 0, which a new device has, too. A string is empty then.
var types = map[string]struct {
	name    string
	size    int // registers
	invalid []uint64
}{
	"int16":      {"int16", 1, []uint64{0x8000}},
	"uint16":     {"uint16", 1, []uint64{0xFFFF}},
	"count":      {"uint16", 1, nil},
	"enum16":     {"uint16", 1, []uint64{0xFFFF}},
	"uint32":     {"uint32", 2, []uint64{0xFFFFFFFF}},
	"acc32":      {"uint32", 2, nil},
	"bitfield32": {"uint32", 2, []uint64{0xFFFFFFFF}},
	"float32":    {"float32", 2, nil}, // NaN
	"string":     {"string", 0, nil},
}

// Find tells where a point lies in the device. Its error says what the device
// does not have.
func (c *Chain) Find(r Ref) (layout.Spec, error) {
	for _, b := range c.Blocks {
		for _, m := range r.models {
			p := find(m, r)
			if b.Model != m || p == nil {
				continue
			}
			if s, ok := p.in(b, r.module); ok {
				return s, nil
			}
			return layout.Spec{}, fmt.Errorf("%s: model %d of the device has only %d registers", r.text, m, b.Length)
		}
	}
	return layout.Spec{}, fmt.Errorf("%s: the device has none of the models %v", r.text, r.models)
}

// in places a point in a block; false when the block is too short for it.
func (p *point) in(b Block, module int) (layout.Spec, bool) {
	t := types[p.typ]
	size := max(t.size, p.length)
	at := p.offset
	if module > 0 {
		at += (module - 1) * p.repeat
	}
	if max(at+size, p.sf+1) > 2+b.Length {
		return layout.Spec{}, false
	}
	s := layout.Spec{Address: register(b.Start + at), Type: t.name, Invalid: t.invalid, Length: p.length}
	if p.sf > 0 {
		s.ScaleFrom = register(b.Start + p.sf)
	}
	return s, true
}

func register(n int) string { return fmt.Sprintf("hr:%d", n) }
