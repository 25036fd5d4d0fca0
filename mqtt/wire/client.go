package wire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"

	"fieldferry/mqtt/wire/packet"
)

const (
	dialTimeout   = 10 * time.Second // name, TCP and TLS together
	answerTimeout = 10 * time.Second // for CONNACK, SUBACK and the PUBACK of Publish
	maxReceiving  = 64               // messages under way to us at once
)

// Options say how to connect.
type Options struct {
	Broker     Broker
	TLS        TLS
	ClientID   string
	Username   string         // empty: none
	Password   []byte         // nil: none
	KeepAlive  time.Duration  // whole seconds; the broker may shorten or lengthen it
	Will       *Message       // nil: none; sent by the broker when the connection ends other than by Disconnect
	MaxInbound int            // largest packet taken from the broker, bytes
	Result     func(Result)   // told the outcome of every Send; must not block; may be nil if Send is not used
	Receive    func(Received) // told every message that arrives; must not block; may be nil without Subscribe
	Clock      func() time.Time
}

// Message is one message to publish.
type Message struct {
	Topic       string
	Payload     []byte // copied before Send and Publish return
	Retain      bool
	Correlation []byte // correlation data of the request that this answers; nil: none
}

// Received is one message from the broker.
type Received struct {
	Topic         string
	Payload       []byte
	Retained      bool // the broker had kept it from before we subscribed
	ResponseTopic string
	Correlation   []byte
	Expiry        *time.Duration // what is left of its life; nil: without end
}

// Limits are what the broker announced in CONNACK.
type Limits struct {
	Receive   int           // messages it takes before it has acknowledged the first: the largest window
	Packet    int           // largest packet it takes, bytes; 0: no limit
	QoS       byte          // highest that it takes
	Retain    bool          // keeps retained messages
	KeepAlive time.Duration // in force
}

// cause holds why a connection ended: the first to tell is right.
type cause struct {
	mu  sync.Mutex // guards err
	err *Error
}

func (c *cause) fail(err error) {
	e := ioError(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.err == nil {
		c.err = e
	}
}

func (c *cause) get() *Error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.err
}

// Client is one open connection.
type Client struct {
	paho   *paho.Client
	conn   *conn
	limits Limits
	cause  *cause
	ctx    tokens // of the Send under way; Send has one caller
}

// Connect dials and says CONNECT with a clean start. Its errors are *Error.
// The caller ends the connection with Disconnect or Close.
func Connect(ctx context.Context, o Options) (*Client, error) {
	dialCtx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, err := dial(dialCtx, o.Broker, o.TLS, o.Clock)
	if err != nil {
		return nil, err
	}
	why := new(cause)
	c := &Client{conn: newConn(nc, o.MaxInbound, why.fail), cause: why, ctx: tokens{Context: context.Background()}}
	c.paho = paho.NewClient(paho.ClientConfig{
		Conn:              c.conn,
		Session:           newFlow(o.Result, why.fail),
		PingHandler:       newPinger(why.fail),
		OnPublishReceived: []func(paho.PublishReceived) (bool, error){receiver(o.Receive)},
		PacketTimeout:     answerTimeout,
	})
	ack, err := c.paho.Connect(ctx, connect(o))
	if err != nil {
		return nil, connectError(ack, err, why)
	}
	c.limits = limits(ack, o.KeepAlive)
	return c, nil
}

func connect(o Options) *paho.Connect {
	receive, inbound := uint16(maxReceiving), uint32(o.MaxInbound)
	p := &paho.Connect{
		ClientID: o.ClientID, CleanStart: true, KeepAlive: uint16(o.KeepAlive / time.Second),
		Username: o.Username, UsernameFlag: o.Username != "",
		Password: o.Password, PasswordFlag: o.Password != nil,
		Properties: &paho.ConnectProperties{
			RequestProblemInfo: true, // else brokers leave their reasons out
			ReceiveMaximum:     &receive, MaximumPacketSize: &inbound,
		},
	}
	if o.Will != nil {
		p.WillMessage = &paho.WillMessage{Retain: o.Will.Retain, QoS: 1, Topic: o.Will.Topic, Payload: o.Will.Payload}
		p.WillProperties = &paho.WillProperties{}
	}
	return p
}

// connectError finds the truth behind what the library says of a CONNECT that
// did not succeed.
func connectError(ack *paho.Connack, err error, why *cause) *Error {
	if ack != nil && Code(ack.ReasonCode).Refused() {
		e := &Error{Kind: Refused, Code: Code(ack.ReasonCode)}
		if ack.Properties != nil {
			e.Reason = ack.Properties.ReasonString
		}
		return e
	}
	if e := why.get(); e != nil && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded) {
		return e
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return &Error{Kind: Unreachable, Err: fmt.Errorf("connected, but no answer to CONNECT within %v", answerTimeout)}
	case errors.Is(err, context.Canceled):
		return errClosedByUs
	}
	return broken(err)
}

func limits(ack *paho.Connack, keepAlive time.Duration) Limits {
	l := Limits{Receive: receiveMaximumUnsaid, QoS: 2, Retain: true, KeepAlive: keepAlive}
	p := ack.Properties
	if p == nil {
		return l
	}
	l.Retain = p.RetainAvailable
	if p.ReceiveMaximum != nil {
		l.Receive = max(1, int(*p.ReceiveMaximum))
	}
	if p.MaximumPacketSize != nil {
		l.Packet = int(min(*p.MaximumPacketSize, 256<<20+packet.MaxHeader))
	}
	if p.MaximumQoS != nil {
		l.QoS = *p.MaximumQoS
	}
	if p.ServerKeepAlive != nil {
		l.KeepAlive = time.Duration(*p.ServerKeepAlive) * time.Second
	}
	return l
}

// receiver adapts what the library hands over. A message is acknowledged when
// the callback returns.
func receiver(receive func(Received)) func(paho.PublishReceived) (bool, error) {
	return func(pr paho.PublishReceived) (bool, error) {
		if receive == nil {
			return true, nil
		}
		m := Received{Topic: pr.Packet.Topic, Payload: pr.Packet.Payload, Retained: pr.Packet.Retain}
		if p := pr.Packet.Properties; p != nil {
			m.ResponseTopic, m.Correlation = p.ResponseTopic, p.CorrelationData
			if p.MessageExpiry != nil {
				left := time.Duration(*p.MessageExpiry) * time.Second
				m.Expiry = &left
			}
		}
		receive(m)
		return true, nil
	}
}

// Limits are the broker's.
func (c *Client) Limits() Limits { return c.limits }

// Done is closed when the connection has ended and nothing of it runs any
// more.
func (c *Client) Done() <-chan struct{} { return c.paho.Done() }

// Err tells why the connection ended. It is valid once Done is closed.
func (c *Client) Err() *Error {
	if e := c.cause.get(); e != nil {
		return e
	}
	return &Error{Kind: Closed, Err: errors.New("the connection ended")}
}

// Send publishes m at QoS 1 and returns once it is on its way; Options.Result
// is told the outcome by token. The caller sends no more messages than
// Limits.Receive before their outcomes are known. It blocks while the socket
// takes nothing, which ends the connection after 20 seconds. After an error
// the connection is at its end and the outcome of m is not known.
func (c *Client) Send(token uint64, m *Message) error {
	c.ctx.token = token
	_, err := c.paho.PublishWithOptions(&c.ctx, m.packet(), paho.PublishOptions{Method: paho.PublishMethod_AsyncSend})
	if err != nil {
		return fmt.Errorf("publish to %q: %w", m.Topic, err)
	}
	return nil
}

// Publish publishes m at QoS 1 and waits for the broker to take it, ten
// seconds at most. A refusal is an *Error.
func (c *Client) Publish(ctx context.Context, m *Message) error {
	res, err := c.paho.Publish(ctx, m.packet())
	if res != nil && Code(res.ReasonCode).Refused() {
		e := &Error{Kind: Refused, Code: Code(res.ReasonCode), Err: fmt.Errorf("publish to %q", m.Topic)}
		if res.Properties != nil {
			e.Reason = res.Properties.ReasonString
		}
		return e
	}
	if err != nil {
		return fmt.Errorf("publish to %q: %w", m.Topic, err)
	}
	return nil
}

// Tell publishes m at QoS 0: whether it arrives is not known, and it counts
// for no limit of the broker but the packet's size. It may be called beside
// Send, and blocks like it. After an error the connection is at its end.
func (c *Client) Tell(ctx context.Context, m *Message) error {
	p := m.packet()
	p.QoS = 0
	if _, err := c.paho.Publish(ctx, p); err != nil {
		return fmt.Errorf("publish to %q: %w", m.Topic, err)
	}
	return nil
}

func (m *Message) packet() *paho.Publish {
	p := &paho.Publish{QoS: 1, Retain: m.Retain, Topic: m.Topic, Payload: m.Payload}
	if m.Correlation != nil {
		p.Properties = &paho.PublishProperties{CorrelationData: m.Correlation}
	}
	return p
}

// Size is how many bytes m takes as a packet, to be held against
// Limits.Packet.
func (m *Message) Size() int {
	props := 0
	if m.Correlation != nil {
		props = 1 + 2 + len(m.Correlation)
	}
	rest := 2 + len(m.Topic) + 2 + varintSize(props) + props + len(m.Payload)
	return 1 + varintSize(rest) + rest
}

func varintSize(n int) int {
	size := 1
	for ; n >= 128; n >>= 7 {
		size++
	}
	return size
}

// Subscribe subscribes to a topic filter at QoS 1. What the broker keeps from
// before is not asked for; it may come nevertheless, and is then marked as
// retained. A refusal is an *Error.
func (c *Client) Subscribe(ctx context.Context, filter string) error {
	ack, err := c.paho.Subscribe(ctx, &paho.Subscribe{
		Subscriptions: []paho.SubscribeOptions{{Topic: filter, QoS: 1, RetainHandling: 2}},
	})
	if ack != nil && len(ack.Reasons) == 1 && Code(ack.Reasons[0]).Refused() {
		e := &Error{Kind: Refused, Code: Code(ack.Reasons[0]), Err: fmt.Errorf("subscribe to %q", filter)}
		if ack.Properties != nil {
			e.Reason = ack.Properties.ReasonString
		}
		return e
	}
	if err != nil {
		return fmt.Errorf("subscribe to %q: %w", filter, err)
	}
	return nil
}

// Disconnect says good-bye, with Success, or with WithWill to have the will
// sent, and waits until the connection has ended, three seconds at most.
func (c *Client) Disconnect(code Code) {
	c.cause.fail(errClosedByUs)
	c.conn.announce()
	_ = c.paho.Disconnect(&paho.Disconnect{ReasonCode: byte(code)}) // the connection ends either way
}
