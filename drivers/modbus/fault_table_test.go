package modbus

import "testing"

// faults are those of the project's notes on Modbus, in their order.
var faults = []fault{
	{what: "TCP answer with an unknown transaction id", does: "dropped and counted as late; its own answer is waited for",
		play: func(t *testing.T) { lateIsDropped(t, "tcp") }},
	{what: "TCP answers out of order", does: "each goes to its request", test: ". TestPipeline"},
	{what: "TCP answer in the name of another unit", does: "no value; with `accept_any_unit` it is accepted", play: wrongUnit},
	{what: "TCP header that is none", does: "the stream is given up, everything under way fails, the connection is made anew", play: brokenStream},
	{what: "answers byte by byte", does: "put together until the timeout", play: func(t *testing.T) { everywhere(t, inPieces) }},
	{what: "several answers in one segment", does: "all are taken", play: severalAtOnce},
	{what: "TCP answers that nobody asked for", does: "dropped and counted; a thousand in a row end the connection", play: unsolicited},
	{what: "the peer hangs up", does: "made anew at once the first time, then with growing pauses; a write is not repeated, its outcome is unknown",
		play: func(t *testing.T) { hangsUp(t, "tcp"); hangsUp(t, "rtu") }},
	{what: "half-open connection", does: "after three requests without an answer it is made anew; the kernel probes idle ones",
		play: func(t *testing.T) { halfOpen(t, "tcp"); halfOpen(t, "rtu") }},
	{what: "connection refused, or not answered", does: "dialled again with growing pauses, the name looked up each time; other links are read on", play: unreachable},
	{what: "connection accepted and closed at once", does: "taken for a failed attempt: growing pauses", play: turnsAway},
	{what: "device needs pauses", does: "`pause_after_connect` and `pause_between_requests`; a pause that it needs is also learnt",
		play: func(t *testing.T) { pauses(t, "tcp"); pauses(t, "rtu") }},
	{what: "late answer in RTU and ASCII", does: "known by its shape and dropped; meanwhile nothing is asked whose answer would look the same",
		play: func(t *testing.T) { inSerial(t, lateIsDropped) }},
	{what: "late answer while another unit is asked", does: "dropped; the other's own answer is waited for",
		play: func(t *testing.T) { inSerial(t, lateOfNeighbour) }},
	{what: "wrong checksum", does: "dropped, and asked once more; then a missed answer. Never a value",
		play: func(t *testing.T) {
			inSerial(t, func(t *testing.T, framing string) { spoils(t, framing, flipped) })
		}},
	{what: "frame cut short", does: "given up at the timeout, and asked once more",
		play: func(t *testing.T) {
			inSerial(t, func(t *testing.T, framing string) { spoils(t, framing, cut) })
		}},
	{what: "bytes behind a frame", does: "the frame is taken; the rest is dropped and counted before the next request",
		play: func(t *testing.T) {
			inSerial(t, func(t *testing.T, framing string) { around(t, framing, "", "\x01\x02\x03") })
		}},
	{what: "noise ahead of a frame", does: "the frame is found behind it",
		play: func(t *testing.T) {
			inSerial(t, func(t *testing.T, framing string) { around(t, framing, "\x00\xff\x01", "") })
		}},
	{what: "nothing but garbage", does: "bounded memory and time; `check baud rate and parity` in the error", play: func(t *testing.T) { inSerial(t, garbage) }},
	{what: "two devices with one unit id", does: "damaged frames are no values; answers that nobody asked for are said in the log", play: func(t *testing.T) { sharedID(t, "rtu"); sharedID(t, "port") }},
	{what: "local echo", does: "stripped (`echo: auto`, `on`); the echo of a write never confirms it", play: func(t *testing.T) { inSerial(t, echoing) }},
	{what: "byte count not what was asked for", does: "no value, not even for a part of the tags",
		play: func(t *testing.T) {
			everywhere(t, func(t *testing.T, framing string) { answersWith(t, framing, 3, 2, 0, 1) })
		}},
	{what: "byte count not what is there", does: "no value",
		play: func(t *testing.T) {
			everywhere(t, func(t *testing.T, framing string) { answersWith(t, framing, 3, 4, 0, 1, 0) })
		}},
	{what: "answer to another function", does: "no value, and no exception either",
		play: func(t *testing.T) {
			everywhere(t, func(t *testing.T, framing string) { answersWith(t, framing, 4, 4, 0, 1, 0, 2) })
		}},
	{what: "exception of an odd form", does: "an unknown code is a failure of the device; another length is a damaged frame", play: func(t *testing.T) { everywhere(t, oddExceptions) }},
	{what: "exception without its mark", does: "no value: its length is wrong",
		play: func(t *testing.T) {
			everywhere(t, func(t *testing.T, framing string) { answersWith(t, framing, 3, 2) })
		}},
	{what: "exception 1, illegal function", does: "a block is asked in parts; a tag refused alone is bad and tried again after a minute, then more and more seldom", play: func(t *testing.T) { everywhere(t, noFunction) }},
	{what: "exception 2 or 3 in a block", does: "taken apart within the cycle: only what the device lacks is bad, and is learnt", play: func(t *testing.T) { everywhere(t, hole) }},
	{what: "exception 4, device failure", does: "bad with that reason until the next cycle",
		play: func(t *testing.T) {
			everywhere(t, func(t *testing.T, framing string) { excuses(t, framing, 4, 1, "server device failure", 1) })
		}},
	{what: "exception 5, acknowledge", does: "a read is made again after a pause; a write is read back and not sent again",
		play: func(t *testing.T) {
			everywhere(t, func(t *testing.T, framing string) {
				excuses(t, framing, 5, 1, "", 2)
				acknowledged(t, framing)
			})
		}},
	{what: "exception 6, busy", does: "asked again after 100 and 200 ms; then bad until the next cycle. The device is not demoted, nothing is learnt",
		play: func(t *testing.T) {
			everywhere(t, func(t *testing.T, framing string) {
				excuses(t, framing, 6, 2, "", 3)
				excuses(t, framing, 6, 3, "server device busy", 3)
			})
		}},
	{what: "exception 8, memory parity error", does: "asked once more; then bad with that reason",
		play: func(t *testing.T) {
			everywhere(t, func(t *testing.T, framing string) {
				excuses(t, framing, 8, 1, "", 2)
				excuses(t, framing, 8, 2, "memory parity error", 2)
			})
		}},
	{what: "exception 10 or 11 of a gateway", does: "a missed answer of that unit alone; the connection stays", play: ofGateway},
	{what: "one dead unit on a shared line", does: "probed in the gaps of its neighbours, after 1 s, then up to 30 s", play: func(t *testing.T) { deadUnit(t, "rtu"); deadUnit(t, "tcp") }},
	{what: "device begins anew", does: "reconnected; what it lacks now is found out; its values are taken as they are", play: func(t *testing.T) { everywhere(t, reset) }},
	{what: "answer that comes twice", does: "the second is dropped and counted, also where it comes with the next request of the same shape", play: func(t *testing.T) { everywhere(t, twice) }},
	{what: "write confirmed with another address or value", does: "the outcome is unknown, and said", play: func(t *testing.T) { everywhere(t, unconfirmed) }},
	{what: "write that is not answered", does: "the outcome is unknown, and said; never sent again", play: func(t *testing.T) { everywhere(t, unanswered) }},
	{what: "broadcast", does: "sent once, and the line is left alone for the turnaround; the outcome is unknown", test: ". TestBroadcast"},
	{what: "adapter unplugged and plugged in", does: "noticed by its end of file; opened again by its stable name, with all settings", play: unplugged},
	{what: "port held by another program", does: "said in words; tried again slowly", play: taken},
	{what: "stale bytes after connect", does: "a line opened for the first time is listened to, and what comes is dropped", play: func(t *testing.T) { inSerial(t, staleBytes) }},
	{what: "telnet negotiation, or a banner", does: "dropped, and said in the log with what to do", play: func(t *testing.T) { banner(t, "rtu"); banner(t, "ascii") }},
	{what: "pause within a frame", does: "waited for until the timeout", play: func(t *testing.T) { everywhere(t, hesitant) }},
	{what: "more asked for than there can be", does: "refused at load, with the name of the tag", play: tooLong},
	{what: "registers that hold no value", does: "the tag is bad, with the reason and without a value", play: noValues},
	{what: "the clock is set while polling", does: "all waiting goes by the monotonic clock; the wall clock only stamps", not: "cannot be played: it would set the clock of the machine that runs the tests"},
	{what: "shutdown in the middle of a request", does: "it is abandoned at once and the port closed", play: func(t *testing.T) { everywhere(t, shutdown) }},
	{what: "line slower than what is asked of it", does: "turns are left out and counted, never queued; `check` and `status` say what is achievable", play: func(t *testing.T) { everywhere(t, overrun) }},
	{what: "device that sleeps", does: "with `sleeps: true` a read that only woke it is made once more, and counts as no miss", play: func(t *testing.T) { everywhere(t, asleep) }},
}
