package wire

import (
	"time"

	"github.com/gopcua/opcua/ua"

	"fieldferry/drivers/opcua/trust"
)

// Config is what a session needs to know. Nothing of it is taken from what a
// server offers.
type Config struct {
	Endpoint       string        // opc.tcp://host:port/path; the host that is dialled, whatever the server calls itself
	Name           string        // of the session, as the server shows it
	ApplicationURI string        // ours; with a secured channel the one in our certificate
	Timeout        time.Duration // of each step of opening and the least TimeoutHint of a request; above zero
	Session        time.Duration // how long the server keeps a session that falls silent
	Security       Security
	User           User
}

// Security is the protection of the channel. The zero Security is none.
type Security struct {
	Policy string // URI of the security policy; empty: none
	Mode   ua.MessageSecurityMode
	Server []byte         // DER of the only certificate that the server may show
	Own    trust.Identity // our certificate
}

// secured says that messages are at least signed.
func (s Security) secured() bool { return s.Policy != "" && s.Policy != ua.SecurityPolicyURINone }

// User is who we are on the server. The zero User is anonymous.
type User struct {
	Name       string
	Password   string
	AllowPlain bool // the password may cross a channel that does not hide it
}

const (
	// channelLifetime is how long the keys of a channel live. The library
	// renews them at three quarters and races with requests while it does
	// (gopcua #882): seldom is better.
	channelLifetime = time.Hour
	// smallestBuffer and largestBuffer are the receive buffers that a
	// server may announce: less than the first is forbidden (Part 6,
	// 7.1.2.3) and crashes the library, and it would allocate the whole
	// buffer for every message.
	smallestBuffer = 8192
	largestBuffer  = 1 << 20
	// ourBuffer, ourMessage and ourChunks are what we announce.
	ourBuffer  = 0xffff
	ourMessage = 16 << 20
	ourChunks  = 512
	// closing bounds an orderly end.
	closing = time.Second
)
