package web

import (
	"strings"
	"testing"
)

func TestConfigValidate(t *testing.T) {
	for _, c := range []struct{ listen, want string }{
		{Default().Listen, ""},
		{"127.0.0.1:0", ""},
		{"127.8.9.1:8443", ""},
		{"localhost:8443", ""},
		{"[::1]:8443", ""},
		{"[::ffff:127.0.0.1]:8443", ""},
		{"", `listen: "" is not an address with a port (write 127.0.0.1:8443)`},
		{"127.0.0.1", `listen: "127.0.0.1" is not an address with a port`},
		{"127.0.0.1:https", `listen: port "https" is not a number`},
		{"127.0.0.1:65536", `listen: port "65536" is not a number`},
		{":8443", `no login yet: it listens on loopback only (write 127.0.0.1:8443, and open the page from elsewhere through ssh -L 8443:127.0.0.1:8443 HOST)`},
		{"0.0.0.0:8443", "listens on loopback only"},
		{"[::]:9000", "ssh -L 9000:127.0.0.1:9000"},
		{"192.168.1.5:8443", "listens on loopback only"},
		{"[fe80::1%lo]:8443", "listens on loopback only"},
		{"gateway.local:8443", "listens on loopback only"},
		{"127.0.0.1.evil.example:8443", "listens on loopback only"},
	} {
		got := ""
		if err := (Config{Listen: c.listen}).Validate(); err != nil {
			got = err.Error()
		}
		if (c.want == "") != (got == "") || !strings.Contains(got, c.want) {
			t.Errorf("Validate(%q)\n got %q\nwant %q", c.listen, got, c.want)
		}
	}
}

func TestListenRefuses(t *testing.T) {
	if ln, err := Listen(Config{Listen: "0.0.0.0:0"}); err == nil {
		ln.Close()
		t.Fatalf("listens on %v, want an error", ln.Addr())
	}
}
