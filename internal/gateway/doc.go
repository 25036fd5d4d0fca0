// Package gateway assembles everything from a configuration and keeps it
// running: the buffer, an uplink per destination, a runner per link, the
// command service, the page and the control socket. It alone knows all parts.
//
// A changed configuration is applied part by part: a link or an uplink whose
// settings did not change is not touched, so that editing one tag never costs
// another link a poll. A configuration with faults changes nothing.
package gateway
