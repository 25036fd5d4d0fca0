//go:build peer

package modbus

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"fieldferry/drivers"
	"fieldferry/internal/peers"
)

// TestPymodbusWithHolesAndALimit: a real server that lacks two registers and
// refuses long reads is read without one bad tag, and what is learnt is true.
func TestPymodbusWithHolesAndALimit(t *testing.T) {
	s := peers.Pymodbus(t, peers.ModbusOptions{Units: 1, Holes: []int{15, 150}, Most: 40})
	var tags, want []string
	for _, r := range []int{0, 1, 2, 9, 20, 80, 120, 140, 160, 199} {
		v := 0
		switch {
		case r < 10:
			v = 1000 + r
		case r == 20:
			v = 0x3F8C // of float32 1.1
		}
		tags, want = append(tags, fmt.Sprintf("t%d hr:%d uint16", r, r)), append(want, fmt.Sprintf("t%d=%d", r, v))
	}
	l := auto(newLink(t, "modbus-tcp", s.Endpoint(), map[int][]string{1: tags}))
	setTimeout(l, 2*time.Second)
	c, g := open(t, l)
	for range 10 {
		wantRead(t, g[0], strings.Join(want, " "))
	}
	d, _ := drivers.Lookup(l.Driver)
	known := d.(drivers.Learner).Facts(l)
	if len(known) == 0 {
		t.Fatal("nothing was learnt")
	}
	asked := c.(*conn).link.Stats()
	wantRead(t, g[0], strings.Join(want, " "))
	after := c.(*conn).link.Stats()
	if after.Exceptions != asked.Exceptions || after.Requests-asked.Requests > 7 {
		t.Errorf("a later cycle takes %d requests, %d of them refused; want at most 7, and none\nknown: %+v",
			after.Requests-asked.Requests, after.Exceptions-asked.Exceptions, known)
	}
}
