package publish

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gopcua/opcua/ua"

	"fieldferry/drivers/opcua/wire"
)

func TestAcknowledgedAfterHandOver(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		_, in := b.attach(t, second, "s=a", "s=b")
		b.push(1, b.message(1, "s=a", "s=b"))
		b.push(1, b.message(2, "s=b"))
		synctest.Wait()
		var parts []Part
		if got := take(in, func(p Part) { parts = append(parts, p) }); !slices.Equal(got, []uint32{1, 1, 2}) {
			t.Fatalf("got values %v, want 1 1 2", got)
		}
		b.push(1, keepAlive(3))
		synctest.Wait()
		if _, acked, _ := b.state(); len(acked) != 0 {
			t.Errorf("acknowledged %v before it was handed over", acked)
		}
		for _, p := range parts {
			p.Done()
		}
		b.push(1, keepAlive(3))
		synctest.Wait()
		if _, acked, _ := b.state(); !slices.Equal(acked, []uint32{1, 2}) {
			t.Errorf("acknowledged %v, want 1 and 2", acked)
		}
	})
}

func TestOutOfOrderIsNotFetched(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		_, in := b.attach(t, second, "s=a")
		for _, seq := range []uint32{2, 3, 1, 1, 3} {
			b.push(1, b.message(seq, "s=a"))
		}
		synctest.Wait()
		if got := take(in, handOver); !slices.Equal(got, []uint32{1, 2, 3}) {
			t.Errorf("got %v, want 1 2 3", got)
		}
		time.Sleep(2 * patience)
		if _, _, fetched := b.state(); len(fetched) != 0 {
			t.Errorf("fetched %v again, want nothing", fetched)
		}
	})
}

func TestGapIsFetched(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		_, in := b.attach(t, second, "s=a")
		for seq := uint32(1); seq <= 4; seq++ {
			b.store(b.message(seq, "s=a"))
		}
		b.push(1, b.message(5, "s=a"))
		time.Sleep(2 * patience)
		if got := take(in, handOver); !slices.Equal(got, []uint32{1, 2, 3, 4, 5}) {
			t.Errorf("got %v, want 1 to 5", got)
		}
		b.store(b.message(6, "s=a"))
		b.push(1, keepAlive(7))
		time.Sleep(2 * patience)
		if got := take(in, handOver); !slices.Equal(got, []uint32{6}) {
			t.Errorf("after a keep-alive: got %v, want 6", got)
		}
		if s := b.hub.Stats(); s.Refetched != 5 || s.Lost != 0 {
			t.Errorf("got %+v, want 5 fetched again and none lost", s)
		}
	})
}

func TestGapIsGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		_, in := b.attach(t, second, "s=a")
		b.store(b.message(3, "s=a"))
		b.push(1, b.message(5, "s=a"))
		time.Sleep(2 * patience)
		if got := take(in, handOver); !slices.Equal(got, []uint32{3, 5}) {
			t.Errorf("got %v, want 3 and 5", got)
		}
		b.push(1, b.message(1_000_006, "s=a"))
		time.Sleep(2 * patience)
		if got := take(in, handOver); !slices.Equal(got, []uint32{1_000_006}) {
			t.Errorf("after a jump: got %v, want 1000006", got)
		}
		if s := b.hub.Stats(); s.Lost != 3+1_000_000 {
			t.Errorf("got %d lost, want 1000003", s.Lost)
		}
	})
}

func TestWatchdog(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.attach(t, second, "s=a")
		for range 5 {
			time.Sleep(10 * time.Second)
			b.push(1, keepAlive(1))
		}
		time.Sleep(31 * time.Second)
		select {
		case err := <-b.done:
			t.Fatalf("ended too early: %v", err)
		default:
		}
		time.Sleep(2 * time.Second)
		select {
		case err := <-b.done:
			wantLinkDown(t, err)
			if !strings.Contains(err.Error(), "silent") {
				t.Errorf("got %v, want it to say silent", err)
			}
			b.done <- nil
		default:
			t.Error("a silent subscription was not noticed")
		}
	})
}

// TestBackPressure lets a group stand still: the hub stops asking, nothing
// ends, and all comes through in the end.
func TestBackPressure(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		_, in := b.attach(t, second, "s=a")
		seq := uint32(0)
		for {
			if waiting, _, _ := b.state(); waiting == 0 {
				break
			}
			seq++
			if seq > 2*maxBacklog {
				t.Fatalf("%d messages taken and none handed over", seq)
			}
			b.push(1, b.message(seq, "s=a"))
			synctest.Wait()
		}
		time.Sleep(5 * time.Minute)
		select {
		case err := <-b.done:
			t.Fatalf("the hub ended while it asked for nothing: %v", err)
		default:
		}
		got := take(in, handOver)
		synctest.Wait()
		if waiting, _, _ := b.state(); waiting == 0 {
			t.Error("after hand-over nothing was asked for")
		}
		if len(got) != int(seq) || !slices.IsSorted(got) {
			t.Errorf("got %d values %v, want 1 to %d", len(got), got, seq)
		}
	})
}

func TestSeveralInFlight(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		if waiting, _, _ := b.state(); waiting != 0 {
			t.Errorf("without a subscription %d Publish requests wait, want 0", waiting)
		}
		b.rtt = 500 * time.Millisecond
		b.attach(t, second, "s=a")
		if waiting, _, _ := b.state(); waiting != inFlight {
			t.Errorf("%d Publish requests wait, want %d", waiting, inFlight)
		}
		b.attach(t, Params{Publishing: 100 * time.Millisecond, KeepAlive: time.Second}, "s=b")
		if waiting, _, _ := b.state(); waiting != 8 {
			t.Errorf("with 500 ms of travel at 100 ms: %d wait, want 8", waiting)
		}
		b.publishes <- result{err: ua.StatusBadTooManyPublishRequests}
		time.Sleep(tick)
		if waiting, _, _ := b.state(); waiting != 7 {
			t.Errorf("after the server had too many: %d wait, want 7", waiting)
		}
	})
}

// TestRefusedPublish must not spin when the server refuses everything.
func TestRefusedPublish(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		n := 0
		b.mu.Lock()
		b.publisher = func() error { b.mu.Lock(); n++; b.mu.Unlock(); return ua.StatusBadServiceUnsupported }
		b.mu.Unlock()
		b.attach(t, second, "s=a")
		time.Sleep(10 * time.Second)
		b.mu.Lock()
		defer b.mu.Unlock()
		if n == 0 || n > 10*(inFlight+1) {
			t.Errorf("asked %d times in 10 s, want a few", n)
		}
	})
}

func TestTimeoutAndUndecodable(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		_, in := b.attach(t, second, "s=a")
		b.publishes <- result{err: fmt.Errorf("%w: gibberish", wire.ErrProtocol)}
		b.publishes <- result{err: wire.ErrTimeout}
		b.publishes <- result{resp: &ua.ReadResponse{}}
		b.push(1, nil)
		b.push(1, &ua.NotificationMessage{SequenceNumber: 1, NotificationData: []*ua.ExtensionObject{nil, {},
			{Value: &ua.DataChangeNotification{MonitoredItems: []*ua.MonitoredItemNotification{nil, {ClientHandle: 999}}}}}})
		b.push(7, b.message(1, "s=a"))
		b.push(1, b.message(2, "s=a"))
		synctest.Wait()
		if got := take(in, handOver); !slices.Equal(got, []uint32{2}) {
			t.Errorf("got %v, want 2", got)
		}
		if s := b.hub.Stats(); s.Unusable != 6 {
			t.Errorf("got %+v, want 6 unusable", s)
		}
	})
}

func TestSubscriptionEnds(t *testing.T) {
	tests := map[string]func(b *bench){
		"status change": func(b *bench) {
			b.push(1, &ua.NotificationMessage{SequenceNumber: 1, NotificationData: []*ua.ExtensionObject{
				{Value: &ua.StatusChangeNotification{Status: ua.StatusBadTimeout}}}})
		},
		"no subscription": func(b *bench) { b.publishes <- result{err: ua.StatusBadNoSubscription} },
	}
	for name, end := range tests {
		inBubble(t, func(t *testing.T, b *bench) {
			_, in := b.attach(t, second, "s=a")
			end(b)
			synctest.Wait()
			if err := in.Err(); !errors.Is(err, ErrEnded) {
				t.Errorf("%s: got %v, want ErrEnded", name, err)
			}
			m, in2 := b.attach(t, second, "s=a")
			b.push(2, b.message(1, "s=a"))
			synctest.Wait()
			if got := take(in2, handOver); !slices.Equal(got, []uint32{1}) || m.sub.id != 2 {
				t.Errorf("%s: the new subscription %d: got %v, want 1", name, m.sub.id, got)
			}
		})
	}
}

// TestYoungSubscriptionSurvives: a Publish request that was sent before a
// subscription existed says nothing about it.
func TestYoungSubscriptionSurvives(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		m, old := b.attach(t, second, "s=a")
		_, young := b.attach(t, Params{Publishing: time.Second, KeepAlive: 20 * time.Second}, "s=b")
		b.hub.mu.Lock()
		b.hub.refusedLocked(ua.StatusBadNoSubscription, m.sub.born, time.Now())
		b.hub.mu.Unlock()
		if old.Err() == nil || young.Err() != nil {
			t.Errorf("got old %v, young %v, want only the old one ended", old.Err(), young.Err())
		}
	})
}

func TestShared(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		m1, in1 := b.attach(t, second, "s=a")
		m2, in2 := b.attach(t, second, "s=b")
		b.push(1, b.message(1, "s=a", "s=b"))
		synctest.Wait()
		take(in1, handOver)
		b.push(1, keepAlive(2))
		synctest.Wait()
		if _, acked, _ := b.state(); len(acked) != 0 {
			t.Errorf("acknowledged %v while one group has not handed over", acked)
		}
		take(in2, handOver)
		m1.Leave()
		synctest.Wait()
		if len(b.deleted) != 0 || len(b.removed) != 1 {
			t.Errorf("after one left: deleted %v, removed %v, want one item removed", b.deleted, b.removed)
		}
		b.push(1, b.message(2, "s=a", "s=b"))
		synctest.Wait()
		if got := take(in1, handOver); got != nil {
			t.Errorf("the group that left got %v", got)
		}
		if got := take(in2, handOver); !slices.Equal(got, []uint32{2}) {
			t.Errorf("the other got %v, want 2", got)
		}
		m2.Leave()
		synctest.Wait()
		if !slices.Equal(b.deleted, []uint32{1}) {
			t.Errorf("after all left: deleted %v, want subscription 1", b.deleted)
		}
	})
}

// TestAnswerOvertakes: a notification is handled before the answer that names
// the subscription.
func TestAnswerOvertakes(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.attach(t, second, "s=a")
		b.set(func() { b.before = func(context.Context) { b.push(2, keepAlive(3)) } })
		_, in := b.attach(t, Params{Publishing: 2 * time.Second, KeepAlive: 4 * time.Second}, "s=b")
		b.store(b.message(1, "s=b"))
		b.store(b.message(2, "s=b"))
		time.Sleep(2 * patience)
		if got := take(in, handOver); !slices.Equal(got, []uint32{1, 2}) {
			t.Errorf("got %v, want 1 and 2, which the keep-alive told of", got)
		}
	})
}

func TestWatch(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		b.set(func() { b.mostItems = 3 })
		m, in := b.attach(t, second)
		var items []Watch
		for i := range 20 {
			id := fmt.Sprintf("n%d", i)
			if i == 7 {
				id = "missing"
			}
			items = append(items, Watch{Key: i, Node: ua.NewStringNodeID(0, id), Sampling: time.Second, Queue: 1})
		}
		got, err := m.Watch(t.Context(), items)
		if err != nil || len(got) != 20 {
			t.Fatalf("got %v, %v, want 20 results", got, err)
		}
		for i, s := range got {
			if (s != ua.StatusGood) != (i == 7) {
				t.Errorf("item %d: got %v", i, s)
			}
		}
		b.push(1, b.message(1, "s=n0", "s=n19"))
		synctest.Wait()
		if p, ok := in.Take(); !ok || len(p.Items) != 2 || p.Items[0].Key != 0 || p.Items[1].Key != 19 {
			t.Errorf("got %+v, want the items 0 and 19", p.Items)
		}
		m.Drop(0)
		m.Drop(7)
		synctest.Wait()
		if len(b.removed) != 1 {
			t.Errorf("removed %v, want one item", b.removed)
		}
		b.set(func() { b.short = true })
		_, err = m.Watch(t.Context(), items[:2])
		wantLinkDown(t, err)
	})
}

// TestAttachGivenUp: the group that makes the subscription goes away, the one
// that waits for it makes it then.
func TestAttachGivenUp(t *testing.T) {
	inBubble(t, func(t *testing.T, b *bench) {
		first, cancel := context.WithCancel(t.Context())
		b.set(func() {
			b.before = func(ctx context.Context) {
				if first.Err() == nil {
					<-ctx.Done()
				}
			}
		})
		errs := make(chan error, 2)
		go func() {
			_, err := b.hub.Attach(first, second, NewInbox())
			errs <- err
		}()
		synctest.Wait()
		go func() {
			_, err := b.hub.Attach(t.Context(), second, NewInbox())
			errs <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-errs; !errors.Is(err, context.Canceled) {
			t.Errorf("the first: got %v, want cancelled", err)
		}
		if err := <-errs; err != nil {
			t.Errorf("the second: got %v, want it to make the subscription", err)
		}
	})
}
