package account

import (
	"slices"

	"fieldferry/buffer/frame"
)

// Book is the accounts of all readers, and the count of samples that were
// gone before every reader had settled them. It is not safe for concurrent
// use.
type Book struct {
	Accounts []*Account
	Dropped  []frame.Count
	Cells    int // how many accounts have a place in memory that outlives the process
}

// Find returns the account of a reader, nil if there is none.
func (b *Book) Find(name string) *Account {
	if a := b.find(name); a != nil && !a.Removed {
		return a
	}
	return nil
}

func (b *Book) find(name string) *Account {
	i := slices.IndexFunc(b.Accounts, func(a *Account) bool { return a.Name == name })
	if i < 0 {
		return nil
	}
	return b.Accounts[i]
}

// Load adds an account as the log has it.
func (b *Book) Load(r frame.Reader) {
	a := newAccount(r, true)
	a.Cell = -1
	b.Accounts = append(b.Accounts, a)
}

// TakeOver adds an account that outlived the process in a cell, where it is
// ahead of the log's.
func (b *Book) TakeOver(cell int, r *frame.Reader) {
	a := b.find(r.Name)
	switch {
	case a == nil && !r.Removed:
		a = newAccount(*r, false)
		b.Accounts = append(b.Accounts, a)
	case a != nil && (r.Ord >= a.Ord || r.Removed):
		a.replace(*r)
	default:
		return
	}
	a.Cell = cell
}

// Settle gives every account a cell that has none.
func (b *Book) Settle() {
	for _, a := range b.Accounts {
		if a.Cell < 0 {
			a.Cell = b.freeCell()
		}
	}
}

// Open adds the account of a new reader. One of the same name that was
// removed a moment ago, not yet durably, becomes the new one.
func (b *Book) Open(r frame.Reader) *Account {
	if a := b.find(r.Name); a != nil {
		a.replace(r)
		return a
	}
	a := newAccount(r, false)
	a.Cell = b.freeCell()
	b.Accounts = append(b.Accounts, a)
	return a
}

func (b *Book) freeCell() int {
	taken := make([]bool, b.Cells+1)
	for _, a := range b.Accounts {
		if a.Cell >= 0 {
			taken[a.Cell] = true
		}
	}
	for i := range b.Cells {
		if !taken[i] {
			return i
		}
	}
	return b.Cells
}

// Forget forgets readers whose removal is durable, and tells their cells.
func (b *Book) Forget(gone func(cell int)) {
	b.Accounts = slices.DeleteFunc(b.Accounts, func(a *Account) bool {
		forget := a.Removed && a.isDurable && a.durable.Removed
		if forget {
			gone(a.Cell)
		}
		return forget
	})
}

// Settled is where the samples end that every reader has settled, of those
// below ord; 0 if there is no reader.
func (b *Book) Settled(ord uint64) uint64 {
	readers := false
	for _, a := range b.Accounts {
		if !a.Removed {
			ord, readers = min(ord, a.Ord), true
		}
	}
	if !readers {
		return 0
	}
	return ord
}

// Passed says that every account, removed ones that are not forgotten too, is
// beyond the samples below ord.
func (b *Book) Passed(ord uint64) bool {
	return !slices.ContainsFunc(b.Accounts, func(a *Account) bool { return a.Ord < ord })
}

// PassedDurably is Passed for the accounts as they are in the log.
func (b *Book) PassedDurably(ord uint64) bool {
	return !slices.ContainsFunc(b.Accounts, func(a *Account) bool { return !a.isDurable || a.durable.Ord < ord })
}

// Covers says that every reader has settled all samples of a range, and that
// there is a reader.
func (b *Book) Covers(from, to uint64) bool {
	readers := false
	for _, a := range b.Accounts {
		if a.Removed {
			continue
		}
		readers = true
		if !a.Covers(from, to) {
			return false
		}
	}
	return readers
}

// Unsettled returns the ranges of samples that some reader has not settled,
// in order, and how many samples those are.
func (b *Book) Unsettled(from, to uint64) (open []frame.Range, n uint64) {
	for from < to {
		next, found := frame.Range{From: to, To: to}, false
		for _, a := range b.Accounts {
			if g, ok := nextOpen(&a.Reader, from, to); ok && !a.Removed {
				if g.From < next.From || g.From == next.From && g.To > next.To {
					next = g
				}
				found = true
			}
		}
		if !found {
			break
		}
		if k := len(open); k > 0 && open[k-1].To == next.From {
			open[k-1].To = next.To
		} else {
			open = append(open, next)
		}
		n += next.To - next.From
		from = next.To
	}
	return open, n
}

// Lost counts those of the samples that some reader had not settled, and
// returns their number.
func (b *Book) Lost(from, to uint64, reason string) uint64 {
	_, n := b.Unsettled(from, to)
	if n > 0 {
		b.Dropped = Add(b.Dropped, reason, n)
	}
	return n
}

// Changed says that the log does not hold the accounts as they are.
func (b *Book) Changed() bool { return slices.ContainsFunc(b.Accounts, (*Account).changed) }

// Urgent says that they have changed in a way that matters at once: a reader
// came or went, or has settled samples below disk, which lie in the log and
// would be delivered again.
func (b *Book) Urgent(disk uint64) bool {
	return slices.ContainsFunc(b.Accounts, func(a *Account) bool {
		return !a.isDurable || a.durable.Removed != a.Removed || a.changed() && a.durable.Ord < disk
	})
}

// Save takes a copy of every account that has changed, to be written. Frames
// writes them, Saved says that they are durable.
func (b *Book) Save() (n int) {
	for _, a := range b.Accounts {
		if a.isSaving = a.changed(); a.isSaving {
			a.saving, a.savingVers = clone(&a.Reader), a.version
			n++
		}
	}
	return n
}

// Frames returns the copies that Save has taken.
func (b *Book) Frames() (frames [][]byte) {
	for _, a := range b.Accounts {
		if a.isSaving {
			frames = append(frames, a.saving.Append(nil))
		}
	}
	return frames
}

// Saved says that the copies that Save has taken are durable.
func (b *Book) Saved() {
	for _, a := range b.Accounts {
		if a.isSaving {
			a.durable, a.durableVers, a.isDurable, a.isSaving = a.saving, a.savingVers, true, false
		}
	}
}

// Durable returns the accounts as they are in the log.
func (b *Book) Durable() (frames [][]byte) {
	for _, a := range b.Accounts {
		if a.isDurable {
			frames = append(frames, a.durable.Append(nil))
		}
	}
	return frames
}
