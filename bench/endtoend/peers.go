package main

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"

	"sync/atomic"
)

// plant answers Modbus TCP reads of holding registers; every register is one
// more at every read.
type plant struct {
	net.Listener
	registers int
	reads     atomic.Uint32
}

func startPlant(registers int) (*plant, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &plant{Listener: ln, registers: registers}
	go accept(ln, p.serve)
	return p, nil
}

func (p *plant) Addr() string { return p.Listener.Addr().String() }

func accept(ln net.Listener, serve func(net.Conn)) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		go serve(c)
	}
}

func (p *plant) serve(c net.Conn) {
	defer c.Close()
	in := bufio.NewReader(c)
	req := make([]byte, 12) // MBAP header of 7 bytes, function, address, quantity
	out := make([]byte, 0, 9+2*125)
	for {
		if _, err := io.ReadFull(in, req); err != nil {
			return
		}
		addr, n := binary.BigEndian.Uint16(req[8:]), int(binary.BigEndian.Uint16(req[10:]))
		if req[7] != 3 || n > 125 || int(addr)+n > p.registers {
			return
		}
		tick := uint16(p.reads.Add(1))
		out = append(out[:0], req[0], req[1], 0, 0, 0, 0, req[6], 3, byte(2*n))
		binary.BigEndian.PutUint16(out[4:], uint16(3+2*n))
		for i := range n {
			out = binary.BigEndian.AppendUint16(out, tick+uint16(i))
		}
		if _, err := c.Write(out); err != nil {
			return
		}
	}
}

// broker acknowledges every PUBLISH of QoS 1 and counts values.
type broker struct {
	net.Listener
	values atomic.Uint64
}

func startBroker() (*broker, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	b := &broker{Listener: ln}
	go accept(ln, b.serve)
	return b, nil
}

func (b *broker) Addr() string { return b.Listener.Addr().String() }

// Packet types of MQTT 5, section 2.1.2.
const (
	connect   = 1
	publish   = 3
	subscribe = 8
	pingreq   = 12
)

func (b *broker) serve(c net.Conn) {
	defer c.Close()
	in, out := bufio.NewReaderSize(c, 64<<10), bufio.NewWriterSize(c, 16<<10)
	var body []byte
	for {
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
		head, n, err := packetHead(in)
		if err != nil {
			return
		}
		if cap(body) < n {
			body = make([]byte, n)
		}
		body = body[:n]
		if _, err := io.ReadFull(in, body); err != nil {
			return
		}
		b.answer(out, head, body)
	}
}

func (b *broker) answer(out *bufio.Writer, head byte, body []byte) {
	switch head >> 4 {
	case connect:
		out.Write([]byte{0x20, 3, 0, 0, 0})
	case publish:
		b.values.Add(1)
		if head&0x06 != 0 && len(body) >= 4 {
			at := 2 + int(binary.BigEndian.Uint16(body))
			out.Write([]byte{0x40, 2, body[at], body[at+1]})
		}
	case subscribe:
		out.Write([]byte{0x90, 4, body[0], body[1], 0, 1})
	case pingreq:
		out.Write([]byte{0xD0, 0})
	}
}

func packetHead(in *bufio.Reader) (head byte, n int, err error) {
	if head, err = in.ReadByte(); err != nil {
		return 0, 0, err
	}
	for shift := 0; shift < 28; shift += 7 {
		x, err := in.ReadByte()
		if err != nil {
			return 0, 0, err
		}
		n |= int(x&0x7F) << shift
		if x < 0x80 {
			return head, n, nil
		}
	}
	return 0, 0, errors.New("remaining length of more than four bytes")
}
