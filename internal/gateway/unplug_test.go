//go:build peer

package gateway_test

import (
	"fmt"
	"testing"
	"time"

	"fieldferry/internal/peers"
)

// TestUnpluggedLineComesBack: an adapter is pulled out, and plugged in again
// under the same stable name with another terminal behind it. Its values come
// back within moments of that, and while it is away nothing spins.
func TestUnpluggedLineComesBack(t *testing.T) {
	const back = 10 * time.Second // 2 s, with patience for a busy machine
	for _, protocol := range []string{"rtu", "ascii"} {
		t.Run(protocol, func(t *testing.T) {
			line := peers.PTY(t)
			server := peers.Pymodbus(t, peers.ModbusOptions{Mode: protocol, TTY: line.B, Baud: 19200})
			b := peers.Mosquitto(t, "")
			s := newSite(t, b, fmt.Sprintf(`links:
  - name: line1
    driver: modbus-%s
    endpoint: %s
    timeout: 500ms
    serial: {baud: 19200, parity: none, data_bits: 8}
    devices:
      - name: unit1
        unit_id: 1
        interval: 200ms
        tags:
          - {name: a, address: "hr:0", type: uint16}
`, protocol, line.A))
			s.awaitReads(3)
			for range 2 {
				line.Unplug()
				server.Stop()
				until(t, "the link to be told down", func() bool { return s.status().Links[0].State == "down" })
				before, start := s.status().Links[0], time.Now()
				until(t, "three seconds to pass", func() bool { return time.Since(start) > 3*time.Second })
				after := s.status().Links[0]
				if after.Cycles != before.Cycles {
					t.Errorf("%d reads while the adapter was away, want none", after.Cycles-before.Cycles)
				}
				line.Plug()
				server = peers.Pymodbus(t, peers.ModbusOptions{Mode: protocol, TTY: line.B, Baud: 19200})
				plugged := time.Now()
				s.awaitReads(after.Cycles + 1)
				took := time.Since(plugged)
				t.Logf("values were back %v after the device was", took.Round(time.Millisecond))
				if took > back {
					t.Errorf("values were back after %v, want %v", took, back)
				}
			}
		})
	}
}
