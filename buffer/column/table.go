package column

// Ref is the value that the first sample of a tag in a block is compared with:
// one that the dictionary of the segment names, so that blocks do not depend
// on each other. Kind is one of a frame's numeric kinds, 0 for none; Num is
// the value as a frame has it.
type Ref struct {
	Kind byte
	Num  uint64
}

// Unknown is the Kind of a reference value that is in a dictionary which cannot
// be read.
const Unknown = 0xFF

// state is what is known of a tag while a block is gone through.
type state struct {
	id   uint32
	lap  uint32 // the state counts only in this one
	kind byte
	exp  byte   // of a decimal
	num  uint64 // the last value: as two's complement, bits, or digits
	n    uint64 // the counter of its last sample
}

// table finds the state of a tag.
type table struct {
	slots []state
	lap   uint32
}

// reset forgets all tags and makes room for n.
func (t *table) reset(n int) {
	size := 64
	for size < 2*n {
		size *= 2
	}
	if size > len(t.slots) {
		t.slots, t.lap = make([]state, size), 0
	}
	if t.lap++; t.lap == 0 { // after 2^32 blocks
		clear(t.slots)
		t.lap = 1
	}
}

// at returns the state of a tag, and whether it was there before.
func (t *table) at(id uint32) (s *state, seen bool) {
	mask := uint32(len(t.slots) - 1)
	for i := id * 2654435769 >> 7; ; i++ {
		s = &t.slots[i&mask]
		if s.lap != t.lap {
			*s = state{id: id, lap: t.lap}
			return s, false
		}
		if s.id == id {
			return s, true
		}
	}
}

// load begins with the reference value of the dictionary.
func (s *state) load(r Ref) {
	switch r.Kind {
	case kindInt:
		s.kind, s.num = r.Kind, unzigzag(r.Num)
	case kindDecimal32, kindDecimal64:
		s.kind, s.exp, s.num = r.Kind, byte(r.Num&7), unzigzag(r.Num>>3)
	case kindBool, kindUint, kindFloat32, kindFloat64:
		s.kind, s.num = r.Kind, r.Num
	}
}

// ref is the last value, for a dictionary.
func (s *state) ref() Ref {
	switch s.kind {
	case kindInt:
		return Ref{s.kind, zigzag(s.num)}
	case kindDecimal32, kindDecimal64:
		return Ref{s.kind, zigzag(s.num)<<3 | uint64(s.exp)}
	}
	return Ref{s.kind, s.num}
}

// use makes the state one of the kind: without a value of that kind before,
// the next is compared with 0.
func (s *state) use(kind byte) {
	if s.kind != kind {
		s.kind, s.exp, s.num = kind, 0, 0
	}
}

// zigzag and unzigzag work on two's complement, so that every difference fits.
func zigzag(v uint64) uint64   { return v<<1 ^ uint64(int64(v)>>63) }
func unzigzag(v uint64) uint64 { return v>>1 ^ -(v & 1) }
