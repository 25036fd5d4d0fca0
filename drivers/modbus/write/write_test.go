package write

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"

	"fieldferry/drivers"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/tag"
)

// line answers requests as a script says, by the order in which they come.
type line struct {
	answers []any // words of a read, nil for a write, or an error
	asked   []string
}

func (l *line) Exchange(_ context.Context, unit byte, req frame.PDU) (wire.Reply, error) {
	l.asked = append(l.asked, fmt.Sprintf("%d:%d", unit, req.Function))
	if err := req.Validate(); err != nil {
		return wire.Reply{}, &frame.Error{Kind: frame.Invalid, Err: err}
	}
	a := l.answers[0]
	l.answers = l.answers[1:]
	switch a := a.(type) {
	case error:
		return wire.Reply{}, a
	case uint16:
		return wire.Reply{Data: []byte{byte(a >> 8), byte(a)}}, nil
	}
	return wire.Reply{}, nil
}

func fails(kind frame.Kind, sent bool) error {
	return &frame.Error{Kind: kind, Sent: sent, Err: errors.New("as scripted")}
}

func exception(code byte, suspect bool) error {
	return &frame.Error{Kind: frame.Exception, Code: code, Sent: true, Suspect: suspect}
}

// TestWriteTellsTheOutcome: what each failure at each step of each way to
// write means, and how much was sent.
func TestWriteTellsTheOutcome(t *testing.T) {
	type outcome struct{ unknown, down, device bool }
	word, bit, scaled := layout.Spec{Address: "hr:5", Type: "uint16"}, layout.Spec{Address: "hr:5.0"}, layout.Spec{Address: "hr:5", Type: "int16", ScaleFrom: "hr:6"}
	for _, c := range []struct {
		name    string
		spec    layout.Spec
		device  Device
		answers []any
		asked   string
		text    string // of the error; empty: written
		want    outcome
	}{
		{"done", word, Device{}, []any{nil}, "1:6", "", outcome{}},
		{"with 16", word, Device{Multiple: true}, []any{nil}, "1:16", "", outcome{}},
		{"taken, at work", word, Device{}, []any{exception(5, false)}, "1:6", "", outcome{}},
		{"refused", word, Device{}, []any{exception(3, false)}, "1:6", "illegal data value", outcome{}},
		{"refused, or an older request was", word, Device{}, []any{exception(3, true)}, "1:6", "illegal", outcome{unknown: true}},
		{"not sent", word, Device{}, []any{fails(frame.Timeout, false)}, "1:6", "as scripted", outcome{device: true}},
		{"link down before", word, Device{}, []any{fails(frame.LinkDown, false)}, "1:6", "as scripted", outcome{down: true}},
		{"link down after", word, Device{}, []any{fails(frame.LinkDown, true)}, "1:6", "as scripted", outcome{unknown: true, down: true}},
		{"silent", word, Device{}, []any{fails(frame.Timeout, true)}, "1:6", "as scripted", outcome{unknown: true}},
		{"cancelled before", word, Device{}, []any{fails(frame.Cancelled, false)}, "1:6", "as scripted", outcome{}},
		{"cancelled after", word, Device{}, []any{fails(frame.Cancelled, true)}, "1:6", "as scripted", outcome{unknown: true}},
		{"broadcast", word, Device{Broadcast: true}, []any{nil}, "1:6", "none answers a broadcast", outcome{unknown: true}},
		{"mask", bit, Device{}, []any{nil}, "1:22", "", outcome{}},
		{"mask unknown to it", bit, Device{}, []any{exception(1, false), uint16(4), uint16(4), nil, uint16(5)}, "1:22 1:3 1:3 1:6 1:3", "", outcome{}},
		{"mask, suspect", bit, Device{}, []any{exception(1, true)}, "1:22", "illegal function", outcome{unknown: true}},
		{"mask, silent", bit, Device{}, []any{fails(frame.Timeout, true)}, "1:22", "as scripted", outcome{unknown: true}},
		{"mask alone", bit, Device{Bits: BitsMask}, []any{exception(1, false)}, "1:22", "illegal function", outcome{}},
		{"no parts", bit, Device{Bits: BitsRefuse}, nil, "", "write_bits: refuse", outcome{}},
		{"first read silent", bit, Device{Bits: BitsReadModifyWrite}, []any{fails(frame.Timeout, true)}, "1:3", "read holding register 5 first", outcome{device: true}},
		{"second read down", bit, Device{Bits: BitsReadModifyWrite}, []any{uint16(4), fails(frame.LinkDown, true)}, "1:3 1:3", "read holding register 5 first", outcome{down: true}},
		{"moves", bit, Device{Bits: BitsReadModifyWrite}, []any{uint16(4), uint16(6)}, "1:3 1:3", "refused: the register went from 0x0004 to 0x0006", outcome{}},
		{"write refused", bit, Device{Bits: BitsReadModifyWrite}, []any{uint16(4), uint16(4), exception(2, false)}, "1:3 1:3 1:6", "illegal data address", outcome{}},
		{"write silent", bit, Device{Bits: BitsReadModifyWrite}, []any{uint16(4), uint16(4), fails(frame.Timeout, true)}, "1:3 1:3 1:6", "as scripted", outcome{unknown: true}},
		{"not read back", bit, Device{Bits: BitsReadModifyWrite}, []any{uint16(4), uint16(4), nil, fails(frame.Timeout, true)}, "1:3 1:3 1:6 1:3", "could not be read back", outcome{unknown: true, device: true}},
		{"disturbed", bit, Device{Bits: BitsReadModifyWrite, Multiple: true}, []any{uint16(4), uint16(4), nil, uint16(9)}, "1:3 1:3 1:16 1:3", "0x0004 before and is 0x0008 now", outcome{unknown: true}},
		{"scaled", scaled, Device{}, []any{uint16(0), nil}, "1:3 1:6", "", outcome{}},
		{"no scale", scaled, Device{}, []any{uint16(0x8000)}, "1:3", "holds no scale", outcome{}},
		{"scale silent", scaled, Device{}, []any{fails(frame.BadFrame, true)}, "1:3", "read holding register 6 first", outcome{device: true}},
	} {
		spec, faults := c.spec.Parse()
		if len(faults) > 0 {
			t.Fatal(faults)
		}
		l := &line{answers: c.answers}
		c.device.Name, c.device.Unit = "pump", 1
		err := New(l, c.device, slog.New(slog.DiscardHandler)).Write(t.Context(), &spec, tag.Int(1))
		var de *drivers.DeviceError
		got := outcome{errors.Is(err, drivers.ErrOutcomeUnknown), errors.Is(err, drivers.ErrLinkDown), errors.As(err, &de)}
		if asked := strings.Join(l.asked, " "); got != c.want || (err == nil) != (c.text == "") || err != nil && !strings.Contains(err.Error(), c.text) || asked != c.asked {
			t.Errorf("%s: asked %q, %v (%+v); want %q, %q (%+v)", c.name, asked, err, got, c.asked, c.text, c.want)
		}
	}
}

// TestMaskIsForgottenOnce: a device that has no mask write is not asked for
// one again.
func TestMaskIsForgottenOnce(t *testing.T) {
	l := &line{answers: []any{exception(1, false), uint16(0), uint16(0), nil, uint16(1), uint16(1), uint16(1), nil, uint16(1)}}
	spec, _ := layout.Spec{Address: "hr:5.0"}.Parse()
	w := New(l, Device{Name: "pump", Unit: 1}, slog.New(slog.DiscardHandler))
	for range 2 {
		if err := w.Write(t.Context(), &spec, tag.Bool(true)); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"1:22", "1:3", "1:3", "1:6", "1:3", "1:3", "1:3", "1:6", "1:3"}; !slices.Equal(l.asked, want) {
		t.Errorf("asked %v, want %v", l.asked, want)
	}
}

func TestBitsText(t *testing.T) {
	for _, b := range []Bits{BitsAuto, BitsMask, BitsReadModifyWrite, BitsRefuse} {
		text, err := b.MarshalText()
		var back Bits
		if err != nil || back.UnmarshalText(text) != nil || back != b {
			t.Errorf("%v is written %q, %v and read %v", b, text, err, back)
		}
	}
	var b Bits
	if err := b.UnmarshalText([]byte("always")); err == nil || !strings.Contains(err.Error(), "use auto, mask, read-modify-write or refuse") {
		t.Errorf("always: %v", err)
	}
}
