//go:build peer

package gateway_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fieldferry/internal/peers"
)

// TestWritesOfEveryKind sends commands through the broker to a Modbus server
// that is not ours: what the device scales, arrays, bits of a register, steps,
// and a register whose memory is spared over a restart of the gateway.
func TestWritesOfEveryKind(t *testing.T) {
	plc := peers.Pymodbus(t, peers.ModbusOptions{Units: 1})
	b := peers.Mosquitto(t, "")
	sub := peers.Subscribe(t, b, "hamburg/gw1/plc/#")
	s := prepareSite(t, b, "links:\n  - name: plc\n    driver: modbus-tcp\n    endpoint: "+plc.Endpoint()+`
    devices:
      - name: plc
        interval: 200ms
        tags:
          - {name: scale, address: "hr:241", type: int16, access: read-write}
          - {name: power, address: "hr:240", type: int16, scale_from: "hr:241", access: read-write, unit: W}
          - {name: list, address: "hr:250", type: "int16[3]", access: read-write}
          - {name: ready, address: "hr:260.3", access: read-write}
          - {name: word, address: "hr:260", type: uint16, access: read-write}
          - {name: stepped, address: "hr:270", type: int16, access: read-write, min: 0, max: 100, step: 5, max_step: 20}
          - {name: eeprom, address: "hr:280", type: uint16, access: read-write, min_write_interval: 1h}
`)
	if err := os.WriteFile(filepath.Join(s.dir, "admin.yaml"), []byte("writes: true\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.run()
	ready := func() {
		t.Helper()
		s.Await("connection=commands")
		sub.Await("values", func(all []peers.Message) bool { return len(values(t, all, "hamburg/gw1/plc/eeprom")) > 0 })
	}
	ready()
	const done = "done"
	for _, c := range []struct{ tag, value, outcome, text string }{
		{"scale", "-1", done, ""},
		{"power", "231.4", done, "231.4"},
		{"power", "231.44", "failed", "between two steps of 0.1"},
		{"list", "[1,-2,3]", done, ""},
		{"list", "[1,2]", "failed", "2 elements where the tag has 3"},
		{"word", "240", done, "240"},
		{"ready", "true", done, "true"},
		{"stepped", "15", done, "15"},
		{"stepped", "16", "refused", "steps of 5"},
		{"stepped", "40", "refused", "further than the tag's max_step of 20"},
		{"eeprom", "7", done, "7"},
		{"eeprom", "8", "refused", "written too often"},
	} {
		a := command(t, b, "hamburg/gw1/_/set/plc/"+c.tag, `{"value":`+c.value+`}`)
		if a["outcome"] != c.outcome || !strings.Contains(fmt.Sprint(a), c.text) {
			t.Errorf("%s to %s: got %v, want %s: %s", c.value, c.tag, a, c.outcome, c.text)
		}
	}
	sub.Await("the neighbours of the bit", func(all []peers.Message) bool {
		vs := values(t, all, "hamburg/gw1/plc/word")
		return string(vs[len(vs)-1].Value) == "248"
	})
	if code := s.Terminate(); code != 0 {
		t.Fatalf("exit code of an orderly stop: got %d, want 0", code)
	}
	s.Again()
	s.Await("connection=commands")
	if a := command(t, b, "hamburg/gw1/_/set/plc/eeprom", `{"value":9}`); a["outcome"] != "refused" || !strings.Contains(fmt.Sprint(a["reason"]), "written too often") {
		t.Errorf("after a restart: got %v, want refused: written too often", a)
	}
}
