package recorder

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

var start = time.Date(2026, 11, 20, 8, 27, 0, 0, time.UTC)

// ask is the i-th request of a test, which reads register i.
func ask(i int) wire.Event {
	return wire.Event{At: start.Add(time.Duration(i) * time.Second), Unit: 7, PDU: frame.Read(3, i, 1), Bytes: []byte{7, 3, byte(i)}, Outcome: wire.Request}
}

func silence(i int) wire.Event {
	e := ask(i)
	e.Outcome, e.Bytes = wire.Silence, nil
	return e
}

// addresses lists what the frames of a record asked for; a silence has a "!".
func addresses(r Record) string {
	var out []string
	for _, f := range r.Frames {
		s := fmt.Sprint(f.PDU.Address())
		if f.Outcome == wire.Silence {
			s += "!"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

func TestRecentKeepsTheLast(t *testing.T) {
	r := New(4)
	for i := range 10 {
		r.Frame(ask(i))
	}
	if got, want := addresses(r.Recent()), "6 7 8 9"; got != want {
		t.Errorf("recent: got %q, want %q", got, want)
	}
	if _, ok := r.Kept(KeptFirst); ok {
		t.Error("something is kept, and nothing went wrong")
	}
	r.Resize(4)
	if got, want := addresses(r.Recent()), "6 7 8 9"; got != want {
		t.Errorf("resized to the same: got %q, want %q", got, want)
	}
	r.Resize(0)
	r.Frame(ask(1))
	if got := addresses(r.Recent()); got != "" {
		t.Errorf("a recorder of size 0: got %q", got)
	}
}

// TestKeptAroundAFault: the first fault stays, the latest is renewed at most
// every ten minutes, and neither is washed away.
func TestKeptAroundAFault(t *testing.T) {
	r := New(8)
	for i := range 10 {
		r.Frame(ask(i))
	}
	r.Frame(silence(10))
	got, ok := r.Kept(KeptFirst)
	if want := "3 4 5 6 7 8 9 10!"; !ok || addresses(got) != want || !got.Fault.Equal(silence(10).At) {
		t.Fatalf("at once: got %q, %v, want %q", addresses(got), got.Fault, want)
	}
	for i := 11; i < 40; i++ {
		r.Frame(ask(i))
	}
	r.Frame(silence(40)) // half a minute after the first
	for i := 41; i < 60; i++ {
		r.Frame(ask(i))
	}
	const first = "5 6 7 8 9 10! 11 12"
	for _, which := range []string{KeptFirst, KeptLast} {
		if got, _ := r.Kept(which); addresses(got) != first {
			t.Errorf("%s after the second fault: got %q, want %q", which, addresses(got), first)
		}
	}
	r.Frame(silence(700))
	for i := 701; i < 720; i++ {
		r.Frame(ask(i))
	}
	if got, _ := r.Kept(KeptFirst); addresses(got) != first {
		t.Errorf("first after ten minutes: got %q, want %q", addresses(got), first)
	}
	if got, want := func() string { k, _ := r.Kept(KeptLast); return addresses(k) }(), "55 56 57 58 59 700! 701 702"; got != want {
		t.Errorf("last after ten minutes: got %q, want %q", got, want)
	}
}

// TestRecordIsACopy: what was handed out does not change any more.
func TestRecordIsACopy(t *testing.T) {
	r := New(2)
	r.Frame(ask(1))
	got := r.Recent()
	r.Frame(ask(2))
	r.Frame(ask(3))
	if addresses(got) != "1" || !bytes.Equal(got.Frames[0].Bytes, []byte{7, 3, 1}) {
		t.Errorf("got %q, % x", addresses(got), got.Frames[0].Bytes)
	}
}

func TestFrameAllocatesNothing(t *testing.T) {
	r := New(16)
	e, s := ask(1), silence(2)
	for range 40 {
		r.Frame(e)
		r.Frame(s)
	}
	if n := testing.AllocsPerRun(200, func() { r.Frame(e); r.Frame(s) }); n != 0 {
		t.Errorf("%v allocations for two frames, want 0", n)
	}
}

func TestContext(t *testing.T) {
	r := New(1)
	if got := FromContext(NewContext(context.Background(), r)); got != r {
		t.Errorf("got %v, want %v", got, r)
	}
	if got := FromContext(context.Background()); got != nil {
		t.Errorf("got %v from an empty context", got)
	}
}

func TestWords(t *testing.T) {
	tests := []struct {
		outcome wire.Outcome
		pdu     frame.PDU
		raw     string
		want    string
	}{
		{wire.Request, frame.Read(3, 100, 10), "", "read holding registers 100-109"},
		{wire.Request, frame.Read(1, 7, 1), "", "read coils 7"},
		{wire.Request, frame.WriteRegister(5, [2]byte{0x12, 0x34}), "", "write register 5: 0x1234"},
		{wire.Request, frame.WriteRegisters(5, []byte{1, 2, 3, 4}), "", "write registers 5-6"},
		{wire.Answer, frame.PDU{Function: 3, Data: []byte{4, 0, 1, 0xAB, 2}}, "", "read holding registers: 0001 AB02"},
		{wire.Answer, frame.PDU{Function: 1, Data: []byte{1, 5}}, "", "read coils: 05"},
		{wire.Answer, frame.PDU{Function: 0x83, Data: []byte{2}}, "", "read holding registers: exception 2 (illegal data address)"},
		{wire.Late, frame.PDU{Function: 6, Data: []byte{0, 1, 0, 2}}, "", "write register"},
		{wire.Silence, frame.Read(4, 0, 2), "", "no answer to: read input registers 0-1"},
		{wire.Noise, frame.PDU{}, "abc", "3 bytes"},
		{wire.Request, frame.PDU{Function: 43, Data: []byte{14, 1, 0}}, "", "device identification"},
		{wire.Request, frame.PDU{Function: 99}, "", "function 99"},
		{wire.Request, frame.PDU{Function: 3, Data: []byte{1}}, "", "read holding registers"},
	}
	for _, tt := range tests {
		f := Frame{Outcome: tt.outcome, PDU: tt.pdu, Bytes: []byte(tt.raw)}
		if got := f.Words(); got != tt.want {
			t.Errorf("%v %v: got %q, want %q", tt.outcome, tt.pdu, got, tt.want)
		}
	}
}

// sample is a record with a frame of each kind.
func sample() *Record {
	r := &Record{Link: "hall 2/meter \"7\"", Kept: KeptFirst, Fault: start}
	for o := wire.Request; o <= wire.Silence; o++ {
		f := Frame{At: start.Add(time.Duration(o) * time.Millisecond), Unit: 7, Outcome: o, PDU: frame.Read(3, 100, 2), Bytes: []byte{7, byte(o)}}
		switch o {
		case wire.Noise:
			f.PDU = frame.PDU{}
		case wire.Silence:
			f.Bytes = nil
		}
		r.Frames = append(r.Frames, f)
	}
	return r
}

func text(r *Record) string {
	var b bytes.Buffer
	if _, err := r.WriteTo(&b); err != nil {
		panic(err)
	}
	return b.String()
}

func TestRoundTrip(t *testing.T) {
	want := text(sample())
	r, err := Parse(strings.NewReader(want))
	if err != nil {
		t.Fatalf("%v in\n%s", err, want)
	}
	if got := text(r); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestFormatDocument: the example of FORMAT.md is a record.
func TestFormatDocument(t *testing.T) {
	doc, err := os.ReadFile("FORMAT.md")
	if err != nil {
		t.Fatal(err)
	}
	var example []string
	for line := range strings.Lines(string(doc)) {
		if code, ok := strings.CutPrefix(line, "    "); ok {
			example = append(example, code)
		}
	}
	r, err := Parse(strings.NewReader(strings.Join(example, "")))
	if err != nil || len(r.Frames) != 2 || text(r) != strings.Join(example, "") {
		t.Errorf("%q: %v, %+v", example, err, r)
	}
}

func TestParseRefuses(t *testing.T) {
	const good = "2026-11-20T08:27:00.123456Z > request 7 0300640002 -"
	tests := []struct{ text, want string }{
		{"", "line 1: it is empty"},
		{"hello", `line 1: "hello" is not the beginning`},
		{"# fieldferry modbus frames 2", "is not the beginning"},
		{magic + "\nlink line1", "line 2: "},
		{magic + "\nlink \"a\"\nlink \"b\"", "line 3: "},
		{magic + "\n" + good + "\nlink \"a\"", "line 3: "},
		{magic + "\nkept often 2026-11-20T08:27:00.123456Z", "kept first|last TIME"},
		{magic + "\n" + good + " more", "7 fields"},
		{magic + "\n" + strings.Replace(good, ".123456", "", 1), "microsecond"},
		{magic + "\n" + strings.Replace(good, ">", "<", 1), `direction "<" of a request: want ">"`},
		{magic + "\n" + strings.Replace(good, "request", "question", 1), `unknown outcome "question"`},
		{magic + "\n" + strings.Replace(good, " 7 ", " 256 ", 1), `unit "256": want 0-255`},
		{magic + "\n" + strings.Replace(good, "0300640002", "03006", 1), "PDU"},
		{magic + "\n" + strings.Replace(good, "0300640002", "00", 1), "PDU"},
		{magic + "\n" + strings.Replace(good, "0300640002", "-", 1), "a request without a PDU"},
		{magic + "\n" + strings.Replace(good, "0300640002", strings.Repeat("03", 254), 1), "253 bytes at most"},
		{magic + "\n" + strings.TrimSuffix(good, "-") + "xy", "bytes"},
		{magic + "\n" + strings.Repeat("x", 20<<10), "token too long"},
	}
	for _, tt := range tests {
		if r, err := Parse(strings.NewReader(tt.text)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%.200q: got %v, %v, want an error with %q", tt.text, r, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(text(sample()))
	f.Add(magic + "\n\n# x\n2026-11-20T08:27:00.123456Z < noise 0 - 00ff # what\n")
	f.Add(magic + "\n2026-11-20T08:27:00.123456Z > silence 255 2b0e0100 -\n")
	f.Fuzz(func(t *testing.T, in string) {
		r, err := Parse(strings.NewReader(in))
		if err != nil {
			return
		}
		once := text(r)
		again, err := Parse(strings.NewReader(once))
		if err != nil || text(again) != once {
			t.Fatalf("%q is read and not read again: %v\n%s", in, err, once)
		}
	})
}
