package wire

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestQuiet: a connection is given up when all its units are silent, not when
// one of them is, unless nothing has been heard for long.
func TestQuiet(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := NewQuiet([]byte{1, 2, 2})
		for i, c := range []struct {
			unit byte
			want bool
		}{{1, false}, {1, false}, {1, false}, {1, false}, {2, true}} {
			if got := q.Miss(c.unit); got != c.want {
				t.Errorf("miss %d, of unit %d: given up %t, want %t", i, c.unit, got, c.want)
			}
		}
		q.Answered()
		for range quietCount {
			if q.Miss(1) {
				t.Error("given up although unit 2 has not missed since it answered")
			}
		}
		time.Sleep(quietTime)
		if !q.Miss(1) {
			t.Errorf("not given up after %v without an answer", quietTime)
		}
	})
}

func TestOutcomes(t *testing.T) {
	seen := map[string]bool{}
	for o := Request; o <= Silence; o++ {
		if s := o.String(); s == "unknown" || seen[s] {
			t.Errorf("outcome %d is %q", o, s)
		} else {
			seen[s] = true
		}
	}
	if s := (Silence + 1).String(); s != "unknown" {
		t.Errorf("no outcome is %q", s)
	}
}
