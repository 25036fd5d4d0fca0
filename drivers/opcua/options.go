package opcua

import (
	"time"

	"fieldferry/tag"
)

// LinkOptions are what a link to an OPC UA server adds to tag.Link.
type LinkOptions struct {
	Security   Security          `yaml:"security"`
	Auth       Auth              `yaml:"auth"`
	Namespaces map[string]string `yaml:"namespaces"` // alias: namespace URI; s7:"DB"."X" then names a node there
	Timeout    time.Duration     `yaml:"timeout"`    // of each request; default 5s, 100ms to 5m
}

// Security is how messages are protected. Nothing of it is negotiated: the
// server takes it or there is no connection.
type Security struct {
	Policy         string `yaml:"policy"`           // none, Basic256Sha256, Aes128_Sha256_RsaOaep, Aes256_Sha256_RsaPss; required, so that none is a decision
	Mode           string `yaml:"mode"`             // sign or sign-and-encrypt (default); empty or none with policy none
	ServerCertFile string `yaml:"server_cert_file"` // the only certificate that the server may show, PEM or DER; required unless policy is none
	OwnCertDir     string `yaml:"own_cert_dir"`     // where our certificate is kept, made on first use; required unless policy is none
}

// Auth is who we are on the server: anonymous without a user name.
type Auth struct {
	Username         string `yaml:"username"`
	PasswordFile     string `yaml:"password_file"`     // its first line is the password; read on every connection
	AllowUnencrypted bool   `yaml:"allow_unencrypted"` // the password may cross the network unprotected; default false
}

// TagOptions are what a tag adds to tag.Tag. They may be written in the
// defaults of a link, in a profile or at a device.
type TagOptions struct {
	Mode         string       `yaml:"mode"` // poll (default): read every interval; subscribe: the server pushes changes, sampled every interval
	Subscription Subscription `yaml:"subscription"`
}

// Subscription tunes mode subscribe. Tags of a link with equal publishing and
// keep_alive share one subscription.
type Subscription struct {
	Publishing time.Duration `yaml:"publishing"` // how often the server sends what changed; default: the tag's interval, at least 100ms
	KeepAlive  time.Duration `yaml:"keep_alive"` // how often it speaks when nothing changed; default 2s; silence of three ends the connection
	Queue      int           `yaml:"queue"`      // samples the server keeps per tag between two sends; default: two publishing intervals' worth, at least 10
}

// The words for TagOptions.Mode.
const (
	ModePoll      = "poll"
	ModeSubscribe = "subscribe"
)

const (
	defaultTimeout    = 5 * time.Second
	defaultKeepAlive  = 2 * time.Second
	leastPublishing   = 100 * time.Millisecond
	leastQueue        = 10
	mostQueue         = 100_000
	sessionLifetime   = time.Minute // how long a server keeps the session of a gateway that fell silent
	mostNodesPerRead  = 500         // where the server allows more
	heartbeatInterval = 10 * time.Second
)

func newLinkOptions() *LinkOptions { return &LinkOptions{Timeout: defaultTimeout} }

func newTagOptions() *TagOptions { return &TagOptions{Mode: ModePoll} }

// linkOptions are the options of a link, the defaults where it has none.
func linkOptions(l *tag.Link) *LinkOptions {
	if o, ok := l.Options.(*LinkOptions); ok && o != nil {
		return o
	}
	return newLinkOptions()
}

func tagOptions(t *tag.Tag) *TagOptions {
	if o, ok := t.Options.(*TagOptions); ok && o != nil {
		return o
	}
	return newTagOptions()
}

// subscribes says whether the server is asked to push t.
func subscribes(t *tag.Tag) bool { return tagOptions(t).Mode == ModeSubscribe }

// effective are the subscription settings of t with the defaults filled in.
func effective(t *tag.Tag) Subscription {
	s := tagOptions(t).Subscription
	if s.Publishing == 0 {
		s.Publishing = max(t.Interval, leastPublishing)
	}
	if s.KeepAlive == 0 {
		s.KeepAlive = defaultKeepAlive
	}
	s.KeepAlive = max(s.KeepAlive, s.Publishing)
	if s.Queue == 0 {
		perSend := (s.Publishing + t.Interval - 1) / max(t.Interval, 1)
		s.Queue = int(min(max(leastQueue, 2*perSend), mostQueue))
	}
	return s
}
