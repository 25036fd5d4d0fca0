package backup

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a link that answers with its name, when it answers.
type fake struct {
	name string
	took time.Duration

	mu     sync.Mutex // guards the fields below
	silent bool
	asked  int
	closed int
}

var errSilent = errors.New("no answer")

func (f *fake) Exchange(context.Context, byte, frame.PDU) (wire.Reply, error) {
	time.Sleep(f.took)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked++
	if f.silent || f.closed > 0 {
		return wire.Reply{}, errSilent
	}
	return wire.Reply{Data: []byte(f.name)}, nil
}

func (f *fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed++
	return nil
}

func (f *fake) Stats() wire.Stats {
	f.mu.Lock()
	defer f.mu.Unlock()
	return wire.Stats{Requests: uint64(f.asked)}
}

func (f *fake) hush(silent bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.silent = silent
}

func ask(t *testing.T, l *Link, want string) {
	t.Helper()
	r, err := l.Exchange(t.Context(), 1, frame.Read(3, 7, 1))
	if err != nil || string(r.Data) != want {
		t.Fatalf("answered by %q, %v; want %q", r.Data, err, want)
	}
}

// TestFailsBack: a link on its backup goes back once the first address answers
// the same read, and never before, without losing a request.
func TestFailsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var choice Choice
		first, second := &fake{name: "first", silent: true}, &fake{name: "second", took: 300 * time.Millisecond}
		var dialled atomic.Int32
		l := New(second, 1, &choice, 30*time.Second, func(context.Context) (wire.Link, error) {
			if dialled.Add(1) == 1 {
				return nil, errors.New("refused")
			}
			first.mu.Lock()
			first.closed = 0
			first.mu.Unlock()
			return first, nil
		})
		time.Sleep(95 * time.Second)
		if n := dialled.Load(); n != 0 {
			t.Errorf("dialled %d times before it was known what to ask", n)
		}
		for range 300 { // three tries: refused, silent, silent
			ask(t, l, "second")
		}
		if n := dialled.Load(); n != 3 {
			t.Errorf("dialled %d times in 90 s, want 3", n)
		}
		first.hush(false)
		time.Sleep(31 * time.Second)
		ask(t, l, "first")
		synctest.Wait()
		if second.closed == 0 {
			t.Error("the backup was not closed")
		}
		ask(t, l, "first")
		if got := l.Stats().Requests; got != uint64(second.asked+first.asked) {
			t.Errorf("%d requests counted, want %d", got, second.asked+first.asked)
		}
		if err := l.Close(); err != nil {
			t.Error(err)
		}
		if at, _ := choice.Order(); at != 0 {
			t.Errorf("the next connection begins with address %d, want 0", at)
		}
	})
}

// TestOrder: an address that brought no answer is not the next to be tried.
func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var choice Choice
		for i, c := range []struct {
			silent bool
			which  int // that is tried first
		}{{false, 0}, {true, 0}, {true, 1}, {true, 0}, {false, 1}, {true, 1}, {false, 0}} {
			which, other := choice.Order()
			if which != c.which || which == other {
				t.Fatalf("connection %d begins with %d, then %d; want %d", i, which, other, c.which)
			}
			l := New(&fake{silent: c.silent}, which, &choice, time.Hour, nil)
			_, _ = l.Exchange(t.Context(), 1, frame.Read(3, 0, 1)) // whether it answers is the case
			l.Close()
			l.Close()
		}
	})
}

// TestCloseDuringTrial: what was being tried is closed, too.
func TestCloseDuringTrial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var choice Choice
		first := &fake{name: "first", took: 5 * time.Second}
		l := New(&fake{name: "second"}, 1, &choice, time.Second, func(context.Context) (wire.Link, error) { return first, nil })
		ask(t, l, "second")
		time.Sleep(2 * time.Second)
		l.Close()
		if first.closed != 1 {
			t.Errorf("the link on trial was closed %d times, want once", first.closed)
		}
	})
}
