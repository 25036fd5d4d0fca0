// Package api is the HTTP API of the gateway: the operations behind the page,
// which the command line uses too, through the control socket. It is written
// once, as Go types; the OpenAPI file and the page's TypeScript types are
// generated from it.
//
// Every error is a Problem (RFC 9457) with a stable code. No operation has an
// effect by GET, except read, which asks a device for a value; the caller of
// this package keeps foreign pages away from it. Operations read memory and
// do not block, except those of the Editor and of Control, which are bounded
// in time.
package api
