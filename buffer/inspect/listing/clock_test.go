package listing_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"fieldferry/buffer"
	"fieldferry/buffer/disk"
	"fieldferry/buffer/fault"
	"fieldferry/buffer/inspect"
	"fieldferry/buffer/inspect/export"
	"fieldferry/tag"
)

// TestClockOfEverySample: what a log says of the clock holds for the samples of
// the others too, those of files that were closed before it was set included.
func TestClockOfEverySample(t *testing.T) {
	m := fault.New()
	m.SetClock(func(c *disk.Clock) { c.Trusted = false })
	tags := plant()[:3]
	for i := range tags {
		tags[i].Class = tag.Class(i)
	}
	early, late := time.Unix(1_000, 0), time.Unix(500_000, 0)
	run := func(at time.Time, tags ...*tag.Tag) {
		b, err := buffer.Open(m, buffer.Config{Dir: dir, MaxBytes: 8 << 20, SyncInterval: 10 * time.Minute}, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range tags {
			for _, source := range []bool{false, true} {
				if err := b.Append([]tag.Sample{{Tag: x, Value: tag.Int(1), Time: at, BySource: source}}); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := b.Close(); err != nil {
			t.Fatal(err)
		}
	}
	run(early, tags...)
	m.SetClock(func(c *disk.Clock) {
		c.Trusted, c.Wall, c.Up = true, c.Wall.Add(time.Hour+time.Minute), c.Up+time.Minute
	})
	run(late, tags[0]) // nothing is written to the other classes
	m.SetClock(func(c *disk.Clock) { c.Trusted, c.Boot, c.Up = false, [16]byte{9}, time.Second })
	run(late, tags[1])

	d, err := inspect.Open(m, dir)
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	w, err := export.New(&text, export.JSONLines)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	lost, err := d.Samples(t.Context(), inspect.Filter{}, func(s *inspect.Sample) error {
		got = append(got, strings.Join([]string{s.Class, s.Clock.String(), s.Sample.Time.UTC().Format(time.TimeOnly), string(rune('0' + s.N))}, " "))
		return w.Write(s)
	})
	if err != nil || lost != (inspect.Lost{}) || w.Close() != nil {
		t.Fatalf("%+v was lost: %v", lost, err)
	}
	want := []string{
		"normal repaired 01:16:40 1", "normal trusted 00:16:40 2",
		"bulk repaired 01:16:40 1", "bulk trusted 00:16:40 2",
		"alarm repaired 01:16:40 1", "alarm trusted 00:16:40 2",
		"normal trusted 18:53:20 3", "normal trusted 18:53:20 4",
		"bulk unsynced 18:53:20 3", "bulk trusted 18:53:20 4",
	}
	for i := range max(len(got), len(want)) {
		if i >= len(got) || i >= len(want) || got[i] != want[i] {
			t.Fatalf("sample %d:\ngot  %q\nwant %q", i, got, want)
		}
	}
	lines := strings.Split(text.String(), "\n")
	if !strings.Contains(lines[0], `"n":1,"clock":"repaired"`) || strings.Contains(lines[1], "clock") || !strings.Contains(lines[8], `"n":3,"clock":"unsynced"`) {
		t.Errorf("exported:\n%s", text.String())
	}
}
