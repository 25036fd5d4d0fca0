package mqtt

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"fieldferry/tag"
)

func valid() Config {
	c := Default()
	c.Name, c.Brokers = "plant", []string{"mqtts://broker-a", "mqtt://10.0.0.5:1884"}
	return c
}

func TestDefaultIsValid(t *testing.T) {
	if err := valid().Validate(); err != nil {
		t.Error(err)
	}
}

func TestValidateTellsEveryFaultWithPathAndHint(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*Config)
		want   string
	}{
		{"name", func(c *Config) { c.Name = "" }, "name: an uplink needs a name (such as name: plant)"},
		{"no broker", func(c *Config) { c.Brokers = nil }, "brokers: an uplink needs a broker (such as brokers: [mqtt://192.168.1.5:1883])"},
		{"tcp", func(c *Config) { c.Brokers = []string{"mqtt://a", "tcp://b"} }, `brokers[1]: "tcp://b" does not begin with mqtt:// or mqtts:// (write mqtt:// instead of tcp://)`},
		{"ssl", func(c *Config) { c.Brokers = []string{"ssl://b"} }, `brokers[0]: "ssl://b" does not begin with mqtt:// or mqtts:// (write mqtts:// instead of ssl://)`},
		{"password in the URL", func(c *Config) { c.Brokers = []string{"mqtt://anna:geheim@b"} },
			`brokers[0]: "mqtt://***@b" has a user name or password in it (write auth: {username: ..., password_file: ...} instead)`},
		{"twice", func(c *Config) { c.Brokers = []string{"mqtt://a", "mqtt://a:1883"} }, `brokers[1]: "mqtt://a:1883" is the same broker as brokers[0] (list it once)`},
		{"client id", func(c *Config) { c.ClientID = "{host}" }, `client_id: unknown placeholder in "{host}" (use {gateway} and {uplink}, as in "{gateway}-{uplink}")`},
		{"no client id", func(c *Config) { c.ClientID = " " }, `client_id: the client id is empty (use {gateway} and {uplink}, as in "{gateway}-{uplink}")`},
		{"qos", func(c *Config) { c.QoS = 2 }, "qos: qos 2 is not supported (use 1: at least once, in order)"},
		{"window", func(c *Config) { c.Window = 0 }, "window: a window of 0 messages is not between 1 and 65535 (the default is 128)"},
		{"keep-alive", func(c *Config) { c.KeepAlive = time.Second }, "keep_alive: a keep-alive of 1s is not whole seconds between 5s and 1h (the default is 30s)"},
		{"start", func(c *Config) { c.Start = "later" }, `start: unknown start "later" (use now or oldest)`},
		{"replay", func(c *Config) { c.Replay = "newest" }, `replay: unknown order "newest" (use live-first or in-order)`},
		{"replay share", func(c *Config) { c.ReplayShare = 101 }, "replay_share: a share of 101 percent is not between 1 and 100 (the default is 80)"},
		{"replay rate", func(c *Config) { c.ReplayRate = -1 }, "replay_rate: a rate of -1 samples per second is negative (the default is 0: no bound)"},
		{"pace in order", func(c *Config) { c.Replay, c.ReplayRate = inOrder, 100 },
			"replay: in-order knows no backlog, so that replay_share and replay_rate have no effect (remove them)"},
		{"key without certificate", func(c *Config) { c.TLS.KeyFile = "k" }, "tls.cert_file: key_file is set but cert_file is not (a key needs its certificate)"},
		{"certificate without key", func(c *Config) { c.TLS.CertFile = "c" }, "tls.key_file: cert_file is set but key_file is not (a certificate needs its key)"},
		{"tls for nobody", func(c *Config) { c.Brokers, c.TLS.CAFile = []string{"mqtt://a"}, "ca" }, "tls: no broker of this uplink uses TLS (write mqtts:// in brokers, or remove tls)"},
		{"insecure with CA", func(c *Config) { c.TLS.Insecure, c.TLS.CAFile = true, "ca" },
			"tls.insecure: insecure accepts any certificate, so that ca_file and server_name have no effect (remove insecure)"},
		{"commands", func(c *Config) { c.Commands = &Commands{Accept: []string{"xml"}} }, `commands.accept: unknown form of command "xml" (use json, plain or both)`},
		{"payload", func(c *Config) { c.Payload.OnBad = "maybe" }, `on_bad: unknown on_bad "maybe" (use empty, last or omit)`},
		{"two at once", func(c *Config) { c.Name, c.QoS = "", 0 },
			"name: an uplink needs a name (such as name: plant)\nqos: qos 0 is not supported (use 1: at least once, in order)"},
	} {
		conf := valid()
		c.change(&conf)
		err := conf.Validate()
		var faults tag.Faults
		if !errors.As(err, &faults) || err.Error() != c.want {
			t.Errorf("%s:\n got %v\nwant %s", c.name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: the password is in the fault", c.name)
		}
	}
}

func TestPasswordFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	for _, c := range []struct{ content, want, err string }{
		{"geheim\n", "geheim", ""},
		{"geheim\r\n", "geheim", ""},
		{" with spaces ", " with spaces ", ""},
		{"\n", "", "password file " + path + " is empty"},
		{strings.Repeat("x", 70000), "", "password file: " + path + " has more than 65536 bytes"},
	} {
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		conf := valid()
		conf.Auth = Auth{Username: "line3", PasswordFile: path}
		o, err := conf.login()
		msg := ""
		if err != nil {
			msg = err.Error()
		} else if o.Username != "line3" {
			t.Errorf("user name %q", o.Username)
		}
		if string(o.Password) != c.want || msg != c.err {
			t.Errorf("content %.20q\n got %q, %q\nwant %q, %q", c.content, o.Password, msg, c.want, c.err)
		}
	}
	conf := valid()
	conf.Auth.PasswordFile = path + ".missing"
	if _, err := conf.login(); err == nil || !strings.Contains(err.Error(), "password file: open "+path) {
		t.Errorf("missing file: %v", err)
	}
}

func TestClientIDTemplate(t *testing.T) {
	for _, c := range []struct{ template, want, err string }{
		{"{gateway}-{uplink}", "line3-plant", ""},
		{"fixed", "fixed", ""},
		{"{uplink}{uplink}", "plantplant", ""},
		{"a\nb", "", `the client id "a\nb" has a character that MQTT does not allow`},
		{"{gateway", "", `unknown placeholder in "{gateway"`},
	} {
		got, err := clientID(c.template, "line3", "plant")
		msg := ""
		if err != nil {
			msg = err.Error()
		}
		if got != c.want || msg != c.err {
			t.Errorf("clientID(%q) = %q, %q; want %q, %q", c.template, got, msg, c.want, c.err)
		}
	}
}

func TestNewWantsWhatTheConfigurationNeeds(t *testing.T) {
	conf := valid()
	if _, err := New(conf, Deps{}); err == nil {
		t.Error("without a reader: no error")
	}
	conf.QoS = 0
	if _, err := New(conf, Deps{}); err == nil {
		t.Error("an invalid configuration: no error")
	}
}
