// Package mqtt is one uplink: a reader of the buffer drained into an MQTT 5
// broker, and the commands that come back.
//
// The buffer is the only memory. An uplink connects with a clean start, sends
// what lies above its position, keeps a window of messages on their way, and
// moves the position over what the broker has acknowledged, and over nothing
// else. After every connection it starts again at the position: samples
// arrive in order and at least once, and what repeats is a suffix. It
// reconnects for ever, with pauses that grow and that become short again only
// after a connection has delivered something for a while.
//
// A refused message is put aside only once a later one was taken; a broker
// that refuses everything is an outage, and nothing leaves the buffer. See
// policy.go for what each reason code means.
//
// History: a sample that entered the buffer more than five seconds before the
// connection was made, before the uplink began, or in an earlier run of the
// gateway, is historical. It is sent in its
// order, marked, and never retained. Age is measured by the gateway's own
// monotonic clock, once a second (up to ten seconds while a dial hangs), never
// by a timestamp: a device's clock may be wrong. Where the newest sample of a
// tag went out as history, it is sent once more as the current value when the
// history has been sent, so that what the broker retains is never older than
// what was delivered.
//
// Presence: {root}/_/status is retained, "online" after connecting, "offline"
// as the will and after an orderly stop. The birth goes ahead of the values, but
// does not hold them up for more than five seconds: where the broker does not
// acknowledge it they are sent all the same. Commands come over a connection of
// their own; see commands.go.
//
// The ledger: {root}/_/ledger is retained and tells what became of every sample
// that was for this uplink, over all restarts: produced, delivered, filtered,
// pending, and missing, which is the sum of dropped (by the buffer) and put_aside
// (refused by the broker), each by reason; drops lists the buffer's latest
// records with ranges and counts per device. It is told at every connection, on
// a change at most every ten seconds, and at an orderly stop, at QoS 0.
//
// New does no I/O. Run blocks until its context ends and waits for everything
// that it started; it ends at most about ten seconds later: five for what is
// on its way, and one or two for each good-bye. Polling is never held up: a
// slow or dead broker only stops the reading of the buffer. After a crash of
// the gateway at most the buffer's position interval is sent again.
package mqtt
