package mqtt

import (
	"fmt"
	"testing"
	"time"

	"fieldferry/mqtt/brokertest"
)

// young makes history of everything that waits for a moment.
func young(c *Config, d *Deps) { c.Replay, d.ripe = liveFirst, time.Nanosecond }

// eachOnce checks what arrived where live samples go first: the numbers 1 to
// n are all there; each lane is in order, where what comes again was there
// before; and the backlog leaves out only what the live lane had brought.
func eachOnce(vs []value, n uint64) error {
	seen := map[uint64]bool{}
	last := map[bool]uint64{} // by lane
	for i, v := range vs {
		if before := last[v.Historical]; v.Seq <= before && !seen[v.Seq] {
			return fmt.Errorf("message %d, historical %v, has number %d for the first time after %d", i, v.Historical, v.Seq, before)
		}
		for seq := last[true] + 1; v.Historical && seq < v.Seq; seq++ {
			if !seen[seq] {
				return fmt.Errorf("message %d has number %d of the backlog after %d: number %d is left out", i, v.Seq, last[true], seq)
			}
		}
		seen[v.Seq], last[v.Historical] = true, v.Seq
	}
	for seq := uint64(1); seq <= n; seq++ {
		if !seen[seq] {
			return fmt.Errorf("number %d of %d is missing", seq, n)
		}
	}
	return nil
}

// retainedGrows checks that the broker never keeps an older value than one it
// has kept, or been sent as live, before. It returns what is kept at the end.
func retainedGrows(vs []value) (map[string]uint64, error) {
	kept, newest := map[string]uint64{}, map[string]uint64{}
	for i, v := range vs {
		if v.retain && v.Historical {
			return nil, fmt.Errorf("message %d: history is retained: %+v", i, v)
		}
		if v.retain {
			if v.Seq < newest[v.topic] {
				return nil, fmt.Errorf("message %d: number %d is retained on %s after %d was there", i, v.Seq, v.topic, newest[v.topic])
			}
			kept[v.topic] = v.Seq
		}
		if !v.Historical {
			newest[v.topic] = max(newest[v.topic], v.Seq)
		}
	}
	return kept, nil
}

func TestBacklogNeverReplacesTheCurrentValue(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{})
	p := brokertest.StartProxy(t, b.Addr())
	src, tags := newSource(t), plant("speed", "level")
	src.hold = true
	src.add(tags[0], 1, 300) // the outage
	src.add(tags[1], 1, 100) // a tag that says no more afterwards
	r := start(t, src, young, p.URL())
	r.eventually("a split", func() bool { return r.Stats().Backlog == 400 })
	src.add(tags[0], 301, 320)
	r.eventually("the live values", func() bool { return r.Stats().Delivered == 20 })
	if s := r.Stats(); s.Pending != 400 || s.Backlog != 400 || s.Resent != 0 {
		t.Errorf("with the backlog held back: stats %+v, want 400 pending, all of them backlog", s)
	}
	src.release()
	r.delivered()
	r.eventually("the current value of the quiet tag", func() bool { return r.Stats().InFlight == 0 && len(valuesOf(t, b.Taken())) == 421 })
	src.add(tags[0], 321, 322)
	r.delivered()
	r.stop()
	vs := valuesOf(t, b.Taken())
	for i, v := range vs[:20] {
		if v.Historical || v.Value != int64(301+i) || !v.retain {
			t.Fatalf("message %d is %+v, want the live ones first", i, v)
		}
	}
	if err := eachOnce(dropCurrent(vs), 422); err != nil {
		t.Error(err)
	}
	kept, err := retainedGrows(vs)
	if err != nil {
		t.Error(err)
	}
	if kept["site/pump/speed"] != 422 || kept["site/pump/level"] != 400 {
		t.Errorf("the broker keeps the numbers %v, want 422 of the speed and 400 of the level, repaired", kept)
	}
	if s := r.Stats(); s.Historical != 400 || s.Resent != 0 {
		t.Errorf("stats %+v, want 400 historical, none sent again", s)
	}
}

// TestOvertakenHistoryIsNotRepaired: what an earlier run may have sent a
// newer sample than is no current value.
func TestOvertakenHistoryIsNotRepaired(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{})
	src, tags := newSource(t), plant("speed")
	src.add(tags[0], 1, 50)
	for i := range src.entries {
		src.entries[i].Overtaken = true
	}
	src.add(plant("level")[0], 51, 60)
	r := start(t, src, young, b.URL())
	r.delivered()
	r.eventually("the current value of the level", func() bool { return len(valuesOf(t, b.Taken())) == 61 })
	r.stop()
	if kept, err := retainedGrows(valuesOf(t, b.Taken())); err != nil || len(kept) != 1 || kept["site/pump/level"] != 60 {
		t.Errorf("the broker keeps %v, %v; want number 60 of the level alone", kept, err)
	}
}

func TestInOrderNeverSplits(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{})
	src, tags := newSource(t), plant("speed")
	src.add(tags[0], 1, 100)
	r := start(t, src, func(c *Config, d *Deps) { young(c, d); c.Replay = inOrder }, b.URL())
	r.delivered()
	src.add(tags[0], 101, 200)
	r.delivered()
	r.stop()
	if _, err := complete(dropCurrent(valuesOf(t, b.Taken())), 200); err != nil || src.splits > 0 {
		t.Errorf("%d splits, %v; want none, and everything in order", src.splits, err)
	}
}

// TestResendingNeverTakesTheRetainedValueBack: live values that come again
// after a loss are retained only from the newest on.
func TestResendingNeverTakesTheRetainedValueBack(t *testing.T) {
	b := brokertest.Start(t, brokertest.Script{})
	p := brokertest.StartProxy(t, b.Addr())
	src, tags := newSource(t), plant("speed")
	hour := func(c *Config, d *Deps) { c.Replay, d.ripe = liveFirst, time.Hour }
	r := start(t, src, hour, p.URL())
	r.eventually("connection", func() bool { return r.Stats().Window > 0 })
	p.SwallowAcks(true)
	src.add(tags[0], 1, 100)
	r.eventually("all of them at the broker", func() bool { return len(valuesOf(t, b.Taken())) == 100 })
	p.SwallowAcks(false)
	p.Kill()
	r.eventually("the loss", func() bool { return r.Stats().Connects > 1 })
	src.add(tags[0], 101, 110)
	r.delivered()
	r.stop()
	vs := valuesOf(t, b.Taken())
	kept, err := retainedGrows(vs)
	if err != nil || kept["site/pump/speed"] != 110 {
		t.Errorf("the broker keeps %v, %v; want number 110", kept, err)
	}
	if repeated, err := complete(vs, 110); err != nil || repeated != 100 || r.Stats().Resent != 100 {
		t.Errorf("%d repeated, %d said to be, %v; want 100", repeated, r.Stats().Resent, err)
	}
}
