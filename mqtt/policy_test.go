package mqtt

import (
	"testing"

	"fieldferry/mqtt/flight"
	"fieldferry/mqtt/wire"
)

func TestVerdicts(t *testing.T) {
	for code, want := range map[wire.Code]flight.Verdict{
		wire.Success: flight.Taken, wire.NoSubscribers: flight.Taken,
		wire.NotAuthorized: flight.Refused, wire.BadTopic: flight.Refused, wire.BadPayload: flight.Refused, wire.TooLarge: flight.Refused,
		wire.Unspecified: flight.Hold, wire.Implementation: flight.Hold, wire.IDInUse: flight.Hold, wire.QuotaExceeded: flight.Hold,
		0xEE: flight.Hold,
	} {
		if got := verdict(code); got != want {
			t.Errorf("verdict(%v) = %d, want %d", code, got, want)
		}
	}
}
