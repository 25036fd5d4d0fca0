package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"fieldferry/mqtt/wire/packet"
)

// reader hands out the packets that arrive, byte by byte as the library asks,
// but only once each is complete, within the limit and sound.
type reader struct {
	src   *bufio.Reader
	limit int    // largest packet taken, bytes
	buf   []byte // the packet being handed out, reused
	rest  []byte // what of it is still to be handed out
	began bool   // a packet has arrived
}

func newReader(src io.Reader, limit int) *reader {
	return &reader{src: bufio.NewReaderSize(src, 16<<10), limit: limit}
}

// next reads one packet. Its errors are *Error or those of the connection.
func (r *reader) next() error {
	h, err := r.header()
	if err != nil {
		return err
	}
	total := h.Size + h.Rest
	if total > r.limit {
		return broken(fmt.Errorf("the broker sent a packet of %d bytes; %d are the most it was told to send", total, r.limit))
	}
	if cap(r.buf) < total {
		r.buf = make([]byte, total)
	}
	r.buf = r.buf[:total]
	if _, err := io.ReadFull(r.src, r.buf); err != nil {
		return err
	}
	if !r.began {
		r.began = true
		if err := firstPacket(h, r.buf[h.Size:]); err != nil {
			return err
		}
	}
	if err := packet.Check(h, r.buf[h.Size:]); err != nil {
		return broken(err)
	}
	r.rest = r.buf
	return nil
}

// header looks at the next fixed header without taking it.
func (r *reader) header() (packet.Header, error) {
	for n := 2; ; n++ {
		b, err := r.src.Peek(n)
		if err != nil {
			if len(b) > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return packet.Header{}, r.early(b, err)
		}
		h, err := packet.Parse(b)
		switch {
		case err == nil && (r.began || h.Type == packet.Connack || h.Type == packet.Auth):
			return h, nil
		case errors.Is(err, packet.ErrShort) && n < packet.MaxHeader:
		case !r.began:
			return packet.Header{}, r.notMQTT()
		case err == nil:
			return h, nil
		default:
			return packet.Header{}, broken(err)
		}
	}
}

// early words a connection that ended before anything was said.
func (r *reader) early(b []byte, err error) error {
	if r.began || isTLS(err) {
		return err
	}
	known := ioError(err)
	if known.Kind != Closed {
		return err
	}
	if len(b) > 0 {
		return r.notMQTT()
	}
	return &Error{Kind: Closed, Err: fmt.Errorf("the broker closed the connection without answering CONNECT: "+
		"it may want TLS, a client certificate or MQTT 3.1.1, or use this client id elsewhere: %w", err)}
}

// notMQTT quotes what was received instead of CONNACK.
func (r *reader) notMQTT() error {
	n := min(r.src.Buffered(), 40)
	b, _ := r.src.Peek(n) // never blocks: so much is buffered
	return &Error{Kind: NotMQTT, Err: fmt.Errorf("not an MQTT broker: it answers %q", b)}
}

// firstPacket recognises the CONNACK of MQTT 3.1.1: two bytes, where MQTT 5
// has at least three.
func firstPacket(h packet.Header, body []byte) error {
	if h.Type != packet.Connack || len(body) != 2 {
		return nil
	}
	words := map[byte]string{
		0: "it answers with version 3.1.1 although version 5 was asked for",
		1: "it does not accept version 5",
		2: "it does not accept the client id",
		3: "it is unavailable",
		4: "it does not accept the user name or password",
		5: "the client is not authorized",
	}[body[1]]
	if words == "" {
		words = fmt.Sprintf("it answers with code %d", body[1])
	}
	return &Error{Kind: Only311, Err: fmt.Errorf("the broker speaks only MQTT 3.1.1: %s; this uplink needs MQTT 5", words)}
}
