// Package reach gets at the TCP connections of Modbus links: it dials them, or
// waits until the device dials in.
//
// What it returns is set up so that the kernel notices a peer that is gone: by
// keepalives on an idle connection, by TCP_USER_TIMEOUT on a busy one.
package reach
