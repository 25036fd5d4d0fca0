// Package pace decides how fast a backlog goes beside live samples. It blocks
// nowhere, and a Bucket is not safe for concurrent use.
package pace

import "time"

// Limits say how fast a backlog may go beside live samples.
type Limits struct {
	// Share of the rate at which the uplink has shown to settle samples, above
	// 0 and at most 1. 0 means 0.8.
	Share float64
	// PerSecond bounds it, in samples. 0 means no bound.
	PerSecond float64
}

// Bucket is a token bucket for the samples of a backlog. What the uplink can
// bear is measured while it has something to do: a pause that the pace itself
// makes does not count.
type Bucket struct {
	Limits
	rate   float64 // samples settled per second of work; 0: unknown
	since  time.Time
	count  uint64 // samples settled since then
	tokens float64
	last   time.Time // when tokens were added
}

const (
	quantum   = 256 // samples of the backlog that are handed out at once
	measured  = 64  // samples that make a measurement
	measuring = time.Second
)

// Busy says that something was handed out.
func (p *Bucket) Busy(now time.Time) {
	if p.since.IsZero() {
		p.since = now
	}
}

// Settled says that so many samples of either kind were settled.
func (p *Bucket) Settled(n uint64) { p.count += n }

// Idle says that everything that was handed out is settled, or forgotten.
func (p *Bucket) Idle(now time.Time) {
	p.measure(now)
	p.since, p.count = time.Time{}, 0
}

func (p *Bucket) measure(now time.Time) {
	if p.since.IsZero() || p.count < measured {
		return
	}
	rate := float64(p.count) / max(now.Sub(p.since), time.Millisecond).Seconds()
	if p.rate == 0 {
		p.rate = rate
	}
	p.rate += (rate - p.rate) / 4
	p.since, p.count = now, 0
}

// limit is how many samples of the backlog go per second, 0 while unknown.
func (p *Bucket) limit() float64 {
	share := p.Share
	if share <= 0 || share > 1 {
		share = 0.8
	}
	rate := p.rate * share
	if p.PerSecond > 0 && (rate == 0 || rate > p.PerSecond) {
		rate = p.PerSecond
	}
	return rate
}

// Start fills the bucket once.
func (p *Bucket) Start(now time.Time, c Limits) { p.Limits, p.tokens, p.last = c, quantum, now }

// Quota is how many samples of the backlog may be handed out now, and when to
// ask again if there are none.
func (p *Bucket) Quota(now time.Time, room int) (n int, pause time.Duration) {
	if !p.since.IsZero() && now.Sub(p.since) >= measuring {
		p.measure(now)
	}
	limit := p.limit()
	p.tokens = min(p.tokens+limit*now.Sub(p.last).Seconds(), max(quantum, limit/4))
	p.last = now
	want := float64(min(room, quantum))
	if p.tokens >= want {
		return int(min(p.tokens, float64(room))), 0
	}
	if limit == 0 {
		return 0, 100 * time.Millisecond
	}
	missing := time.Duration((want - p.tokens) / limit * float64(time.Second))
	return 0, min(max(missing, time.Millisecond), time.Second)
}

// Spend takes what was handed out.
func (p *Bucket) Spend(n int) { p.tokens -= float64(n) }

// Shorter is the shorter of two pauses, of which 0 is none.
func Shorter(a, b time.Duration) time.Duration {
	if a == 0 || b > 0 && b < a {
		return b
	}
	return a
}
