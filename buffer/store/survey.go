package store

import (
	"cmp"
	"slices"
	"strings"

	"fieldferry/buffer/column"
	"fieldferry/buffer/frame"
	"fieldferry/buffer/names"
	"fieldferry/buffer/segment"
	"fieldferry/tag"
)

// maxDevices bounds the devices named in one drop record.
const maxDevices = 64

// Survey counts the samples of the oldest segment that lie in the ranges per
// device, for the record of their drop. What cannot be read is not counted;
// the total does not come from here.
func (s *Store) Survey(d *frame.Drop, ranges []frame.Range) {
	s.mu.Lock()
	f := s.segs[0]
	s.mu.Unlock()
	df, err := s.fs.Open(s.path(f.name))
	if err != nil {
		return
	}
	defer df.Close() // it was only read
	counts := map[string]uint64{}
	var pack column.Unpacker
	ns := names.New(func(fields frame.Fields) *tag.Tag {
		t, _ := fields.Tag() // nil where it cannot be read
		return t
	})
	for sc := scan(df, f); ; {
		b, err := sc.Next()
		if err != nil || b.FirstOrd >= d.To {
			break
		}
		if b.Flags&segment.FlagDict != 0 {
			ns.Learn(&b)
		}
		if b.Flags != 0 || b.End() <= d.From {
			continue
		}
		p, _ := pack.Unpack(b.Codec, b.Payload, int(b.Raw), int(b.Count), ns.Ref) // none where it cannot be read
		rows, row := frame.NewRows(p, b.Count, b.FirstSeq), frame.Row{}
		for ord := b.FirstOrd; rows.Left() > 0 && rows.Next(&row) == nil; ord++ {
			if !slices.ContainsFunc(ranges, func(g frame.Range) bool { return g.From <= ord && ord < g.To }) {
				continue
			}
			if d.FirstSeq == 0 {
				d.FirstSeq = row.Seq
			}
			counts[ns.Device(row.Tag)]++
		}
	}
	d.Devices = largest(counts)
}

// largest lists the counts, largest first; beyond the 64 largest they are
// summed under the empty name.
func largest(counts map[string]uint64) []frame.Count {
	var cs []frame.Count
	for name, n := range counts {
		cs = append(cs, frame.Count{Reason: name, N: n})
	}
	slices.SortFunc(cs, func(x, y frame.Count) int {
		return cmp.Or(cmp.Compare(y.N, x.N), strings.Compare(x.Reason, y.Reason))
	})
	if len(cs) <= maxDevices {
		return cs
	}
	rest := frame.Count{}
	for _, c := range cs[maxDevices:] {
		rest.N += c.N
	}
	return append(cs[:maxDevices], rest)
}
