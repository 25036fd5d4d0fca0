package replay_test

import (
	"context"
	"fmt"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"fieldferry/drivers/ask"
	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/place"
	"fieldferry/drivers/modbus/recorder"
	"fieldferry/drivers/modbus/replay"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const patience = 20 * time.Second

// field is a record of the kinds of things that happen: two answers to one
// request, an exception, silence and a late answer, noise, a wrong answer, and
// an answer whose request was overwritten in the ring.
const field = `# fieldferry modbus frames 1
link "line1"
2026-11-20T08:00:00.000000Z < answer 5 030200ff -
2026-11-20T08:00:01.000000Z > request 7 0300640002 -
2026-11-20T08:00:01.020000Z < answer 7 030400010002 -
2026-11-20T08:00:02.000000Z > request 7 0300640002 -
2026-11-20T08:00:02.020000Z < answer 7 030400010003 -
2026-11-20T08:00:03.000000Z > request 7 0300c80001 -
2026-11-20T08:00:03.010000Z < answer 7 8302 -
2026-11-20T08:00:04.000000Z > request 7 0301000001 -
2026-11-20T08:00:05.000000Z > silence 7 0301000001 -
2026-11-20T08:00:05.100000Z > request 8 0300000001 -
2026-11-20T08:00:05.150000Z < late 7 03020bad -
2026-11-20T08:00:05.200000Z < noise 0 - 00ff
2026-11-20T08:00:05.250000Z < answer 8 03020008 -
2026-11-20T08:00:06.000000Z > request 7 0100000003 -
2026-11-20T08:00:06.010000Z < answer 7 010105 -
`

func script(t *testing.T) *replay.Script {
	t.Helper()
	rec, err := recorder.Parse(strings.NewReader(field))
	if err != nil {
		t.Fatal(err)
	}
	return replay.New(rec)
}

// replies shows what a request leads to.
func replies(s *replay.Script, unit byte, req frame.PDU) string {
	var out []string
	for _, r := range s.Answer(unit, req) {
		text := fmt.Sprintf("%d:%02x%x", r.Unit, r.PDU.Function, r.PDU.Data)
		if r.PDU.Function == 0 {
			text = fmt.Sprintf("raw:%x", r.Bytes)
		}
		if r.Stray {
			text += "*"
		}
		if r.After > 0 {
			text += "@" + r.After.String()
		}
		out = append(out, text)
	}
	return strings.Join(out, " ")
}

func TestScript(t *testing.T) {
	s := script(t)
	if got := fmt.Sprint(s.Units(), s.Unasked()); got != "[7 8] 1" {
		t.Errorf("units and frames without a request: got %s, want [7 8] 1", got)
	}
	for _, tt := range []struct {
		unit byte
		req  frame.PDU
		want string
	}{
		{7, frame.Read(3, 100, 2), "7:030400010002@20ms"},
		{7, frame.Read(3, 100, 2), "7:030400010003@20ms"},
		{7, frame.Read(3, 100, 2), "7:030400010002@20ms"}, // from the beginning again
		{7, frame.Read(3, 200, 1), "7:8302@10ms"},
		{7, frame.Read(3, 256, 1), "7:03020bad*@1.15s"},
		{8, frame.Read(3, 0, 1), "raw:00ff*@100ms 8:03020008@150ms"},
		{7, frame.Read(3, 101, 1), "7:03020003"}, // not in the record: the last value
		{7, frame.Read(3, 101, 2), "7:8302"},
		{7, frame.Read(1, 2, 1), "7:010101"},
		{7, frame.Read(3, 100, 126), "7:8303"},
		{7, frame.WriteRegister(100, [2]byte{0, 1}), "7:8601"},
		{5, frame.Read(3, 0, 1), ""}, // its only answer has no request
		{9, frame.Read(3, 0, 1), ""},
	} {
		if got := replies(s, tt.unit, tt.req); got != tt.want {
			t.Errorf("unit %d, %02x%x: got %q, want %q", tt.unit, tt.req.Function, tt.req.Data, got, tt.want)
		}
	}
}

// askAll plays to our own driver and shows what it makes of each request.
func askAll(t *testing.T, at place.Place) string {
	t.Helper()
	at.Limit = 200 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c, err := at.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var out []string
	for _, r := range []struct {
		unit byte
		req  frame.PDU
	}{
		{7, frame.Read(3, 100, 2)}, {7, frame.Read(3, 100, 2)}, {7, frame.Read(3, 200, 1)}, {7, frame.Read(3, 256, 1)},
		{8, frame.Read(3, 0, 1)}, {7, frame.Read(1, 0, 3)},
	} {
		q := ask.Query{Unit: int(r.unit), Request: append([]byte{r.req.Function}, r.req.Data...), Limit: 200 * time.Millisecond}
		if r.req.Address() != 256 {
			q.Limit = patience / 4
		}
		a, err := c.(ask.Prober).Probe(ctx, q)
		if err != nil {
			t.Fatalf("%+v: %v", r, err)
		}
		out = append(out, fmt.Sprintf("%s:%x", a.Outcome, a.Data))
	}
	return strings.Join(out, " ")
}

const played = "answered:00010002 answered:00010003 declined: silent: answered:0008 answered:05"

// TestPlayed: the driver sees what it saw in the field, over TCP, RTU over TCP
// and a pseudo terminal, at once and as timed.
func TestPlayed(t *testing.T) {
	for _, tt := range []struct {
		name    string
		driver  string
		framing replay.Framing
		timing  replay.Timing
		pty     bool
	}{
		{"tcp", "modbus-tcp", replay.TCP, replay.AtOnce, false},
		{"tcp as timed", "modbus-tcp", replay.TCP, replay.AsTimed, false},
		{"rtu over tcp", "modbus-rtu", replay.RTU, replay.AtOnce, false},
		{"pty as timed", "modbus-rtu", replay.RTU, replay.AsTimed, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			p := &replay.Player{Script: script(t), Framing: tt.framing, Timing: tt.timing}
			at := place.Place{Driver: tt.driver}
			var wg sync.WaitGroup
			defer wg.Wait()
			defer cancel()
			if tt.pty {
				port, path, err := replay.OpenPTY()
				if err != nil {
					t.Fatal(err)
				}
				at.Endpoint = path
				wg.Go(func() {
					if err := p.ServePort(ctx, port); err != nil {
						t.Errorf("play: %v", err)
					}
				})
			} else {
				ln, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					t.Fatal(err)
				}
				at.Endpoint = "tcp://" + ln.Addr().String()
				wg.Go(func() {
					if err := p.Serve(ctx, ln); err != nil {
						t.Errorf("play: %v", err)
					}
				})
			}
			if got := askAll(t, at); got != played {
				t.Errorf("got %s\nwant %s", got, played)
			}
		})
	}
}

// FuzzPlay: whatever a peer sends, the player neither panics nor hangs.
func FuzzPlay(f *testing.F) {
	f.Add([]byte{0, 1, 0, 0, 0, 6, 7, 3, 0, 100, 0, 2}, false)
	f.Add([]byte{0xFF, 7, 3, 0, 100, 0, 2, 0x85, 0xB2, 7, 16}, true)
	f.Add([]byte{0, 1, 0, 1, 0, 6, 7}, false)
	rec, err := recorder.Parse(strings.NewReader(field))
	if err != nil {
		f.Fatal(err)
	}
	s := replay.New(rec)
	f.Fuzz(func(t *testing.T, in []byte, rtu bool) {
		p := &replay.Player{Script: s}
		if rtu {
			p.Framing = replay.RTU
		}
		here, there := net.Pipe()
		var wg sync.WaitGroup
		wg.Go(func() { _ = p.ServePort(context.Background(), there) })
		wg.Go(func() {
			b := make([]byte, 1024)
			for {
				if _, err := here.Read(b); err != nil {
					return
				}
			}
		})
		_, _ = here.Write(in) // the player hangs up on nonsense
		here.Close()
		wg.Wait()
	})
}
