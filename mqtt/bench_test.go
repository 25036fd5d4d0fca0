package mqtt

import (
	"context"
	"net"
	"testing"
	"time"

	"fieldferry/mapping/payload"
	"fieldferry/mqtt/wire/packet"
	"fieldferry/tag"
)

// endless is a source of b.N samples that costs next to nothing.
type endless struct {
	n, next uint64
	sample  tag.Sample
	settled chan uint64
	pos     uint64
}

func (e *endless) Next(ctx context.Context, dst []Entry) ([]Entry, error) {
	for e.next < e.n && len(dst) < cap(dst) {
		e.next++
		dst = append(dst, Entry{Seq: e.next, Turn: e.next, Sample: e.sample})
	}
	if len(dst) == 0 {
		<-ctx.Done()
		return dst, ctx.Err()
	}
	return dst, nil
}

func (e *endless) Settle(seq uint64) {
	if e.pos = seq; seq == e.n {
		close(e.settled)
	}
}
func (e *endless) Rewind()                   {}
func (e *endless) Pending() (uint64, uint64) { return 0, 0 }

// acknowledge is a broker that does nothing else: it reads many packets at
// once and answers them in one write.
func acknowledge(c net.Conn) {
	defer c.Close()
	buf, out := make([]byte, 0, 1<<20), make([]byte, 0, 1<<16)
	for {
		n, err := c.Read(buf[len(buf):cap(buf)])
		if err != nil {
			return
		}
		buf = buf[:len(buf)+n]
		at := 0
		out = out[:0]
		for {
			// The header of a client's packet is that of a broker's, but for the types.
			h, err := packet.Parse(append([]byte{0x30}, buf[min(at+1, len(buf)):min(at+packet.MaxHeader, len(buf))]...))
			if err != nil || at+h.Size+h.Rest > len(buf) {
				break
			}
			switch body := buf[at+h.Size : at+h.Size+h.Rest]; buf[at] >> 4 {
			case 1:
				out = append(out, 0x20, 3, 0, 0, 0)
			case 3:
				id := 2 + int(body[0])<<8 + int(body[1])
				out = append(out, 0x40, 2, body[id], body[id+1])
			case 12:
				out = append(out, 0xD0, 0)
			}
			at += h.Size + h.Rest
		}
		buf = buf[:copy(buf, buf[at:])]
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// BenchmarkUplink is the way of a sample from the reader through encoder,
// window and socket to a broker that only acknowledges, and back.
func BenchmarkUplink(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			acknowledge(c)
		}
	}()
	defer func() { l.Close(); <-served }()

	tags := plant("speed")
	src := &endless{n: uint64(b.N), settled: make(chan uint64),
		sample: tag.Sample{Tag: tags[0], Value: tag.Float64(22.5), Time: time.Unix(1700000000, 123e6)}}
	conf := Default()
	conf.Name, conf.Brokers, conf.Window = "plant", []string{"mqtt://" + l.Addr().String()}, 1024
	enc, err := payload.Compile(conf.Payload, payload.Vars{Gateway: "gw", Uplink: "plant"})
	if err != nil {
		b.Fatal(err)
	}
	u, err := New(conf, Deps{Reader: src, Encoder: enc, Gateway: Identity{Name: "gw"}})
	if err != nil {
		b.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	b.ReportAllocs()
	b.ResetTimer()
	done := make(chan error)
	go func() { done <- u.Run(ctx) }()
	<-src.settled
	b.StopTimer()
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
}
