//go:build peer

package gateway_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"fieldferry/internal/peers"
)

// lineLink is a link with units 1 and 3 of a server, polled quickly.
func lineLink(driver, endpoint string) string {
	return fmt.Sprintf(`links:
  - name: line1
    driver: %s
    endpoint: %s
    timeout: 500ms
    devices:
      - {name: u1, unit_id: 1, interval: 200ms, tags: [{name: n, address: "hr:100", type: uint16}]}
      - {name: u3, unit_id: 3, interval: 200ms, tags: [{name: n, address: "hr:1", type: uint16}]}
`, driver, endpoint)
}

// wantOutput runs a command that must end with a code and say all of some
// texts.
func (s *site) wantOutput(code int, want []string, args ...string) string {
	s.t.Helper()
	out, got := s.command(args...)
	if got != code {
		s.t.Fatalf("%q: exit code %d, want %d:\n%s", args, got, code, out)
	}
	for _, w := range want {
		if !strings.Contains(out, w) {
			s.t.Errorf("%q: no %q in\n%s", args, w, out)
		}
	}
	return out
}

// deviceState is what status says of a device.
type deviceState struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Errors uint64 `json:"errors"`
}

func (s *site) devices() (list []deviceState, connects uint64, cycles uint64) {
	s.t.Helper()
	out, _ := s.command("status", "--json")
	var v struct {
		Devices []deviceState `json:"devices"`
		Links   []struct {
			Connects uint64 `json:"connects"`
			Cycles   uint64 `json:"cycles"`
		} `json:"links"`
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil || len(v.Links) != 1 {
		s.t.Fatalf("status: %v in %s", err, out)
	}
	return v.Devices, v.Links[0].Connects, v.Links[0].Cycles
}

// TestFindThroughTheRunningGateway: while the gateway polls, somebody scans,
// reads, detects and identifies on its link, over TCP, RTU on a pseudo terminal
// and RTU over TCP. No device misses an answer, and no connection is lost.
func TestFindThroughTheRunningGateway(t *testing.T) {
	for _, kind := range []string{"tcp", "rtu", "rtutcp"} {
		t.Run(kind, func(t *testing.T) {
			o := peers.ModbusOptions{Mode: kind, Units: 4, Dead: []int{2}}
			driver, endpoint := "modbus-rtu", ""
			if kind == "rtu" {
				line := peers.PTY(t)
				o.TTY, endpoint = line.B, line.A
			}
			server := peers.Pymodbus(t, o)
			switch kind {
			case "tcp":
				driver, endpoint = "modbus-tcp", server.Endpoint()
			case "rtutcp":
				endpoint = server.Endpoint()
			}
			b := peers.Mosquitto(t, "")
			sub := peers.Subscribe(t, b, "#")
			s := newSite(t, b, lineLink(driver, endpoint))
			sub.Await("both devices", func(all []peers.Message) bool {
				return len(values(t, all, "hamburg/gw1/u1/n")) > 0 && len(values(t, all, "hamburg/gw1/u3/n")) > 0
			})
			_, _, before := s.devices()
			s.wantOutput(0, []string{"through the gateway", "1     values", "3     values", "4     values", "Pymodbus"},
				"modbus", "scan", "line1", "--units", "1-6", "--pace", "20ms")
			// The address leads to the same link: the gateway owns it.
			out := s.wantOutput(0, []string{"through the gateway"}, "modbus", "scan", endpoint, "--units", "3-4", "--no-identify", "--pace", "0s")
			if strings.Contains(out, "Pymodbus") {
				t.Errorf("identified although told not to:\n%s", out)
			}
			s.wantOutput(1, []string{"belongs to link line1"}, "modbus", "scan", endpoint, "--framing", "rtu")
			s.wantOutput(1, []string{"no unit answered"}, "modbus", "scan", "--units", "2,5", "--pace", "0s")
			s.wantOutput(0, []string{"hr:0     0FA0  4000"}, "modbus", "read", "--unit", "4", "--from", "hr:0")
			s.wantOutput(1, []string{"exception 2 (illegal data address)"}, "modbus", "read", "--unit", "4", "--from", "hr:5000")
			s.wantOutput(1, []string{"read hr:0 of unit 2: no answer within"}, "modbus", "read", "--unit", "2")
			s.wantOutput(0, []string{`{name: value, address: "hr:24", type: float32, byte_order: CDAB}`}, "modbus", "detect", "--unit", "4", "--from", "hr:24", "--count", "2", "--shows", "4.1")
			s.wantOutput(0, []string{"Pymodbus", "running"}, "modbus", "identify", "--unit", "4")
			s.wantOutput(1, []string{`no Modbus link "nosuchlink" (the Modbus links line1)`}, "modbus", "read", "--unit", "4", "nosuchlink")

			list, connects, after := s.devices()
			for _, d := range list {
				if d.State != "up" || d.Errors != 0 {
					t.Errorf("device %s is %s with %d missed answers, want up with none", d.Name, d.State, d.Errors)
				}
			}
			if connects != 1 || after <= before {
				t.Errorf("%d connections and reads %d to %d, want 1 and more", connects, before, after)
			}
			s.replayed()
		})
	}
}

// replayed has the link's frames played again.
func (s *site) replayed() {
	t := s.t
	t.Helper()
	file := filepath.Join(s.dir, "frames.txt")
	s.wantOutput(0, []string{"# fieldferry modbus frames 1", `link "line1"`, "> request   1 0300640001"}, "modbus", "frames", "line1")
	s.wantOutput(0, nil, "modbus", "frames", "-o", file)
	s.wantOutput(0, []string{`"outcome"`}, "modbus", "frames", "--json")
	s.wantOutput(1, []string{"no such link"}, "modbus", "frames", "line2")
	p := peers.Start(t, binary, "modbus", "replay", file, "--listen", "127.0.0.1:0", "--verbose")
	p.Await("playing on tcp://")
	_, rest, _ := strings.Cut(p.Output(), "playing on ")
	endpoint, _, _ := strings.Cut(rest, "\n")
	out, err := exec.Command(binary, "modbus", "read", endpoint, "--unit", "3", "--from", "hr:1", "--socket", filepath.Join(s.dir, "none")).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "0BB9") {
		t.Errorf("read from the replay: %v, %s", err, out)
	}
	if code := p.Terminate(); code != 0 {
		t.Errorf("replay ended with %d, want 0:\n%s", code, p.Output())
	}
}

// TestScanInterrupted: Ctrl-C ends a scan, at once and with what was found.
func TestScanInterrupted(t *testing.T) {
	server := peers.Pymodbus(t, peers.ModbusOptions{Units: 1})
	p := peers.Start(t, binary, "modbus", "scan", server.Endpoint(), "--units", "1-247", "--socket", filepath.Join(t.TempDir(), "none"))
	p.Await("unit 1 answers") // 246 silent ones follow, for minutes
	if code := p.Terminate(); code != 1 {
		t.Errorf("exit code %d, want 1", code)
	}
	for _, want := range []string{"interrupted; 1 unit found until then", "1     values"} {
		if !strings.Contains(p.Output(), want) {
			t.Errorf("no %q in\n%s", want, p.Output())
		}
	}
}
