package wire

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/eclipse/paho.golang/packets"
)

func TestReaderRefusesUnsoundPackets(t *testing.T) {
	connack := []byte{0x20, 3, 0, 0, 0}
	for _, c := range []struct {
		name string
		in   []byte
		kind Kind
		err  string
	}{
		{"web server", []byte("HTTP/1.1 400 Bad Request\r\n"), NotMQTT, `not an MQTT broker: it answers "HTTP/1.1 400 Bad Request\r\n"`},
		{"one byte", []byte("x"), NotMQTT, `not an MQTT broker: it answers "x"`},
		{"3.1.1, version", []byte{0x20, 2, 0, 1}, Only311, "the broker speaks only MQTT 3.1.1: it does not accept version 5; this uplink needs MQTT 5"},
		{"3.1.1, password", []byte{0x20, 2, 0, 4}, Only311, "the broker speaks only MQTT 3.1.1: it does not accept the user name or password; this uplink needs MQTT 5"},
		{"256 MiB", append(bytes.Clone(connack), 0x30, 0xff, 0xff, 0xff, 0x7f), Broken, "the broker sent a packet of 268435460 bytes; 1000 are the most it was told to send"},
		{"long properties", append(bytes.Clone(connack), 0x40, 4, 0, 1, 0, 9), Broken, "malformed packet: type 4: properties of 9 bytes in a packet of 4"},
		{"huge properties", append(bytes.Clone(connack), 0x40, 8, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0x0f), Broken, "malformed packet: type 4: length of its properties: malformed packet: its length takes more than four bytes"},
		{"short topic", append(bytes.Clone(connack), 0x30, 3, 0, 9, 'a'), Broken, "malformed packet: type 3 of 3 bytes is too short"},
	} {
		r := newReader(bytes.NewReader(c.in), 1000)
		var err error
		for err == nil {
			err = r.next()
		}
		var e *Error
		if !errors.As(err, &e) || e.Kind != c.kind || e.Error() != c.err {
			t.Errorf("%s: reading % x\n got %#v %v\nwant kind %d, %s", c.name, c.in, e, err, c.kind, c.err)
		}
	}
}

// FuzzPackets holds the library to what the conn lets through: whatever a
// broker sends, nothing panics, and nothing larger than the limit passes.
func FuzzPackets(f *testing.F) {
	connack := []byte{0x20, 3, 0, 0, 0}
	f.Add(connack)
	f.Add(append(bytes.Clone(connack), 0x40, 2, 0, 1))
	f.Add(append(bytes.Clone(connack), 0x40, 4, 0, 1, 0x87, 0))
	f.Add(append(bytes.Clone(connack), 0x32, 9, 0, 1, 'a', 0, 7, 2, 0x23, 0, 1))
	f.Add(append(bytes.Clone(connack), 0xE0, 2, 0x8E, 0))
	f.Add(append(bytes.Clone(connack), 0x90, 4, 0, 1, 0, 1, 0x30, 5, 0, 1, 'a', 3, 0x0b))
	f.Add([]byte{0x20, 2, 0, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 4096
		r := newReader(bytes.NewReader(b), limit)
		src := readerFunc(func(p []byte) (int, error) {
			if len(r.rest) == 0 {
				if err := r.next(); err != nil {
					return 0, err
				}
				if len(r.rest) > limit {
					t.Fatalf("a packet of %d bytes passed", len(r.rest))
				}
			}
			n := copy(p, r.rest)
			r.rest = r.rest[n:]
			return n, nil
		})
		f := newFlow(func(Result) {}, func(error) {})
		publishes := make(chan *packets.Publish, maxReceiving)
		for {
			cp, err := packets.ReadPacket(src)
			if err != nil {
				return
			}
			_ = f.PacketReceived(cp, publishes)
			for len(publishes) > 0 {
				<-publishes
			}
		}
	})
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

var _ io.Reader = readerFunc(nil)
