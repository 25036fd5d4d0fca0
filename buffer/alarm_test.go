package buffer

import (
	"context"
	"testing"
	"time"

	"fieldferry/buffer/fault"
	"fieldferry/tag"
)

// TestAlarmIsSyncedAtOnce: an alarm is durable without a tick; what is of
// another class waits for it.
func TestAlarmIsSyncedAtOnce(t *testing.T) {
	m := fault.New()
	c := rigConfig()
	c.SyncInterval = 10 * time.Minute
	b, err := Open(m, Config{Dir: c.Dir, RuntimeDir: c.RuntimeDir, MaxBytes: 64 << 20, SyncInterval: c.SyncInterval}, quiet())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	tags := rigTags(4)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := b.Append([]tag.Sample{{Tag: tags[0], Value: tag.Int(1)}, {Tag: tags[3], Value: tag.Int(2)}}); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for b.Stats().Classes[tag.ClassAlarm].Segments == 0 || b.Stats().Syncs < 3 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("the alarm is not durable: %+v", b.Stats())
		}
	}
	if st := b.Stats(); st.InMemory == 0 {
		t.Errorf("the other sample does not wait for the tick: %+v", st)
	}
}
