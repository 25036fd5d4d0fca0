package modbus

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/acquire"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/tag"
)

// stage is a device that plays a fault, and the driver that is to survive it.
type stage struct {
	t   *testing.T
	s   *modbustest.Server
	m   *modbustest.Memory // of unit 1
	l   *tag.Link
	c   drivers.Conn
	g   []drivers.Group
	log *logbook
}

// faultTimeout is that of the links in these tests: long enough for a machine
// with other work to do.
const faultTimeout = 250 * time.Millisecond

// serials are the framings without transaction ids.
var serials = []string{"rtu", "ascii", "port"}

// everywhere plays a fault on Modbus TCP and in each framing without
// transaction ids.
func everywhere(t *testing.T, play func(t *testing.T, framing string)) {
	for _, framing := range append([]string{"tcp"}, serials...) {
		t.Run(framing, func(t *testing.T) { play(t, framing) })
	}
}

// inSerial plays a fault in each framing without transaction ids.
func inSerial(t *testing.T, play func(t *testing.T, framing string)) {
	for _, framing := range serials {
		t.Run(framing, func(t *testing.T) { play(t, framing) })
	}
}

// set makes a server and a link to it, which is not open yet. Units 1 and 2
// hold memory(); the link has the tags of unit 1, and a tag of unit 2.
func set(t *testing.T, framing string, tags ...string) *stage {
	t.Helper()
	if len(tags) == 0 {
		tags = []string{"a hr:0 uint16", "b hr:1 uint16"}
	}
	st := &stage{t: t, m: memory(), log: &logbook{}}
	units := map[byte]*modbustest.Memory{1: st.m, 2: memory()}
	driver := "modbus-rtu"
	switch framing {
	case "tcp":
		st.s, driver = modbustest.New(t, units), "modbus-tcp"
	case "rtu":
		st.s = modbustest.NewRTU(t, units)
	case "ascii":
		st.s, driver = modbustest.NewASCII(t, units), "modbus-ascii"
	case "port":
		st.s = modbustest.NewPort(t, units)
	}
	st.l = newLink(t, driver, st.s.Endpoint(), map[int][]string{1: tags, 2: {"n hr:0 uint16"}})
	setTimeout(st.l, faultTimeout)
	if o, ok := st.l.Options.(*RTUOptions); ok {
		o.Serial.Baud = 115200
	}
	return st
}

// stageOf is set, and opens the link.
func stageOf(t *testing.T, framing string, tags ...string) *stage {
	t.Helper()
	st := set(t, framing, tags...)
	st.open()
	return st
}

func (st *stage) open() {
	st.t.Helper()
	d, _ := drivers.Lookup(st.l.Driver)
	ctx, cancel := context.WithTimeout(st.t.Context(), patience)
	defer cancel()
	var err error
	if st.c, err = d.Open(ctx, st.l, slog.New(slog.NewTextHandler(st.log, nil))); err != nil {
		st.t.Fatal(err)
	}
	st.t.Cleanup(func() { st.c.Close() })
	st.g = nil
	for _, dev := range st.l.Devices {
		g, err := st.c.Prepare(ctx, dev, dev.Tags)
		if err != nil {
			st.t.Fatal(err)
		}
		st.g = append(st.g, g)
	}
}

// handle has requests handled by h, one at a time on all connections.
func (st *stage) handle(h modbustest.Handler) {
	var mu sync.Mutex
	st.s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
		mu.Lock()
		defer mu.Unlock()
		h(c, r)
	})
}

// answers has every request answered with what play says, for so many requests
// (negative: all), and rightly after that.
func (st *stage) answers(n int, play func(c *modbustest.Conn, r modbustest.Request) []byte) {
	st.handle(func(c *modbustest.Conn, r modbustest.Request) {
		if n == 0 {
			c.Write(c.Answer(r))
			return
		}
		n--
		c.Write(play(c, r))
	})
}

// frames has every request answered with a PDU of unit 1.
func (st *stage) frames(n int, pdu ...byte) {
	st.answers(n, func(c *modbustest.Conn, r modbustest.Request) []byte { return c.Frame(r.ID, 1, pdu) })
}

// want reads unit 1.
func (st *stage) want(text string) {
	st.t.Helper()
	wantRead(st.t, st.g[0], text)
}

// fails reads unit 1, which must fail for a reason, with a text in the error;
// the link stays.
func (st *stage) fails(reason, text string) {
	st.t.Helper()
	got, err := show(st.t, st.g[0])
	var de *drivers.DeviceError
	if !errors.As(err, &de) || de.Reason != reason || !strings.Contains(err.Error(), text) {
		st.t.Fatalf("read: got %q, %v; want a failure of the device for %q, saying %q", got, err, reason, text)
	}
}

// heals makes the device well again: its values and those of its neighbour
// are right on the same connection.
func (st *stage) heals() {
	st.t.Helper()
	st.s.Handle(nil)
	for range 3 {
		wantRead(st.t, st.g[1], "n=100")
		st.want("a=100 b=101")
	}
	if n := st.s.Connections(); n != 1 {
		st.t.Errorf("%d connections, want 1", n)
	}
}

// write writes 7 to the tag a.
func (st *stage) write() error {
	ctx, cancel := context.WithTimeout(st.t.Context(), patience)
	defer cancel()
	_, err := st.g[0].(drivers.Writer).Write(ctx, st.l.Devices[0].Tags[0], tag.Uint(7))
	return err
}

// unknown writes, and wants the outcome to be told as unknown after a single
// request that writes.
func (st *stage) unknown() {
	st.t.Helper()
	if err := st.write(); !errors.Is(err, drivers.ErrOutcomeUnknown) {
		st.t.Errorf("write: got %v, want ErrOutcomeUnknown", err)
	}
}

// logbook is a log that is read while it is written.
type logbook struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (b *logbook) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logbook) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// operation is a link that acquire runs.
type operation struct {
	st   *stage
	r    *acquire.Runner
	stop func() // waits

	mu   sync.Mutex // guards the fields below
	good map[string][]tag.Value
	bad  map[string][]string
}

// run has acquire read the link every so often.
func (st *stage) run(every time.Duration) *operation {
	st.t.Helper()
	for _, dev := range st.l.Devices {
		for _, x := range dev.Tags {
			x.Interval = every
		}
	}
	d, _ := drivers.Lookup(st.l.Driver)
	op := &operation{st: st, good: map[string][]tag.Value{}, bad: map[string][]string{}}
	op.r = acquire.New(st.l, d, op, slog.New(slog.NewTextHandler(st.log, nil)))
	ctx, cancel := context.WithCancel(st.t.Context())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := op.r.Run(ctx); err != nil {
			st.t.Errorf("run: %v", err)
		}
	})
	op.stop = func() { cancel(); wg.Wait() }
	st.t.Cleanup(op.stop)
	return op
}

// Accept keeps samples by the names of their tags.
func (op *operation) Accept(samples []tag.Sample) {
	op.mu.Lock()
	defer op.mu.Unlock()
	for _, s := range samples {
		if s.Quality.Level == tag.Good {
			op.good[s.Tag.Name] = append(op.good[s.Tag.Name], s.Value)
		} else {
			op.bad[s.Tag.Name] = append(op.bad[s.Tag.Name], s.Quality.Reason)
		}
	}
}

// Sweep does nothing.
func (op *operation) Sweep(time.Time) {}

// Pushed does nothing.
func (op *operation) Pushed([]*tag.Tag) {}

// count is how many good samples of a tag there were.
func (op *operation) count(name string) int {
	op.mu.Lock()
	defer op.mu.Unlock()
	return len(op.good[name])
}

// more waits for so many more good samples of a tag.
func (op *operation) more(name string, n int) {
	op.st.t.Helper()
	n += op.count(name)
	op.until("good samples of "+name, func() bool { return op.count(name) >= n })
}

// until waits for something.
func (op *operation) until(what string, is func() bool) {
	op.st.t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); !is(); <-tick.C {
		if time.Now().After(deadline) {
			op.st.t.Fatalf("there were no %s\n%s", what, op.st.log)
		}
	}
}

// right wants every good sample of a tag to have had one of some values.
func (op *operation) right(name string, values ...uint64) {
	op.st.t.Helper()
	op.mu.Lock()
	defer op.mu.Unlock()
	for _, v := range op.good[name] {
		ok := false
		for _, x := range values {
			ok = ok || v == tag.Uint(x)
		}
		if !ok {
			op.st.t.Errorf("%s was %v, want one of %v", name, v, values)
		}
	}
}
