package wire

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// The packet types that this side looks at before the library does.
const (
	typeConnack    = 2
	typePublish    = 3
	typePuback     = 4
	typePubrel     = 6
	typePubcomp    = 7
	typeSuback     = 9
	typeUnsuback   = 11
	typePingresp   = 13
	typeDisconnect = 14
	typeAuth       = 15
)

// maxHeader is the longest fixed header: a byte and four of length.
const maxHeader = 5

var (
	errShortHeader = errors.New("header is not complete")
	errLongLength  = errors.New("malformed packet: its length takes more than four bytes")
)

// header is the fixed header of a packet (section 2.1 of the standard).
type header struct {
	typ   byte
	flags byte
	rest  int // bytes that follow the header
	size  int // bytes of the header itself
}

// parseHeader reads a fixed header from the front of b. errShortHeader asks
// for more bytes.
func parseHeader(b []byte) (header, error) {
	if len(b) < 2 {
		return header{}, errShortHeader
	}
	h := header{typ: b[0] >> 4, flags: b[0] & 0x0f}
	rest, n, err := varint(b[1:])
	if err != nil {
		return header{}, err
	}
	h.rest, h.size = rest, n+1
	return h, h.allowed()
}

// allowed refuses types that a broker never sends, and flags that are
// reserved (section 2.1.3).
func (h header) allowed() error {
	want := byte(0)
	switch h.typ {
	case typePublish:
		if h.flags&0x06 == 0x06 {
			return errors.New("malformed packet: PUBLISH with QoS 3")
		}
		return nil
	case typePubrel:
		want = 2
	case typeConnack, typePuback, typePuback + 1, typePubcomp, typeSuback, typeUnsuback,
		typePingresp, typeDisconnect, typeAuth:
	default:
		return fmt.Errorf("malformed packet: a broker does not send type %d", h.typ)
	}
	if h.flags != want {
		return fmt.Errorf("malformed packet: type %d with flags 0x%X", h.typ, h.flags)
	}
	return nil
}

// varint reads a variable byte integer (section 1.5.5) and tells how many
// bytes it took.
func varint(b []byte) (value, n int, err error) {
	for n < 4 {
		if n == len(b) {
			return 0, 0, errShortHeader
		}
		c := b[n]
		value |= int(c&0x7f) << (7 * n)
		n++
		if c&0x80 == 0 {
			return value, n, nil
		}
	}
	return 0, 0, errLongLength
}

// checkBody finds the length of the properties in a packet's body and holds
// it against what is there. The library takes that length as it comes and,
// where int has 32 bits, can be made to panic by it.
func checkBody(h header, body []byte) error {
	at, optional := propertiesAt(h, body)
	if at < 0 {
		return nil // a packet without properties
	}
	if at == len(body) && optional {
		return nil
	}
	if at >= len(body) {
		return fmt.Errorf("malformed packet: type %d of %d bytes is too short", h.typ, len(body))
	}
	length, n, err := varint(body[at:])
	if err != nil {
		return fmt.Errorf("malformed packet: type %d: length of its properties: %w", h.typ, err)
	}
	if at+n+length > len(body) {
		return fmt.Errorf("malformed packet: type %d: properties of %d bytes in a packet of %d", h.typ, length, len(body))
	}
	return nil
}

// propertiesAt returns where the properties of a packet start, -1 where it
// has none, and whether the packet may end there.
func propertiesAt(h header, body []byte) (at int, optional bool) {
	switch h.typ {
	case typePublish:
		if len(body) < 2 {
			return len(body), false
		}
		at = 2 + int(body[0])<<8 + int(body[1])
		if h.flags&0x06 != 0 {
			at += 2
		}
		return at, false
	case typeConnack, typeSuback, typeUnsuback:
		return 2, false
	case typePuback, typePuback + 1, typePubrel, typePubcomp:
		if len(body) == 2 {
			return -1, true
		}
		return 3, true
	case typeDisconnect, typeAuth:
		if len(body) == 0 {
			return -1, true
		}
		return 1, true
	}
	return -1, true
}

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
	total := h.size + h.rest
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
		if err := firstPacket(h, r.buf[h.size:]); err != nil {
			return err
		}
	}
	if err := checkBody(h, r.buf[h.size:]); err != nil {
		return broken(err)
	}
	r.rest = r.buf
	return nil
}

// header looks at the next fixed header without taking it.
func (r *reader) header() (header, error) {
	for n := 2; ; n++ {
		b, err := r.src.Peek(n)
		if err != nil {
			if len(b) > 0 && errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return header{}, r.early(b, err)
		}
		h, err := parseHeader(b)
		switch {
		case err == nil && (r.began || h.typ == typeConnack || h.typ == typeAuth):
			return h, nil
		case errors.Is(err, errShortHeader) && n < maxHeader:
		case !r.began:
			return header{}, r.notMQTT()
		case err == nil:
			return h, nil
		default:
			return header{}, broken(err)
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
func firstPacket(h header, body []byte) error {
	if h.typ != typeConnack || len(body) != 2 {
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
