// Package tagmap turns a tag map and its profiles into links, devices and
// tags: settings inherited, `each` and `params` expanded, drivers' options
// decoded and checked. Package configs calls it once per load.
//
// Settings inherit in this order, of which the later wins: the map's
// `defaults`, the link's `defaults`, the profile's `defaults`, the tag as the
// profile has it, the device, the tag as the device has it. Only `rates` and
// `params` of a profile are the other way round: they are fallbacks for what
// the gateway, the link or the device says. Labels, and every other map,
// merge by key.
//
// Every tag, device and link remembers the nodes that it came from, so that a
// fault found later, by a driver or an uplink, is told at its place in the
// file, and Explain can say where a setting comes from.
//
// Nothing here does I/O except Fingerprint, which reads the small files
// (certificates, passwords) that a link names. A Map is not changed once
// built and may be read by any goroutine.
package tagmap
