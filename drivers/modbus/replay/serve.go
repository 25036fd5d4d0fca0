package replay

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"fieldferry/drivers/modbus/frame"
)

// Framing is how requests come in and answers go out.
type Framing uint8

// The framings.
const (
	TCP Framing = iota // Modbus TCP
	RTU                // on a serial line, or over TCP
)

// Timing is when answers are sent.
type Timing uint8

// The timings.
const (
	AtOnce  Timing = iota // what came late or as noise is left out
	AsTimed               // after the recorded time, late answers and noise too
)

// Player plays a script. Fields are set once.
type Player struct {
	Script  *Script
	Framing Framing
	Timing  Timing
	// Asked is called with each request and how many replies it gets, by one
	// goroutine for each connection; nil is allowed.
	Asked func(unit byte, req frame.PDU, replies int)
}

// Serve plays to everyone who connects to ln until ctx ends; it closes ln.
func (p *Player) Serve(ctx context.Context, ln net.Listener) error {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer context.AfterFunc(ctx, func() { _ = ln.Close() })()
	for {
		c, err := ln.Accept()
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return errors.Join(fmt.Errorf("listen on %s: %w", ln.Addr(), err), ln.Close())
		}
		wg.Go(func() { _ = p.ServePort(ctx, c) }) // one who hangs up is nobody's fault
	}
}

// ServePort plays on a connection or a line until ctx ends or it is gone; it
// closes it.
func (p *Player) ServePort(ctx context.Context, port io.ReadWriteCloser) error {
	ctx, cancel := context.WithCancel(ctx)
	s := &stage{p: p, port: port}
	defer s.wg.Wait()
	defer cancel()
	defer func() { _ = port.Close() }()
	defer context.AfterFunc(ctx, func() { _ = port.Close() })()
	err := s.listen(ctx)
	if ctx.Err() != nil || errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// stage is one connection.
type stage struct {
	p    *Player
	port io.ReadWriteCloser
	wg   sync.WaitGroup // the replies that are waiting for their time
	wmu  sync.Mutex     // held while a reply is written
}

// listen takes requests until the port ends.
func (s *stage) listen(ctx context.Context) error {
	var rx []byte
	buf := make([]byte, 512)
	last := time.Now()
	for {
		n, err := s.port.Read(buf)
		if err != nil {
			return err
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if s.p.Framing == RTU && len(rx) > 0 && time.Since(last) > time.Second {
			rx = rx[:0] // what is left of a request that was broken off
		}
		last = time.Now()
		rx = append(rx, buf[:n]...)
		for {
			id, unit, req, used, err := s.p.cut(rx)
			if err != nil {
				return err
			}
			if used == 0 {
				break
			}
			rx = rx[used:]
			if req.Function != 0 {
				s.act(ctx, id, unit, req)
			}
		}
	}
}

// cut takes the first request off what was received: used is how many bytes it
// and the noise ahead of it have, 0 when it is not there yet.
func (p *Player) cut(b []byte) (id uint16, unit byte, req frame.PDU, used int, err error) {
	if p.Framing == RTU {
		unit, req, used = cutRTU(b)
		return 0, unit, req, used, nil
	}
	if len(b) < frame.TCPHeader {
		return 0, 0, frame.PDU{}, 0, nil
	}
	protocol, length := binary.BigEndian.Uint16(b[2:]), int(binary.BigEndian.Uint16(b[4:]))
	if protocol != 0 || length < frame.TCPMinLength || length > frame.TCPMaxLength {
		return 0, 0, frame.PDU{}, 0, fmt.Errorf("the peer does not speak Modbus TCP: header % x", b[:frame.TCPHeader])
	}
	if len(b) < frame.TCPHeader+length {
		return 0, 0, frame.PDU{}, 0, nil
	}
	body := b[frame.TCPHeader : frame.TCPHeader+length]
	return binary.BigEndian.Uint16(b), body[0], pduOf(body[1:]), frame.TCPHeader + length, nil
}

func pduOf(b []byte) frame.PDU {
	return frame.PDU{Function: b[0], Data: append([]byte(nil), b[1:]...)}
}

// cutRTU finds the first request with a right checksum. Noise ahead of it, and
// requests of unknown form, are passed over byte by byte.
func cutRTU(b []byte) (unit byte, req frame.PDU, used int) {
	for i := 0; i+4 <= len(b); i++ {
		n := requestLength(b[i:])
		if n <= 0 || i+n > len(b) {
			continue
		}
		adu := b[i : i+n]
		if got, err := frame.RTU(adu[0]).Decode(adu, adu); err == nil {
			return adu[0], pduOf(append([]byte{got.Function}, got.Data...)), i + n
		}
	}
	if len(b) > 2*256 {
		return 0, frame.PDU{}, len(b) - 256
	}
	return 0, frame.PDU{}, 0
}

// requestLength is how long the RTU request that begins with b is (Modbus
// Application Protocol V1.1b3 §6), 0 where it is not known yet or never.
func requestLength(b []byte) int {
	switch b[1] {
	case 1, 2, 3, 4, 5, 6, 8:
		return 8
	case 7, 11, 12, 17:
		return 4
	case 15, 16:
		if len(b) > 6 {
			return 9 + int(b[6])
		}
	case 20, 21:
		return 5 + int(b[2])
	case 22:
		return 10
	case 23:
		if len(b) > 10 {
			return 13 + int(b[10])
		}
	case 24:
		return 6
	case 43:
		return 7
	}
	return 0
}

// act does with a request what the script says.
func (s *stage) act(ctx context.Context, id uint16, unit byte, req frame.PDU) {
	replies := s.p.Script.Answer(unit, req)
	if s.p.Asked != nil {
		s.p.Asked(unit, req, len(replies))
	}
	for i := range replies {
		b := s.p.encode(id, &replies[i])
		if len(b) == 0 || s.p.Timing == AtOnce && replies[i].Stray {
			continue
		}
		if s.p.Timing == AtOnce || replies[i].After <= 0 {
			s.write(b)
			continue
		}
		s.wg.Go(func() {
			t := time.NewTimer(replies[i].After)
			defer t.Stop()
			select {
			case <-t.C:
				s.write(b)
			case <-ctx.Done():
			}
		})
	}
}

// write sends a whole frame; a peer that is gone is seen by the reader.
func (s *stage) write(b []byte) {
	s.wmu.Lock()
	defer s.wmu.Unlock()
	_, _ = s.port.Write(b)
}

// encode frames a reply. Bytes that form no frame are of use only in RTU.
func (p *Player) encode(id uint16, r *Reply) []byte {
	if r.PDU.Function == 0 {
		if p.Framing == RTU {
			return r.Bytes
		}
		return nil
	}
	if p.Framing == RTU {
		adu, err := frame.RTU(r.Unit).Encode(r.PDU)
		if err != nil {
			return nil
		}
		return adu
	}
	adu := binary.BigEndian.AppendUint16(nil, id)
	adu = append(adu, 0, 0)
	adu = binary.BigEndian.AppendUint16(adu, uint16(len(r.PDU.Data)+2))
	adu = append(adu, r.Unit, r.PDU.Function)
	return append(adu, r.PDU.Data...)
}
