package recorder

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

// Frame is one recorded frame, or what a line brought instead of one.
type Frame struct {
	At      time.Time // UTC
	Unit    byte
	Outcome wire.Outcome
	PDU     frame.PDU // Function 0: none
	Bytes   []byte    // as they were on the wire; may be empty
}

// Record is some frames of a link, oldest first.
type Record struct {
	Link   string    // name of the link
	Kept   string    // KeptFirst or KeptLast; empty: the last frames
	Fault  time.Time // when the fault was around which they were kept
	Frames []Frame
}

// magic is the first line of a record.
const magic = "# fieldferry modbus frames 1"

// timeForm is how times are written: UTC, to the microsecond.
const timeForm = "2006-01-02T15:04:05.000000Z"

// MaxText is the most bytes that Parse reads.
const MaxText = 16 << 20

// WriteTo writes the record as text.
func (r *Record) WriteTo(w io.Writer) (int64, error) {
	var b bytes.Buffer
	fmt.Fprintln(&b, magic)
	if r.Link != "" {
		fmt.Fprintf(&b, "link %q\n", r.Link)
	}
	if r.Kept != "" {
		fmt.Fprintf(&b, "kept %s %s\n", r.Kept, r.Fault.UTC().Format(timeForm))
	}
	for i := range r.Frames {
		r.Frames[i].append(&b)
	}
	return b.WriteTo(w)
}

func (f *Frame) append(b *bytes.Buffer) {
	direction, pdu := "<", "-"
	if f.Out() {
		direction = ">"
	}
	if f.PDU.Function != 0 {
		pdu = hex.EncodeToString(append([]byte{f.PDU.Function}, f.PDU.Data...))
	}
	raw := "-"
	if len(f.Bytes) > 0 {
		raw = hex.EncodeToString(f.Bytes)
	}
	fmt.Fprintf(b, "%s %s %-7s %3d %s %s  # %s\n", f.At.UTC().Format(timeForm), direction, f.Outcome, f.Unit, pdu, raw, f.Words())
}

// Parse reads a record. It is strict: what is not understood is an error with
// its line, since a record that is read in part would be played wrongly.
func Parse(in io.Reader) (*Record, error) {
	text := bufio.NewScanner(io.LimitReader(in, MaxText+1))
	text.Buffer(nil, 16<<10)
	r := &Record{}
	size := 0
	for n := 1; text.Scan(); n++ {
		line := text.Text()
		if size += len(line) + 1; size > MaxText {
			return nil, fmt.Errorf("line %d: the record is longer than %d MiB", n, MaxText>>20)
		}
		if n == 1 {
			if line != magic {
				return nil, fmt.Errorf("line 1: %s is not the beginning of a record, which is %q", quoted(line), magic)
			}
			continue
		}
		if err := r.parseLine(line); err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
	}
	if err := text.Err(); err != nil {
		return nil, fmt.Errorf("read a record: %w", err)
	}
	if size == 0 {
		return nil, fmt.Errorf("line 1: it is empty, a record begins with %q", magic)
	}
	return r, nil
}

// quoted bounds what an error repeats of a file that may be anything.
func quoted(s string) string {
	const most = 60
	if len(s) > most {
		return strconv.Quote(s[:most]) + "..."
	}
	return strconv.Quote(s)
}

func (r *Record) parseLine(line string) error {
	if line == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	if name, ok := strings.CutPrefix(line, "link "); ok {
		link, err := strconv.Unquote(name)
		if err != nil || r.Link != "" || len(r.Frames) > 0 {
			return fmt.Errorf("%s: want link \"NAME\" once, ahead of the frames", quoted(line))
		}
		r.Link = link
		return nil
	}
	if rest, ok := strings.CutPrefix(line, "kept "); ok {
		which, at, _ := strings.Cut(rest, " ")
		fault, err := time.Parse(timeForm, at)
		if err != nil || which != KeptFirst && which != KeptLast || r.Kept != "" || len(r.Frames) > 0 {
			return fmt.Errorf("%s: want kept first|last TIME once, ahead of the frames", quoted(line))
		}
		r.Kept, r.Fault = which, fault
		return nil
	}
	f, err := parseFrame(line)
	if err != nil {
		return err
	}
	r.Frames = append(r.Frames, f)
	return nil
}

// outcomes are the names of what becomes of a frame.
var outcomes = func() map[string]wire.Outcome {
	m := map[string]wire.Outcome{}
	for o := wire.Request; o <= wire.Silence; o++ {
		m[o.String()] = o
	}
	return m
}()

func parseFrame(line string) (Frame, error) {
	said, _, _ := strings.Cut(line, "#")
	fields := strings.Fields(said)
	if len(fields) != 6 {
		return Frame{}, fmt.Errorf("%s has %d fields: want TIME DIRECTION OUTCOME UNIT PDU BYTES", quoted(line), len(fields))
	}
	var f Frame
	var err error
	if f.At, err = time.Parse(timeForm, fields[0]); err != nil {
		return f, fmt.Errorf("time %s: want UTC to the microsecond, as in 2026-11-20T08:27:00.123456Z", quoted(fields[0]))
	}
	o, ok := outcomes[fields[2]]
	if !ok {
		return f, fmt.Errorf("unknown outcome %s", quoted(fields[2]))
	}
	f.Outcome = o
	if want := map[bool]string{true: ">", false: "<"}[f.Out()]; fields[1] != want {
		return f, fmt.Errorf("direction %s of a %s: want %q", quoted(fields[1]), o, want)
	}
	unit, err := strconv.ParseUint(fields[3], 10, 8)
	if err != nil {
		return f, fmt.Errorf("unit %s: want 0-255", quoted(fields[3]))
	}
	f.Unit = byte(unit)
	return f, f.parseBytes(fields[4], fields[5])
}

// The longest that a PDU and a frame can be: those of ASCII are two
// characters for a byte.
const (
	maxPDU   = 253
	maxBytes = 1024
)

func (f *Frame) parseBytes(pdu, raw string) error {
	if pdu != "-" {
		b, err := hex.DecodeString(pdu)
		if err != nil || len(b) > maxPDU || b[0] == 0 {
			return fmt.Errorf("PDU %s: want a function code and data in hexadecimal, %d bytes at most, or -", quoted(pdu), maxPDU)
		}
		f.PDU = frame.PDU{Function: b[0], Data: b[1:]}
	}
	if raw != "-" {
		b, err := hex.DecodeString(raw)
		if err != nil || len(b) > maxBytes {
			return fmt.Errorf("bytes %s: want hexadecimal, %d bytes at most, or -", quoted(raw), maxBytes)
		}
		f.Bytes = b
	}
	if f.PDU.Function == 0 && (f.Outcome == wire.Request || f.Outcome == wire.Answer || f.Outcome == wire.Silence) {
		return fmt.Errorf("a %s without a PDU", f.Outcome)
	}
	return nil
}

// ParseOutcome reads the name of what became of a frame.
func ParseOutcome(s string) (wire.Outcome, bool) {
	o, ok := outcomes[s]
	return o, ok
}
