package modbus

import (
	"encoding/binary"
	"testing"
	"time"

	"fieldferry/drivers/modbus/modbustest"
)

// TestForbiddenIsNotTouchedByLateAnswers: a device that answers late, or twice,
// is asked for nothing that is forbidden or beyond its caps.
func TestForbiddenIsNotTouchedByLateAnswers(t *testing.T) {
	tests := map[string]func(*DeviceOptions){
		"forbidden": func(o *DeviceOptions) { o.Forbidden = []string{"hr:2-9", "hr:12"} },
		"cap":       func(o *DeviceOptions) { o.MaxRegisters = 2 },
	}
	for name, set := range tests {
		t.Run(name, func(t *testing.T) {
			m := memory()
			m.Set(10, 100, 101) // as at 0: the answers look alike
			s := modbustest.NewRTU(t, map[byte]*modbustest.Memory{1: m})
			l := newLink(t, "modbus-rtu", s.Endpoint(), map[int][]string{1: {"a hr:0 uint32", "b hr:10 uint32"}})
			l.Options.(*RTUOptions).LateWindow = short // so that the wait for it is short, too
			set(l.Devices[0].Options.(*DeviceOptions))
			touched := make(chan [2]int, 1000)
			n := 0
			s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
				at, quantity := int(binary.BigEndian.Uint16(r.PDU[1:])), int(binary.BigEndian.Uint16(r.PDU[3:]))
				touched <- [2]int{at, quantity}
				answer := c.Answer(r)
				if n++; n%4 == 0 {
					time.AfterFunc(short+short/2, func() { c.Write(answer) })
					return
				}
				c.Write(answer)
			})
			_, groups := open(t, l)
			good := 0
			for range 12 {
				if got, err := show(t, groups[0]); err == nil && got == "a=6553701 b=6553701" {
					good++
				}
			}
			if good == 0 {
				t.Error("nothing was read")
			}
			for len(touched) > 0 {
				if x := <-touched; x[1] > 2 || x[0] != 0 && x[0] != 10 {
					t.Errorf("asked for %d registers from %d on, want 2 from 0 or 10", x[1], x[0])
				}
			}
		})
	}
}
