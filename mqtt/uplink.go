package mqtt

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"fieldferry/buffer"
	"fieldferry/mapping/payload"
	"fieldferry/mqtt/downlink"
	"fieldferry/mqtt/flight"
	"fieldferry/mqtt/keep"
	"fieldferry/mqtt/replay"
)

// Entry is a sample in the buffer.
type Entry = buffer.Entry

// Source is the uplink's reader of the buffer. Next and Rewind are called by
// one goroutine at a time, the others by any.
type Source interface {
	// Next appends the next entries to dst, at least one and at most as
	// many as dst has room for; it blocks until there is one.
	Next(ctx context.Context, dst []Entry) ([]Entry, error)
	// Settle says that every entry up to the turn is settled. It does not
	// block.
	Settle(turn uint64)
	// Rewind makes Next go on behind the last settled entry.
	Rewind()
	// Pending returns how many entries are not settled, and the last number
	// in the buffer.
	Pending() (entries, head uint64)
}

// asider is a Source that accounts for what is put aside: it is told before
// the entry is settled.
type asider interface {
	PutAside(turn uint64, reason string)
}

var (
	_ Source = (*buffer.Reader)(nil)
	_ asider = (*buffer.Reader)(nil)
)

// Identity is what the gateway says of itself in its status.
type Identity struct {
	Name     string
	Version  string
	BufferID string
	Epoch    uint32
}

// Deps are what an uplink works with.
type Deps struct {
	Reader   Source
	Encoder  *payload.Encoder
	Commands downlink.Commander // nil only where the configuration has no commands
	Gateway  Identity
	Log      *slog.Logger     // nil: none
	Ledger   func() Ledger    // the account of the reader; must not block; nil: it is not told
	Clock    func() time.Time // of timestamps and certificates, not of pauses; nil: time.Now

	pace      func(time.Duration) time.Duration // tests shorten pauses
	birthTime time.Duration                     // tests shorten it

	ledgerTime time.Duration // likewise
	ripe       time.Duration // likewise
}

// Uplink drains one reader into one broker.
type Uplink struct {
	conf   Config
	deps   Deps
	log    *slog.Logger
	values *keep.Keeper
	cmds   *keep.Keeper       // nil without commands
	down   *downlink.Downlink // nil without commands

	count   counts
	marks   replay.Marks
	repairs replay.Repairs

	mu     sync.Mutex            // guards window
	window *flight.Window[Entry] // of the connection that is open; nil: none
	size   int                   // of window

	// Only the goroutines of the values use these, one at a time.
	sent      replay.Sent
	tries     map[uint64]int  // refusals on hold, by number in the buffer; not changed while the pump runs
	ceiling   int             // the window that a narrow broker can bear; 0: no ceiling
	widen     time.Time       // when the ceiling is lifted
	number    uint64          // of the connection, from 1
	birthless bool            // the next connection does without a birth
	ended     error           // why the reader ended; nil while it lives
	quiet     map[string]bool // reasons whose first sample put aside was logged
}

// New checks the configuration and prepares an uplink. It does no I/O.
func New(c Config, d Deps) (*Uplink, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	if d.Reader == nil || d.Encoder == nil {
		return nil, errors.New("an uplink needs a reader and an encoder")
	}
	if c.Commands != nil && d.Commands == nil {
		return nil, errors.New("an uplink with commands needs somebody to carry them out")
	}
	if d.Log == nil {
		d.Log = slog.New(slog.DiscardHandler)
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.birthTime == 0 {
		d.birthTime = birthTime
	}
	if d.ripe == 0 {
		d.ripe = replay.Ripe
	}
	if d.ledgerTime == 0 {
		d.ledgerTime = ledgerEvery
	}
	id, err := clientID(c.ClientID, d.Gateway.Name, c.Name)
	if err != nil {
		return nil, fmt.Errorf("client_id: %w", err)
	}
	u := &Uplink{
		conf: c, deps: d, log: d.Log.With("uplink", c.Name),
		tries: map[uint64]int{}, quiet: map[string]bool{},
	}
	if u.values, err = u.keeper(id, u.log); err != nil {
		return nil, err
	}
	if c.Commands != nil {
		err = u.listen(id + forCommands)
	}
	return u, err
}

func (u *Uplink) keeper(id string, log *slog.Logger) (*keep.Keeper, error) {
	return keep.New(keep.Options{Brokers: u.conf.Brokers, ClientID: id, Login: u.conf.login, Log: log,
		Clock: u.deps.Clock, Pace: u.deps.pace})
}

// listen prepares the connection for commands.
func (u *Uplink) listen(id string) (err error) {
	log := u.log.With("connection", "commands")
	if u.cmds, err = u.keeper(id, log); err != nil {
		return err
	}
	forms, err := u.conf.Commands.forms()
	if err != nil {
		return err
	}
	u.down = downlink.New(downlink.Options{
		Execute: u.deps.Commands, Forms: forms, Source: "mqtt:" + u.conf.Name, Own: u.deps.Encoder.Own,
		Log: log, Clock: u.deps.Clock,
	})
	return nil
}

// Run keeps the uplink going until ctx ends, then lets what is on its way
// arrive for five seconds and takes its leave. It returns nil then, or the
// reader's error when that ended before. It is called once.
func (u *Uplink) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	_, head := u.deps.Reader.Pending()
	u.marks.Begin(head, u.deps.ripe)
	var wg sync.WaitGroup
	if u.cmds != nil {
		wg.Go(func() { u.down.Run(ctx, u.cmds) })
	}
	v := &values{Uplink: u, stop: cancel}
	u.values.Run(ctx, v)
	cancel()
	wg.Wait()
	return u.ended
}

// Stats tells how the uplink is doing. It may be called at any time.
func (u *Uplink) Stats() Stats {
	s := u.count.get()
	s.Status = u.values.Status()
	live, backlog, _ := lanesOf(u.deps.Reader)
	s.Pending, s.Backlog = live+backlog, backlog
	u.mu.Lock()
	if u.window != nil {
		s.InFlight, s.Window, s.AckLatency = u.window.Flying(), u.size, u.window.Latency()
	}
	u.mu.Unlock()
	if u.down != nil {
		s.HasCommands, s.Commands = true, u.down.Stats()
		s.Commands.Status = u.cmds.Status()
	}
	return s
}

func (u *Uplink) setWindow(w *flight.Window[Entry], size int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.window, u.size = w, size
}
