package peers

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Message is what mosquitto_sub saw.
type Message struct {
	Topic   string `json:"topic"`
	QoS     int    `json:"qos"`
	Retain  int    `json:"retain"`
	Payload string `json:"-"`
}

// Value is a payload of the default format.
type Value struct {
	Value      json.RawMessage `json:"value"`
	Unit       string          `json:"unit"`
	Quality    string          `json:"quality"`
	Reason     string          `json:"reason"`
	Timestamp  string          `json:"timestamp"`
	Historical bool            `json:"historical"`
}

// Subscriber is a mosquitto_sub that keeps its session: what the broker takes
// while it is away reaches it later.
type Subscriber struct {
	t testing.TB
	p *process
}

// Subscribe starts a subscriber to a filter at QoS 1 and returns when the
// broker has confirmed it.
func Subscribe(t testing.TB, b *Broker, filter string) *Subscriber {
	t.Helper()
	p := start(t, "stdbuf", "-oL", "mosquitto_sub", "-h", "127.0.0.1", "-p", strconv.Itoa(b.Port), "-V", "mqttv5", "-d",
		"-i", "subscriber-"+strconv.FormatInt(time.Now().UnixNano(), 36), "-c", "-x", "3600", "-q", "1", "-t", filter, "-F", "message %j")
	if err := p.await(func() bool { return strings.Contains(p.out.String(), "received SUBACK") }); err != nil {
		t.Fatal(err)
	}
	return &Subscriber{t: t, p: p}
}

// Messages returns everything received so far, in order.
func (s *Subscriber) Messages() (all []Message) {
	s.t.Helper()
	out := s.p.out.String()
	if end := strings.LastIndexByte(out, '\n'); end >= 0 {
		out = out[:end] // the last line may be half written
	}
	for line := range strings.Lines(out) {
		rest, ok := strings.CutPrefix(strings.TrimSpace(line), "message ")
		if !ok {
			continue // -d prints the packets as well
		}
		var m struct {
			Message
			Payload json.RawMessage `json:"payload"`
		}
		if err := json.Unmarshal([]byte(rest), &m); err != nil {
			s.t.Fatalf("mosquitto_sub printed %q: %v", rest, err)
		}
		m.Message.Payload = string(m.Payload)
		if text := ""; json.Unmarshal(m.Payload, &text) == nil {
			m.Message.Payload = text
		}
		all = append(all, m.Message)
	}
	return all
}

// Await polls until enough says so of what was received.
func (s *Subscriber) Await(what string, enough func([]Message) bool) []Message {
	s.t.Helper()
	var got []Message
	if err := s.p.await(func() bool { got = s.Messages(); return enough(got) }); err != nil {
		s.t.Fatalf("waiting for %s: %v", what, err)
	}
	return got
}
