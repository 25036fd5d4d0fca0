// Package stream sends live values to the pages that are open, as
// server-sent events.
//
// A page opens one stream, learns its id from the first event, and tells
// which tags it shows (Hub.Watch). It then receives each of them when it
// changes, coalesced to at most four times a second; the quality of all tags
// when that changes; the sentence of health; and a beat, so that it notices
// within seconds when the gateway or the cable is gone.
//
// Each stream is served by the goroutine of its own request: a page that
// does not read blocks nobody, and is cut off after WriteTimeout. Values are
// looked at when they are due to be sent, never queued, so a slow page costs
// no memory. The number of streams and of watched tags is bounded.
package stream
