package plan

// Split takes a refused block apart in two, at the widest gap between its
// items, or between those in the middle where there is none. A block of one
// item, or whose items all overlap, cannot be split by address: then the
// first item goes alone. It returns nothing for a block of one item.
func (b *Block) Split() []Block {
	if len(b.Items) < 2 {
		return nil
	}
	at := b.cut()
	parts := []Block{of(b.Items[:at]), of(b.Items[at:])}
	for i := range parts { // a rider keeps its seat, whichever half it is in
		parts[i].Every = b.Every
	}
	return parts
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

func abs(n int) int { return max(n, -n) }

// Between is what lies between the two parts of a block that was split: the
// registers that nobody asked for, an empty range where the parts touch; false
// where they overlap.
func Between(a, b *Block) (Range, bool) {
	gap := Range{a.Table, a.end(), b.Start - a.end()}
	return gap, gap.Length >= 0
}

// Bridge asks for as little as possible across the gap between two parts: the
// last item of the one and the first of the other.
func Bridge(a, b *Block) Range {
	start := a.Start
	for _, it := range a.Items {
		if it.end() == a.end() {
			start = max(start, it.Start)
		}
	}
	return Range{a.Table, start, b.Items[0].end() - start}
}
