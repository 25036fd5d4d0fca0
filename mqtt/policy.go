package mqtt

import (
	"errors"

	"fieldferry/mqtt/flight"
	"fieldferry/mqtt/wire"
)

// verdict says what the answer to a message means. A message that the broker
// will never take is Refused; flight decides whether it is the message or the
// broker. Everything that may pass later is on Hold: the position stays, and
// the message is sent again after a pause. What was on its way behind it may
// have arrived meanwhile, and is repeated after it.
func verdict(code wire.Code) flight.Verdict {
	switch {
	case !code.Refused():
		return flight.Taken
	case code == wire.NotAuthorized, code == wire.BadTopic, code == wire.BadPayload, code == wire.TooLarge:
		return flight.Refused
	}
	return flight.Hold // unspecified, quota, packet id in use, and what the standard may yet add
}

// maxTries is how often a message is sent whose refusal has no reason, or one
// of the broker's own, before it counts as refused for good.
const maxTries = 5

// retriable says that a refusal on Hold is counted against maxTries. Quotas
// end by themselves, and a packet id in use is no fault of the message.
func retriable(code wire.Code) bool {
	return code != wire.QuotaExceeded && code != wire.IDInUse
}

// narrows says that the broker is sent too much at once.
func narrows(err error) bool {
	var e *wire.Error
	return errors.As(err, &e) && e.Kind == wire.Dismissed &&
		(e.Code == wire.ReceiveMaximum || e.Code == wire.RateTooHigh || e.Code == wire.QuotaExceeded)
}
