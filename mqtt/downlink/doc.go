// Package downlink takes the commands that a broker delivers for one uplink,
// has them carried out, and answers them.
//
// They arrive at {root}/_/set/{device}/{tag} on a connection of their own, so
// that neither a backlog nor a takeover delays them; package request says what
// they look like. Commands to one device are carried out one after another,
// those to different devices at once: a device that does not answer holds up
// only its own. At most 256 wait; more are refused.
//
// A clean start, no session, and the refusal of retained and expired messages
// see to it that no command of yesterday is ever carried out today. A command
// that was received is carried out and answered even when the connection is
// lost meanwhile; the answer then goes out on the next one, perhaps twice.
//
// Every command is in the audit, also one that is refused here: because it is
// not to be understood, came too late, or too many are waiting. Of refusals at
// most 20 a second are recorded one by one; a flood adds one record a second
// that says how many more there were.
//
// Answers go to the response topic of the message (MQTT 5), with its
// correlation data. Below the uplink's own root only {root}/_/reply/... is
// allowed, for an answer must not pose as a value or as a command. A command
// without a response topic is not answered, but is in the audit.
package downlink
