package pace

import (
	"testing"
	"time"
)

// TestShare: an uplink that takes 1,000 samples a second gets 800 of the
// backlog, and fewer where a bound says so.
func TestShare(t *testing.T) {
	for _, c := range []struct {
		limits Limits
		want   float64
	}{{Limits{}, 800}, {Limits{Share: 0.5}, 500}, {Limits{PerSecond: 300}, 300}} {
		var b Bucket
		now := time.Unix(0, 0)
		b.Start(now, c.limits)
		total, end := 0, now.Add(100*time.Second)
		for now.Before(end) {
			n, pause := b.Quota(now, 256)
			if n == 0 {
				if pause <= 0 {
					t.Fatalf("%+v: nothing, and no time to ask again", c.limits)
				}
				now = now.Add(pause)
				continue
			}
			b.Busy(now)
			b.Spend(n)
			total += n
			now = now.Add(time.Duration(n) * time.Millisecond)
			b.Settled(uint64(n))
			b.Idle(now)
		}
		if got := float64(total) / 100; got < c.want*0.9 || got > c.want*1.1 {
			t.Errorf("%+v: %.0f samples of the backlog a second, want %.0f", c.limits, got, c.want)
		}
	}
}
