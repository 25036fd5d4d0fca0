package publish

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gopcua/opcua/ua"
)

func note(seq uint32) *ua.NotificationMessage {
	return &ua.NotificationMessage{SequenceNumber: seq, NotificationData: []*ua.ExtensionObject{{}}}
}

func sequence(ms []*ua.NotificationMessage) (out []uint32) {
	for _, m := range ms {
		out = append(out, m.SequenceNumber)
	}
	return out
}

func TestOrder(t *testing.T) {
	now := time.Unix(1000, 0)
	const last = math.MaxUint32
	tests := []struct {
		name    string
		start   uint32
		in      []uint32
		want    []uint32 // in the order they come out
		next    uint32
		missing bool
	}{
		{"in order", 1, []uint32{1, 2, 3}, []uint32{1, 2, 3}, 4, false},
		{"swapped", 1, []uint32{2, 1, 3}, []uint32{1, 2, 3}, 4, false},
		{"reversed", 1, []uint32{4, 3, 2, 1}, []uint32{1, 2, 3, 4}, 5, false},
		{"repeated", 1, []uint32{1, 1, 2, 2, 1}, []uint32{1, 2}, 3, false},
		{"gap", 1, []uint32{1, 3, 4}, []uint32{1}, 2, true},
		{"gap closes, another stays", 1, []uint32{3, 5, 2, 1}, []uint32{1, 2, 3}, 4, true},
		{"zero is skipped", last, []uint32{last, 1, 2}, []uint32{last, 1, 2}, 3, false},
		{"swapped over the end", last, []uint32{2, 1, last}, []uint32{last, 1, 2}, 3, false},
		{"old one after the end", 2, []uint32{last, 2}, []uint32{2}, 3, false},
	}
	for _, tc := range tests {
		o := newOrder()
		o.next = tc.start
		var got []uint32
		for _, n := range tc.in {
			ready, _ := o.take(note(n), now)
			got = append(got, sequence(ready)...)
		}
		_, missing := o.missing(now.Add(time.Second), patience)
		if !slices.Equal(got, tc.want) || o.next != tc.next || missing != tc.missing {
			t.Errorf("%s: in %v: got %v, next %d, missing %v, want %v, %d, %v", tc.name, tc.in, got, o.next, missing, tc.want, tc.next, tc.missing)
		}
	}
}

func TestOrderKeepAlive(t *testing.T) {
	now := time.Unix(1000, 0)
	o := newOrder()
	o.keepAlive(1, now)
	if _, missing := o.missing(now.Add(time.Hour), patience); missing {
		t.Error("a keep-alive with the next number: got a gap, want none")
	}
	o.keepAlive(3, now)
	if seq, missing := o.missing(now.Add(patience), patience); !missing || seq != 1 {
		t.Errorf("a keep-alive two ahead: got %d, %v, want 1 missing", seq, missing)
	}
	if _, missing := o.missing(now.Add(patience-1), patience); missing {
		t.Error("missing before its patience is over")
	}
	o.take(note(1), now)
	o.take(note(2), now)
	if _, missing := o.missing(now.Add(time.Hour), patience); missing {
		t.Error("both came: got a gap, want none")
	}
}

func TestOrderSkip(t *testing.T) {
	now := time.Unix(1000, 0)
	o := newOrder()
	o.take(note(3), now)
	if ready, lost := o.skip(now); len(ready) != 0 || lost != 1 {
		t.Errorf("first skip: got %v, %d lost, want none ready and 1 lost", sequence(ready), lost)
	}
	if ready, lost := o.skip(now); !slices.Equal(sequence(ready), []uint32{3}) || lost != 1 {
		t.Errorf("second skip: got %v, %d lost, want 3 ready and 1 lost", sequence(ready), lost)
	}
	o.take(note(1_000_000), now)
	if ready, lost := o.skip(now); !slices.Equal(sequence(ready), []uint32{1_000_000}) || lost != 999_996 {
		t.Errorf("a jump: got %v, %d lost, want 1000000 ready and 999996 lost", sequence(ready), lost)
	}
}

// FuzzOrder: each message comes out at most once and in ascending order, and
// whatever is skipped in the end, nothing that was taken stays behind.
func FuzzOrder(f *testing.F) {
	f.Add([]byte{1, 2, 3})
	f.Add([]byte{3, 1, 1, 200, 2, 7})
	f.Fuzz(func(t *testing.T, in []byte) {
		o, now := newOrder(), time.Unix(1, 0)
		var out []uint32
		taken := map[uint32]bool{}
		for i, b := range in {
			if b >= 250 {
				o.keepAlive(uint32(i), now)
				continue
			}
			ready, known := o.take(note(uint32(b)+1), now)
			out = append(out, sequence(ready)...)
			if !known {
				taken[uint32(b)+1] = true
			}
		}
		for range 600 {
			if _, missing := o.missing(now.Add(time.Hour), patience); !missing {
				break
			}
			ready, lost := o.skip(now)
			out = append(out, sequence(ready)...)
			if lost < 1 {
				t.Fatalf("skip lost %d", lost)
			}
		}
		if !slices.IsSorted(out) || len(slices.Compact(slices.Clone(out))) != len(out) {
			t.Errorf("in %v: out of order or twice: %v", in, out)
		}
		if len(out) != len(taken) || len(o.held) != 0 {
			t.Errorf("in %v: %d taken, %d out, %d held", in, len(taken), len(out), len(o.held))
		}
	})
}
