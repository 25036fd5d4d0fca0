package line

import (
	"fmt"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

// pump reads from the port until it is gone.
func (l *Line) pump() {
	defer close(l.done)
	buf := make([]byte, l.o.Framing.Max())
	for {
		n, err := l.port.Read(buf)
		if n > 0 {
			l.received(buf[:n])
		}
		if err != nil {
			l.fail(fmt.Errorf("read: %w", err))
			return
		}
		l.mu.Lock()
		gone := l.err != nil
		l.mu.Unlock()
		if gone {
			return
		}
	}
}

// received keeps bytes for whoever waits; of a flood, the newest two frames.
func (l *Line) received(b []byte) {
	l.mu.Lock()
	if over := len(l.rx) + len(b) - 2*l.o.Framing.Max(); over > 0 {
		over = min(over, len(l.rx))
		l.Counters.Noise.Add(uint64(over))
		l.rx = append(l.rx[:0], l.rx[over:]...)
	}
	l.rx = append(l.rx, b...)
	l.lastRx = time.Now()
	l.mu.Unlock()
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// pending is how many bytes were received and belong to no frame yet.
func (l *Line) pending() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.rx)
}

// take removes the first whole frame from what was received, and the noise
// ahead of it, and returns a copy; nil where there is none.
func (l *Line) take(expected frame.Expected) (adu []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	start, end := l.o.Framing.Scan(l.rx, expected)
	if end == 0 {
		return nil
	}
	noise := append([]byte(nil), l.rx[:start]...)
	adu = append([]byte(nil), l.rx[start:end]...)
	l.rx = append(l.rx[:0], l.rx[end:]...)
	l.noise(noise)
	return adu
}

// discard looks through what came in while nobody waited for it.
func (l *Line) discard() {
	for {
		adu := l.take(nil)
		if adu == nil {
			break
		}
		if unit, pdu, ok := l.open(adu); ok {
			l.stray(unit, pdu, adu)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.noise(l.rx)
	l.rx = l.rx[:0]
}

// noise counts bytes that form no frame.
func (l *Line) noise(b []byte) {
	if len(b) > 0 {
		l.Counters.Noise.Add(uint64(len(b)))
		l.o.Tell(0, frame.PDU{}, b, wire.Noise)
	}
}

// open takes a frame apart, whoever it is from.
func (l *Line) open(adu []byte) (unit byte, pdu frame.PDU, ok bool) {
	unit, _ = l.o.Framing.Head(adu)
	pdu, err := l.frameOf(unit).Decode(adu, adu)
	if err != nil {
		l.noise(adu)
	}
	return unit, pdu, err == nil
}

// copied counts an answer that came twice, and says so.
func (l *Line) copied(unit byte) {
	l.Counters.Copies.Add(1)
	if l.o.Copied != nil {
		l.o.Copied(unit)
	}
}

// stray counts a frame that answers nothing which was asked just now, and says
// whether it was the late answer to something that had been.
func (l *Line) stray(unit byte, pdu frame.PDU, adu []byte) (late bool) {
	now := time.Now()
	req, late, again := l.mem.late.drop(unit, pdu)
	if late && !again { // it may come once more, like any answer
		l.mem.took(unit, req, adu, now)
	} else {
		late = l.mem.again(unit, pdu, adu, now, l.o.LateWindow) // or somebody else has answered
		if late {
			l.copied(unit)
		}
	}
	if late || pdu.Function&frame.ExceptionBit != 0 && l.mem.late.suspects(unit, pdu.Function) {
		l.Counters.Late.Add(1)
		l.o.Tell(unit, pdu, adu, wire.Late)
		return true
	}
	l.Counters.Foreign.Add(1)
	l.o.Tell(unit, pdu, adu, wire.Foreign)
	return false
}
