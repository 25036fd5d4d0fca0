package mqtt

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"fieldferry/buffer"
	"fieldferry/mapping/payload"
	"fieldferry/mqtt/brokertest"
	"fieldferry/tag"
)

// patience is how long a busy machine may take for anything.
const patience = 60 * time.Second

// source is a buffer in memory that keeps the contract of Source, with lanes,
// and checks that the uplink keeps its part.
type source struct {
	t testing.TB

	mu      sync.Mutex
	entries []Entry
	done    []bool   // settled, by number less 1
	given   []uint64 // numbers that were handed out, by turn less 1
	turn    uint64   // the last one that is settled
	base    uint64   // the last one that was given before the last Rewind
	live    uint64   // number behind which the live lane goes on
	back    uint64   // number behind which the backlog goes on
	split   uint64   // the last number of the backlog; 0: there is none
	hold    bool     // none of the backlog is handed out
	splits  int
	asides  map[uint64]string
	closed  bool
	wake    chan struct{}
}

var errClosed = errors.New("buffer closed")

func newSource(t testing.TB) *source {
	return &source{t: t, asides: map[uint64]string{}, wake: make(chan struct{})}
}

// add appends samples of a tag with the values from..to.
func (s *source) add(tg *tag.Tag, from, to int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := from; i <= to; i++ {
		s.entries = append(s.entries, Entry{Seq: uint64(len(s.entries) + 1), Epoch: 1,
			Sample: tag.Sample{Tag: tg, Value: tag.Int(i), Time: time.Now()}})
		s.done = append(s.done, false)
	}
	s.wakeLocked()
}

func (s *source) wakeLocked() {
	close(s.wake)
	s.wake = make(chan struct{})
}

// release lets the backlog go.
func (s *source) release() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hold = false
	s.wakeLocked()
}

func (s *source) Next(ctx context.Context, dst []Entry) ([]Entry, error) {
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return dst, errClosed
		}
		n := len(dst)
		dst = s.takeLocked(dst, &s.live, uint64(len(s.entries)), cap(dst), false)
		if !s.hold { // a few: they mix with the live ones
			dst = s.takeLocked(dst, &s.back, s.split, min(cap(dst), len(dst)+20), true)
		}
		wake := s.wake
		s.mu.Unlock()
		if len(dst) > n {
			return dst, nil
		}
		select {
		case <-wake:
		case <-ctx.Done():
			return dst, ctx.Err()
		}
	}
}

// takeLocked hands out of one lane.
func (s *source) takeLocked(dst []Entry, at *uint64, end uint64, most int, back bool) []Entry {
	for ; *at < end && len(dst) < most; *at++ {
		if s.done[*at] {
			continue
		}
		e := s.entries[*at]
		s.given = append(s.given, e.Seq)
		e.Turn, e.Historical = uint64(len(s.given)), back
		dst = append(dst, e)
	}
	return dst
}

func (s *source) Settle(turn uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if turn <= max(s.turn, s.base) || turn > uint64(len(s.given)) {
		s.t.Errorf("Settle(%d) with %d settled, %d given, and %d before the last rewind", turn, s.turn, len(s.given), s.base)
	}
	for i := max(s.turn, s.base); i < turn; i++ {
		s.done[s.given[i]-1] = true
	}
	s.turn = turn
}

func (s *source) Rewind() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rewindLocked()
}

func (s *source) rewindLocked() {
	s.live, s.back, s.base = s.split, 0, uint64(len(s.given))
}

func (s *source) SplitLive(buffer.Pace) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.split = uint64(len(s.entries))
	s.splits++
	s.rewindLocked()
	return true
}

func (s *source) Lanes() (live, backlog uint64, behind bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, done := range s.done {
		switch {
		case done:
		case uint64(i) < s.split:
			backlog++
			behind = behind || uint64(i) >= s.back
		default:
			live++
		}
	}
	return live, backlog, behind
}

func (s *source) Pending() (entries, head uint64) {
	settled, head := s.Position()
	return head - settled, head
}

// Position returns how many entries are settled, and how many there are.
func (s *source) Position() (settled, head uint64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, done := range s.done {
		if done {
			settled++
		}
	}
	return settled, uint64(len(s.entries))
}

func (s *source) PutAside(turn uint64, reason string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if turn <= max(s.turn, s.base) || turn > uint64(len(s.given)) {
		s.t.Errorf("PutAside(%d) with %d settled and %d given", turn, s.turn, len(s.given))
		return
	}
	seq := s.given[turn-1]
	if _, twice := s.asides[seq]; twice {
		s.t.Errorf("PutAside of number %d twice", seq)
	}
	s.asides[seq] = reason
}

func (s *source) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	s.wakeLocked()
}

// aside returns what was put aside, by number.
func (s *source) aside() map[uint64]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.asides)
}

// plant is a device with some tags.
func plant(names ...string) []*tag.Tag {
	d := &tag.Device{Name: "pump", Link: &tag.Link{Name: "line1"}}
	for i, n := range names {
		d.Tags = append(d.Tags, &tag.Tag{Name: n, Device: d, Index: i})
	}
	return d.Tags
}

// rig is an uplink under test.
type rig struct {
	*Uplink
	src *source
	log *log
	t   testing.TB

	cancel context.CancelFunc
	done   chan error
}

// start runs an uplink that makes pauses of a thousandth, and sends everything
// in order unless the test changes that.
func start(t testing.TB, src *source, change func(*Config, *Deps), brokers ...string) *rig {
	t.Helper()
	c := Default()
	c.Name, c.Brokers, c.KeepAlive = "plant", brokers, 5*time.Second
	c.Payload.Root, c.Payload.Sequence, c.Replay = "site", true, inOrder
	l := &log{}
	d := Deps{Reader: src, Gateway: Identity{Name: "gw", Version: "1", BufferID: "b", Epoch: 7},
		Log:  slog.New(slog.NewTextHandler(l, nil)),
		pace: func(d time.Duration) time.Duration { return d / 1000 }}
	if change != nil {
		change(&c, &d)
	}
	enc, err := payload.Compile(c.Payload, payload.Vars{Gateway: "gw", Uplink: c.Name})
	if err != nil {
		t.Fatal(err)
	}
	d.Encoder = enc
	u, err := New(c, d)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r := &rig{Uplink: u, src: src, log: l, t: t, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- u.Run(ctx) }()
	t.Cleanup(func() { r.stop() })
	return r
}

// stop stops the uplink and returns what Run returned.
func (r *rig) stop() error {
	r.t.Helper()
	r.cancel()
	select {
	case err := <-r.done:
		r.done <- err
		return err
	case <-time.After(patience):
		r.t.Fatal("Run did not return")
		return nil
	}
}

// eventually polls until ok or patience ends.
func (r *rig) eventually(what string, ok func() bool) {
	r.t.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			settled, head := r.src.Position()
			r.t.Fatalf("%s did not happen; position %d of %d, stats %+v\nlog:\n%s", what, settled, head, r.Stats(), r.log)
		}
	}
}

// delivered waits until everything in the buffer is settled.
func (r *rig) delivered() {
	r.t.Helper()
	r.eventually("delivery", func() bool {
		settled, head := r.src.Position()
		return settled == head
	})
}

// log collects what is logged.
type log struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *log) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// value is a message of the format json.
type value struct {
	Value      int64  `json:"value"`
	Seq        uint64 `json:"seq"`
	Historical bool   `json:"historical"`
	Clock      string `json:"clock"`
	topic      string
	retain     bool
}

// valuesOf reads the values among what a broker took.
func valuesOf(t testing.TB, taken []brokertest.Message) []value {
	t.Helper()
	var vs []value
	for _, m := range taken {
		if strings.HasPrefix(m.Topic, "site/_/") {
			continue
		}
		v := value{topic: m.Topic, retain: m.Retain}
		if err := json.Unmarshal([]byte(m.Payload), &v); err != nil {
			t.Fatalf("payload %q: %v", m.Payload, err)
		}
		vs = append(vs, v)
	}
	return vs
}

// complete checks that the numbers 1 to n all arrived in order, where each
// repetition is a suffix of what came before; skip are not expected. It
// returns how many were repeated.
func complete(vs []value, n uint64, skip ...uint64) (repeated int, err error) {
	high := uint64(0)
	last := uint64(0)
	next := func(after uint64) uint64 {
		for after++; slices.Contains(skip, after); after++ {
		}
		return after
	}
	for i, v := range vs {
		switch {
		case v.Seq == next(last):
		case v.Seq <= last:
		default:
			return 0, fmt.Errorf("message %d has number %d after %d", i, v.Seq, last)
		}
		if v.Seq <= high {
			repeated++
		}
		last, high = v.Seq, max(high, v.Seq)
	}
	if next(high) <= n {
		return repeated, fmt.Errorf("the last of %d numbers is %d", n, high)
	}
	return repeated, nil
}
