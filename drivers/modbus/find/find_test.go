package find_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fieldferry/drivers"
	"fieldferry/drivers/ask"
	"fieldferry/drivers/modbus/find"
	"fieldferry/drivers/modbus/layout"
)

// bus answers queries as a script says, in virtual time.
type bus struct {
	answer func(q ask.Query) (ask.Answer, error)
	asked  []string
	at     []time.Time
}

func (b *bus) Probe(ctx context.Context, q ask.Query) (ask.Answer, error) {
	b.asked = append(b.asked, fmt.Sprintf("%d:%x", q.Unit, q.Request))
	b.at = append(b.at, time.Now())
	a, err := b.answer(q)
	if a.Outcome == ask.Silent {
		t := time.NewTimer(q.Limit)
		defer t.Stop()
		select {
		case <-t.C:
		case <-ctx.Done():
			return ask.Answer{}, ctx.Err()
		}
	}
	return a, err
}

func answered(data ...byte) (ask.Answer, error) {
	return ask.Answer{Outcome: ask.Answered, Data: data}, nil
}

func declined(code int) (ask.Answer, error) {
	return ask.Answer{Outcome: ask.Declined, Code: code, Text: fmt.Sprintf("exception %d", code)}, nil
}

func silent() (ask.Answer, error) {
	return ask.Answer{Outcome: ask.Silent, Text: "no answer"}, nil
}

func scanOf(b *bus, units ...int) *find.Scan {
	return &find.Scan{
		Link:  &find.Link{Asker: b, Limit: 300 * time.Millisecond, Pace: 100 * time.Millisecond, Tries: 1},
		Units: units, Ask: layout.Address{Table: layout.HoldingRegisters},
	}
}

// TestScan: every kind of answer, in order, no request twice, none before the
// pause is over.
func TestScan(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bus{answer: func(q ask.Query) (ask.Answer, error) {
			switch q.Unit {
			case 1:
				return answered(0, 1)
			case 3:
				return declined(2)
			case 4:
				return declined(11) // a gateway: its unit is not there
			case 5:
				return ask.Answer{Outcome: ask.Garbled, Text: "odd"}, nil
			}
			return silent()
		}}
		s := scanOf(b, 1, 2, 3, 4, 5)
		var steps []string
		s.Progress = func(p find.Progress) { steps = append(steps, fmt.Sprintf("%d/%d:%d", p.Done, p.Units, p.Found)) }
		found, err := s.Run(t.Context())
		var got []string
		for _, u := range found {
			got = append(got, fmt.Sprintf("%d %s %v", u.ID, u.Answer.Outcome, u.Certain()))
		}
		want := []string{"1 answered true", "3 declined true", "5 garbled false"}
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("found %q, %v, want %q", got, err, want)
		}
		if want := []string{"1:0300000001", "2:0300000001", "3:0300000001", "4:0300000001", "5:0300000001"}; !slices.Equal(b.asked, want) {
			t.Errorf("asked %q, want %q", b.asked, want)
		}
		if want := []string{"0/5:0", "1/5:1", "2/5:1", "3/5:2", "4/5:2"}; !slices.Equal(steps, want) {
			t.Errorf("progress %q, want %q", steps, want)
		}
		for i := 1; i < len(b.at); i++ {
			if d := b.at[i].Sub(b.at[i-1]); d < s.Link.Pace {
				t.Errorf("request %d follows after %v, want at least %v", i, d, s.Link.Pace)
			}
		}
		if got, want := s.Estimate(), 2*time.Second; got != want {
			t.Errorf("estimate %v, want %v", got, want)
		}
		if s.IgnoresUnit(found) {
			t.Error("three units of five are taken for one device")
		}
	})
}

// TestScanInterrupted returns what was found until then, at once.
func TestScanInterrupted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
		defer cancel()
		b := &bus{answer: func(q ask.Query) (ask.Answer, error) {
			if q.Unit == 1 {
				return answered(0, 1)
			}
			return silent()
		}}
		start := time.Now()
		found, err := scanOf(b, 1, 2, 3).Run(ctx)
		if len(found) != 1 || !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 250*time.Millisecond {
			t.Errorf("found %v, %v after %v", found, err, time.Since(start))
		}
	})
}

// TestLinkComesBack: a link that goes during a scan costs no unit; one that
// stays away ends it.
func TestLinkComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := 4
		b := &bus{answer: func(q ask.Query) (ask.Answer, error) {
			if q.Unit == 2 && down > 0 {
				down--
				return ask.Answer{}, fmt.Errorf("unplugged: %w", drivers.ErrLinkDown)
			}
			return answered(0, 1)
		}}
		found, err := scanOf(b, 1, 2, 3).Run(t.Context())
		if err != nil || len(found) != 3 {
			t.Errorf("found %v, %v, want all three", found, err)
		}
		down = 1 << 30
		found, err = scanOf(b, 1, 2, 3).Run(t.Context())
		if !errors.Is(err, drivers.ErrLinkDown) || len(found) != 1 {
			t.Errorf("found %v, %v, want unit 1 and ErrLinkDown", found, err)
		}
	})
}

func TestTries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		b := &bus{answer: func(ask.Query) (ask.Answer, error) {
			if n++; n < 3 {
				return silent()
			}
			return answered(0, 1)
		}}
		s := scanOf(b, 1)
		s.Link.Tries = 3
		if found, err := s.Run(t.Context()); err != nil || len(found) != 1 || n != 3 {
			t.Errorf("found %v, %v after %d requests, want unit 1 after 3", found, err, n)
		}
	})
}

func TestIgnoresUnit(t *testing.T) {
	b := &bus{answer: func(ask.Query) (ask.Answer, error) { return declined(2) }}
	s := scanOf(b, 1, 2, 3, 4, 5, 6, 7, 8)
	s.Link.Pace = 0
	found, err := s.Run(t.Context())
	if err != nil || !s.IgnoresUnit(found) {
		t.Errorf("%d of 8 found, %v: not taken for one device", len(found), err)
	}
}

// TestRead: long reads are cut, and a refusal says what was asked.
func TestRead(t *testing.T) {
	b := &bus{answer: func(q ask.Query) (ask.Answer, error) {
		if q.Unit == 9 {
			return declined(2)
		}
		return answered(make([]byte, 2*int(q.Request[4]))...)
	}}
	l := &find.Link{Asker: b, Limit: time.Second}
	first := layout.Address{Table: layout.InputRegisters, Number: 10}
	data, err := l.Read(t.Context(), 1, first, 200)
	if want := []string{"1:04000a007d", "1:040087004b"}; err != nil || len(data) != 400 || !slices.Equal(b.asked, want) {
		t.Errorf("%d bytes, %v, asked %q, want 400 and %q", len(data), err, b.asked, want)
	}
	var refused *find.Refusal
	_, err = l.Read(t.Context(), 9, first, 2)
	if !errors.As(err, &refused) || err.Error() != "read ir:10-11 of unit 9: exception 2" {
		t.Errorf("got %v", err)
	}
	if _, err := l.Read(t.Context(), 1, first, 65530); err == nil {
		t.Error("a read beyond the table is sent")
	}
}

// device answers function 43/14 part by part, and 17.
func device(parts map[byte][]byte, id []byte) *bus {
	return &bus{answer: func(q ask.Query) (ask.Answer, error) {
		switch q.Request[0] {
		case 43:
			if p, ok := parts[q.Request[3]]; ok {
				return answered(p...)
			}
			return declined(1)
		case 17:
			if id != nil {
				return answered(id...)
			}
		}
		return declined(1)
	}}
}

func object(id byte, s string) []byte { return append([]byte{id, byte(len(s))}, s...) }

func part(more, next byte, objects ...[]byte) []byte {
	b := []byte{14, 2, 0x82, more, next, byte(len(objects))}
	return append(b, slices.Concat(objects...)...)
}

func TestIdentify(t *testing.T) {
	tests := []struct {
		name  string
		b     *bus
		want  string // "nil", or the values
		cut   string
		id    string
		state string
	}{
		{"basic", device(map[byte][]byte{0: part(0, 0, object(0, "ACME"), object(1, "M7"), object(2, "1.2"))}, nil), "vendor=ACME product code=M7 revision=1.2", "", "", ""},
		{"more follows", device(map[byte][]byte{0: part(0xFF, 1, object(0, "ACME")), 1: part(0xFF, 2, object(1, "M7")), 2: part(0, 0, object(0x80, "x\x1b\xFFy"))}, nil), "vendor=ACME product code=M7 object 0x80=x\uFFFD\uFFFDy", "", "", ""},
		{"goes on where it was", device(map[byte][]byte{0: part(0xFF, 1, object(0, "ACME")), 1: part(0xFF, 1, object(1, "M7"))}, nil), "vendor=ACME product code=M7", "which it has sent", "", ""},
		{"ends early", device(map[byte][]byte{0: {14, 2, 0x82, 0, 0, 2, 0, 3, 'a', 'b', 'c', 1, 9, 'x'}}, nil), "vendor=abc", "object 2 of 2 ends behind", "", ""},
		{"refuses the second part", device(map[byte][]byte{0: part(0xFF, 1, object(0, "ACME"))}, nil), "vendor=ACME", "exception 1", "", ""},
		{"server id", device(nil, []byte("\x05PLC7\xFF")), "", "", "PLC7", "on"},
		{"server id of bytes", device(nil, []byte{3, 0x11, 0x02, 0}), "", "", "11 02", "off"},
		{"nothing", device(nil, nil), "nil", "", "", ""},
		{"garbage", device(map[byte][]byte{0: {14}}, []byte{9, 1}), "nil", "", "", ""},
	}
	for _, tt := range tests {
		l := &find.Link{Asker: tt.b, Limit: time.Second}
		d, err := l.Identify(t.Context(), 1, find.Regular)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got := "nil"
		if d != nil {
			var values []string
			for _, o := range d.Objects {
				values = append(values, o.Name+"="+o.Value)
			}
			got = strings.Join(values, " ")
			if !strings.Contains(d.Cut, tt.cut) || tt.cut == "" && d.Cut != "" || d.ServerID != tt.id || d.Running != tt.state {
				t.Errorf("%s: cut %q, id %q, %q, want %q, %q, %q", tt.name, d.Cut, d.ServerID, d.Running, tt.cut, tt.id, tt.state)
			}
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}
}

// FuzzIdentify: no answer of a device ends in a panic or without an end.
func FuzzIdentify(f *testing.F) {
	f.Add(part(0xFF, 1, object(0, "ACME")), []byte("\x05PLC7\xFF"))
	f.Add([]byte{14, 1, 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}, []byte{1, 0})
	f.Add([]byte{}, []byte{})
	f.Fuzz(func(t *testing.T, objects, id []byte) {
		b := &bus{answer: func(q ask.Query) (ask.Answer, error) {
			if q.Request[0] == 17 {
				return answered(id...)
			}
			return answered(objects...)
		}}
		l := &find.Link{Asker: b, Limit: time.Second}
		d, err := l.Identify(t.Context(), 1, find.Extended)
		if err != nil || len(b.asked) > 40 {
			t.Fatalf("%v after %d requests", err, len(b.asked))
		}
		if d != nil {
			_ = d.String()
		}
	})
}
