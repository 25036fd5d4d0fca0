//go:build demo

package demo

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"math"
	"net"
	"sync"
	"time"
)

// slave is a Modbus device: its registers are computed when they are read.
type slave struct {
	unit byte

	mu      sync.Mutex // guards the fields below
	input   map[uint16]uint16
	holding map[uint16]uint16
	bits    map[uint16]bool
	silent  bool
}

func newSlave(unit byte) *slave {
	return &slave{unit: unit, input: map[uint16]uint16{}, holding: map[uint16]uint16{}, bits: map[uint16]bool{}}
}

func (s *slave) setFloat(table map[uint16]uint16, addr uint16, f float64) {
	b := math.Float32bits(float32(f))
	table[addr], table[addr+1] = uint16(b>>16), uint16(b)
}

func (s *slave) setLong(table map[uint16]uint16, addr uint16, u uint32) {
	table[addr], table[addr+1] = uint16(u>>16), uint16(u)
}

// Exception codes of the Modbus application protocol, section 7.
const (
	illegalFunction = 1
	illegalAddress  = 2
	illegalValue    = 3
)

// handle answers a PDU; nil means silence.
func (s *slave) handle(pdu []byte) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.silent || len(pdu) == 0 {
		return nil
	}
	fc := pdu[0]
	if len(pdu) < 5 {
		return []byte{fc | 0x80, illegalValue}
	}
	addr, n := binary.BigEndian.Uint16(pdu[1:]), binary.BigEndian.Uint16(pdu[3:])
	switch fc {
	case 1, 2:
		return s.readBits(fc, addr, n)
	case 3:
		return readWords(fc, s.holding, addr, n)
	case 4:
		return readWords(fc, s.input, addr, n)
	case 5:
		s.bits[addr] = n == 0xFF00
		return pdu[:5]
	case 6:
		if _, ok := s.holding[addr]; !ok {
			return []byte{fc | 0x80, illegalAddress}
		}
		s.holding[addr] = n
		return pdu[:5]
	case 16:
		return s.writeWords(pdu, addr, n)
	}
	return []byte{fc | 0x80, illegalFunction}
}

func (s *slave) readBits(fc byte, addr, n uint16) []byte {
	if n == 0 || n > 2000 {
		return []byte{fc | 0x80, illegalValue}
	}
	out := make([]byte, 2+(n+7)/8)
	out[0], out[1] = fc, byte((n+7)/8)
	for i := range n {
		on, ok := s.bits[addr+i]
		if !ok {
			return []byte{fc | 0x80, illegalAddress}
		}
		if on {
			out[2+i/8] |= 1 << (i % 8)
		}
	}
	return out
}

func readWords(fc byte, table map[uint16]uint16, addr, n uint16) []byte {
	if n == 0 || n > 125 {
		return []byte{fc | 0x80, illegalValue}
	}
	out := []byte{fc, byte(2 * n)}
	for i := range n {
		w, ok := table[addr+i]
		if !ok {
			return []byte{fc | 0x80, illegalAddress}
		}
		out = binary.BigEndian.AppendUint16(out, w)
	}
	return out
}

func (s *slave) writeWords(pdu []byte, addr, n uint16) []byte {
	if n == 0 || n > 123 || len(pdu) != 6+2*int(n) {
		return []byte{pdu[0] | 0x80, illegalValue}
	}
	for i := range n {
		if _, ok := s.holding[addr+i]; !ok {
			return []byte{pdu[0] | 0x80, illegalAddress}
		}
	}
	for i := range n {
		s.holding[addr+i] = binary.BigEndian.Uint16(pdu[6+2*i:])
	}
	return pdu[:5]
}

// serveTCP answers Modbus TCP until ctx ends, for every unit in slaves.
func serveTCP(ctx context.Context, ln net.Listener, slaves map[byte]*slave) {
	var wg sync.WaitGroup
	defer wg.Wait()
	defer context.AfterFunc(ctx, func() { ln.Close() })()
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		wg.Go(func() {
			defer c.Close()
			defer context.AfterFunc(ctx, func() { c.Close() })()
			for serveOne(c, slaves) == nil {
			}
		})
	}
}

func serveOne(c net.Conn, slaves map[byte]*slave) error {
	var head [7]byte
	if _, err := io.ReadFull(c, head[:]); err != nil {
		return err
	}
	n := binary.BigEndian.Uint16(head[4:])
	if n < 2 || n > 254 {
		return errors.New("not Modbus TCP")
	}
	pdu := make([]byte, n-1)
	if _, err := io.ReadFull(c, pdu); err != nil {
		return err
	}
	s := slaves[head[6]]
	if s == nil {
		return nil
	}
	answer := s.handle(pdu)
	if answer == nil {
		return nil
	}
	binary.BigEndian.PutUint16(head[4:], uint16(len(answer)+1))
	_, err := c.Write(append(head[:], answer...))
	return err
}

// serveRTU answers Modbus RTU on a pseudo terminal until it is closed. A
// frame ends with 5 ms of silence, as a device at 19,200 baud would see it.
func serveRTU(rw io.ReadWriter, slaves map[byte]*slave) {
	chunks := make(chan []byte)
	go func() { // ends when rw is closed
		defer close(chunks)
		for {
			b := make([]byte, 256)
			n, err := rw.Read(b)
			if err != nil {
				return
			}
			chunks <- b[:n]
		}
	}()
	var frame []byte
	for {
		var quiet <-chan time.Time
		if len(frame) > 0 {
			quiet = time.After(5 * time.Millisecond)
		}
		select {
		case b, ok := <-chunks:
			if !ok {
				return
			}
			frame = append(frame, b...)
		case <-quiet:
			if answer := rtuAnswer(frame, slaves); answer != nil {
				if _, err := rw.Write(answer); err != nil {
					for range chunks { // until the reader has seen the end too
					}
					return
				}
			}
			frame = frame[:0]
		}
	}
}

func rtuAnswer(frame []byte, slaves map[byte]*slave) []byte {
	if len(frame) < 4 || crc16(frame) != 0 {
		return nil
	}
	s := slaves[frame[0]]
	if s == nil {
		return nil
	}
	pdu := s.handle(frame[1 : len(frame)-2])
	if pdu == nil {
		return nil
	}
	out := append([]byte{frame[0]}, pdu...)
	return binary.LittleEndian.AppendUint16(out, crc16(out))
}

// crc16 is the CRC of Modbus over serial line, section 6.2.2; over a frame
// with its CRC it is zero.
func crc16(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, x := range b {
		crc ^= uint16(x)
		for range 8 {
			lsb := crc & 1
			crc >>= 1
			if lsb != 0 {
				crc ^= 0xA001
			}
		}
	}
	return crc
}
