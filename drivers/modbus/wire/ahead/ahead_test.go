package ahead

import (
	"context"
	"encoding/binary"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// slow answers each read with its address, a tenth of a second later.
type slow struct {
	wire.Link
	mu          sync.Mutex // guards the fields below
	under, most int
	asked       int
}

func (s *slow) Exchange(ctx context.Context, _ byte, req frame.PDU) (wire.Reply, error) {
	s.mu.Lock()
	s.asked++
	s.under++
	s.most = max(s.most, s.under)
	s.mu.Unlock()
	ok := wire.Pause(ctx, 100*time.Millisecond)
	s.mu.Lock()
	s.under--
	s.mu.Unlock()
	if !ok {
		return wire.Reply{}, wire.Cancelled(ctx)
	}
	return wire.Reply{Data: req.Data[:2]}, nil
}

func questions(n int) (q []Question) {
	for i := range n {
		q = append(q, Question{1, frame.Read(3, i, 1)})
	}
	return q
}

// TestAnswersReachTheirQuestions, in less time, and no more is asked than was.
func TestAnswersReachTheirQuestions(t *testing.T) {
	for _, c := range []struct {
		depth int
		want  time.Duration
	}{{1, 800 * time.Millisecond}, {4, 200 * time.Millisecond}, {16, 100 * time.Millisecond}} {
		synctest.Test(t, func(t *testing.T) {
			s, start := new(slow), time.Now()
			l := New(t.Context(), s, c.depth, questions(8))
			for i := 7; i >= 0; i-- {
				r, err := l.Exchange(t.Context(), 1, frame.Read(3, i, 1))
				if err != nil || binary.BigEndian.Uint16(r.Data) != uint16(i) {
					t.Fatalf("question %d: % x, %v", i, r.Data, err)
				}
			}
			if took := time.Since(start); took != c.want || s.most != min(c.depth, 8) || s.asked != 8 {
				t.Errorf("depth %d: %v for %d requests, %d at once; want %v for 8", c.depth, took, s.asked, s.most, c.want)
			}
			if _, err := l.Exchange(t.Context(), 1, frame.Read(3, 3, 1)); err != nil || s.asked != 9 {
				t.Errorf("asked once more: %v, %d requests, want 9", err, s.asked)
			}
			l.Close()
		})
	}
}

func TestCloseGivesUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, start := new(slow), time.Now()
		l := New(t.Context(), s, 2, questions(50))
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if _, err := l.Exchange(ctx, 1, frame.Read(3, 0, 1)); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got %v, want the end of the context", err)
		}
		l.Close()
		if took := time.Since(start); took != 50*time.Millisecond {
			t.Errorf("it took %v to close, want no time", took)
		}
	})
}
