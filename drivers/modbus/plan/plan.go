// Package plan decides which block reads bring the tags of a device at the
// least cost of bus time, and takes a block apart when the device refuses it.
//
// It does no I/O. A tag is never cut: each lies whole in one block, and a
// block lies in one table, within what one request may ask, and holds nothing
// that the device is known not to have. Blocks plans; Meter measures what a
// request and a register cost, for the next plan. A Meter is safe for
// concurrent use; everything else keeps no state.
package plan

import (
	"cmp"
	"slices"
	"time"

	"fieldferry/drivers/modbus/layout"
)

// Range is a run of registers or bits of one table.
type Range struct {
	Table  layout.Table
	Start  int // zero based
	Length int
}

// End is the first register or bit behind the range.
func (r Range) End() int { return r.Start + r.Length }

// holds says that x lies within the range.
func (r Range) holds(x Range) bool {
	return r.Table == x.Table && r.Start <= x.Start && x.End() <= r.End()
}

// crosses says that a request for x would touch the range. An empty range is a
// boundary: no request may go across it.
func (r Range) crosses(x Range) bool {
	if r.Length == 0 {
		return r.Table == x.Table && x.Start < r.Start && r.Start < x.End()
	}
	return r.Table == x.Table && x.Start < r.End() && r.Start < x.End()
}

// Item is what has to be read in one request: the registers of a tag, or of
// several that must be read together.
type Item struct {
	Table  layout.Table
	Start  int           // zero based register or bit
	Length int           // registers or bits, at least 1
	Tag    int           // the caller's index of the tag
	Every  time.Duration // how often it is to be read; all zero: equally often
}

// Together makes the item of ranges that must be read in one request: it spans
// them all, whatever lies between. It returns false when there is none, or
// when they lie in several tables.
func Together(tag int, every time.Duration, ranges ...Range) (Item, bool) {
	if len(ranges) == 0 {
		return Item{}, false
	}
	first, end := ranges[0].Start, 0
	for _, r := range ranges {
		if r.Table != ranges[0].Table || r.Length < 1 {
			return Item{}, false
		}
		first, end = min(first, r.Start), max(end, r.End())
	}
	return Item{Table: ranges[0].Table, Start: first, Length: end - first, Tag: tag, Every: every}, true
}

func (i Item) end() int { return i.Start + i.Length }

// Range is what the item asks for.
func (i Item) Range() Range { return Range{i.Table, i.Start, i.Length} }

// Block is one request and the items that its answer holds, sorted by Start.
// It is read as often as the fastest of them is wanted; the slower ones ride
// along.
type Block struct {
	Table  layout.Table
	Start  int
	Length int           // registers or bits
	Every  time.Duration // of the fastest item
	Items  []Item
}

func (b *Block) end() int { return b.Start + b.Length }

// Range is what the block asks for.
func (b *Block) Range() Range { return Range{b.Table, b.Start, b.Length} }

// Mode says how freely tags are joined to blocks.
type Mode uint8

// The modes.
const (
	Auto   Mode = iota // as is cheapest
	Single             // a request for each tag
	Gap                // over gaps of up to Limits.Gap, whatever that costs
)

// Limits bound the blocks of a device.
type Limits struct {
	Mode  Mode
	Gap   int     // with Mode Gap: the most registers or bits that nobody asked for between two items
	Max   [4]int  // by table, of one request; 0 and what is above the standard mean the standard's 125 registers and 2000 bits (Modbus Application Protocol V1.1b3 §6)
	Walls []Range // what no block may touch; an empty one is a boundary that none may cross
}

const maxRegisters, maxBits = layout.MaxRegisters, 2000

// longest is the longest block of a table.
func (l *Limits) longest(t layout.Table) int {
	most := maxRegisters
	if t.Bits() {
		most = maxBits
	}
	if n := l.Max[t]; n > 0 && n < most {
		return n
	}
	return most
}

// alone says that an item cannot share a block: it is longer than a request
// may be, or touches a wall.
func (l *Limits) alone(it Item) bool {
	return it.Length > l.longest(it.Table) || l.Mode == Single || l.touches(it.Range())
}

func (l *Limits) touches(r Range) bool {
	for _, w := range l.Walls {
		if w.crosses(r) {
			return true
		}
	}
	return false
}

// Blocks plans the reading of items at the least cost: exactly the least where
// all are read equally often, and close to it where they are not. An item that
// is longer than a limit, or touches a wall, gets a block of its own all the
// same: whether it can be read is the caller's to find out.
func Blocks(items []Item, l Limits, c Costs) []Block {
	var blocks []Block
	byTable := map[layout.Table][]Item{}
	for _, it := range items {
		if l.alone(it) {
			blocks = append(blocks, of([]Item{it}))
			continue
		}
		byTable[it.Table] = append(byTable[it.Table], it)
	}
	for t, part := range byTable {
		slices.SortStableFunc(part, byAddress)
		p := newProblem(part, t, &l, c)
		blocks = append(blocks, p.solve()...)
	}
	slices.SortFunc(blocks, func(a, b Block) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Length, b.Length), cmp.Compare(a.Every, b.Every), cmp.Compare(a.Items[0].Tag, b.Items[0].Tag))
	})
	return blocks
}

func byAddress(a, b Item) int {
	return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.Length, a.Length), cmp.Compare(a.Every, b.Every))
}

// of makes the block that holds some items, which are sorted.
func of(items []Item) Block {
	b := Block{Table: items[0].Table, Start: items[0].Start, Every: items[0].Every, Items: slices.Clone(items)}
	for _, it := range items {
		b.Length = max(b.Length, it.end()-b.Start)
		b.Every = min(b.Every, it.Every)
	}
	return b
}
