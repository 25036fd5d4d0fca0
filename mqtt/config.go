package mqtt

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"fieldferry/mapping/payload"
	"fieldferry/mqtt/request"
	"fieldferry/mqtt/wire"
	"fieldferry/tag"
)

// Config is an uplink as the user writes it. Default sets the defaults.
type Config struct {
	// Name is unique among the uplinks. It names the position in the buffer.
	Name string `yaml:"name"`

	// Brokers are mqtt://host:port or mqtts://host:port. The first one that
	// can be reached is used; after a connection is lost they are tried in
	// this order again. Ports default to 1883 and 8883.
	Brokers []string `yaml:"brokers"`

	// ClientID is a template of {gateway} and {uplink}. Commands connect
	// with "-cmd" behind it. No other client of the broker may use either.
	// Default "{gateway}-{uplink}".
	ClientID string `yaml:"client_id"`

	Auth Auth `yaml:"auth"`
	TLS  TLS  `yaml:"tls"`

	// QoS is the quality of service of values: 1, at least once. Default 1.
	QoS int `yaml:"qos"`

	// Window is how many messages may be on their way at once, from 1 to
	// 65535; the broker may allow fewer. Default 128.
	Window int `yaml:"window"`

	// KeepAlive is how long a connection may be quiet before it is tested,
	// from 5 seconds to an hour, in whole seconds. A dead connection is
	// found within twice this time. Default 30s.
	KeepAlive time.Duration `yaml:"keep_alive"`

	// Start is where a new uplink begins: now, or at the oldest sample in
	// the buffer. Default now.
	Start string `yaml:"start"`

	// Replay says what goes first after an outage: live samples, with what has
	// waited beside them (live-first), or everything in the order in which it
	// was read (in-order). Default live-first.
	Replay string `yaml:"replay"`

	// ReplayShare is how much of what the broker has shown to take may go to
	// what has waited, in percent, from 1 to 100. Default 80.
	ReplayShare int `yaml:"replay_share"`

	// ReplayRate bounds that, in samples per second. Default 0: no bound.
	ReplayRate int `yaml:"replay_rate"`

	// Commands lets the broker's clients write tags. Default: no commands.
	Commands *Commands `yaml:"commands"`

	// Payload says how topics and messages look.
	Payload payload.Config `yaml:",inline"`
}

// Auth is how the gateway proves who it is.
type Auth struct {
	// Username is sent as it is. Default: none.
	Username string `yaml:"username"`

	// PasswordFile holds the password; a line break at its end does not
	// count. It is read at every connect. Default: none.
	PasswordFile string `yaml:"password_file,path"`
}

// TLS holds for the brokers with mqtts://. The files are PEM and are read at
// every connect. At least TLS 1.2 is spoken.
type TLS struct {
	// CAFile holds the authorities that the broker's certificate may come
	// from. Default: those the system trusts.
	CAFile string `yaml:"ca_file,path"`

	// CertFile and KeyFile are the gateway's own certificate. Default: none.
	CertFile string `yaml:"cert_file,path"`
	KeyFile  string `yaml:"key_file,path"`

	// ServerName must be in the broker's certificate. Default: the host of
	// the broker's URL.
	ServerName string `yaml:"server_name"`

	// Insecure accepts any certificate: whoever is in between can read and
	// change everything. Default false.
	Insecure bool `yaml:"insecure"`
}

// Commands are writes that arrive at {root}/_/set/{device}/{tag}.
type Commands struct {
	// Accept lists the forms: json, {"value":...,"id":...,"expires":...};
	// plain, the value alone. Default [json].
	Accept []string `yaml:"accept"`
}

// defaultShare is the ReplayShare of a configuration that says nothing.
const defaultShare = 80

// Default returns the configuration of an uplink that says nothing. Name and
// Brokers have no default.
func Default() Config {
	return Config{
		ClientID: "{gateway}-{uplink}", QoS: 1, Window: 128, KeepAlive: 30 * time.Second,
		Start: "now", Replay: liveFirst, ReplayShare: defaultShare, Payload: payload.Default(),
	}
}

// Validate returns tag.Faults for everything that can be seen without a
// broker, the gateway's name and the files.
func (c Config) Validate() error {
	var fs tag.Faults
	add := func(path, text, hint string) { fs = append(fs, tag.Fault{Path: path, Text: text, Hint: hint}) }
	if c.Name == "" {
		add("name", "an uplink needs a name", "such as name: plant")
	}
	fs = append(fs, c.brokerFaults()...)
	if _, err := clientID(c.ClientID, "g", "u"); err != nil {
		add("client_id", err.Error(), `use {gateway} and {uplink}, as in "{gateway}-{uplink}"`)
	}
	if c.QoS != 1 {
		add("qos", fmt.Sprintf("qos %d is not supported", c.QoS), "use 1: at least once, in order")
	}
	if c.Window < 1 || c.Window > 65535 {
		add("window", fmt.Sprintf("a window of %d messages is not between 1 and 65535", c.Window), "the default is 128")
	}
	if c.KeepAlive < 5*time.Second || c.KeepAlive > time.Hour || c.KeepAlive%time.Second != 0 {
		add("keep_alive", fmt.Sprintf("a keep-alive of %v is not whole seconds between 5s and 1h", c.KeepAlive), "the default is 30s")
	}
	if c.Start != "now" && c.Start != "oldest" {
		add("start", fmt.Sprintf("unknown start %q", c.Start), "use now or oldest")
	}
	fs = append(fs, c.replayFaults()...)
	fs = append(fs, c.tlsFaults()...)
	if c.Commands != nil {
		if _, err := c.Commands.forms(); err != nil {
			add("commands.accept", err.Error(), "use json, plain or both")
		}
	}
	var inner tag.Faults
	if err := c.Payload.Validate(); errors.As(err, &inner) {
		fs = append(fs, inner...)
	} else if err != nil {
		add("", err.Error(), "")
	}
	return fs.Err()
}

func (c Config) replayFaults() (fs tag.Faults) {
	add := func(path, text, hint string) { fs = append(fs, tag.Fault{Path: path, Text: text, Hint: hint}) }
	if c.Replay != liveFirst && c.Replay != inOrder {
		add("replay", fmt.Sprintf("unknown order %q", c.Replay), "use live-first or in-order")
	}
	if c.ReplayShare < 1 || c.ReplayShare > 100 {
		add("replay_share", fmt.Sprintf("a share of %d percent is not between 1 and 100", c.ReplayShare), "the default is 80")
	}
	if c.ReplayRate < 0 {
		add("replay_rate", fmt.Sprintf("a rate of %d samples per second is negative", c.ReplayRate), "the default is 0: no bound")
	}
	if c.Replay == inOrder && (c.ReplayShare != defaultShare || c.ReplayRate != 0) {
		add("replay", "in-order knows no backlog, so that replay_share and replay_rate have no effect", "remove them")
	}
	return fs
}

func (c Config) brokerFaults() tag.Faults {
	if len(c.Brokers) == 0 {
		return tag.Faults{{Path: "brokers", Text: "an uplink needs a broker", Hint: "such as brokers: [mqtt://192.168.1.5:1883]"}}
	}
	var fs tag.Faults
	seen := map[wire.Broker]int{}
	for i, s := range c.Brokers {
		path := fmt.Sprintf("brokers[%d]", i)
		b, err := wire.ParseBroker(s)
		if err != nil {
			fs = append(fs, tag.Fault{Path: path, Text: err.Error(), Hint: brokerHint(s)})
			continue
		}
		if first, twice := seen[b]; twice {
			fs = append(fs, tag.Fault{Path: path, Text: fmt.Sprintf("%q is the same broker as brokers[%d]", s, first), Hint: "list it once"})
			continue
		}
		seen[b] = i
	}
	return fs
}

func brokerHint(s string) string {
	scheme, rest, found := strings.Cut(s, "://")
	switch {
	case found && strings.Contains(rest, "@"):
		return "write auth: {username: ..., password_file: ...} instead"
	case scheme == "tcp":
		return "write mqtt:// instead of tcp://"
	case scheme == "ssl" || scheme == "tls":
		return "write mqtts:// instead of " + scheme + "://"
	}
	return "write mqtt://host:port, or mqtts://host:port for TLS"
}

func (c Config) tlsFaults() tag.Faults {
	var fs tag.Faults
	switch {
	case c.TLS.CertFile != "" && c.TLS.KeyFile == "":
		fs = append(fs, tag.Fault{Path: "tls.key_file", Text: "cert_file is set but key_file is not", Hint: "a certificate needs its key"})
	case c.TLS.CertFile == "" && c.TLS.KeyFile != "":
		fs = append(fs, tag.Fault{Path: "tls.cert_file", Text: "key_file is set but cert_file is not", Hint: "a key needs its certificate"})
	}
	if c.TLS != (TLS{}) && !c.anyTLS() {
		fs = append(fs, tag.Fault{Path: "tls", Text: "no broker of this uplink uses TLS", Hint: "write mqtts:// in brokers, or remove tls"})
	}
	if c.TLS.Insecure && (c.TLS.CAFile != "" || c.TLS.ServerName != "") {
		fs = append(fs, tag.Fault{Path: "tls.insecure", Text: "insecure accepts any certificate, so that ca_file and server_name have no effect",
			Hint: "remove insecure"})
	}
	return fs
}

// anyTLS also says yes where a broker cannot be read: that is a fault of its
// own.
func (c Config) anyTLS() bool {
	for _, s := range c.Brokers {
		if b, err := wire.ParseBroker(s); err != nil || b.TLS {
			return true
		}
	}
	return len(c.Brokers) == 0
}

// forms reads Accept.
func (c *Commands) forms() (request.Forms, error) {
	if len(c.Accept) == 0 {
		return request.Forms{JSON: true}, nil
	}
	var f request.Forms
	for _, a := range c.Accept {
		switch a {
		case "json":
			f.JSON = true
		case "plain":
			f.Plain = true
		default:
			return f, fmt.Errorf("unknown form of command %q", a)
		}
	}
	return f, nil
}

// ClientIDs are the ids that an uplink of the gateway of this name connects
// with: that for values, and that for commands where there are any. The error
// says why there is no such id.
func (c Config) ClientIDs(gateway string) ([]string, error) {
	id, err := clientID(c.ClientID, gateway, c.Name)
	if err != nil {
		return nil, err
	}
	if c.Commands == nil {
		return []string{id}, nil
	}
	return []string{id, id + forCommands}, nil
}

// forCommands stands behind the client id of the connection for commands.
const forCommands = "-cmd"

// clientID fills in the template.
func clientID(template, gateway, uplink string) (string, error) {
	id := strings.NewReplacer("{gateway}", gateway, "{uplink}", uplink).Replace(template)
	switch {
	case strings.TrimSpace(id) == "":
		return "", errors.New("the client id is empty")
	case strings.ContainsAny(template, "{}") && strings.ContainsAny(strings.NewReplacer("{gateway}", "", "{uplink}", "").Replace(template), "{}"):
		return "", fmt.Errorf("unknown placeholder in %q", template)
	case len(id) > 1024:
		return "", fmt.Errorf("a client id of %d bytes is longer than 1024", len(id))
	}
	for _, r := range id {
		if r < ' ' || r == 0x7f || r == '\uFFFD' {
			return "", fmt.Errorf("the client id %q has a character that MQTT does not allow", id)
		}
	}
	return id, nil
}

// login returns what wire needs of the configuration, the password included.
func (c *Config) login() (wire.Options, error) {
	o := wire.Options{
		TLS:      wire.TLS(c.TLS),
		Username: c.Auth.Username, KeepAlive: c.KeepAlive,
	}
	if c.Auth.PasswordFile == "" {
		return o, nil
	}
	b, err := readSmall(c.Auth.PasswordFile)
	if err != nil {
		return o, &wire.Error{Kind: wire.Local, Err: fmt.Errorf("password file: %w", err)}
	}
	o.Password = []byte(strings.TrimRight(string(b), "\r\n"))
	if len(o.Password) == 0 {
		return o, &wire.Error{Kind: wire.Local, Err: fmt.Errorf("password file %s is empty", c.Auth.PasswordFile)}
	}
	return o, nil
}

// readSmall reads a file that has to be small.
func readSmall(path string) ([]byte, error) {
	const most = 64 << 10
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && len(b) > most {
		err = fmt.Errorf("%s has more than %d bytes", path, most)
	}
	return b, err
}
