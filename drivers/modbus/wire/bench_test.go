package wire_test

import (
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/modbustest"
	"fieldferry/drivers/modbus/tty"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/drivers/modbus/wire/line"
	"fieldferry/drivers/modbus/wire/tcp"
)

// paced answers every request on a terminal as a device does that needs no
// time for itself: it takes the characters of the request, waits until it sees
// its end, and sends its answer, each character when a line would bring it.
func paced(master io.ReadWriter, answer []byte, char, gap time.Duration) {
	request := make([]byte, 8)
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		if _, err := io.ReadFull(master, request); err != nil {
			return
		}
		at := time.Now().Add(8*char + gap)
		for i := range answer {
			at = at.Add(char)
			if wait := time.Until(at); wait > 0 {
				timer.Reset(wait)
				<-timer.C
			}
			if _, err := master.Write(answer[i : i+1]); err != nil {
				return
			}
		}
	}
}

// BenchmarkRTULine measures how much of what a line can carry is used:
// T_min = 11·(N_req+N_resp)/baud + 2·t3.5, with 11 bits to a character (8E1),
// by what a read really takes. "use" is to be 0.95 at least.
func BenchmarkRTULine(b *testing.B) {
	for _, baud := range []int{9600, 19200, 115200} {
		for _, registers := range []int{10, 125} {
			b.Run(fmt.Sprintf("baud=%d/registers=%d", baud, registers), func(b *testing.B) {
				s := tty.Default()
				s.Baud, s.Parity = baud, "even"
				char, gap := s.Timing()
				master, name := terminal(b)
				port, err := tty.Open(name, s)
				if err != nil {
					b.Fatal(err)
				}
				o := line.Options{Options: wire.Options{Timeout: time.Second}, Char: char, Gap: gap}
				l := line.New(port, o)
				pdu := append([]byte{3, byte(2 * registers)}, make([]byte, 2*registers)...)
				answer := modbustest.RTUFrame(1, pdu)
				var wg sync.WaitGroup
				wg.Go(func() { paced(master, answer, char, gap) })
				defer func() { l.Close(); master.Close(); wg.Wait() }()
				req := frame.Read(3, 0, registers)
				if _, err := l.Exchange(b.Context(), 1, req); err != nil { // the first listens, too
					b.Fatal(err)
				}
				var took []time.Duration
				cpu := cpuTime(b)
				for b.Loop() {
					start := time.Now()
					if _, err := l.Exchange(b.Context(), 1, req); err != nil {
						b.Fatal(err)
					}
					took = append(took, time.Since(start))
				}
				least := time.Duration(8+len(answer))*char + 2*gap
				b.ReportMetric(float64(least)/float64(median(took)), "use")
				b.ReportMetric(float64((cpuTime(b)-cpu).Microseconds())/float64(b.N*registers), "cpu-us/register")
			})
		}
	}
}

// cpuTime is what this process has used.
func cpuTime(b *testing.B) time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		b.Fatal(err)
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// responder answers every request on a connection with the same registers.
func responder(conn net.Conn, registers int) {
	request := make([]byte, 12)
	answer := make([]byte, 9+2*registers)
	answer[4], answer[5], answer[6], answer[7], answer[8] = byte((3+2*registers)>>8), byte(3+2*registers), 1, 3, byte(2*registers)
	for {
		if _, err := io.ReadFull(conn, request); err != nil {
			return
		}
		copy(answer, request[:2])
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// connected is two ends of a TCP connection, the other one served.
func connected(b testing.TB, registers int) net.Conn {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	ours, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	theirs, err := l.Accept()
	if err != nil {
		b.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() { responder(theirs, registers) })
	b.Cleanup(func() { ours.Close(); theirs.Close(); wg.Wait() })
	return ours
}

// BenchmarkTCP measures round trips beside a minimal client, which writes a
// fixed request and reads a fixed length, in turns of a hundred. "ratio" is
// ours to its, and to be 0.8 at least.
func BenchmarkTCP(b *testing.B) {
	for _, registers := range []int{10, 125} {
		b.Run(fmt.Sprintf("registers=%d", registers), func(b *testing.B) {
			c := tcp.New(connected(b, registers), tcp.Options{})
			defer c.Close()
			plain := connected(b, registers)
			request, answer := []byte{0, 1, 0, 0, 0, 6, 1, 3, 0, 0, 0, byte(registers)}, make([]byte, 9+2*registers)
			req := frame.Read(3, 0, registers)
			var ours, theirs []time.Duration
			const turn = 100
			for b.Loop() {
				start := time.Now()
				for range turn {
					if _, err := c.Exchange(b.Context(), 1, req); err != nil {
						b.Fatal(err)
					}
				}
				ours = append(ours, time.Since(start))
				start = time.Now()
				for range turn {
					if _, err := plain.Write(request); err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(plain, answer); err != nil {
						b.Fatal(err)
					}
				}
				theirs = append(theirs, time.Since(start))
			}
			b.ReportMetric(float64(median(theirs))/float64(median(ours)), "ratio")
			b.ReportMetric(turn/median(ours).Seconds(), "round-trips/s")
		})
	}
}

// median is the middle one: on a machine with other work to do, the mean says
// more about that.
func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

// TestNothingIsAllocatedPerRegister: a read of 125 registers makes no more
// objects than one of one.
func TestNothingIsAllocatedPerRegister(t *testing.T) {
	for _, framing := range []string{"tcp", "rtu over tcp"} {
		objects := map[int]float64{}
		for _, registers := range []int{1, 125} {
			link := allocLink(t, framing, registers)
			req := frame.Read(3, 0, registers)
			exchange := func() {
				if _, err := link.Exchange(t.Context(), 1, req); err != nil {
					t.Fatal(err)
				}
			}
			exchange()
			objects[registers] = testing.AllocsPerRun(500, exchange)
			link.Close()
		}
		t.Logf("%s: objects per read %v", framing, objects)
		if few, many := objects[1], objects[125]; many > few+2 || many > 20 {
			t.Errorf("%s: a read of 1 register makes %v objects, one of 125 makes %v: want no more than a few, whatever is read", framing, few, many)
		}
	}
}

// allocLink is a link to a server that makes no objects.
func allocLink(t *testing.T, framing string, registers int) wire.Link {
	t.Helper()
	if framing == "tcp" {
		return tcp.New(connected(t, registers), tcp.Options{})
	}
	ours, theirs := net.Pipe()
	answer := modbustest.RTUFrame(1, append([]byte{3, byte(2 * registers)}, make([]byte, 2*registers)...))
	var wg sync.WaitGroup
	wg.Go(func() {
		request := make([]byte, 8)
		for {
			if _, err := io.ReadFull(theirs, request); err != nil {
				return
			}
			if _, err := theirs.Write(answer); err != nil {
				return
			}
		}
	})
	t.Cleanup(func() { theirs.Close(); wg.Wait() })
	return line.New(line.OnTCP(ours), line.Options{})
}
