//go:build peer

package mqtt

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"fieldferry/buffer"
	"fieldferry/internal/peers"
	"fieldferry/mqtt/brokertest"
	"fieldferry/tag"
)

// TestPeerLiveValuesGoFirst has a broker go away while samples pile up in a
// real buffer. When it is back, what is read from then on arrives before the
// backlog is done; in the end every number is there, and the broker keeps the
// newest value of each tag.
func TestPeerLiveValuesGoFirst(t *testing.T) {
	b := peers.Mosquitto(t, unlimited)
	proxy := brokertest.StartProxy(t, hostPort(b))
	c := buffer.Default()
	c.Dir, c.RuntimeDir, c.MinFree = t.TempDir(), t.TempDir(), 0
	buf, err := buffer.Open(buffer.DirFS(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer buf.Close()
	reader, err := buf.Reader("plant", buffer.StartNow)
	if err != nil {
		t.Fatal(err)
	}
	tags, total := plant("speed", "level", "alarm"), uint64(0)
	tags[2].Class = tag.ClassAlarm
	add := func(tg *tag.Tag, n int) {
		t.Helper()
		for range n {
			total++
			if err := buf.Append([]tag.Sample{{Tag: tg, Value: tag.Int(int64(total)), Time: time.Now()}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	seen := &observer{t: t}
	seen.observe(b.URL())
	const perSecond = 2000 // the backlog takes a while, however fast the machine
	r := start(t, newSource(t), func(f *Config, d *Deps) {
		young(f, d)
		f.ReplayRate, d.Reader = perSecond, reader
	}, proxy.URL())
	r.eventually("connection", func() bool { return r.Stats().Window > 0 })
	add(tags[0], 100)
	r.eventually("delivery", func() bool { n, _ := reader.Pending(); return n == 0 })
	proxy.Refuse(true)
	proxy.Kill()
	r.eventually("the outage", func() bool { return !r.Stats().Connected })
	for range 1500 {
		add(tags[0], 2)
		add(tags[2], 1)
	}
	add(tags[1], 1) // silent ever after
	outage := total
	proxy.Refuse(false)
	r.eventually("a backlog", func() bool { return r.Stats().Backlog > 0 })
	split := total
	add(tags[0], 50)
	r.eventually("everything at the subscriber", func() bool {
		return r.Stats().Pending == 0 && r.repairs.None() && eachOnce(dropCurrent(seen.values()), total) == nil
	})
	vs := seen.values()
	live, old := -1, -1
	for i, v := range vs {
		if !v.Historical && v.Seq > split {
			live = max(live, i)
		}
		if v.Historical && v.Seq <= outage {
			old = i
		}
	}
	if live < 0 || live > old {
		t.Errorf("the last live value is message %d, the last of the backlog message %d: want the live ones before the backlog is done", live, old)
	}
	account := buf.Stats().Readers[0]
	if account.Delivered != total || len(account.Dropped)+len(account.PutAside) > 0 {
		t.Errorf("account %+v, want %d delivered and nothing else", account, total)
	}
	kept := retained(t, b, "site/pump/#", 3)
	for topic, want := range map[string]uint64{"site/pump/speed": total, "site/pump/level": outage, "site/pump/alarm": outage - 1} {
		if m := kept[topic]; !strings.HasPrefix(m, fmt.Sprintf(`{"value":%d,`, want)) || strings.Contains(m, "historical") {
			t.Errorf("retained on %s: %s, want the value %d", topic, m, want)
		}
	}
	t.Logf("%d samples, %d of them as history", total, r.Stats().Historical)
}
