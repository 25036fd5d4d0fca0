package modbus

import (
	"fmt"
	"slices"

	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/sunspec"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/tag"
)

// spot is what is read for a tag: from start on, so many registers or bits.
// members are the indices of the tags that are taken out of it. Tags that
// must be read together share the spot of the first of them: the others have
// no members.
type spot struct {
	start, length int
	members       []int
}

// locate finds the spots of the tags of the group.
func (g *group) locate() {
	sets := togetherSets(g.dev)
	first := map[*set]int{}
	g.spots = make([]spot, len(g.tags))
	for i, t := range g.tags {
		s := sets[t]
		if g.described.missing[i] != "" {
			continue // it lies nowhere
		}
		if s == nil {
			start, n := g.layouts[i].Span()
			g.spots[i] = spot{start, n, []int{i}}
			continue
		}
		leader, taken := first[s]
		if !taken {
			leader, first[s] = i, i
			g.spots[i] = spot{start: s.start, length: s.end - s.start}
		}
		g.spots[leader].members = append(g.spots[leader].members, i)
	}
}

// decode takes a tag out of an answer that begins with the register or bit
// start.
func decode(s *tag.Sample, l *layout.Layout, reply wire.Reply, start int) {
	v, err := l.Decode(reply.Data, l.Number-start)
	s.Value, s.Quality, s.Time = v, tag.OK(), reply.At
	switch {
	case err != nil && v.IsNull():
		s.Quality = tag.BadFor(layout.Reason(err))
	case err != nil:
		s.Quality = tag.UncertainFor(layout.ReasonParts)
	}
}

// set is some tags that must be read in one request, and what that asks for.
type set struct {
	tags       []*tag.Tag
	table      layout.Table
	start, end int
}

// togetherSets joins the tags of a device that name one another in
// read_together. Tags that name none and are not named have no set.
func togetherSets(d *tag.Device) map[*tag.Tag]*set {
	sets := map[*tag.Tag]*set{}
	byName := map[string]*tag.Tag{}
	for _, t := range d.Tags {
		byName[t.Name] = t
	}
	for _, t := range d.Tags {
		for _, name := range tagOptions(t).ReadTogether {
			if other := byName[name]; other != nil && other != t {
				join(sets, t, other)
			}
		}
	}
	for _, t := range d.Tags {
		if s := sets[t]; s != nil {
			s.add(t)
		}
	}
	return sets
}

func join(sets map[*tag.Tag]*set, a, b *tag.Tag) {
	for _, t := range []*tag.Tag{a, b} {
		if sets[t] == nil {
			sets[t] = &set{tags: []*tag.Tag{t}}
		}
	}
	into, from := sets[a], sets[b]
	if into == from {
		return
	}
	for _, t := range from.tags {
		sets[t] = into
	}
	into.tags = append(into.tags, from.tags...)
}

// add widens the set by the registers of one of its tags.
func (s *set) add(t *tag.Tag) {
	l, faults := layoutOf(t)
	if len(faults) > 0 {
		return
	}
	start, n := l.Span()
	if s.end == 0 {
		s.table, s.start, s.end = l.Table, start, start+n
	}
	s.start, s.end = min(s.start, start), max(s.end, start+n)
}

// togetherFaults tells what is wrong with the read_together of the tags of a
// device.
func togetherFaults(d *tag.Device) map[*tag.Tag]tag.Faults {
	faults := map[*tag.Tag]tag.Faults{}
	sets := togetherSets(d)
	for _, t := range d.Tags {
		for i, name := range tagOptions(t).ReadTogether {
			if text, hint := togetherFault(t, name, sets[t]); text != "" {
				faults[t] = append(faults[t], tag.Fault{Path: fmt.Sprintf("read_together[%d]", i), Text: text, Hint: hint})
			}
		}
	}
	return faults
}

func togetherFault(t *tag.Tag, name string, s *set) (text, hint string) {
	i := slices.IndexFunc(t.Device.Tags, func(x *tag.Tag) bool { return x.Name == name })
	if i < 0 {
		names := make([]string, len(t.Device.Tags))
		for i, x := range t.Device.Tags {
			names[i] = x.Name
		}
		return fmt.Sprintf("the device has no tag %q", name), hintNames(name, names)
	}
	other := t.Device.Tags[i]
	o := deviceOptions(t.Device)
	l, faults := layoutOf(t)
	lo, others := layoutOf(other)
	most := o.MaxRegisters
	if l.Table.Bits() {
		most = o.MaxBits
	}
	switch {
	case other == t:
		return "a tag is always read together with itself", "name other tags"
	case !t.Access.Readable() || !other.Access.Readable():
		return fmt.Sprintf("one of %s and %s is not read at all: its access is write", t.Name, name), "use access: read-write, or leave it out"
	case t.Interval != other.Interval:
		return fmt.Sprintf("%s is read every %v, but %s every %v", t.Name, t.Interval, name, other.Interval), "give both the same interval"
	case sunspec.Is(other.Address):
		return fmt.Sprintf("where %s lies is known only when the device is asked", name), "leave it out"
	case len(faults) > 0 || len(others) > 0:
		return "", "" // reported there
	case l.Table != lo.Table:
		return fmt.Sprintf("%s is one of the %ss and %s one of the %ss: one request reads one table", t.Name, l.Table, name, lo.Table), "name tags of the same table"
	case s.end-s.start > most:
		return fmt.Sprintf("%s and %s cannot be read in one request: together with what belongs to them they span %d, and the device allows %d", t.Name, name, s.end-s.start, most),
			"read fewer tags together"
	}
	return "", ""
}

// hintNames says which name was likely meant.
func hintNames(name string, names []string) string {
	if near := tag.Nearest(name, names); near != "" {
		return fmt.Sprintf("did you mean `%s`?", near)
	}
	return "name tags of the same device"
}
