package wire_test

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/drivers/modbus/tty"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/drivers/modbus/wire/line"
	"fieldferry/drivers/modbus/wire/tcp"
)

// plant is two units that answer late, or never, now and then. A read of
// registers is answered with the address that was asked for, the number of
// the request, and zeros, so that no answer is like another.
type plant struct {
	ascii, mbap bool
	timeout     time.Duration
	normal      time.Duration // what an answer takes that is in time
	trouble     int           // of a thousand requests
	copies      int           // of a thousand answers: those in time come again, up to 900 ms later
	rnd         *rand.Rand

	mu       sync.Mutex // guards the fields below
	out      io.Writer  // where answers go, also those to requests on the connection before
	number   int
	told     map[int]bool // requests whose answers are on their way to the master
	late     int
	lost     int
	twice    int
	writes   int
	pendings sync.WaitGroup
}

// serve takes requests from a connection until it ends.
func (p *plant) serve(conn io.ReadWriter) {
	p.mu.Lock()
	p.out = conn
	p.mu.Unlock()
	var rx []byte
	buf := make([]byte, 1024)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return
		}
		rx = append(rx, buf[:n]...)
		for {
			head, unit, pdu, rest := p.request(rx)
			if pdu == nil {
				break
			}
			rx = rest
			p.take(conn, head, unit, pdu)
		}
	}
}

// request cuts the first request off what was received.
func (p *plant) request(rx []byte) (head []byte, unit byte, pdu, rest []byte) {
	switch {
	case p.mbap && len(rx) >= 12:
		return slices.Clone(rx[:4]), rx[6], slices.Clone(rx[7:12]), rx[12:]
	case p.ascii && slices.Contains(rx, '\n'):
		end := slices.Index(rx, '\n')
		raw, err := hex.DecodeString(string(rx[1 : end-1]))
		if err != nil || len(raw) != 7 {
			panic(fmt.Sprintf("request %q: %v", rx, err))
		}
		return nil, raw[0], raw[1:6], rx[end+1:]
	case !p.mbap && !p.ascii && len(rx) >= 8:
		return nil, rx[0], slices.Clone(rx[1:6]), rx[8:]
	}
	return nil, 0, nil, rx
}

// take answers a request some time, or never.
func (p *plant) take(conn io.Writer, head []byte, unit byte, pdu []byte) {
	p.mu.Lock()
	p.number++
	n, after := p.number, p.normal
	switch x := p.rnd.IntN(1000); {
	case x < p.trouble/5:
		p.lost++
		p.mu.Unlock()
		return
	case x < p.trouble:
		p.late++
		after = p.timeout + time.Duration(50+p.rnd.IntN(851))*time.Millisecond
	}
	var answer []byte
	if pdu[0] == 6 {
		p.writes++
		answer = pdu
	} else {
		q := binary.BigEndian.Uint16(pdu[3:])
		answer = append([]byte{pdu[0], byte(2 * q)}, make([]byte, 2*q)...)
		copy(answer[2:], pdu[1:3])
		if q > 1 { // not where the master tries the line for its echo
			binary.BigEndian.PutUint16(answer[4:], uint16(n))
		}
	}
	if p.rnd.IntN(100) == 0 {
		answer = []byte{pdu[0] | 0x80, 6}
	}
	again := after == p.normal && p.rnd.IntN(1000) < p.copies
	delay := time.Duration(p.rnd.IntN(900)) * time.Millisecond
	if again {
		p.twice++
	}
	p.mu.Unlock()
	p.pendings.Add(1)
	time.AfterFunc(after, func() { p.send(conn, n, p.frame(head, unit, answer)) })
	if again {
		p.pendings.Add(1)
		time.AfterFunc(after+delay, func() { p.send(conn, n, p.frame(head, unit, answer)) })
	}
}

func (p *plant) frame(head []byte, unit byte, pdu []byte) []byte {
	switch {
	case p.mbap:
		return slices.Concat(head, []byte{0, byte(len(pdu) + 1), unit}, pdu)
	case p.ascii:
		return modbustest.ASCIIFrame(unit, pdu)
	}
	return modbustest.RTUFrame(unit, pdu)
}

// send sends an answer: on TCP where the request came from, else to whoever is
// there, as a converter does.
func (p *plant) send(conn io.Writer, n int, b []byte) {
	defer p.pendings.Done()
	p.mu.Lock()
	p.told[n] = true
	if !p.mbap {
		conn = p.out
	}
	p.mu.Unlock()
	_, _ = conn.Write(b) // to a master that is gone
}

// master asks a plant, over as many connections as it takes.
type master struct {
	t       *testing.T
	p       *plant
	connect func() wire.Link
	link    wire.Link
	rnd     *rand.Rand

	reads, writes, failed, lines int
	seen                         wire.Stats
}

// ask makes requests until so many reads have brought values, and fails on the
// first wrong one.
func (m *master) ask(want int) {
	m.t.Helper()
	m.link = m.connect()
	for m.reads < want {
		unit, address := byte(1+m.rnd.IntN(2)), m.rnd.IntN(500)
		if m.rnd.IntN(20) == 0 {
			m.write(unit, address)
		} else {
			m.read(unit, address, 2+m.rnd.IntN(3))
		}
	}
	m.close()
}

func (m *master) close() {
	m.link.Close()
	s := m.link.Stats()
	m.seen.Late += s.Late
	m.seen.Timeouts += s.Timeouts
	m.lines++
}

func (m *master) fails(err error) {
	var e *frame.Error
	switch {
	case !errors.As(err, &e) || e.Kind == frame.Cancelled || e.Kind == frame.Invalid:
		m.t.Fatalf("after %d reads: %v", m.reads, err)
	case e.Kind == frame.LinkDown:
		m.close()
		m.link = m.connect()
	}
	m.failed++
}

func (m *master) read(unit byte, address, quantity int) {
	m.t.Helper()
	r, err := m.link.Exchange(m.t.Context(), unit, frame.Read(3, address, quantity))
	if err != nil {
		m.fails(err)
		return
	}
	m.p.mu.Lock()
	n := m.p.number
	m.p.mu.Unlock()
	if len(r.Data) != 2*quantity || int(binary.BigEndian.Uint16(r.Data)) != address || binary.BigEndian.Uint16(r.Data[2:]) != uint16(n) {
		m.t.Fatalf("read %d: asked unit %d for %d registers at %d in request %d, got % x: a late answer became a value", m.reads, unit, quantity, address, n, r.Data)
	}
	m.reads++
}

func (m *master) write(unit byte, address int) {
	m.t.Helper()
	_, err := m.link.Exchange(m.t.Context(), unit, frame.WriteRegister(address%3, [2]byte{0, byte(address % 2)}))
	if err != nil {
		m.fails(err)
		return
	}
	m.p.mu.Lock()
	defer m.p.mu.Unlock()
	if n := m.p.number; !m.p.told[n] {
		m.t.Fatalf("write in request %d was confirmed, which nobody has answered", n)
	}
	m.writes++
}

// framings are what a master may speak to a plant.
var framings = []string{"tcp", "rtu", "rtu over tcp", "ascii", "ascii over tcp"}

func newPlant(framing string, timeout, normal time.Duration, trouble int) *plant {
	return &plant{
		mbap: framing == "tcp", ascii: strings.HasPrefix(framing, "ascii"), timeout: timeout, normal: normal, trouble: trouble,
		rnd: rand.New(rand.NewPCG(1, 2)), told: map[int]bool{},
	}
}

// connector speaks a framing on connections to a plant that dial makes.
func connector(framing string, timeout time.Duration, dial func() net.Conn) func() wire.Link {
	memory := line.NewMemory()
	return func() wire.Link {
		o := wire.Options{Timeout: timeout, Units: []byte{1, 2}}
		if framing == "tcp" {
			return tcp.New(dial(), tcp.Options{Options: o})
		}
		lo := line.Options{Options: o, Memory: memory, GiveUp: strings.HasSuffix(framing, "tcp")}
		if strings.HasPrefix(framing, "ascii") {
			lo.Framing = frame.SerialASCII
		}
		if !lo.GiveUp {
			lo.Char, lo.Gap = tty.Default().Timing()
		}
		return line.New(line.OnTCP(dial()), lo)
	}
}

// TestLateAnswersUnderAVirtualClock: 100,000 reads, and writes between them,
// where one in ten is answered 50 to 900 ms after its timeout, or not at all.
func TestLateAnswersUnderAVirtualClock(t *testing.T) {
	const timeout = 200 * time.Millisecond
	for _, framing := range framings {
		t.Run(framing, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlant(framing, timeout, 3*time.Millisecond, 100)
				var wg sync.WaitGroup
				dial := func() net.Conn {
					ours, theirs := net.Pipe()
					wg.Go(func() {
						p.serve(theirs)
						theirs.Close()
					})
					return ours
				}
				m := &master{t: t, p: p, connect: connector(framing, timeout, dial), rnd: rand.New(rand.NewPCG(3, 7))}
				m.ask(100_000 / len(framings))
				wg.Wait()
				p.pendings.Wait()
				m.summary()
			})
		})
	}
}

// TestCopiesUnderAVirtualClock: late and lost answers, and one in thirty that
// comes twice. A copy is within the late window of its answer.
func TestCopiesUnderAVirtualClock(t *testing.T) {
	const timeout = 200 * time.Millisecond
	for _, framing := range framings {
		t.Run(framing, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newPlant(framing, timeout, 3*time.Millisecond, 30)
				p.copies = 30
				var wg sync.WaitGroup
				dial := func() net.Conn {
					ours, theirs := net.Pipe()
					wg.Go(func() {
						p.serve(theirs)
						theirs.Close()
					})
					return ours
				}
				m := &master{t: t, p: p, connect: connector(framing, timeout, dial), rnd: rand.New(rand.NewPCG(3, 7))}
				m.ask(4000)
				wg.Wait()
				p.pendings.Wait()
				t.Logf("%d reads and %d writes right, 0 wrong, %d failed; %d answers came twice", m.reads, m.writes, m.failed, p.twice)
				if p.twice < 50 {
					t.Errorf("%d answers came twice: too few to show anything", p.twice)
				}
			})
		})
	}
}

// summary checks that the trouble has really been there.
func (m *master) summary() {
	m.t.Logf("%d reads and %d writes right, 0 wrong, %d failed on %d connections; %d late, %d lost; dropped as late: %d",
		m.reads, m.writes, m.failed, m.lines, m.p.late, m.p.lost, m.seen.Late)
	if m.p.late < m.reads/100 || m.p.lost == 0 || m.writes < m.reads/100 || m.seen.Late < uint64(m.p.late/4) {
		m.t.Errorf("%d late answers, %d lost, %d writes, %d dropped as late: too few to show anything", m.p.late, m.p.lost, m.writes, m.seen.Late)
	}
}

// TestLateAnswersForReal: 1,000 reads each on real sockets, and on a pseudo
// terminal, with late answers among them.
func TestLateAnswersForReal(t *testing.T) {
	const timeout = 60 * time.Millisecond
	for _, framing := range framings {
		t.Run(framing, func(t *testing.T) {
			t.Parallel()
			p := newPlant(framing, timeout, 0, 25)
			var wg sync.WaitGroup
			var dial func() net.Conn
			connect := func() wire.Link { return onTerminal(t, p, &wg, framing, timeout) }
			if strings.HasSuffix(framing, "tcp") {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				wg.Go(func() {
					for {
						conn, err := l.Accept()
						if err != nil {
							return
						}
						wg.Go(func() {
							p.serve(conn)
							conn.Close()
						})
					}
				})
				dial = func() net.Conn {
					conn, err := net.Dial("tcp", l.Addr().String())
					if err != nil {
						t.Fatal(err)
					}
					return conn
				}
				connect = connector(framing, timeout, dial)
				defer l.Close()
			}
			m := &master{t: t, p: p, connect: connect, rnd: rand.New(rand.NewPCG(5, 6))}
			m.ask(1000)
			p.pendings.Wait()
			m.summary()
		})
	}
}

// onTerminal speaks a framing on a pseudo terminal whose other end is a plant.
func onTerminal(t *testing.T, p *plant, wg *sync.WaitGroup, framing string, timeout time.Duration) wire.Link {
	t.Helper()
	master, name := terminal(t)
	wg.Go(func() { p.serve(master) })
	t.Cleanup(func() { master.Close(); wg.Wait() })
	s := tty.Default()
	s.Baud = 115200
	port, err := tty.Open(name, s)
	if err != nil {
		t.Fatal(err)
	}
	o := line.Options{Options: wire.Options{Timeout: timeout}}
	o.Char, o.Gap = s.Timing()
	if framing == "ascii" {
		o.Framing = frame.SerialASCII
	}
	return line.New(port, o)
}

// terminal makes a pseudo terminal and returns its master and its name.
func terminal(tb testing.TB) (*os.File, string) {
	tb.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
	if err != nil {
		tb.Fatalf("open a pseudo terminal: %v", err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		tb.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		tb.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "ptmx"), fmt.Sprintf("/dev/pts/%d", n)
}
