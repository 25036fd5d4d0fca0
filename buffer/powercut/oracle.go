package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"fieldferry/tag"
)

// oracle is what was said on the console, outside of the kernel.
type oracle struct {
	boot  int64
	logs  map[string]*told
	acked int64 // samples of both logs that were acknowledged
}

// told is what was said of one log.
type told struct {
	acked   map[int64]int64 // boot -> its last sample that is durable
	settled int64           // the last sample that is settled, durably
	given   []pair          // sample and sequence number, in order
	spans   []span          // what is there, as far as it was told in this boot
	dropped uint64          // that the account says
	pending uint64
	heard   bool // the account was told in this boot, behind the spans
}

type pair struct {
	v   int64
	seq uint64
}

func newOracle() *oracle {
	return &oracle{logs: map[string]*told{"keep": {acked: map[int64]int64{}}, "drop": {acked: map[int64]int64{}}}}
}

func (o *oracle) sum() string {
	given := 0
	for _, l := range o.logs {
		given += len(l.given)
	}
	return fmt.Sprintf("%d samples acknowledged, %d sequence numbers noted, %d samples dropped and counted", o.acked, given, o.logs["drop"].dropped)
}

// begin begins a boot.
func (o *oracle) begin(boot int64) {
	o.boot = boot
	for _, l := range o.logs {
		l.spans, l.heard = nil, false
	}
}

// end ends it. complete says that the guest came to its end.
func (o *oracle) end(complete bool) error {
	for name, l := range o.logs {
		if complete && !l.heard {
			return fmt.Errorf("%s: its account was never told", name)
		}
	}
	return nil
}

// hear takes a line of the guest into account, and finds fault with it.
func (o *oracle) hear(line string) error {
	name, what, _ := strings.Cut(line, " ")
	l := o.logs[name]
	if l == nil {
		return fmt.Errorf("the guest says: %s", line)
	}
	verb, numbers, _ := strings.Cut(what, " ")
	var err error
	switch verb {
	case "acked":
		var v int64
		if _, err = fmt.Sscan(numbers, &v); err == nil {
			o.acked += v - max(l.acked[o.boot], o.boot*perBoot-1)
			l.acked[o.boot] = v
		}
	case "gave":
		var p pair
		if _, err = fmt.Sscan(numbers, &p.v, &p.seq); err == nil {
			err = l.gave(p)
		}
	case "has":
		var s span
		if _, err = fmt.Sscan(numbers, &s.from, &s.to, &s.firstSeq, &s.lastSeq); err == nil {
			err = l.has(s)
		}
	case "account":
		if _, err = fmt.Sscan(numbers, &l.dropped, &l.pending); err == nil {
			l.heard = true
			err = l.check(name == "keep")
			l.spans = nil
		}
	case "settled":
		_, err = fmt.Sscan(numbers, &l.settled)
	default:
		err = fmt.Errorf("the guest says nothing that is known")
	}
	if err != nil {
		return fmt.Errorf("%w, in %q", err, line)
	}
	return nil
}

// gave notes a sequence number. Greater samples have greater ones, for ever.
func (l *told) gave(p pair) error {
	i, known := slices.BinarySearchFunc(l.given, p, func(x, y pair) int { return cmp.Compare(x.v, y.v) })
	switch {
	case known && l.given[i].seq != p.seq:
		return fmt.Errorf("sample %d had the sequence number %d and has %d", p.v, l.given[i].seq, p.seq)
	case known:
		return nil
	case i > 0 && l.given[i-1].seq >= p.seq:
		return fmt.Errorf("sample %d has the sequence number %d, sample %d had %d", p.v, p.seq, l.given[i-1].v, l.given[i-1].seq)
	case i < len(l.given) && l.given[i].seq <= p.seq:
		return fmt.Errorf("sample %d has the sequence number %d, sample %d had %d", p.v, p.seq, l.given[i].v, l.given[i].seq)
	}
	l.given = slices.Insert(l.given, i, p)
	return nil
}

// has notes samples that are there.
func (l *told) has(s span) error {
	if s.from <= l.settled {
		return fmt.Errorf("sample %d comes again, up to %d they were settled", s.from, l.settled)
	}
	if n := len(l.spans); n > 0 && (s.from <= l.spans[n-1].to || s.firstSeq <= l.spans[n-1].lastSeq) {
		return fmt.Errorf("sample %d with %d comes after %d with %d", s.from, s.firstSeq, l.spans[n-1].to, l.spans[n-1].lastSeq)
	}
	l.spans = append(l.spans, s)
	if err := l.gave(pair{s.from, s.firstSeq}); err != nil {
		return err
	}
	return l.gave(pair{s.to, s.lastSeq})
}

// check compares what is there with what was acknowledged.
func (l *told) check(whole bool) error {
	missing, first := int64(0), int64(0)
	for boot, end := range l.acked {
		v := max(boot*perBoot, l.settled+1)
		for _, s := range l.spans {
			if s.to < v || s.from > end || v > end {
				continue
			}
			if s.from > v {
				missing += s.from - v
				first = v
			}
			v = s.to + 1
		}
		if v <= end {
			missing += end + 1 - v
			first = v
		}
	}
	if whole && l.dropped > 0 {
		return fmt.Errorf("%d samples count as dropped", l.dropped)
	}
	there := int64(0)
	for _, s := range l.spans {
		there += s.to + 1 - s.from
	}
	gaps := max(int64(l.pending)-there, 0) // will be counted when the reader passes them
	if missing > int64(l.dropped)+gaps {
		return fmt.Errorf("%d acknowledged samples are missing, such as %d; %d are counted", missing, first, int64(l.dropped)+gaps)
	}
	if whole {
		return l.holes()
	}
	return nil
}

// holes finds samples that are there although one before it, of the same class
// and boot, is not: what a cut costs is the end.
func (l *told) holes() error {
	gone := map[tag.Class]int64{}
	next, boot := int64(0), int64(0)
	for _, s := range l.spans {
		if s.from/perBoot != boot {
			clear(gone)
			boot = s.from / perBoot
			next = max(boot*perBoot, l.settled+1)
		}
		for v := next; v < s.from; v++ {
			gone[tagOf(v).Class] = v
		}
		for v := s.from; v <= s.to && len(gone) > 0; v++ {
			if before, ok := gone[tagOf(v).Class]; ok {
				return fmt.Errorf("sample %d is there, but %d is not", v, before)
			}
		}
		next = s.to + 1
	}
	return nil
}
