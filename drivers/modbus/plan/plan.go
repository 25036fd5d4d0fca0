// Package plan puts the tags of a group into as few block reads as it sees
// fit, and takes a block apart when the device refuses it.
//
// It does no I/O and keeps no state. A tag is never cut: each lies in one
// block, and a block lies in one table and within what one request may ask.
package plan

import (
	"cmp"
	"slices"

	"fieldferry/drivers/modbus/layout"
)

// Item is what has to be read for one tag.
type Item struct {
	Table  layout.Table
	Start  int // zero based register or bit
	Length int // registers or bits, at least 1
	Tag    int // the caller's index of the tag
}

func (i Item) end() int { return i.Start + i.Length }

// Block is one request and the items that its answer holds, sorted by Start.
type Block struct {
	Table  layout.Table
	Start  int
	Length int // registers or bits
	Items  []Item
}

func (b *Block) end() int { return b.Start + b.Length }

// Limits bound a block. Zero fields mean the defaults.
type Limits struct {
	MaxRegisters int // of one request; default and most 125 (Modbus Application Protocol V1.1b3 §6.3)
	MaxBits      int // default and most 2000 (§6.1)
	GapRegisters int // most registers that nobody asked for between two items; negative: none. Default 8
	GapBits      int // the same for bits. Default 64
}

// Reading eight registers more costs a serial line as much as half a request
// and a TCP connection nothing, and few devices have shorter holes in their
// register maps.
const (
	defaultMaxRegisters, defaultGapRegisters = layout.MaxRegisters, 8
	defaultMaxBits, defaultGapBits           = 2000, 64
)

// of gives the longest block and the widest gap for a table.
func (l Limits) of(t layout.Table) (longest, gap int) {
	longest, gap = bound(l.MaxRegisters, defaultMaxRegisters), orDefault(l.GapRegisters, defaultGapRegisters)
	if t.Bits() {
		longest, gap = bound(l.MaxBits, defaultMaxBits), orDefault(l.GapBits, defaultGapBits)
	}
	return longest, max(gap, 0)
}

func bound(n, most int) int {
	if n <= 0 || n > most {
		return most
	}
	return n
}

func orDefault(n, d int) int {
	if n == 0 {
		return d
	}
	return n
}

// Blocks plans the reading of items. Items that lie side by side, overlap, or
// have only a small gap between them share a block. An item that is longer
// than a limit gets a block of its own all the same.
func Blocks(items []Item, l Limits) []Block {
	sorted := slices.Clone(items)
	slices.SortStableFunc(sorted, func(a, b Item) int {
		return cmp.Or(cmp.Compare(a.Table, b.Table), cmp.Compare(a.Start, b.Start), cmp.Compare(a.Length, b.Length))
	})
	var blocks []Block
	for _, it := range sorted {
		if n := len(blocks); n > 0 && blocks[n-1].take(it, l) {
			continue
		}
		blocks = append(blocks, Block{Table: it.Table, Start: it.Start, Length: it.Length, Items: []Item{it}})
	}
	return blocks
}

// take adds an item to the block if it belongs there.
func (b *Block) take(it Item, l Limits) bool {
	longest, gap := l.of(b.Table)
	end := max(b.end(), it.end())
	if it.Table != b.Table || it.Start-b.end() > gap || end-b.Start > longest {
		return false
	}
	b.Length = end - b.Start
	b.Items = append(b.Items, it)
	return true
}

// Split takes a refused block apart in two, at the widest gap between its
// items, or between those in the middle where there is none. A block of one
// item, or whose items all overlap, cannot be split by address: then the
// first item goes alone. It returns nothing for a block of one item.
func (b *Block) Split() []Block {
	if len(b.Items) < 2 {
		return nil
	}
	at := b.cut()
	return []Block{of(b.Items[:at]), of(b.Items[at:])}
}

// cut picks the index of the item that begins the second half.
func (b *Block) cut() int {
	best, widest, end := 0, -1, b.Items[0].end()
	for i := 1; i < len(b.Items); i++ {
		gap := b.Items[i].Start - end
		closer := abs(2*i-len(b.Items)) < abs(2*best-len(b.Items))
		if gap >= 0 && (gap > widest || gap == widest && closer) {
			best, widest = i, gap
		}
		end = max(end, b.Items[i].end())
	}
	return max(best, 1)
}

// of makes the block that holds some items, which are sorted.
func of(items []Item) Block {
	b := Block{Table: items[0].Table, Start: items[0].Start, Items: slices.Clone(items)}
	for _, it := range items {
		b.Length = max(b.Length, it.end()-b.Start)
	}
	return b
}

func abs(n int) int { return max(n, -n) }
