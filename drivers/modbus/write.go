package modbus

import (
	"context"
	"fmt"
	"slices"
	"time"

	"fieldferry/drivers/modbus/poll"
	"fieldferry/drivers/modbus/write"
	"fieldferry/tag"
)

// writer is what writes to a device; it remembers what the device cannot do.
func (c *conn) writer(d *tag.Device) *write.Writer {
	w := c.writers[d]
	if w == nil {
		o := deviceOptions(d)
		w = write.New(c.link, write.Device{
			Name: d.Name, Unit: byte(o.UnitID), Multiple: o.WriteMultiple, Bits: o.WriteBits, Broadcast: o.Broadcast,
		}, c.log)
		c.writers[d] = w
	}
	return w
}

// Write writes one tag and reads it back. What was written and acknowledged
// but cannot be read back gives a sample without a value that says so.
func (g *group) Write(ctx context.Context, t *tag.Tag, v tag.Value) (tag.Sample, error) {
	i := slices.Index(g.tags, t)
	if i < 0 {
		return tag.Sample{}, fmt.Errorf("tag %s is not of this group", t.Path())
	}
	if !t.Access.Writable() {
		return tag.Sample{}, fmt.Errorf("tag %s has access: %s", t.Path(), t.Access)
	}
	l := &g.layouts[i]
	w := g.c.writer(g.dev)
	if deviceOptions(g.dev).Sleeps && t.Access.Readable() {
		w.ReadBack(ctx, l) // a write is sent once, and not to a device that sleeps
	}
	if err := w.Write(ctx, l, v); err != nil {
		return tag.Sample{}, err
	}
	s := tag.Sample{Tag: t, Quality: tag.UncertainFor(write.ReasonNotReadBack), Time: time.Now().UTC()}
	if !t.Access.Readable() {
		return s, nil
	}
	if reply, ok := w.ReadBack(ctx, l); ok {
		start, _ := l.Span()
		poll.Decode(&s, l, reply, start)
	}
	return s, nil
}
