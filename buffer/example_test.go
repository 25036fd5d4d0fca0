package buffer_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"fieldferry/buffer"
	"fieldferry/tag"
)

// A link appends what it has read; an uplink takes it from its own position
// and settles what the broker has acknowledged.
func Example() {
	dir, err := os.MkdirTemp("", "buffer")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	c := buffer.Default()
	c.Dir, c.RuntimeDir, c.MinFree = filepath.Join(dir, "log"), filepath.Join(dir, "run"), 0
	b, err := buffer.Open(buffer.DirFS(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer b.Close()
	plant, err := b.Reader("plant", buffer.StartNow)
	if err != nil {
		fmt.Println(err)
		return
	}

	speed := &tag.Tag{Name: "speed", Device: &tag.Device{Name: "pump", Link: &tag.Link{Name: "line1"}}}
	if err := b.Append([]tag.Sample{{Tag: speed, Value: tag.Float64(1480.5), Time: time.Now()}}); err != nil {
		fmt.Println(err)
		return
	}

	entries, err := plant.Next(context.Background(), nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range entries {
		fmt.Println(e.Seq, e.Sample.Tag.Path(), e.Sample.Value)
	}
	plant.Settle(entries[len(entries)-1].Turn)
	s := b.Stats().Readers[0]
	fmt.Println(s.Name, "delivered", s.Delivered, "pending", s.Pending)
	// Output:
	// 1 pump/speed 1480.5
	// plant delivered 1 pending 0
}
