package probe

import (
	"context"
	"sync/atomic"

	"fieldferry/drivers/modbus/recorder"
	"fieldferry/drivers/modbus/wire"
)

// Tap is told of every frame of a link: it passes them on to the link's flight
// recorder, and tells a query when its request has left, since a line may have
// to be silent for a while before that.
type Tap struct {
	record atomic.Pointer[recorder.Recorder] // nil: nobody records
	sent   atomic.Pointer[func()]            // nil: no query is under way
}

// Open has frames recorded from now on, where ctx has a recorder.
func (t *Tap) Open(ctx context.Context, frames int) {
	r := recorder.FromContext(ctx)
	if r != nil {
		r.Resize(frames)
	}
	t.record.Store(r)
}

// Frame is called by the link.
func (t *Tap) Frame(e wire.Event) {
	if r := t.record.Load(); r != nil {
		r.Frame(e)
	}
	if e.Outcome != wire.Request {
		return
	}
	if sent := t.sent.Swap(nil); sent != nil {
		(*sent)()
	}
}
