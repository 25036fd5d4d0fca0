package poll

import (
	"context"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/wire"
)

// retryPause is the pause before a busy device is asked again; each further
// one is twice as long.
const retryPause = 100 * time.Millisecond

// again is how often a request is made again within the round after a failure,
// and whether with a pause. A busy device is given time, a damaged answer may
// be whole the next time, and a device that sleeps is awake by then. Nothing
// else gets better at once.
func (s *station) again(e *frame.Error) (times int, pause time.Duration) {
	switch {
	case e.Kind == frame.Timeout && e.Sent && s.sleeps:
		return 1, 0
	case s.upset:
		return 0, 0
	case e.Kind == frame.BadFrame && e.Sent:
		return 1, 0
	case e.Kind != frame.Exception || e.Suspect:
		return 0, 0
	}
	switch e.Code {
	case 5, 6: // acknowledge, busy
		return 2, retryPause
	case 8: // memory parity error
		return 1, 0
	}
	return 0, 0
}

// ask makes the request of a block, and makes it again where that may help: no
// pause takes longer than what is left of half the interval, and a device for
// which it was in vain is not asked again before it has answered, so that its
// neighbours on the line wait for it once at most.
func (r *round) ask(ctx context.Context, b *block) (wire.Reply, error) {
	st := r.g.st
	reply, err := st.exchange(ctx, b.Table, b.Length, b.req)
	for k := 0; err != nil; k++ {
		times, pause := st.again(AsFrame(err))
		pause <<= k
		if k >= times || time.Since(r.now)+pause > r.g.interval/2 && pause > 0 {
			st.upset = st.upset || times > 0
			return reply, err
		}
		if !wire.Pause(ctx, pause) {
			return reply, err
		}
		reply, err = st.exchange(ctx, b.Table, b.Length, b.req)
	}
	st.upset = false
	return reply, nil
}
