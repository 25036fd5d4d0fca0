package downlink

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"fieldferry/command"
	"fieldferry/mqtt/keep"
	"fieldferry/mqtt/request"
	"fieldferry/mqtt/wire"
)

const (
	maxWaiting  = 256  // commands that are not decided yet
	maxAnswers  = 1024 // answers that are not sent yet
	commandTime = 30 * time.Second
	finishTime  = 5 * time.Second // for commands under way and their answers when the gateway stops
)

// Commander carries out commands and records them, *command.Service for one.
type Commander interface {
	// Execute may block until the device answered.
	Execute(ctx context.Context, r command.Request) command.Result
	// Refuse records a command that is refused without being carried out.
	Refuse(r command.Request, reason string) command.Result
}

// stopping is why a command that comes too late is refused.
const stopping = "the gateway stops"

// Options say how commands are taken.
type Options struct {
	Execute Commander
	Forms   request.Forms
	Source  string                        // of the commands, for the audit
	Own     func(levels ...string) string // {root}/_/ and the levels
	Log     *slog.Logger
	Clock   func() time.Time
}

// Stats is how commands are doing.
type Stats struct {
	keep.Status
	Received   uint64            // commands that arrived
	Outcomes   map[string]uint64 // by outcome: done, refused, failed, unknown
	Waiting    int               // commands that are not decided yet
	Unanswered uint64            // answers that could not be sent
}

// Downlink carries out the commands of one uplink.
type Downlink struct {
	o      Options
	filter string // {root}/_/set/+/+
	prefix string // {root}/_/set/
	root   string // {root}/: no answer may pose as something of ours
	reply  string // {root}/_/reply/: except here

	refused *refusals          // on their way into the audit
	answers chan *wire.Message // sent to by lanes and receive, never closed; room for maxAnswers
	slots   chan struct{}      // of the connection under way: one token per answer on its way
	ctx     context.Context    // of the uplink's life: commands under way end with it
	wg      sync.WaitGroup     // of the lanes

	mu     sync.Mutex               // guards the fields below
	lanes  map[string][]*job        // by device: the first one is under way
	flying map[uint64]*wire.Message // answers on their way, by token
	count  Stats
}

// job is one command.
type job struct {
	req         command.Request
	reply       string
	correlation []byte
}

// New prepares to take commands. It does no I/O.
func New(o Options) *Downlink {
	set := o.Own("set") + "/"
	return &Downlink{
		o: o, filter: set + "+/+", prefix: set, root: strings.TrimSuffix(set, "_/set/"), reply: o.Own("reply") + "/",
		answers: make(chan *wire.Message, maxAnswers), lanes: map[string][]*job{}, flying: map[uint64]*wire.Message{},
		count:   Stats{Outcomes: map[string]uint64{}},
		refused: newRefusals(o.Execute, o.Source),
	}
}

// Run takes commands over the connection that k keeps until ctx ends, and
// waits for those under way. It is called once.
func (d *Downlink) Run(ctx context.Context, k *keep.Keeper) {
	d.ctx = ctx
	go d.refused.run()
	k.Run(ctx, d)
	d.wait()
	d.refused.end()
}

// wait waits for the lanes. ctx has ended: enqueue starts no more.
func (d *Downlink) wait() {
	d.mu.Lock()   // whoever saw ctx alive has started its lane
	d.mu.Unlock() //nolint:staticcheck // the lock alone is the point
	d.wg.Wait()
}

// Stats tells how commands are doing, but for the connection. It may be
// called at any time.
func (d *Downlink) Stats() Stats {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.count
	s.Outcomes = maps.Clone(s.Outcomes)
	return s
}

// Idle does nothing.
func (d *Downlink) Idle() {}

// Prepare has the next connection tell what arrives.
func (d *Downlink) Prepare(o *wire.Options) {
	slots := make(chan struct{}, 64)
	d.slots = slots
	o.Receive = d.receive
	o.Result = func(r wire.Result) {
		<-slots
		d.mu.Lock()
		delete(d.flying, r.Token)
		d.mu.Unlock()
		if r.Code.Refused() {
			d.unanswered("the broker refuses the answer", "code", r.Code.String(), "reason", r.Reason)
		}
	}
}

// Serve subscribes, and sends the answers until the connection or ctx ends.
func (d *Downlink) Serve(ctx context.Context, c *wire.Client) (bool, error) {
	if err := c.Subscribe(ctx, d.filter); err != nil {
		c.Disconnect(wire.Success)
		return false, cause(c, err)
	}
	limit := min(cap(d.slots), c.Limits().Receive)
	for range cap(d.slots) - limit {
		d.slots <- struct{}{} // slots that the broker does not offer
	}
	err := d.answer(ctx, c)
	if ctx.Err() != nil {
		d.finish(c)
	}
	c.Disconnect(wire.Success)
	d.requeueFlying()
	return true, cause(c, err)
}

// answer sends answers in their order.
func (d *Downlink) answer(ctx context.Context, c *wire.Client) error {
	var token uint64
	for {
		var m *wire.Message
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.Done():
			return c.Err()
		case m = <-d.answers:
		}
		if most := c.Limits().Packet; most > 0 && m.Size() > most {
			d.unanswered("the answer is larger than the broker takes", "bytes", m.Size())
			continue
		}
		select {
		case d.slots <- struct{}{}:
		case <-ctx.Done():
			d.requeue(m)
			return ctx.Err()
		case <-c.Done():
			d.requeue(m)
			return c.Err()
		}
		token++
		d.mu.Lock()
		d.flying[token] = m
		d.mu.Unlock()
		if err := c.Send(token, m); err != nil {
			return err
		}
	}
}

// requeue keeps an answer for the next connection.
func (d *Downlink) requeue(m *wire.Message) {
	select {
	case d.answers <- m:
	default:
		d.unanswered("too many answers are waiting")
	}
}

// requeueFlying keeps the answers that the broker has not acknowledged.
func (d *Downlink) requeueFlying() {
	d.mu.Lock()
	flying := d.flying
	d.flying = map[uint64]*wire.Message{}
	d.mu.Unlock()
	for _, token := range slices.Sorted(maps.Keys(flying)) {
		d.requeue(flying[token])
	}
}

// finish lets the commands under way end, which their context now makes
// quick, and sends their answers.
func (d *Downlink) finish(c *wire.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), finishTime)
	defer cancel()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		d.wait()
	}()
	select {
	case <-ended:
	case <-ctx.Done():
	}
	for {
		select {
		case m := <-d.answers:
			if c.Publish(ctx, m) != nil {
				d.unanswered("the gateway stops")
			}
		default:
			return
		}
	}
}

// receive takes one message. It never blocks: it runs where the connection is
// read.
func (d *Downlink) receive(m wire.Received) {
	now := d.o.Clock()
	j := &job{reply: m.ResponseTopic, correlation: m.Correlation}
	j.req.Source, j.req.Received = d.o.Source, now
	if err := d.read(&m, j, now); err != nil {
		d.decided(j, d.refuse(j, err.Error()))
		return
	}
	if why := d.enqueue(j); why != "" {
		d.decided(j, d.refuse(j, why))
	}
}

// refuse has a refusal recorded, and returns it. It does not block.
func (d *Downlink) refuse(j *job, reason string) command.Result {
	d.refused.add(j.req, reason)
	return command.Result{ID: j.req.ID, Outcome: command.OutcomeRefused, Reason: reason, At: d.o.Clock()}
}

// read makes a request of a message. An error says why it is refused.
func (d *Downlink) read(m *wire.Received, j *job, now time.Time) error {
	d.mu.Lock()
	d.count.Received++
	d.mu.Unlock()
	rest, ok := strings.CutPrefix(m.Topic, d.prefix)
	device, name, two := strings.Cut(rest, "/")
	if !ok || !two || device == "" || name == "" || strings.Contains(name, "/") {
		return fmt.Errorf("the topic %q does not name a device and a tag", m.Topic)
	}
	j.req.Device, j.req.Tag = device, name
	o, err := request.Parse(m.Payload, d.o.Forms)
	j.req.ID, j.req.Value, j.req.Expires = o.ID, o.Value, o.Expires
	switch {
	case m.Retained:
		return errors.New("a retained message is not a command: it may be of any age")
	case err != nil:
		return err
	}
	if m.Expiry != nil {
		if end := now.Add(*m.Expiry); o.Expires.IsZero() || end.Before(o.Expires) {
			j.req.Expires = end
		}
	}
	if !j.req.Expires.IsZero() && !now.Before(j.req.Expires) {
		return fmt.Errorf("it expired at %s", j.req.Expires.UTC().Format(time.RFC3339Nano))
	}
	return nil
}

// enqueue puts a command into the lane of its device, and starts the lane, or
// says why it does not.
func (d *Downlink) enqueue(j *job) (refusal string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.ctx.Err() != nil:
		return stopping
	case d.count.Waiting >= maxWaiting:
		return "too many commands are waiting"
	}
	d.count.Waiting++
	lane := append(d.lanes[j.req.Device], j)
	d.lanes[j.req.Device] = lane
	if len(lane) == 1 {
		d.wg.Go(func() { d.work(j.req.Device) })
	}
	return ""
}

// work carries out the commands of one device until there is none.
func (d *Downlink) work(device string) {
	for {
		d.mu.Lock()
		j := d.lanes[device][0]
		d.mu.Unlock()
		d.decided(j, d.execute(j))
		d.mu.Lock()
		d.count.Waiting--
		if d.lanes[device] = d.lanes[device][1:]; len(d.lanes[device]) == 0 {
			delete(d.lanes, device)
			d.mu.Unlock()
			return
		}
		d.mu.Unlock()
	}
}

func (d *Downlink) execute(j *job) command.Result {
	if d.ctx.Err() != nil {
		return d.refuse(j, stopping)
	}
	ctx, cancel := context.WithTimeout(d.ctx, commandTime)
	defer cancel()
	res := d.o.Execute.Execute(ctx, j.req)
	res.ID = j.req.ID
	return res
}

// decided counts and answers a command.
func (d *Downlink) decided(j *job, res command.Result) {
	d.mu.Lock()
	d.count.Outcomes[res.Outcome.String()]++
	d.mu.Unlock()
	if j.reply == "" {
		return
	}
	if why := d.badReply(j.reply); why != "" {
		d.unanswered(why, "topic", j.reply)
		return
	}
	d.requeue(&wire.Message{Topic: j.reply, Correlation: j.correlation,
		Payload: request.Answer(j.req.Device, j.req.Tag, res)})
}

// badReply says why an answer may not go to a topic. Below our own root a
// response topic could pose as a value, or as a command.
func (d *Downlink) badReply(topic string) string {
	switch {
	case strings.ContainsAny(topic, "+#\x00"), strings.HasPrefix(topic, "$"), len(topic) > 65535:
		return "the response topic is not allowed"
	case strings.HasPrefix(topic+"/", d.root) && !strings.HasPrefix(topic, d.reply):
		return "the response topic lies below the root of the uplink, where only " + d.reply + " is for answers"
	}
	return ""
}

func (d *Downlink) unanswered(why string, attrs ...any) {
	d.mu.Lock()
	d.count.Unanswered++
	first := d.count.Unanswered == 1
	d.mu.Unlock()
	if first {
		d.o.Log.Warn("a command is not answered; more are only counted", append(attrs, "why", why)...)
	}
}

// cause prefers the reason of the connection's end to its consequences.
func cause(c *wire.Client, err error) error {
	select {
	case <-c.Done():
		if e := c.Err(); e.Kind != wire.Local {
			return e
		}
	default:
	}
	return err
}
