// Package latency keeps how long something takes, in a few numbers: how often,
// in all, last, at most, and how often it took no longer than each of a fixed
// row of bounds, as Prometheus wants its histograms.
//
// A Times is plain data; nothing here blocks or is safe for concurrent use.
package latency

import "time"

// Times is how long something took. Its zero value is ready to use.
type Times struct {
	Count uint64
	Sum   time.Duration
	Last  time.Duration
	Max   time.Duration
	Up    [bounds]uint64 // how often it took no longer than Bound(i)
}

const bounds = 8

// Bound is the upper bound of Times.Up[i]: 1ms, 4ms, 16ms, … 16.384s. It must
// not be called with another i than 0 to 7.
func Bound(i int) time.Duration { return time.Millisecond << (2 * i) }

// Add counts one time.
func (t *Times) Add(d time.Duration) {
	t.Count++
	t.Sum += d
	t.Last, t.Max = d, max(t.Max, d)
	for i := bounds - 1; i >= 0 && d <= Bound(i); i-- {
		t.Up[i]++
	}
}

// Merge adds what another has counted. The last time is the other's, if it
// has one.
func (t *Times) Merge(o *Times) {
	t.Count += o.Count
	t.Sum += o.Sum
	t.Max = max(t.Max, o.Max)
	if o.Count > 0 {
		t.Last = o.Last
	}
	for i, n := range o.Up {
		t.Up[i] += n
	}
}

// Quantile is an upper bound of the time that the fraction q of all times, 0
// to 1, did not exceed; 0 without any. It is exact to a factor of four.
func (t *Times) Quantile(q float64) time.Duration {
	if t.Count == 0 {
		return 0
	}
	for i, n := range t.Up {
		if float64(n) >= q*float64(t.Count) {
			return min(Bound(i), t.Max)
		}
	}
	return t.Max
}
