package packet

import (
	"errors"
	"fmt"
)

// The packet types that a broker sends.
const (
	Connack    = 2
	Publish    = 3
	Puback     = 4
	pubrel     = 6
	pubcomp    = 7
	suback     = 9
	unsuback   = 11
	pingresp   = 13
	disconnect = 14
	Auth       = 15
)

// MaxHeader is the longest fixed header: a byte and four of length.
const MaxHeader = 5

// ErrShort is returned by Parse when the header needs more bytes.
var ErrShort = errors.New("header is not complete")

var errLongLength = errors.New("malformed packet: its length takes more than four bytes")

// Header is the fixed header of a packet (section 2.1 of the standard).
type Header struct {
	Type  byte
	Flags byte
	Rest  int // bytes that follow the header
	Size  int // bytes of the header itself
}

// Parse reads a fixed header from the front of b. ErrShort asks for more
// bytes; any other error means that no broker sends such a packet.
func Parse(b []byte) (Header, error) {
	if len(b) < 2 {
		return Header{}, ErrShort
	}
	h := Header{Type: b[0] >> 4, Flags: b[0] & 0x0f}
	rest, n, err := varint(b[1:])
	if err != nil {
		return Header{}, err
	}
	h.Rest, h.Size = rest, n+1
	return h, h.allowed()
}

// allowed refuses types that a broker never sends, and flags that are
// reserved (section 2.1.3).
func (h Header) allowed() error {
	want := byte(0)
	switch h.Type {
	case Publish:
		if h.Flags&0x06 == 0x06 {
			return errors.New("malformed packet: PUBLISH with QoS 3")
		}
		return nil
	case pubrel:
		want = 2
	case Connack, Puback, Puback + 1, pubcomp, suback, unsuback,
		pingresp, disconnect, Auth:
	default:
		return fmt.Errorf("malformed packet: a broker does not send type %d", h.Type)
	}
	if h.Flags != want {
		return fmt.Errorf("malformed packet: type %d with flags 0x%X", h.Type, h.Flags)
	}
	return nil
}

// varint reads a variable byte integer (section 1.5.5) and tells how many
// bytes it took.
func varint(b []byte) (value, n int, err error) {
	for n < 4 {
		if n == len(b) {
			return 0, 0, ErrShort
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

// Check finds the length of the properties in a packet's body and holds
// it against what is there. The library takes that length as it comes and,
// where int has 32 bits, can be made to panic by it.
func Check(h Header, body []byte) error {
	at, optional := propertiesAt(h, body)
	if at < 0 {
		return nil // a packet without properties
	}
	if at == len(body) && optional {
		return nil
	}
	if at >= len(body) {
		return fmt.Errorf("malformed packet: type %d of %d bytes is too short", h.Type, len(body))
	}
	length, n, err := varint(body[at:])
	if err != nil {
		return fmt.Errorf("malformed packet: type %d: length of its properties: %w", h.Type, err)
	}
	if at+n+length > len(body) {
		return fmt.Errorf("malformed packet: type %d: properties of %d bytes in a packet of %d", h.Type, length, len(body))
	}
	return nil
}

// propertiesAt returns where the properties of a packet start, -1 where it
// has none, and whether the packet may end there.
func propertiesAt(h Header, body []byte) (at int, optional bool) {
	switch h.Type {
	case Publish:
		if len(body) < 2 {
			return len(body), false
		}
		at = 2 + int(body[0])<<8 + int(body[1])
		if h.Flags&0x06 != 0 {
			at += 2
		}
		return at, false
	case Connack, suback, unsuback:
		return 2, false
	case Puback, Puback + 1, pubrel, pubcomp:
		if len(body) == 2 {
			return -1, true
		}
		return 3, true
	case disconnect, Auth:
		if len(body) == 0 {
			return -1, true
		}
		return 1, true
	}
	return -1, true
}
