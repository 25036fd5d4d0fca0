package modbustest

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"testing"
)

// Request is one request that arrived.
type Request struct {
	N    int // how many came before it, on all connections
	ID   uint16
	Unit byte
	PDU  []byte
}

// Handler does what a device would do with a request. It runs in the
// goroutine of the connection, one request after the other.
type Handler func(c *Conn, r Request)

// Server is a scripted Modbus server on a free port of 127.0.0.1.
type Server struct {
	RTU   bool // RTU frames instead of Modbus TCP; set once
	ASCII bool // ASCII frames instead of Modbus TCP; set once
	Units map[byte]*Memory

	l     net.Listener // nil on a serial port
	name  string       // of the serial port
	wg    sync.WaitGroup
	taken chan struct{} // closed when the first connection was accepted

	mu       sync.Mutex // guards the fields below
	handler  Handler
	greet    func(c *Conn)
	requests int
	byUnit   map[byte]int
	accepted int
	conns    map[*Conn]bool
}

// Conn is a connection that a client made.
type Conn struct {
	s *Server
	c io.ReadWriteCloser
}

// New starts a Modbus TCP server with some units; it ends with the test.
// Without a handler it answers as healthy devices do, and units that it does
// not have are silent.
func New(t testing.TB, units map[byte]*Memory) *Server {
	t.Helper()
	return start(t, &Server{Units: units})
}

// NewRTU is New for RTU frames on TCP.
func NewRTU(t testing.TB, units map[byte]*Memory) *Server {
	t.Helper()
	return start(t, &Server{Units: units, RTU: true})
}

// NewASCII is New for ASCII frames on TCP.
func NewASCII(t testing.TB, units map[byte]*Memory) *Server {
	t.Helper()
	return start(t, &Server{Units: units, ASCII: true})
}

func start(t testing.TB, s *Server) *Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("listen: %v", err)
	}
	s.init()
	s.l = l
	s.wg.Go(s.accept)
	t.Cleanup(s.stop)
	return s
}

func (s *Server) init() {
	s.conns, s.byUnit, s.taken = map[*Conn]bool{}, map[byte]int{}, make(chan struct{})
}

// Addr is where it listens: 127.0.0.1:port.
func (s *Server) Addr() string { return s.l.Addr().String() }

// Endpoint is where it is, as a tag map names it.
func (s *Server) Endpoint() string {
	if s.l == nil {
		return s.name
	}
	return "tcp://" + s.Addr()
}

// Greet has every new connection greeted by g before its first request is
// read; g may close it.
func (s *Server) Greet(g func(c *Conn)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.greet = g
}

// Handle has requests handled by h from now on; nil means healthy devices.
func (s *Server) Handle(h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = h
}

// Requests is how many requests have come, to one unit or (0) to all.
func (s *Server) Requests(unit byte) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if unit == 0 {
		return s.requests
	}
	return s.byUnit[unit]
}

// Connections is how many connections were made.
func (s *Server) Connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.accepted
}

// CloseAll ends every connection; new ones are accepted. It waits for the
// first connection: a client has made it before the server takes it.
func (s *Server) CloseAll() {
	<-s.taken
	s.closeAll()
}

func (s *Server) closeAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.Close()
	}
}

func (s *Server) stop() {
	if s.l != nil {
		_ = s.l.Close()
	}
	s.closeAll()
	s.wg.Wait()
}

func (s *Server) accept() {
	for {
		nc, err := s.l.Accept()
		if err != nil {
			return
		}
		s.take(nc)
	}
}

// take serves a connection.
func (s *Server) take(rwc io.ReadWriteCloser) {
	c := &Conn{s, rwc}
	s.mu.Lock()
	if s.accepted++; s.accepted == 1 {
		close(s.taken)
	}
	s.conns[c] = true
	greet := s.greet
	s.mu.Unlock()
	s.wg.Go(func() {
		if greet != nil {
			greet(c)
		}
		c.serve()
	})
}

func (c *Conn) serve() {
	defer func() {
		c.Close()
		c.s.mu.Lock()
		delete(c.s.conns, c)
		c.s.mu.Unlock()
	}()
	for {
		r, err := c.next()
		if err != nil {
			return
		}
		h := c.s.count(&r)
		if h == nil {
			h = func(c *Conn, r Request) { c.Write(c.Answer(r)) }
		}
		h(c, r)
	}
}

func (s *Server) count(r *Request) Handler {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.N = s.requests
	s.requests++
	s.byUnit[r.Unit]++
	return s.handler
}

func (c *Conn) next() (Request, error) {
	switch {
	case c.s.RTU:
		return c.nextRTU()
	case c.s.ASCII:
		return c.nextASCII()
	}
	head := make([]byte, 7)
	if _, err := io.ReadFull(c.c, head); err != nil {
		return Request{}, err
	}
	n := int(binary.BigEndian.Uint16(head[4:]))
	if n < 2 || n > 254 {
		return Request{}, fmt.Errorf("length %d", n)
	}
	pdu := make([]byte, n-1)
	_, err := io.ReadFull(c.c, pdu)
	return Request{ID: binary.BigEndian.Uint16(head), Unit: head[6], PDU: pdu}, err
}

func (c *Conn) nextRTU() (Request, error) {
	head := make([]byte, 8)
	if _, err := io.ReadFull(c.c, head); err != nil {
		return Request{}, err
	}
	var rest []byte
	if fc := head[1]; fc == 15 || fc == 16 {
		rest = make([]byte, int(head[6])+1)
	} else if fc == 22 {
		rest = make([]byte, 2)
	}
	if _, err := io.ReadFull(c.c, rest); err != nil {
		return Request{}, err
	}
	adu := slices.Concat(head, rest)
	if n := len(adu); CRC(adu[:n-2]) != binary.LittleEndian.Uint16(adu[n-2:]) {
		return Request{}, errors.New("checksum")
	}
	return Request{Unit: adu[0], PDU: adu[1 : len(adu)-2]}, nil
}

func (c *Conn) nextASCII() (Request, error) {
	var text []byte
	for b := make([]byte, 1); len(text) == 0 || text[len(text)-1] != '\n'; text = append(text, b[0]) {
		if _, err := io.ReadFull(c.c, b); err != nil {
			return Request{}, err
		}
	}
	var raw []byte
	if _, err := fmt.Sscanf(string(text), ":%X\r\n", &raw); err != nil || len(raw) < 3 {
		return Request{}, fmt.Errorf("request %q: %w", text, err)
	}
	sum := byte(0)
	for _, x := range raw {
		sum += x
	}
	if sum != 0 {
		return Request{}, errors.New("checksum")
	}
	return Request{Unit: raw[0], PDU: raw[1 : len(raw)-1]}, nil
}

// Write sends raw bytes.
func (c *Conn) Write(b []byte) { _, _ = c.c.Write(b) } // a client that is gone is its own test's business

// Close ends the connection.
func (c *Conn) Close() { _ = c.c.Close() }

// Answer is the frame that a healthy device would send; nothing for a unit
// that is not there.
func (c *Conn) Answer(r Request) []byte {
	m := c.s.Units[r.Unit]
	if m == nil {
		return nil
	}
	return c.Frame(r.ID, r.Unit, m.Answer(r.PDU))
}

// Frame puts a frame around a PDU, whatever it holds.
func (c *Conn) Frame(id uint16, unit byte, pdu []byte) []byte {
	switch {
	case c.s.RTU:
		return RTUFrame(unit, pdu)
	case c.s.ASCII:
		return ASCIIFrame(unit, pdu)
	}
	b := binary.BigEndian.AppendUint16(nil, id)
	b = append(b, 0, 0, byte((len(pdu)+1)>>8), byte(len(pdu)+1), unit)
	return append(b, pdu...)
}

// RTUFrame puts an RTU frame around a PDU.
func RTUFrame(unit byte, pdu []byte) []byte {
	b := append([]byte{unit}, pdu...)
	return binary.LittleEndian.AppendUint16(b, CRC(b))
}

// CRC is the checksum of RTU (Modbus over Serial Line V1.02, appendix B).
func CRC(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, x := range b {
		crc ^= uint16(x)
		for range 8 {
			odd := crc&1 != 0
			crc >>= 1
			if odd {
				crc ^= 0xA001
			}
		}
	}
	return crc
}

// ASCIIFrame puts an ASCII frame around a PDU (Modbus over Serial Line V1.02
// §2.5.2).
func ASCIIFrame(unit byte, pdu []byte) []byte {
	sum := unit
	for _, x := range pdu {
		sum += x
	}
	return fmt.Appendf(nil, ":%02X%X%02X\r\n", unit, pdu, -sum)
}
