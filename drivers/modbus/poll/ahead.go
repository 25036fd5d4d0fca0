package poll

import (
	"context"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/drivers/modbus/wire/ahead"
)

// link is what the requests of a station are sent on.
func (s *station) link() interface {
	Exchange(ctx context.Context, unit byte, req frame.PDU) (wire.Reply, error)
} {
	if s.ahead != nil {
		return s.ahead
	}
	return s.c.Link
}

// begin has the requests that run is sure to make asked at once, on a link
// that can have several under way, and returns what ends that.
func (r *round) begin(ctx context.Context) (end func()) {
	st := r.g.st
	if st.c.Depth < 2 || st.pause > 0 {
		return func() {}
	}
	var q []ahead.Question
	for _, b := range r.g.blocks {
		if !b.silent && (b.refused == "" || !r.now.Before(b.retryAt)) {
			q = append(q, ahead.Question{Unit: st.unit, PDU: b.req})
		}
	}
	a := ahead.New(ctx, st.c.Link, st.c.Depth, q)
	st.ahead = a
	return func() {
		st.ahead = nil
		a.Close()
	}
}
