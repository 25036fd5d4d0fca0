// Package find finds out what is on a Modbus link: which units answer (Scan),
// what they say they are (Identify), and what their tables hold (Read).
//
// It sends nothing that could change a device, one request at a time, with a
// pause in between. It does no I/O of its own: an Asker carries the requests,
// either a connection of its own or a running gateway that lends its link
// between two reads. Everything blocks until it is done or the context ends,
// and what was found until then is returned with the context's error.
package find
