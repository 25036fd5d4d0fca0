package find

import (
	"context"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"fieldferry/drivers/ask"
	"fieldferry/drivers/modbus/frame"
)

// Depth is how much of a device identification is read (Modbus Application
// Protocol V1.1b3 §6.21).
type Depth byte

// The depths. A device that knows less answers with what it has.
const (
	Basic    Depth = 1 // vendor, product, revision
	Regular  Depth = 2 // also URL, product and model name, application
	Extended Depth = 3 // also what the vendor adds
)

// Identity is what a device says of itself.
type Identity struct {
	Objects  []Object // of function 43/14, in order; empty where it is not offered
	ServerID string   // of function 17: text, or hexadecimal where it is none; empty where it is not offered
	Running  string   // of function 17: on, off, or empty
	Cut      string   // why the list of objects may be incomplete; empty: it is whole
}

// Object is one object of a device identification.
type Object struct {
	ID    byte
	Name  string // of the standard objects; "object 0x80" for the vendor's
	Value string // control characters as U+FFFD
}

var objectNames = [...]string{"vendor", "product code", "revision", "vendor URL", "product name", "model name", "application"}

func objectName(id byte) string {
	if int(id) < len(objectNames) {
		return objectNames[id]
	}
	return fmt.Sprintf("object 0x%02X", id)
}

// String is the identity in a line.
func (d *Identity) String() string {
	var parts []string
	for _, o := range d.Objects {
		if o.Value != "" && o.ID != 3 {
			parts = append(parts, o.Value)
		}
	}
	if len(parts) == 0 && d.ServerID != "" {
		parts = append(parts, d.ServerID)
	}
	return strings.Join(parts, ", ")
}

const (
	reportServerID = 17
	encapsulated   = 43
	identification = 14
)

// maxRounds bounds how often a device may say that more follows.
const maxRounds = 32

// Identify asks a unit what it is: by function 43/14, and by function 17
// where it has that. It returns nil without an error when the unit offers
// neither.
func (l *Link) Identify(ctx context.Context, unit int, depth Depth) (*Identity, error) {
	var d Identity
	if err := l.objects(ctx, unit, depth, &d); err != nil {
		return nil, err
	}
	a, err := l.ask(ctx, unit, frame.PDU{Function: reportServerID})
	if err != nil {
		return nil, err
	}
	if a.Outcome == ask.Answered {
		d.ServerID, d.Running = serverID(a.Data)
	}
	if len(d.Objects) == 0 && d.ServerID == "" {
		return nil, nil
	}
	return &d, nil
}

// objects reads the objects of function 43/14, part by part.
func (l *Link) objects(ctx context.Context, unit int, depth Depth, d *Identity) error {
	next := byte(0)
	for range maxRounds {
		a, err := l.ask(ctx, unit, frame.PDU{Function: encapsulated, Data: []byte{identification, byte(depth), next}})
		switch {
		case err != nil:
			return err
		case a.Outcome != ask.Answered && len(d.Objects) > 0:
			d.Cut = a.Text
			return nil
		case a.Outcome == ask.Declined && a.Code == 3 && depth > Basic:
			depth-- // a device that should give what it has, and refuses instead
			continue
		case a.Outcome != ask.Answered:
			return nil
		}
		part, more, cut := parseObjects(a.Data)
		d.Objects, d.Cut = append(d.Objects, part...), cut
		if more == 0 || cut != "" {
			return nil
		}
		if more <= next {
			d.Cut = fmt.Sprintf("after object %d it goes on with object %d, which it has sent", next, more)
			return nil
		}
		next = more
	}
	d.Cut = fmt.Sprintf("it says that more follows, %d times", maxRounds)
	return nil
}

// parseObjects takes the answer to function 43/14 apart: what follows the
// function code is 14, depth, conformity, more follows, next object, number
// of objects, and the objects. more is the next object, 0 when that was all;
// cut says what is wrong with the answer.
func parseObjects(b []byte) (objects []Object, more byte, cut string) {
	const head = 6
	if len(b) < head || b[0] != identification {
		return nil, 0, fmt.Sprintf("an identification of %d bytes that is none", len(b))
	}
	count, rest := int(b[5]), b[head:]
	for i := range count {
		if len(rest) < 2 || len(rest) < 2+int(rest[1]) {
			return objects, 0, fmt.Sprintf("object %d of %d ends behind the answer", i+1, count)
		}
		n := int(rest[1])
		objects = append(objects, Object{rest[0], objectName(rest[0]), clean(rest[2 : 2+n])})
		rest = rest[2+n:]
	}
	if len(rest) > 0 {
		return objects, 0, fmt.Sprintf("%d bytes behind the last object", len(rest))
	}
	if b[3] == 0xFF {
		more = b[4]
	}
	return objects, more, ""
}

// serverID takes the answer to function 17 apart: a byte count, an id of the
// vendor's own form, and mostly a byte that says whether the device runs.
func serverID(b []byte) (id, running string) {
	if len(b) < 2 || int(b[0]) != len(b)-1 {
		return "", ""
	}
	b = b[1:]
	switch b[len(b)-1] {
	case 0xFF:
		running, b = "on", b[:len(b)-1]
	case 0:
		running, b = "off", b[:len(b)-1]
	}
	text := strings.TrimSpace(strings.Trim(string(b), "\x00"))
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) || !utf8.ValidString(text) {
		return fmt.Sprintf("% x", b), running
	}
	return text, running
}

// clean makes text of a device fit to be shown.
func clean(b []byte) string {
	s := strings.ToValidUTF8(strings.TrimRight(string(b), "\x00 "), "\uFFFD")
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return unicode.ReplacementChar
		}
		return r
	}, s)
}
