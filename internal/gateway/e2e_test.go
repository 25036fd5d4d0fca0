//go:build peer

package gateway_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"fieldferry/internal/peers"
)

// binary is the gateway under test, built once with the race detector.
var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "fieldferry-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	binary = filepath.Join(dir, "fieldferry")
	out, err := exec.Command("go", "build", "-race", "-o", binary, "fieldferry/cmd/gateway").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "build the gateway: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// site is a gateway with its files.
type site struct {
	t   *testing.T
	dir string
	*peers.Program
}

// newSite writes a configuration and starts a gateway on it.
func newSite(t *testing.T, b *peers.Broker, links string) *site {
	t.Helper()
	s := prepareSite(t, b, links)
	s.run()
	s.Await("msg=\"gateway runs\"")
	return s
}

// prepareSite writes a configuration.
func prepareSite(t *testing.T, b *peers.Broker, links string) *site {
	t.Helper()
	s := &site{t: t, dir: t.TempDir()}
	s.write("gateway.yaml", fmt.Sprintf(`gateway: {name: gw1, labels: {site: hamburg}}
buffer: {dir: %s, max_bytes: 64MiB, min_free: 1MiB}
uplinks:
  - {name: plant, brokers: [%q], root: "{site}/{gateway}", topic: "{device}/{tag}", start: oldest, commands: {accept: [json, plain]}}
web: {listen: "127.0.0.1:0"}
`, filepath.Join(s.dir, "buffer"), b.URL()))
	s.write("tagmap.yaml", links)
	return s
}

func (s *site) run() {
	s.t.Helper()
	s.Program = peers.Start(s.t, binary, "run", "--config", s.config(), "--runtime", filepath.Join(s.dir, "run"),
		"--admin", filepath.Join(s.dir, "admin.yaml"))
}

func (s *site) config() string { return filepath.Join(s.dir, "config") }

func (s *site) socket() string { return filepath.Join(s.dir, "run", "control.sock") }

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.MkdirAll(s.config(), 0o700); err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(s.config(), name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// command runs a subcommand against the running gateway.
func (s *site) command(args ...string) (string, int) {
	s.t.Helper()
	out, err := exec.Command(binary, append(args, "--socket", s.socket())...).CombinedOutput()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return string(out), exit.ExitCode()
	case err != nil:
		s.t.Fatalf("%v: %v", args, err)
	}
	return string(out), 0
}

// values decodes the payloads of one topic, in order.
func values(t *testing.T, all []peers.Message, topic string) (vs []peers.Value) {
	t.Helper()
	for _, m := range all {
		if m.Topic != topic {
			continue
		}
		var v peers.Value
		if err := json.Unmarshal([]byte(m.Payload), &v); err != nil {
			t.Fatalf("payload of %s: %q: %v", topic, m.Payload, err)
		}
		vs = append(vs, v)
	}
	return vs
}

// wants checks the last message of every topic, and its source timestamp.
func wants(t *testing.T, sub *peers.Subscriber, since time.Time, want map[string]string) {
	t.Helper()
	got := sub.Await("all tags", func(all []peers.Message) bool {
		seen := map[string]bool{}
		for _, m := range all {
			seen[m.Topic] = true
		}
		for topic := range want {
			if !seen[topic] {
				return false
			}
		}
		return true
	})
	for topic, wanted := range want {
		vs := values(t, got, topic)
		v := vs[len(vs)-1]
		text := string(v.Value) + " " + v.Unit + " " + v.Quality
		if text != wanted {
			t.Errorf("%s: got %q, want %q", topic, text, wanted)
		}
		at, err := time.Parse(time.RFC3339Nano, v.Timestamp)
		if err != nil || at.Before(since.Add(-time.Second)) || at.After(time.Now().Add(time.Second)) {
			t.Errorf("%s: timestamp %q is not of this test (%v)", topic, v.Timestamp, err)
		}
	}
}

// unitTags are tags whose values modbus_server.py documents.
const unitTags = `
          - {name: word, address: "hr:1", type: uint16}
          - {name: negative, address: "hr:70", type: int16, scale: 0.1, unit: °C}
          - {name: abcd, address: "hr:20", type: float32, byte_order: ABCD, unit: bar}
          - {name: badc, address: "hr:22", type: float32, byte_order: BADC}
          - {name: cdab, address: "hr:24", type: float32, byte_order: CDAB}
          - {name: dcba, address: "hr:26", type: float32, byte_order: DCBA}
          - {name: long, address: "hr:34", type: int64}
          - {name: double, address: "hr:42", type: float64}
          - {name: bit, address: "hr:10.3", type: bool}
          - {name: coil, address: "coil:1", type: bool}
          - {name: discrete, address: "di:3", type: bool}
          - {name: input, address: "ir:7", type: uint16}
`

func unitWants(prefix string, u int) map[string]string {
	return map[string]string{
		prefix + "/word":     fmt.Sprintf("%d  good", 1000*u+1),
		prefix + "/negative": fmt.Sprintf("-0.%d °C good", u),
		prefix + "/abcd":     fmt.Sprintf("%d.1 bar good", u),
		prefix + "/badc":     fmt.Sprintf("%d.1  good", u),
		prefix + "/cdab":     fmt.Sprintf("%d.1  good", u),
		prefix + "/dcba":     fmt.Sprintf("%d.1  good", u),
		prefix + "/long":     fmt.Sprintf("%d  good", -12345678901234*u),
		prefix + "/double":   fmt.Sprintf("%d.1  good", u),
		prefix + "/bit":      "true  good",
		prefix + "/coil":     fmt.Sprintf("%t  good", (1+u)%2 == 1),
		prefix + "/discrete": "true  good",
		prefix + "/input":    fmt.Sprintf("%d  good", 2000*u+7),
	}
}

func merge(maps ...map[string]string) map[string]string {
	all := map[string]string{}
	for _, m := range maps {
		for k, v := range m {
			all[k] = v
		}
	}
	return all
}

func TestModbusTCPArrivesAtTheSubscriber(t *testing.T) {
	plc := peers.Pymodbus(t, peers.ModbusOptions{Units: 3})
	b := peers.Mosquitto(t, "")
	sub := peers.Subscribe(t, b, "#")
	since := time.Now()
	var devices strings.Builder
	for u := 1; u <= 3; u++ {
		fmt.Fprintf(&devices, "      - name: unit%d\n        unit_id: %d\n        interval: 200ms\n        tags:%s", u, u, unitTags)
	}
	newSite(t, b, "links:\n  - name: plc\n    driver: modbus-tcp\n    endpoint: "+plc.Endpoint()+"\n    devices:\n"+devices.String())
	wants(t, sub, since, merge(unitWants("hamburg/gw1/unit1", 1), unitWants("hamburg/gw1/unit2", 2), unitWants("hamburg/gw1/unit3", 3)))
}

func TestModbusRTUArrivesAtTheSubscriber(t *testing.T) {
	line := peers.PTY(t)
	peers.Pymodbus(t, peers.ModbusOptions{Mode: "rtu", TTY: line.B, Baud: 19200})
	b := peers.Mosquitto(t, "")
	sub := peers.Subscribe(t, b, "#")
	since := time.Now()
	newSite(t, b, fmt.Sprintf(`links:
  - name: line1
    driver: modbus-rtu
    endpoint: %s
    serial: {baud: 19200, parity: none}
    devices:
      - name: unit2
        unit_id: 2
        interval: 500ms
        tags:%s`, line.A, unitTags))
	wants(t, sub, since, unitWants("hamburg/gw1/unit2", 2))
}

// gate stands between the gateway and a Modbus TCP server. Closed, it holds
// the next request back, which shows that everything before it has been dealt
// with: the driver sends one request at a time.
type gate struct {
	addr   string
	server string
	mu     sync.Mutex // guards shut
	shut   chan struct{}
	held   chan struct{} // receives when a request is held back
}

func newGate(t *testing.T, server string) *gate {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := &gate{addr: "tcp://" + ln.Addr().String(), server: strings.TrimPrefix(server, "tcp://"), held: make(chan struct{}, 16)}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { g.pass(c) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		g.open()
		wg.Wait()
	})
	return g
}

func (g *gate) pass(c net.Conn) {
	defer c.Close()
	s, err := net.Dial("tcp", g.server)
	if err != nil {
		return
	}
	defer s.Close()
	go func() { io.Copy(c, s); c.Close() }()
	buf := make([]byte, 512)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		g.mu.Lock()
		shut := g.shut
		g.mu.Unlock()
		if shut != nil {
			g.held <- struct{}{}
			<-shut
			return // the request never reaches the server
		}
		if _, err := s.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (g *gate) close() {
	g.mu.Lock()
	g.shut = make(chan struct{})
	g.mu.Unlock()
}

func (g *gate) open() {
	g.mu.Lock()
	if g.shut != nil {
		close(g.shut)
	}
	g.shut = nil
	g.mu.Unlock()
}

// counters returns the values of the counter topic and how often one was not
// new; a gap or a step back to anything but a repeat fails the test.
func counters(t *testing.T, all []peers.Message, topic string) (last, repeats int) {
	t.Helper()
	for _, v := range values(t, all, topic) {
		var n int
		if v.Quality != "good" {
			continue
		}
		if err := json.Unmarshal(v.Value, &n); err != nil {
			t.Fatalf("counter %s: %v", v.Value, err)
		}
		switch {
		case n <= last:
			repeats++
		case n == last+1:
			last = n
		default:
			t.Fatalf("gap: %d follows %d", n, last)
		}
	}
	return last, repeats
}

func TestOutageAndKillLoseNothing(t *testing.T) {
	plc := peers.Pymodbus(t, peers.ModbusOptions{Units: 1})
	between := newGate(t, plc.Endpoint())
	b := peers.Mosquitto(t, "persistence true\npersistence_location {dir}/\nautosave_interval 1\nmax_queued_messages 0\n")
	const topic = "hamburg/gw1/plc/count"
	sub := peers.Subscribe(t, b, "hamburg/gw1/plc/#")
	s := newSite(t, b, "links:\n  - name: plc\n    driver: modbus-tcp\n    endpoint: "+between.addr+`
    devices:
      - name: plc
        interval: 50ms
        tags:
          - {name: count, address: "hr:102", type: uint32}
`)
	upTo := func(n int) func([]peers.Message) bool {
		return func(all []peers.Message) bool { last, _ := counters(t, all, topic); return last >= n }
	}
	grow := func(by int) int {
		t.Helper()
		last, _ := counters(t, sub.Messages(), topic)
		sub.Await(fmt.Sprintf("%d more counts", by), upTo(last+by))
		return last + by
	}
	grow(20)

	// The broker is stopped and started again.
	b.Stop()
	before := s.reads()
	s.awaitReads(before + 60) // three seconds of outage
	b.Start()
	last, repeats := counters(t, sub.Await("the backlog", upTo(int(before)+60)), topic)
	t.Logf("after the broker's return: counted to %d, %d repeated", last, repeats)
	if repeats > 2 {
		t.Errorf("an orderly outage repeated %d samples, want at most what was in flight", repeats)
	}
	grow(20)

	// Once more, with kill -9 of the gateway in mid-outage.
	b.Stop()
	before = s.reads()
	s.awaitReads(before + 40)
	between.close()
	<-between.held // everything before is in the buffer; this request dies
	s.Kill()
	between.open()
	s.Again()
	s.Await("msg=\"gateway runs\"")
	s.awaitReads(20)
	b.Start()
	_, was := counters(t, sub.Messages(), topic)
	final := grow(int(before) + 100 - lastOf(t, sub, topic))
	_, repeats = counters(t, sub.Messages(), topic)
	t.Logf("after the kill: counted to %d, %d repeated", final, repeats-was)
	if n := len(values(t, sub.Messages(), topic)); n < final {
		t.Errorf("got %d counts, want %d", n, final)
	}
}

func lastOf(t *testing.T, sub *peers.Subscriber, topic string) int {
	last, _ := counters(t, sub.Messages(), topic)
	return last
}

// status asks the running gateway, as the page does.
func (s *site) status() (st struct {
	Links []struct {
		Name     string
		State    string
		Connects uint64
		Overruns uint64
		Cycles   uint64
	}
	Devices []struct {
		Name   string
		State  string
		Missed uint64
		Errors uint64
	}
}) {
	s.t.Helper()
	out, code := s.command("status", "--json")
	if code != 0 {
		s.t.Fatalf("status: exit %d: %s", code, out)
	}
	if err := json.Unmarshal([]byte(out), &st); err != nil {
		s.t.Fatalf("status: %v: %s", err, out)
	}
	return st
}

// reads is how many reads the first link has done in this run.
func (s *site) reads() uint64 { return s.status().Links[0].Cycles }

func (s *site) awaitReads(n uint64) {
	s.t.Helper()
	deadline := time.Now().Add(time.Minute)
	for s.reads() < n {
		if time.Now().After(deadline) {
			s.t.Fatalf("only %d reads after a minute, want %d", s.reads(), n)
		}
	}
}

func TestSilentUnitCostsItsNeighboursNothing(t *testing.T) {
	plc := peers.Pymodbus(t, peers.ModbusOptions{Units: 3, Dead: []int{2}})
	b := peers.Mosquitto(t, "")
	sub := peers.Subscribe(t, b, "hamburg/gw1/#")
	var devices strings.Builder
	for u := 1; u <= 3; u++ {
		fmt.Fprintf(&devices, "      - {name: unit%d, unit_id: %d, interval: 500ms, tags: [{name: count, address: \"hr:102\", type: uint32}]}\n", u, u)
	}
	s := newSite(t, b, "links:\n  - name: plc\n    driver: modbus-tcp\n    endpoint: "+plc.Endpoint()+"\n    timeout: 400ms\n    devices:\n"+devices.String())
	sub.Await("20 reads of both living units", func(all []peers.Message) bool {
		one, _ := counters(t, all, "hamburg/gw1/unit1/count")
		three, _ := counters(t, all, "hamburg/gw1/unit3/count")
		return one >= 20 && three >= 20
	})
	st := s.status()
	for _, d := range st.Devices {
		if dead := d.Name == "unit2"; dead != (d.State == "dead") {
			t.Errorf("device %s: state %s", d.Name, d.State)
		}
	}
	if n := st.Links[0].Overruns; n != 0 {
		t.Errorf("scheduled reads that had no turn: got %d, want 0", n)
	}
	bad := values(t, sub.Messages(), "hamburg/gw1/unit2/count")
	if len(bad) != 1 || bad[0].Quality != "bad" || bad[0].Reason == "" || string(bad[0].Value) != "null" {
		t.Errorf("the silent unit published %+v, want one bad null with its reason", bad)
	}
}
