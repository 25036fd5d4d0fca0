// Package web is the page of the gateway and the HTTP API behind it.
//
// internal/gateway makes one Server from a plant.Plant, a plant.Editor and a
// plant.Control, and serves it twice: on a loopback address for browsers
// (Serve) and on the control socket for the command line (ServeControl).
// Until the page has a login it listens on loopback only; Config.Validate
// refuses anything else.
//
// Every request passes the same gate: a Host that is loopback, no request
// from a foreign page, bounded headers, body and time, and answers that no
// other page may frame or script. A page that hangs or floods does not reach
// the links: nothing here holds a lock of theirs, and the number of
// connections is bounded.
//
// The page itself is embedded when the build tag ui is set (make build);
// without it one plain page says so.
package web
