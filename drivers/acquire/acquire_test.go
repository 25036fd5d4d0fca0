package acquire

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fieldferry/drivers"
	"fieldferry/tag"
)

func TestScheduleIsAbsolute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set("d1", sleep(30*time.Millisecond)) // a read that takes time must not move the next one
		r, b, stop := start(t, newLink(1, time.Second, 5*time.Second), f)
		time.Sleep(60*time.Second + 500*time.Millisecond)
		stop()
		// 61 reads of the fast group (0 s to 60 s) and 13 of the slow one.
		if got, want := b.count("d1", tag.Good), 61+13; got != want {
			t.Errorf("samples: got %d, want %d", got, want)
		}
		if s := r.Stats(); s.Overruns != 0 || s.Reads != 74 {
			t.Errorf("stats: got %d overruns, %d reads, want 0, 74", s.Overruns, s.Reads)
		}
		if b.sweeps != 60 {
			t.Errorf("sweeps: got %d, want 60", b.sweeps)
		}
	})
}

func TestOverrunsAreCountedNotQueued(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set("d1", sleep(2500*time.Millisecond))
		r, b, stop := start(t, newLink(1, time.Second), f)
		time.Sleep(100 * time.Second)
		before := b.count("d1", tag.Good) // a read that begins at this moment may be one of the quick ones
		f.set("d1", nil)
		time.Sleep(10*time.Second + 500*time.Millisecond)
		stop()
		s := r.Stats()
		if before != 39 && before != 40 {
			t.Errorf("reads of 2.5 s in 100 s: got %d, want 39 or 40", before)
		}
		if sum := uint64(b.count("d1", tag.Good)) + s.Overruns; sum < 109 || sum > 112 {
			t.Errorf("reads and overruns in 110 s: got %d, want 111 or so", sum)
		}
		if n := b.count("d1", tag.Good) - before; n < 10 || n > 13 {
			t.Errorf("reads in the 10 s after: got %d, want about 11: none was queued", n)
		}
	})
}

func TestDeadDeviceLeavesItsNeighboursAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set("d1", sleep(20*time.Millisecond))
		f.set("d2", silent("d2", time.Second)) // as long as the interval
		f.set("d3", sleep(20*time.Millisecond))
		r, b, stop := start(t, newLink(3, time.Second), f)
		time.Sleep(10*time.Minute + 500*time.Millisecond)
		probes := f.count("d2")
		f.set("d2", nil)
		time.Sleep(time.Minute)
		stop()
		s := r.Stats()
		for _, i := range []int{0, 2} {
			if d := s.Devices[i]; d.Overruns != 0 || d.Reads < 660 {
				t.Errorf("%s: got %d reads, %d overruns, want 661 and none", d.Name, d.Reads, d.Overruns)
			}
		}
		if n := b.count("d2", tag.Bad); n != 1 {
			t.Errorf("bad samples of the dead device: got %d, want 1, at the edge", n)
		}
		if probes > 3+5+20 {
			t.Errorf("a device dead for ten minutes was asked %d times: no back-off", probes)
		}
		if last := b.last("d2"); last.Quality.Level != tag.Good || s.Devices[1].Dead {
			t.Errorf("after its return: got %v, dead %t", last.Quality, s.Devices[1].Dead)
		}
		if s.Devices[1].LastError == "" || s.Devices[1].Missed == 0 {
			t.Errorf("stats of the dead device say nothing: %+v", s.Devices[1])
		}
	})
}

// TestLastErrorIsTheDrivers: a probe that was cut short, because a neighbour
// was due, does not replace the driver's words by "context deadline exceeded".
func TestLastErrorIsTheDrivers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set("d2", silent("d2", 800*time.Millisecond))
		r, _, stop := start(t, newLink(2, 500*time.Millisecond), f)
		for i := range 30 {
			time.Sleep(time.Second)
			d := r.Stats().Devices[1]
			if d.Missed > 0 && d.LastError != "device d2: no answer" {
				t.Errorf("after %d s and %d misses: got %q, want the driver's words", i+1, d.Missed, d.LastError)
			}
		}
		if n := r.Stats().Devices[1].Missed; n < 5 {
			t.Errorf("got %d misses, want some that were cut short", n)
		}
		stop()
	})
}

func TestSlowDeviceFindsItsWayBackBetweenBusyNeighbours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set("d1", sleep(400*time.Millisecond)) // leaves gaps of 600 ms
		f.set("d2", silent("d2", time.Second))
		_, b, stop := start(t, newLink(2, time.Second), f)
		time.Sleep(time.Minute)
		f.set("d2", sleep(800*time.Millisecond)) // alive, and slower than any gap
		time.Sleep(5 * time.Minute)
		stop()
		if n := b.count("d2", tag.Good); n == 0 {
			t.Error("a device slower than the gaps was never read again")
		}
	})
}

func TestLinkDownTellsOnceAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		down := false
		f.open = func() error {
			if down {
				return errors.New("connection refused")
			}
			return nil
		}
		r, b, stop := start(t, newLink(2, time.Second), f)
		time.Sleep(20 * time.Second)
		f.mu.Lock()
		down = true
		f.mu.Unlock()
		f.set("d1", func(context.Context) error { return drivers.ErrLinkDown })
		time.Sleep(5 * time.Minute)
		if n1, n2 := b.count("d1", tag.Bad), b.count("d2", tag.Bad); n1 != 1 || n2 != 1 {
			t.Errorf("bad samples while down: got %d and %d, want 1 each", n1, n2)
		}
		if s := r.Stats(); s.Up || !strings.Contains(s.LastError, "connection refused") {
			t.Errorf("stats while down: up %t, %q", s.Up, s.LastError)
		}
		if f.opens > 25 {
			t.Errorf("attempts in five minutes: got %d: no back-off", f.opens)
		}
		f.mu.Lock()
		down = false
		f.mu.Unlock()
		f.set("d1", nil)
		time.Sleep(time.Minute)
		stop()
		if s := r.Stats(); !s.Up || s.Reconnects != 1 || b.last("d1").Quality.Level != tag.Good {
			t.Errorf("after its return: up %t, %d reconnects, %v", s.Up, s.Reconnects, b.last("d1").Quality)
		}
	})
}

// TestAbsentIsLookedForSoon: what is not there costs nothing to look for, so
// an adapter that is plugged in again has not to wait for the end of a back-off.
func TestAbsentIsLookedForSoon(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		absent := true
		f.open = func() error {
			if absent {
				return fmt.Errorf("%w: %w", drivers.ErrLinkDown, drivers.ErrAbsent)
			}
			return nil
		}
		_, b, stop := start(t, newLink(1, time.Second), f)
		time.Sleep(5 * time.Minute)
		f.mu.Lock()
		opens := f.opens
		absent = false
		f.mu.Unlock()
		if opens < 600 || opens > 1300 {
			t.Errorf("looked %d times in five minutes, want about 800", opens)
		}
		time.Sleep(time.Second)
		stop()
		if b.count("d1", tag.Good) == 0 {
			t.Error("no value within a second of its return")
		}
	})
}

func TestShortBreakIsNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		_, b, stop := start(t, newLink(1, time.Second), f)
		time.Sleep(20*time.Second + 500*time.Millisecond)
		once := true
		f.set("d1", func(context.Context) error {
			if once {
				once = false
				return drivers.ErrLinkDown
			}
			return nil
		})
		time.Sleep(10 * time.Second)
		stop()
		if n := b.count("d1", tag.Bad); n != 0 {
			t.Errorf("bad samples: got %d, want none: the link was back at once", n)
		}
	})
}

// TestDeviceThatEndsEveryConnection: its neighbours lose nothing, it is dead
// like one that is silent, and what it answered before the end is kept.
func TestDeviceThatEndsEveryConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set("d3", func(context.Context) error { return fmt.Errorf("connection closed: %w", drivers.ErrLinkDown) })
		r, b, stop := start(t, newLink(3, 200*time.Millisecond), f)
		time.Sleep(40*time.Second + 100*time.Millisecond)
		asked := f.count("d3")
		for _, d := range []string{"d1", "d2"} {
			if n := b.count(d, tag.Good); n < 200 || n > 203 {
				t.Errorf("%s beside it: got %d good samples in 40 s, want 201", d, n)
			}
			if n := b.count(d, tag.Bad); n != 0 {
				t.Errorf("%s beside it: got %d bad samples, want none", d, n)
			}
		}
		if n := b.count("d3", tag.Bad); n != 1 || asked > 12 {
			t.Errorf("the device itself: got %d bad samples and %d requests, want 1 and a handful", n, asked)
		}
		s := r.Stats()
		if d := s.Devices[2]; !d.Dead || d.Missed == 0 || d.LastError == "" {
			t.Errorf("the device itself is not told: %+v", d)
		}
		f.set("d3", nil)
		time.Sleep(time.Minute)
		stop()
		if b.last("d3").Quality.Level != tag.Good || r.Stats().Devices[2].Dead {
			t.Errorf("after its return: got %v", b.last("d3").Quality)
		}
	})
}

func TestWhatWasReadBeforeTheLinkWentIsKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.partial = true
		l := newLink(1, time.Second)
		d := l.Devices[0]
		d.Tags = append(d.Tags, &tag.Tag{Name: "t2", Device: d, Interval: time.Second})
		_, b, stop := start(t, l, f)
		time.Sleep(500 * time.Millisecond)
		stop()
		if n := b.count("d1", tag.Good); n != 1 || b.last("d1").Tag.Name != "t1" {
			t.Errorf("got %d good samples, the last of %v, want 1 of t1", n, b.last("d1").Tag)
		}
	})
}

func TestDriverFaultsCostTheConnectionAlone(t *testing.T) {
	foreign := newLink(1, time.Second).Devices[0].Tags[0]
	for name, broken := range map[string]func(f *fake){
		"panic":       func(f *fake) { f.set("d1", func(context.Context) error { panic("index out of range") }) },
		"foreign tag": func(f *fake) { f.foreign = foreign },
		"open panics": func(f *fake) { f.open = func() error { panic("nil") } },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := newFake()
				broken(f)
				r, b, stop := start(t, newLink(1, time.Second), f)
				time.Sleep(time.Minute)
				stop()
				if n := b.count("d1", tag.Good); n != 0 {
					t.Errorf("good samples: got %d, want none", n)
				}
				// Once because the link is down, once because the device is dead.
				if n := b.count("d1", tag.Bad); n < 1 || n > 2 {
					t.Errorf("bad samples: got %d, want 1 or 2", n)
				}
				if s := r.Stats(); s.LastError == "" || strings.Contains(name, "panic") != (s.Panics > 0) {
					t.Errorf("stats: %d panics, last error %q", s.Panics, s.LastError)
				}
			})
		})
	}
}

func TestWriteGoesAheadOfTheNextRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set("d1", sleep(300*time.Millisecond))
		f.set("d2", sleep(300*time.Millisecond))
		l := newLink(2, time.Second)
		r, b, stop := start(t, l, f)
		time.Sleep(10*time.Second + 100*time.Millisecond) // in mid-read of d1; d2 is due
		got, err := r.Write(t.Context(), l.Devices[1].Tags[0], tag.Int(42))
		if err != nil || got.Value != tag.Int(42) {
			t.Fatalf("write: got %v, %v", got.Value, err)
		}
		synctest.Wait()
		n := len(f.order)
		if f.order[n-2] != "write" || f.order[n-1] != "read d2" {
			t.Errorf("order: got %v, want the write ahead of d2", f.order[n-3:])
		}
		if b.last("d2").Value != tag.Int(42) {
			t.Errorf("the value read back was not delivered: got %v", b.last("d2").Value)
		}
		stop()
	})
}

func TestStormOfWritesLeavesReadsTheirTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.write = sleep(10 * time.Millisecond)
		l := newLink(2, 100*time.Millisecond)
		r, _, stop := start(t, l, f)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan int)
		for range 8 {
			go func() {
				n := 0
				for ctx.Err() == nil {
					if _, err := r.Write(ctx, l.Devices[0].Tags[0], tag.Int(1)); err == nil {
						n++
					}
				}
				done <- n
			}()
		}
		time.Sleep(10 * time.Second)
		cancel()
		total := 0
		for range 8 {
			total += <-done
		}
		stop()
		s := r.Stats()
		if s.Overruns != 0 {
			t.Errorf("overruns under a storm of %d writes: got %d, want 0", total, s.Overruns)
		}
		if total < 500 {
			t.Errorf("writes in 10 s: got %d, want about 1000", total)
		}
	})
}

func TestWriteFailsInWords(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l := newLink(2, time.Second)
		one, two := l.Devices[0].Tags[0], l.Devices[1].Tags[0]
		r, _, stop := start(t, l, f)
		time.Sleep(time.Second)
		f.write = func(context.Context) error { panic("half way") }
		if _, err := r.Write(t.Context(), one, tag.Int(1)); !errors.Is(err, drivers.ErrOutcomeUnknown) {
			t.Errorf("a panic in mid-write: got %v, want the outcome unknown", err)
		}
		time.Sleep(5 * time.Second) // the link is opened anew
		f.write = func(context.Context) error { return errors.New("illegal data value") }
		if _, err := r.Write(t.Context(), one, tag.Int(1)); err == nil || errors.Is(err, drivers.ErrOutcomeUnknown) {
			t.Errorf("a refusal: got %v, want a known failure", err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := r.Write(ctx, one, tag.Int(1)); !errors.Is(err, context.Canceled) {
			t.Errorf("an ended context: got %v", err)
		}
		f.set("d2", silent("d2", 10*time.Millisecond))
		time.Sleep(10 * time.Second)
		if _, err := r.Write(t.Context(), two, tag.Int(1)); err == nil || !strings.Contains(err.Error(), "nothing was sent") {
			t.Errorf("a dead device: got %v", err)
		}
		foreign := newLink(1, time.Second).Devices[0].Tags[0]
		if _, err := r.Write(t.Context(), foreign, tag.Int(1)); err == nil {
			t.Error("a tag of another link was written")
		}
		stop()
		if _, err := r.Write(t.Context(), one, tag.Int(1)); !errors.Is(err, drivers.ErrLinkDown) {
			t.Errorf("a stopped link: got %v", err)
		}
	})
}

func TestSubscriptionPushesEndsAndComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.push, f.pushes = true, make(chan error)
		r, b, stop := start(t, newLink(1, time.Second), f)
		for range 5 {
			f.pushes <- nil
		}
		synctest.Wait()
		if len(b.pushed) != 1 {
			t.Errorf("tags said to be pushed: got %d, want 1", len(b.pushed))
		}
		if n := b.count("d1", tag.Good); n != 5 {
			t.Errorf("pushed samples: got %d, want 5", n)
		}
		f.pushes <- errors.New("the server dropped the subscription")
		synctest.Wait()
		if n := b.count("d1", tag.Bad); n != 1 || !r.Stats().Devices[0].Dead {
			t.Errorf("after the end: got %d bad samples, dead %t, want 1 and true", n, r.Stats().Devices[0].Dead)
		}
		f.pushes <- nil // taken by the next Subscribe, after the back-off
		synctest.Wait()
		if b.last("d1").Quality.Level != tag.Good || r.Stats().Devices[0].Dead {
			t.Errorf("after its return: got %v, dead %t", b.last("d1").Quality, r.Stats().Devices[0].Dead)
		}
		if f.count("d1") != 0 {
			t.Error("a subscribed group was polled")
		}
		f.pushes <- drivers.ErrLinkDown
		f.pushes <- nil
		synctest.Wait()
		if f.opens != 2 {
			t.Errorf("connections: got %d, want 2", f.opens)
		}
		stop()
	})
}

func TestReadNowGoesToTheAskerAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l := newLink(1, time.Hour)
		r, b, stop := start(t, l, f)
		time.Sleep(time.Second)
		got, err := r.Read(t.Context(), l.Devices[0].Tags[0])
		if err != nil || got.Value != tag.Int(1) || got.Read == 0 {
			t.Errorf("read now: got %+v, %v", got, err)
		}
		if n := b.count("d1", tag.Good); n != 1 {
			t.Errorf("samples delivered: got %d, want 1, the scheduled one", n)
		}
		f.set("d1", silent("d1", time.Millisecond))
		var de *drivers.DeviceError
		if _, err := r.Read(t.Context(), l.Devices[0].Tags[0]); !errors.As(err, &de) {
			t.Errorf("a silent device: got %v, want a *DeviceError", err)
		}
		stop()
	})
}

func TestStuckTellsHowLongADriverCallLasts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		f.set("d1", sleep(90*time.Second))
		r, _, stop := start(t, newLink(1, time.Hour), f)
		time.Sleep(61 * time.Second)
		if got := r.Stuck(time.Now()); got != 61*time.Second {
			t.Errorf("in a read for 61 s: got %s", got)
		}
		time.Sleep(time.Minute)
		if got := r.Stuck(time.Now()); got != 0 {
			t.Errorf("between reads: got %s, want 0", got)
		}
		stop()
	})
}

func TestReadNumbersGrowTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFake()
		l := newLink(1, time.Second)
		d := l.Devices[0]
		d.Tags = append(d.Tags, &tag.Tag{Name: "t2", Device: d, Interval: time.Second})
		_, b, stop := start(t, l, f)
		time.Sleep(5 * time.Second)
		stop()
		for i := 0; i+1 < len(b.got); i += 2 {
			if b.got[i].Read != b.got[i+1].Read || b.got[i].Read != uint64(i/2+1) {
				t.Fatalf("samples %d and %d: got reads %d and %d, want both %d", i, i+1, b.got[i].Read, b.got[i+1].Read, i/2+1)
			}
		}
	})
}
