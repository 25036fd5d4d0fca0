package keep

import (
	"errors"
	"math/rand/v2"
	"time"

	"fieldferry/mqtt/flight"
	"fieldferry/mqtt/wire"
)

// schedule is how pauses between attempts grow: from the first one, doubled
// each time, up to the longest.
type schedule struct{ first, longest time.Duration }

// The schedules.
var (
	soon     = schedule{time.Second, time.Minute}           // it may be back any moment
	later    = schedule{time.Minute, 5 * time.Minute}       // someone has to repair something: a file, a password, a right
	seldom   = schedule{5 * time.Minute, 5 * time.Minute}   // something has to be replaced
	takeover = schedule{30 * time.Second, 10 * time.Minute} // two clients push each other out
	outage   = schedule{30 * time.Second, 10 * time.Minute} // connected, but everything is refused
)

// errHangsUp is wrapped where a broker closes each connection soon.
var errHangsUp = errors.New("the broker hangs up")

// scheduleFor sorts the end of a connection, or of an attempt.
func scheduleFor(err error) schedule {
	if errors.Is(err, flight.ErrAllRefused) {
		return outage
	}
	if errors.Is(err, errHangsUp) {
		return takeover
	}
	var e *wire.Error
	if !errors.As(err, &e) {
		return soon
	}
	switch e.Kind {
	case wire.BadTLS, wire.Local:
		return later
	case wire.Only311:
		return seldom
	case wire.Refused, wire.Dismissed:
		if s, ok := codeSchedules[e.Code]; ok {
			return s
		}
	}
	return soon
}

// codeSchedules has the codes of CONNACK, SUBACK and DISCONNECT that waiting
// alone does not cure.
var codeSchedules = map[wire.Code]schedule{
	wire.BadVersion: seldom,
	wire.TakenOver:  takeover,

	wire.BadClientID: later, wire.BadPassword: later, wire.NotAuthorized: later,
	wire.Banned: later, wire.BadMethod: later,
	wire.BadFilter: later, wire.BadTopic: later, wire.TooLarge: later, wire.BadPayload: later,
	wire.NoRetain: later, wire.NoQoS: later, wire.NoShared: later, wire.NoWildcards: later,
	wire.UseAnother: later, wire.Moved: later,
}

// advice is added to an error that a person has to act upon.
func advice(err error, clientID string) string {
	var e *wire.Error
	if !errors.As(err, &e) {
		return ""
	}
	switch {
	case e.Kind == wire.Dismissed && e.Code == wire.TakenOver:
		return "another client uses the client id " + clientID
	case e.Kind != wire.Refused:
		return ""
	case e.Code == wire.BadPassword, e.Code == wire.NotAuthorized:
		return "check auth.username and auth.password_file, and the broker's access list"
	case e.Code == wire.NoRetain:
		return "the broker keeps no retained messages, which the status of this uplink needs"
	case e.Code == wire.NoQoS:
		return "the broker takes no messages of QoS 1, which this uplink needs"
	}
	return ""
}

// backoff is the state of the pauses towards one broker.
type backoff struct {
	plan schedule
	step int
}

// next returns the pause before the next attempt: between half and all of
// what the schedule says, so that a thousand gateways do not return at once.
func (b *backoff) next(s schedule) time.Duration {
	if s != b.plan {
		b.plan, b.step = s, 0
	}
	d := s.first << min(b.step, 20)
	if d >= s.longest {
		d = s.longest
	} else {
		b.step++
	}
	return d/2 + rand.N(d/2+1)
}

// reset makes the next pause short again.
func (b *backoff) reset() { *b = backoff{} }
