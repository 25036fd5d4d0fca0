package peers

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// Broker is a mosquitto on a port of 127.0.0.1 that it keeps when it is
// stopped and started again.
type Broker struct {
	Port int
	Dir  string // its own folder, for persistence, passwords and the like
	t    testing.TB
	conf string // path of the configuration file
	p    *process
}

// Mosquitto starts a broker with a configuration and returns when it accepts
// connections. In conf, {port} is replaced by a free port and {dir} by a
// folder of the broker's own; without {port} a listener on 127.0.0.1 and the
// permission for anonymous clients are put in front.
func Mosquitto(t testing.TB, conf string) *Broker {
	t.Helper()
	b := &Broker{Dir: t.TempDir(), t: t}
	b.conf = filepath.Join(b.Dir, "mosquitto.conf")
	var err error
	// The port may be taken between our look and the broker's: then it ends
	// at once, and the next port is tried.
	for range 5 {
		b.Port = freePort(t)
		if err = os.WriteFile(b.conf, b.configuration(conf), 0o600); err != nil {
			t.Fatalf("write mosquitto's configuration: %v", err)
		}
		if err = b.start(); err == nil || !strings.Contains(err.Error(), "in use") {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *Broker) configuration(conf string) []byte {
	if !strings.Contains(conf, "{port}") {
		conf = "listener {port} 127.0.0.1\nallow_anonymous true\n" + conf
	}
	if os.Geteuid() == 0 && !strings.Contains(conf, "\nuser ") {
		conf = "user root\n" + conf // else it gives up root and cannot read its folder
	}
	return []byte(strings.NewReplacer("{port}", strconv.Itoa(b.Port), "{dir}", b.Dir).Replace(conf))
}

func (b *Broker) start() error {
	b.t.Helper()
	b.p = start(b.t, "/usr/sbin/mosquitto", "-c", b.conf)
	return b.p.await(func() bool { return answers(b.Port) })
}

// Start starts a stopped broker again, on the same port.
func (b *Broker) Start() {
	b.t.Helper()
	if err := b.start(); err != nil {
		b.t.Fatal(err)
	}
}

// Stop ends the broker in its own time: it says good-bye and saves what its
// configuration asks for. It returns when the program has ended.
func (b *Broker) Stop() { b.p.stop(syscall.SIGTERM) }

// Kill ends the broker at once.
func (b *Broker) Kill() { b.p.stop(syscall.SIGKILL) }

// URL is the broker as a configuration names it: mqtt://127.0.0.1:PORT.
func (b *Broker) URL() string { return fmt.Sprintf("mqtt://127.0.0.1:%d", b.Port) }

// Log is what the broker has printed since it was last started.
func (b *Broker) Log() string { return b.p.out.String() }
