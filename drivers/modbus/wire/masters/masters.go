package masters

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

const (
	remind   = time.Hour // between two lines in the log
	enough   = 3         // answers that nobody asked for, within remind
	maxFrame = 256       // bytes (Modbus over Serial Line V1.02 §2.5.1)
	remember = 8         // own requests: an echo may come late
)

// Watch looks for another master on one line. Its methods may be called by
// any goroutine.
type Watch struct {
	mu       sync.Mutex // guards the fields below
	log      *slog.Logger
	ours     [][]byte // the last requests that were sent
	requests uint64   // of another master
	answers  int      // that nobody asked for, since the time below
	since    time.Time
	told     time.Time // when the log was told last of a master
	seen     time.Time // when it was noticed last
	who      string    // what it asked then
	greeted  time.Time // when the log was told of a terminal server
	copies   uint64    // answers that came twice
	copied   time.Time // when the last of them did
	toldCopy time.Time // when the log was told last of one
}

// Log says where to tell. Until it is called nothing is told.
func (w *Watch) Log(log *slog.Logger) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.log = log
}

// Requests is how many requests of another master were seen. A request that a
// unit answers with its echo, as most writes, counts twice.
func (w *Watch) Requests() uint64 {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.requests
}

// Behind returns a tap that looks at every frame and hands it on to next,
// which may be nil.
func (w *Watch) Behind(next wire.Tap) wire.Tap { return behind{w, next} }

type behind struct {
	w    *Watch
	next wire.Tap
}

func (b behind) Frame(e wire.Event) {
	b.w.frame(e)
	if b.next != nil {
		b.next.Frame(e)
	}
}

func (w *Watch) frame(e wire.Event) {
	if e.Outcome != wire.Request && e.Outcome != wire.Noise && e.Outcome != wire.Foreign {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case e.Outcome == wire.Request:
		w.sentLocked(e.Bytes)
	case e.Outcome == wire.Noise:
		w.noiseLocked(e)
	case slices.ContainsFunc(w.ours, func(b []byte) bool { return bytes.Equal(b, e.Bytes) }):
		// the echo of our own request, late
	case asks(e.PDU):
		w.requests++
		w.tellLocked(e.At, e.Unit, e.PDU.Function)
	default:
		w.answerLocked(e)
	}
}

func (w *Watch) sentLocked(b []byte) {
	if len(w.ours) >= remember {
		w.ours = append(w.ours[:0], w.ours[1:]...)
	}
	w.ours = append(w.ours, bytes.Clone(b))
}

// noiseLocked looks for requests in bytes that form no answer, and for what a
// terminal server says.
func (w *Watch) noiseLocked(e wire.Event) {
	if greets(e.Bytes) && w.log != nil && (w.greeted.IsZero() || e.At.Sub(w.greeted) >= remind) {
		w.greeted = e.At
		w.log.Warn("the other end talks like a terminal server: set its port to raw TCP, without telnet and without a banner", "said", strings.ToValidUTF8(string(e.Bytes), "?"))
	}
	for i := 0; i < len(e.Bytes); {
		n := request(e.Bytes[i:])
		if n == 0 {
			i++
			continue
		}
		adu := e.Bytes[i : i+n]
		i += n
		if slices.ContainsFunc(w.ours, func(b []byte) bool { return bytes.Equal(b, adu) }) {
			continue // our own, as the line gave it back
		}
		w.requests++
		w.tellLocked(e.At, adu[0], adu[1])
	}
}

// answerLocked counts an answer that nobody asked for. One alone may be that
// of a device which answers very late, or twice.
func (w *Watch) answerLocked(e wire.Event) {
	if e.At.Sub(w.since) > remind {
		w.since, w.answers = e.At, 0
	}
	if w.answers++; w.answers >= enough {
		w.tellLocked(e.At, e.Unit, e.PDU.Function)
	}
}

func (w *Watch) tellLocked(at time.Time, unit, function byte) {
	w.seen, w.who = at, fmt.Sprintf("unit %d, function %d", unit, function&^frame.ExceptionBit)
	if w.log == nil || !w.told.IsZero() && at.Sub(w.told) < remind {
		return
	}
	w.told = at
	w.log.Warn("another master asks on this line", "unit", unit, "function", function&^frame.ExceptionBit, "requests", w.requests, "answers", w.answers)
}

// Copied notes that an answer of a unit came twice.
func (w *Watch) Copied(unit byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.copies++
	w.copied = time.Now()
	if w.log == nil || !w.toldCopy.IsZero() && w.copied.Sub(w.toldCopy) < remind {
		return
	}
	w.toldCopy = w.copied
	w.log.Warn("answers come twice on this line: look for a converter that repeats them, or for another master that asks the same", "unit", unit, "copies", w.copies)
}

// Notes tells in words what was noticed within the hour before now: a note
// each, none where all is well.
func (w *Watch) Notes(now time.Time) (notes []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.seen.IsZero() && now.Sub(w.seen) < remind {
		notes = append(notes, fmt.Sprintf("another master asks on this line (%s)", w.who))
	}
	if !w.copied.IsZero() && now.Sub(w.copied) < remind {
		notes = append(notes, fmt.Sprintf("answers come twice on this line (%d so far)", w.copies))
	}
	return notes
}

// asks says that a frame with the form of an answer is a request: that of a
// read has four bytes, the first of which would be the byte count of an answer.
func asks(p frame.PDU) bool {
	return p.Reads() && len(p.Data) == 4 && p.Data[0] != 3
}

// greets says that bytes are a telnet negotiation (IAC, then WILL, WONT, DO or
// DONT: RFC 854) or a line of text.
func greets(b []byte) bool {
	const iac, will, dont, line = 0xFF, 0xFB, 0xFE, 6 // a text shorter than a line may be chance
	for i := range b {
		if b[i] == iac && i+2 < len(b) && b[i+1] >= will && b[i+1] <= dont && b[i+2] < 40 {
			return true
		}
	}
	letters := 0
	for _, x := range b {
		switch {
		case x >= 'a' && x <= 'z':
			letters++
		case x != '\r' && x != '\n' && (x < ' ' || x > '~'):
			return false
		}
	}
	return letters >= line
}

// request is the length of the RTU request that b begins with: one of the
// reads and writes that every master uses, with a right checksum. 0 if it does
// not begin with one.
func request(b []byte) int {
	if len(b) < 8 {
		return 0
	}
	n := 8
	if fc := b[1]; fc == 15 || fc == 16 {
		n = 9 + int(b[6])
	} else if fc < 1 || fc > 6 {
		return 0
	}
	if n > len(b) || n > maxFrame || checksum(b[:n-2]) != binary.LittleEndian.Uint16(b[n-2:]) {
		return 0
	}
	return n
}

// checksum is the CRC of RTU (Modbus over Serial Line V1.02 §6.2.2).
func checksum(b []byte) uint16 {
	crc := uint16(0xFFFF)
	for _, c := range b {
		crc ^= uint16(c)
		for range 8 {
			low := crc & 1
			crc >>= 1
			if low != 0 {
				crc ^= 0xA001
			}
		}
	}
	return crc
}
