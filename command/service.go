package command

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"fieldferry/live"
	"fieldferry/tag"
)

// ErrUnknown is wrapped by a Lane's error when the device may or may not have
// taken the value.
var ErrUnknown = errors.New("the device may or may not have taken the value")

// ErrNotTaken is wrapped by a Lane's error when the device acknowledged the
// write and then read back another value, which comes with the error.
var ErrNotTaken = errors.New("the device acknowledged the write, but reads back another value")

// Lane writes to one link. The gateway implements it over the link's runner.
type Lane interface {
	// Write writes v, in engineering units, ahead of the link's next read,
	// and returns what was read back, in engineering units.
	Write(ctx context.Context, t *tag.Tag, v tag.Value) (tag.Value, error)
}

// Rules are what the administrator and the tag map allow.
type Rules struct {
	Allow  bool                          // writes at all; false refuses everything
	Limits func(t *tag.Tag) Limits       // of one tag; nil: no limits
	Lane   func(t *tag.Tag) (Lane, bool) // the lane of a tag's link, false while it is not running
}

// Service executes requests.
type Service struct {
	store *live.Store
	audit *Audit
	log   *slog.Logger
	clock func() time.Time

	mu    sync.Mutex // guards the fields below
	rules Rules
	tags  map[string]*tagState
	done  map[string]memory
	swept time.Time
}

// tagState orders the writes to one tag.
type tagState struct {
	turn chan struct{} // holds one token; whoever has it may write
	last time.Time     // of the last write that the device may have stored; owned by the holder of the turn
}

// memory is the result of a request that had an ID.
type memory struct {
	asked  asked
	result Result
	at     time.Time
	wait   chan struct{} // closed by the executor once result is set
}

const (
	remember = 24 * time.Hour // how long the ID of a request protects against repetition
	memories = 100_000        // how many are kept; when there are more, requests with an ID are refused
)

// New returns a service that refuses everything until SetRules allows more.
// audit receives one record per request; without one every write is refused.
func New(store *live.Store, audit *Audit, log *slog.Logger, clock func() time.Time) *Service {
	return &Service{
		store: store, audit: audit, log: log, clock: clock,
		tags: map[string]*tagState{}, done: map[string]memory{},
	}
}

// SetRules replaces the rules, at start and when the configuration changed.
func (s *Service) SetRules(r Rules) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.rules = r
}

// asked is what makes a request the same as another of its ID.
type asked struct {
	device, tag string
	value       tag.Value
}

// Execute checks r, writes, reads back and records. It never repeats a write:
// an ID that was seen before is answered with its first result, and refused
// when it comes with another tag or value.
func (s *Service) Execute(ctx context.Context, r Request) Result {
	if r.ID == "" {
		return s.perform(ctx, r)
	}
	key := r.Source + "\x00" + r.ID
	now := asked{r.Device, r.Tag, r.Value}
	s.mu.Lock()
	s.sweepLocked()
	if m, known := s.done[key]; known {
		s.mu.Unlock()
		if m.asked != now {
			return s.Refuse(r, fmt.Sprintf("id %q was used for %s/%s with the value %v: every request needs an id of its own", r.ID, m.asked.device, m.asked.tag, m.asked.value))
		}
		return s.repeat(ctx, r, key, m.wait)
	}
	if len(s.done) >= memories {
		s.mu.Unlock()
		return s.record(r, Result{Outcome: OutcomeRefused, Reason: fmt.Sprintf("more than %d requests with an id in %s", memories, remember)}, tag.Value{})
	}
	wait := make(chan struct{})
	s.done[key] = memory{asked: now, at: s.clock(), wait: wait}
	s.mu.Unlock()

	res := s.perform(ctx, r)
	s.mu.Lock()
	s.done[key] = memory{asked: now, result: res, at: s.clock(), wait: wait}
	s.mu.Unlock()
	close(wait)
	return res
}

// Refuse records a request that its receiver could not even hand over, such as
// one that is not to be understood or came too late, and returns the refusal.
func (s *Service) Refuse(r Request, reason string) Result {
	return s.record(r, Result{Outcome: OutcomeRefused, Reason: reason}, tag.Value{})
}

// repeat answers a request whose ID was seen before with the first result.
func (s *Service) repeat(ctx context.Context, r Request, key string, wait chan struct{}) Result {
	select {
	case <-wait:
	case <-ctx.Done():
		return s.record(r, Result{Outcome: OutcomeRefused, Reason: "a request with this id is still under way"}, tag.Value{})
	}
	s.mu.Lock()
	res := s.done[key].result
	s.mu.Unlock()
	res.Repeated = true
	return s.record(r, res, tag.Value{})
}

func (s *Service) sweepLocked() {
	now := s.clock()
	if now.Sub(s.swept) < time.Minute {
		return
	}
	s.swept = now
	for k, m := range s.done {
		if now.Sub(m.at) > remember {
			delete(s.done, k)
		}
	}
}

// perform runs a request that was not seen before.
func (s *Service) perform(ctx context.Context, r Request) Result {
	cell := s.store.Find(r.Device, r.Tag)
	var old tag.Value
	if cell != nil {
		if smp, ok := cell.Get(); ok {
			old = smp.Value
		}
	}
	t, limits, lane, reason := s.admit(r, cell)
	if reason != "" {
		return s.record(r, Result{Outcome: OutcomeRefused, Reason: reason}, old)
	}
	st := s.state(t)
	select {
	case st.turn <- struct{}{}:
		defer func() { <-st.turn }()
	case <-ctx.Done():
		return s.record(r, Result{Outcome: OutcomeRefused, Reason: "another write to this tag is under way"}, old)
	}
	now := s.clock()
	for _, reason := range []string{s.tooOften(st, t, limits, now), expired(r, now), tooFar(r.Value, limits, cell)} {
		if reason != "" {
			return s.record(r, Result{Outcome: OutcomeRefused, Reason: reason}, old)
		}
	}
	res, touched := s.write(ctx, lane, t, r.Value)
	if touched {
		st.last = now
	}
	return s.record(r, res, old)
}

// write hands a value to the lane. touched says that the device may have
// stored it.
func (s *Service) write(ctx context.Context, lane Lane, t *tag.Tag, v tag.Value) (res Result, touched bool) {
	got, err := lane.Write(ctx, t, v)
	switch {
	case errors.Is(err, ErrNotTaken):
		return Result{Outcome: OutcomeFailed, ReadBack: got, Reason: err.Error()}, true
	case errors.Is(err, ErrUnknown):
		return Result{Outcome: OutcomeUnknown, Reason: err.Error()}, true
	case err != nil:
		return Result{Outcome: OutcomeFailed, Reason: err.Error()}, false
	}
	return Result{Outcome: OutcomeDone, ReadBack: got}, true
}

// admit checks everything that can be checked without the device. An empty
// reason admits the request.
func (s *Service) admit(r Request, cell *live.Cell) (*tag.Tag, Limits, Lane, string) {
	s.mu.Lock()
	rules := s.rules
	s.mu.Unlock()
	switch {
	case !rules.Allow:
		return nil, Limits{}, nil, "writes are switched off on this gateway"
	case s.audit == nil:
		return nil, Limits{}, nil, "writes cannot be recorded: the audit file could not be opened"
	}
	if cell == nil {
		return nil, Limits{}, nil, fmt.Sprintf("no tag %q on a device %q", r.Tag, r.Device)
	}
	t := cell.Tag()
	if !t.Access.Writable() {
		return nil, Limits{}, nil, fmt.Sprintf("tag %s is not writable: its access is %s", t.Path(), t.Access)
	}
	if reason := expired(r, s.clock()); reason != "" {
		return nil, Limits{}, nil, reason
	}
	var limits Limits
	if rules.Limits != nil {
		limits = rules.Limits(t)
	}
	if reason := outside(r.Value, limits); reason != "" {
		return nil, Limits{}, nil, reason
	}
	lane, ok := rules.Lane(t)
	if !ok {
		return nil, Limits{}, nil, fmt.Sprintf("link %s is not running", t.Device.Link.Name)
	}
	return t, limits, lane, ""
}

func expired(r Request, now time.Time) string {
	if !r.Expires.IsZero() && now.After(r.Expires) {
		return fmt.Sprintf("expired at %s", r.Expires.UTC().Format(time.RFC3339Nano))
	}
	return ""
}

func (s *Service) state(t *tag.Tag) *tagState {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.tags[t.Path()]
	if st == nil {
		st = &tagState{turn: make(chan struct{}, 1)}
		s.tags[t.Path()] = st
	}
	return st
}

// record completes a result, audits it and logs what an operator should see.
func (s *Service) record(r Request, res Result, old tag.Value) Result {
	res.ID = r.ID
	if !res.Repeated {
		res.At = s.clock().UTC()
	}
	if err := s.audit.write(r, res, old); err != nil {
		s.log.Error("audit record not written", "device", r.Device, "tag", r.Tag, "err", err)
	}
	s.log.Info("command", "device", r.Device, "tag", r.Tag, "source", r.Source,
		"outcome", res.Outcome.String(), "reason", res.Reason)
	return res
}
