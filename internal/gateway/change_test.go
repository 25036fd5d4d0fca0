//go:build peer

package gateway_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"fieldferry/internal/peers"
	"fieldferry/internal/peers/opcuapeer"
)

func TestOPCUAArrivesAtTheSubscriber(t *testing.T) {
	server := opcuapeer.Start(t, opcuapeer.Options{})
	b := peers.Mosquitto(t, "")
	sub := peers.Subscribe(t, b, "#")
	since := time.Now()
	newSite(t, b, fmt.Sprintf(`links:
  - name: press
    driver: opcua
    endpoint: %s
    security: {policy: none, mode: none}
    namespaces: {plant: %q}
    devices:
      - name: polled
        interval: 500ms
        tags:
          - {name: double, address: "plant:Double", type: float64, unit: kN}
          - {name: long, address: "nsu=%s;s=UInt64", type: uint64}
          - {name: text, address: "plant:String", type: string}
          - {name: flag, address: "plant:Boolean", type: bool}
          - {name: scaled, address: "plant:Int16", type: int16, scale: 0.1, offset: 2, unit: °C}
      - name: pushed
        interval: 250ms
        mode: subscribe
        tags:
          - {name: float, address: "plant:Float", type: float32}
          - {name: word, address: "plant:UInt16", type: uint16, unit: rpm}
`, server.Endpoint, opcuapeer.Namespace, opcuapeer.Namespace))
	wants(t, sub, since, map[string]string{
		"hamburg/gw1/polled/double": "1.7976931348623157e+308 kN good",
		"hamburg/gw1/polled/long":   "18446744073709551615  good",
		"hamburg/gw1/polled/text":   `"grüß dich ✓"  good`,
		"hamburg/gw1/polled/flag":   "true  good",
		"hamburg/gw1/polled/scaled": "-3274.8 °C good",
		"hamburg/gw1/pushed/float":  "0.1  good",
		"hamburg/gw1/pushed/word":   "65535 rpm good",
	})
	server.Set("UInt16", 1234)
	sub.Await("the pushed change", func(all []peers.Message) bool {
		vs := values(t, all, "hamburg/gw1/pushed/word")
		return string(vs[len(vs)-1].Value) == "1234"
	})
}

// command publishes a command and returns its answer.
func command(t *testing.T, b *peers.Broker, topic, payload string) map[string]any {
	t.Helper()
	answer := "answers/" + strconv.FormatInt(time.Now().UnixNano(), 36)
	sub := peers.Subscribe(t, b, answer)
	out, err := exec.Command("mosquitto_pub", "-h", "127.0.0.1", "-p", strconv.Itoa(b.Port), "-V", "mqttv5", "-q", "1", "-t", topic, "-m", payload,
		"-D", "publish", "response-topic", answer, "-D", "publish", "correlation-data", "c1").CombinedOutput()
	if err != nil {
		t.Fatalf("mosquitto_pub: %v: %s", err, out)
	}
	got := sub.Await("the answer", func(all []peers.Message) bool { return len(all) > 0 })
	var a map[string]any
	if err := json.Unmarshal([]byte(got[0].Payload), &a); err != nil {
		t.Fatalf("answer %q: %v", got[0].Payload, err)
	}
	return a
}

func TestCommandsAreRefusedUntilAllowedAndAudited(t *testing.T) {
	plc := peers.Pymodbus(t, peers.ModbusOptions{Units: 1})
	b := peers.Mosquitto(t, "")
	sub := peers.Subscribe(t, b, "hamburg/gw1/plc/#")
	s := newSite(t, b, "links:\n  - name: plc\n    driver: modbus-tcp\n    endpoint: "+plc.Endpoint()+`
    devices:
      - name: plc
        interval: 200ms
        tags:
          - {name: setpoint, address: "hr:200", type: int16, scale: 0.1, unit: °C, access: read-write, min: -10, max: 90}
          - {name: word, address: "hr:1", type: uint16}
`)
	ready := func() {
		s.Await("connection=commands")
		sub.Await("values", func(all []peers.Message) bool { return len(values(t, all, "hamburg/gw1/plc/setpoint")) > 0 })
	}
	ready()
	const topic = "hamburg/gw1/_/set/plc/setpoint"
	if a := command(t, b, topic, `{"value":21.5,"id":"a"}`); a["outcome"] != "refused" || !strings.Contains(fmt.Sprint(a["reason"]), "switched off") {
		t.Errorf("by default: got %v, want refused: switched off", a)
	}

	if err := os.WriteFile(filepath.Join(s.dir, "admin.yaml"), []byte("writes: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, code := s.command("reload"); code != 0 {
		t.Fatalf("reload: exit %d: %s", code, out)
	}
	for _, c := range []struct{ topic, payload, outcome, reason string }{
		{topic, `{"value":21.5,"id":"b"}`, "done", ""},
		{topic, `{"value":91}`, "refused", "above the tag's max of 90"},
		{topic, `{"valeu":1}`, "refused", "valeu"},
		{topic, `-5.5`, "done", ""},
		{"hamburg/gw1/_/set/plc/word", `{"value":1}`, "refused", "not writable"},
		{"hamburg/gw1/_/set/plc/nothing", `{"value":1}`, "refused", "no tag"},
	} {
		a := command(t, b, c.topic, c.payload)
		if a["outcome"] != c.outcome || !strings.Contains(fmt.Sprint(a["reason"]), c.reason) {
			t.Errorf("%s to %s: got %v, want %s: %s", c.payload, c.topic, a, c.outcome, c.reason)
		}
	}
	sub.Await("the value read back", func(all []peers.Message) bool {
		vs := values(t, all, "hamburg/gw1/plc/setpoint")
		return string(vs[len(vs)-1].Value) == "-5.5"
	})
	audit, err := os.ReadFile(filepath.Join(s.dir, "audit", "commands.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"outcome":"refused"`, `"outcome":"done"`, `"value":"21.5"`, `"read_back":"21.5"`, `"source":"mqtt:plant"`} {
		if !strings.Contains(string(audit), want) {
			t.Errorf("audit lacks %s:\n%s", want, audit)
		}
	}
}

func TestReloadTouchesOnlyTheChangedLink(t *testing.T) {
	one, two := peers.Pymodbus(t, peers.ModbusOptions{Units: 1}), peers.Pymodbus(t, peers.ModbusOptions{Units: 1})
	b := peers.Mosquitto(t, "")
	sub := peers.Subscribe(t, b, "#")
	tagMap := func(unit string) string {
		return fmt.Sprintf(`# kept by hand
links:
  - name: one
    driver: modbus-tcp
    endpoint: %s
    devices: [{name: one, interval: 50ms, tags: [{name: count, address: "hr:102", type: uint32}]}]
  - name: two
    driver: modbus-tcp
    endpoint: %s
    devices: [{name: two, interval: 50ms, tags: [{name: count, address: "hr:102", type: uint32, unit: %q}]}]
`, one.Endpoint(), two.Endpoint(), unit)
	}
	s := newSite(t, b, tagMap("pcs"))
	topic := "hamburg/gw1/one/count"
	sub.Await("counts", func(all []peers.Message) bool { n, _ := counters(t, all, topic); return n >= 20 })

	s.write("tagmap.yaml", tagMap("bottles"))
	out, code := s.command("reload")
	if code != 0 || !strings.Contains(out, `unit of two/count: pcs → bottles`) || !strings.Contains(out, "link two restarts") || strings.Contains(out, "link one") {
		t.Errorf("reload: exit %d: %s", code, out)
	}
	last, _ := counters(t, sub.Messages(), topic)
	all := sub.Await("counts after the reload", func(all []peers.Message) bool {
		n, _ := counters(t, all, topic)
		vs := values(t, all, "hamburg/gw1/two/count")
		return n >= last+20 && vs[len(vs)-1].Unit == "bottles"
	})
	if _, repeats := counters(t, all, topic); repeats != 0 {
		t.Errorf("the untouched link repeated %d counts", repeats)
	}
	// The same through the text of a broken file: nothing changes.
	s.write("tagmap.yaml", strings.Replace(tagMap("pcs"), "uint32", "uint33", 1))
	out, code = s.command("reload")
	if code != 3 || !strings.Contains(out, "tagmap.yaml:6:") || !strings.Contains(out, "uint33") {
		t.Errorf("reload of a broken file: exit %d: %s", code, out)
	}
	s.write("tagmap.yaml", tagMap("bottles"))
	if out, code = s.command("reload"); code != 0 || !strings.Contains(out, "nothing changed") {
		t.Errorf("reload of the same: exit %d: %s", code, out)
	}
	if l := s.status().Links[0]; l.Name != "one" || l.Connects != 1 {
		t.Errorf("the untouched link: got %+v, want one connection of link one", l)
	}
	if out, code := s.command("read", "two/count"); code != 0 || !strings.Contains(out, "bottles  good") {
		t.Errorf("read: exit %d: %s", code, out)
	}
	if out, code := s.command("read", "one/nothing"); code != 1 || !strings.Contains(out, `no tag "nothing"`) {
		t.Errorf("read of an unknown tag: exit %d: %s", code, out)
	}
}

func TestOrderlyRestartRepeatsNothing(t *testing.T) {
	plc := peers.Pymodbus(t, peers.ModbusOptions{Units: 1})
	b := peers.Mosquitto(t, "")
	sub := peers.Subscribe(t, b, "hamburg/gw1/#")
	s := newSite(t, b, "links:\n  - name: plc\n    driver: modbus-tcp\n    endpoint: "+plc.Endpoint()+`
    devices: [{name: plc, interval: 50ms, tags: [{name: count, address: "hr:102", type: uint32}]}]
`)
	const topic = "hamburg/gw1/plc/count"
	sub.Await("counts", func(all []peers.Message) bool { n, _ := counters(t, all, topic); return n >= 20 })
	if code := s.Terminate(); code != 0 {
		t.Fatalf("exit code of an orderly stop: got %d, want 0", code)
	}
	sub.Await("the death message", func(all []peers.Message) bool {
		last := all[len(all)-1]
		return last.Topic == "hamburg/gw1/_/status" && strings.Contains(last.Payload, "offline")
	})
	before, _ := counters(t, sub.Messages(), topic)
	s.Again()
	all := sub.Await("counts after the restart", func(all []peers.Message) bool {
		// The read under way at the stop may have been counted by the device.
		n := 0
		for _, v := range values(t, all, topic) {
			fmt.Sscan(string(v.Value), &n)
		}
		return n >= before+20
	})
	last := 0
	for _, v := range values(t, all, topic) {
		n := 0
		fmt.Sscan(string(v.Value), &n)
		if n <= last || n > last+2 {
			t.Fatalf("%d follows %d: an orderly restart neither repeats nor loses", n, last)
		}
		last = n
	}
}

func TestBrokenConfigurationAtStart(t *testing.T) {
	b := peers.Mosquitto(t, "")
	good := "links:\n  - {name: l, driver: sim, devices: [{name: d, interval: 200ms, tags: [{name: c, address: counter, type: uint32}]}]}\n"
	broken := strings.Replace(good, "counter", "cuonter", 1)
	s := prepareSite(t, b, broken)
	out, err := exec.Command(binary, "run", "--config", s.config(), "--runtime", filepath.Join(s.dir, "run")).CombinedOutput()
	if exit, ok := err.(interface{ ExitCode() int }); !ok || exit.ExitCode() != 78 {
		t.Errorf("first start with a broken configuration: got %v, want exit code 78", err)
	}
	for _, want := range []string{"tagmap.yaml:2:", "links[0].devices[0].tags[0].address", `unknown signal "cuonter"`} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the message lacks %q:\n%s", want, out)
		}
	}
	s.write("tagmap.yaml", good)
	s.run()
	s.Await("msg=\"gateway runs\"")
	if code := s.Terminate(); code != 0 {
		t.Errorf("exit code: got %d, want 0", code)
	}
	s.write("tagmap.yaml", broken)
	s.Again()
	s.Await("the last good one runs")
	sub := peers.Subscribe(t, b, "hamburg/gw1/d/#")
	sub.Await("values of the last good configuration", func(all []peers.Message) bool { return len(all) > 3 })
	if out, _ := s.command("status"); !strings.Contains(out, "cuonter") {
		t.Errorf("status does not tell the fault:\n%s", out)
	}
	if out, code := s.command("reload"); code != 3 || !strings.Contains(out, "cuonter") {
		t.Errorf("reload: exit %d: %s", code, out)
	}
	s.write("tagmap.yaml", good)
	if out, code := s.command("reload"); code != 0 {
		t.Errorf("reload of the mended file: exit %d: %s", code, out)
	}
	if out, _ := s.command("status"); strings.Contains(out, "cuonter") {
		t.Errorf("status still tells the fault:\n%s", out)
	}
}
