package place_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/ask"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/drivers/modbus/place"
)

// patience ends a test that hangs; short is a limit for units that are silent
// on purpose.
const (
	patience = 20 * time.Second
	short    = 80 * time.Millisecond
)

// memory is a unit whose holding register i holds 100+i.
func memory() *modbustest.Memory {
	m := modbustest.NewMemory(1000)
	for i := range m.Size {
		m.Set(i, uint16(100+i))
	}
	return m
}

// prober opens a place at a scripted server.
func prober(t *testing.T, driver string, s *modbustest.Server) ask.Prober {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := place.Place{Endpoint: s.Endpoint(), Driver: driver, Limit: short}.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(ask.Prober)
}

// TestProbe asks units that are there, refuse, garble, and are not there, over
// both framings.
func TestProbe(t *testing.T) {
	for _, driver := range []string{"modbus-tcp", "modbus-rtu", "modbus-ascii"} {
		t.Run(driver, func(t *testing.T) {
			units := map[byte]*modbustest.Memory{1: memory(), 3: memory()}
			s := modbustest.New(t, units)
			switch driver {
			case "modbus-rtu":
				s = modbustest.NewRTU(t, units)
			case "modbus-ascii":
				s = modbustest.NewASCII(t, units)
			}
			s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
				if r.Unit == 9 {
					c.Write(c.Frame(r.ID, r.Unit, []byte{3, 4, 0, 0, 0, 0})) // two registers, where one was asked for
					return
				}
				c.Write(c.Answer(r))
			})
			p := prober(t, driver, s)
			for _, tt := range []struct {
				unit, address int
				want          ask.Outcome
				data          string
			}{
				{1, 5, ask.Answered, "\x00\x69"},
				{1, 60000, ask.Declined, ""},
				{2, 0, ask.Silent, ""},
				{9, 0, ask.Garbled, ""},
				{3, 5, ask.Answered, "\x00\x69"},
			} {
				req := frame.Read(3, tt.address, 1)
				q := ask.Query{Unit: tt.unit, Request: append([]byte{3}, req.Data...), Limit: short}
				got, err := p.Probe(t.Context(), q)
				if tt.want == ask.Garbled && got.Outcome == ask.Silent {
					got.Outcome = ask.Garbled // on a line the query may end first
				}
				if err != nil || got.Outcome != tt.want || string(got.Data) != tt.data {
					t.Errorf("unit %d, register %d: got %+v, %v, want %s with % x", tt.unit, tt.address, got, err, tt.want, tt.data)
				}
			}
		})
	}
}

// TestSilentUnitsCostNoConnection: a scan over units that are not there is no
// sign of a dead connection.
func TestSilentUnitsCostNoConnection(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{30: memory()})
	p := prober(t, "modbus-tcp", s)
	for unit := 1; unit <= 30; unit++ {
		q := ask.Query{Unit: unit, Request: []byte{3, 0, 0, 0, 1}, Limit: 5 * time.Millisecond}
		if unit == 30 {
			q.Limit = time.Second
		}
		got, err := p.Probe(t.Context(), q)
		want := ask.Silent
		if unit == 30 {
			want = ask.Answered
		}
		if err != nil || got.Outcome != want {
			t.Fatalf("unit %d: got %+v, %v, want %s", unit, got, err, want)
		}
	}
	if n := s.Connections(); n != 1 {
		t.Errorf("%d connections, want 1", n)
	}
}

// TestProbeSendsNothingThatWrites: what could change a device never reaches it.
func TestProbeSendsNothingThatWrites(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: memory()})
	p := prober(t, "modbus-tcp", s)
	for fc := 0; fc <= 255; fc++ {
		allowed := fc >= 1 && fc <= 4 || fc == 17
		for _, data := range [][]byte{{0, 0, 0, 1}, {13, 0, 0, 1}, {14, 1, 0}} {
			q := ask.Query{Unit: 1, Request: append([]byte{byte(fc)}, data...), Limit: patience / 2}
			before := s.Requests(0)
			_, err := p.Probe(t.Context(), q)
			sent := s.Requests(0) - before
			want := allowed || fc == 43 && data[0] == 14
			if sent > 0 && !want || sent == 0 && err == nil {
				t.Errorf("function %d with % x: %d requests sent, error %v", fc, data, sent, err)
			}
		}
	}
	for _, q := range []ask.Query{{Unit: 256, Request: []byte{3, 0, 0, 0, 1}, Limit: 1}, {Unit: 1, Limit: 1}, {Unit: 1, Request: []byte{3, 0, 0, 0, 1}}, {Unit: 1, Request: []byte{3, 0, 0, 0, 1}, Limit: time.Hour}, {Unit: 1, Request: []byte{3, 0, 0, 0, 126}, Limit: 1}} {
		if got, err := p.Probe(t.Context(), q); err == nil {
			t.Errorf("%+v: got %+v, want an error", q, got)
		}
	}
}

// TestProbeOnALostLink is told apart from a silent unit.
func TestProbeOnALostLink(t *testing.T) {
	s := modbustest.New(t, map[byte]*modbustest.Memory{1: memory()})
	p := prober(t, "modbus-tcp", s)
	s.CloseAll()
	deadline := time.Now().Add(patience)
	for {
		_, err := p.Probe(t.Context(), ask.Query{Unit: 1, Request: []byte{3, 0, 0, 0, 1}, Limit: time.Second})
		if errors.Is(err, drivers.ErrLinkDown) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("got %v, want ErrLinkDown", err)
		}
	}
}

// TestAnotherUnitIsNoAnswer: who answers in the name of another unit is not the
// one that was asked.
func TestAnotherUnitIsNoAnswer(t *testing.T) {
	for _, driver := range []string{"modbus-tcp", "modbus-rtu", "modbus-ascii"} {
		units := map[byte]*modbustest.Memory{1: memory()}
		s := modbustest.New(t, units)
		switch driver {
		case "modbus-rtu":
			s = modbustest.NewRTU(t, units)
		case "modbus-ascii":
			s = modbustest.NewASCII(t, units)
		}
		s.Handle(func(c *modbustest.Conn, r modbustest.Request) {
			c.Write(c.Frame(r.ID, 7, []byte{3, 2, 0, 1}))
		})
		p := prober(t, driver, s)
		got, err := p.Probe(t.Context(), ask.Query{Unit: 1, Request: []byte{3, 0, 0, 0, 1}, Limit: short})
		if err != nil || got.Outcome == ask.Answered || got.Data != nil {
			t.Errorf("%s: got %+v, %v, want no answer", driver, got, err)
		}
		if driver == "modbus-tcp" && got.Outcome != ask.Garbled {
			t.Errorf("%s: got %+v, want it garbled", driver, got)
		}
	}
}
