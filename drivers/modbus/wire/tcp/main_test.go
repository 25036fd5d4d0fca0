package tcp

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/modbustest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// patience ends a test that hangs.
const patience = 20 * time.Second

func connect(t *testing.T, s *modbustest.Server, o Options) *Link {
	t.Helper()
	conn, err := net.Dial("tcp", s.Addr())
	if err != nil {
		t.Fatalf("connect: %v", err)
	}
	c := New(conn, o)
	t.Cleanup(func() { c.Close() })
	return c
}

// unit is a memory whose holding register i holds base+i.
func unit(base int) *modbustest.Memory {
	m := modbustest.NewMemory(1000)
	for i := range 200 {
		m.Set(i, uint16(base+i))
	}
	return m
}

// read reads one holding register and wants base+address, or an error of a kind.
func read(t *testing.T, c *Link, u byte, address, base int) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	r, err := c.Exchange(ctx, u, frame.Read(3, address, 1))
	if err != nil {
		if r.Data != nil {
			t.Fatalf("unit %d register %d: data % x with error %v", u, address, r.Data, err)
		}
		return err
	}
	if got := int(r.Data[0])<<8 | int(r.Data[1]); len(r.Data) != 2 || got != base+address {
		t.Fatalf("unit %d register %d: got % x, want %d", u, address, r.Data, base+address)
	}
	if age := time.Since(r.At); age < 0 || age > patience || r.At.Location() != time.UTC {
		t.Fatalf("the answer came at %v", r.At)
	}
	return nil
}

func mustRead(t *testing.T, c *Link, u byte, address, base int) {
	t.Helper()
	if err := read(t, c, u, address, base); err != nil {
		t.Fatalf("unit %d register %d: %v", u, address, err)
	}
}

func wantKind(t *testing.T, err error, k frame.Kind) *frame.Error {
	t.Helper()
	var e *frame.Error
	if !errors.As(err, &e) || e.Kind != k {
		t.Fatalf("got error %v (%+v), want kind %d", err, e, k)
	}
	return e
}
