// Package plant is the running gateway as its page sees it: three small
// interfaces, which internal/gateway implements, and the plain structs that
// pass through them. The packages web, web/api and web/stream know the rest
// of the gateway through nothing else.
//
// Plant tells what is going on, Editor changes the tag map, Control acts at
// once. An implementation is safe for concurrent use. The methods of Plant
// are called several times a second for every open page: they read memory,
// never wait for a device, a disk or a lock that is held across I/O. The
// methods of Editor and Control may block and honour their context.
//
// Everything that is returned is the receiver's to keep and is not changed
// afterwards by either side, unless a method says otherwise.
package plant
