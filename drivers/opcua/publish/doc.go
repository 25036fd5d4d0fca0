// Package publish is the publish loop of one OPC UA session: it makes
// subscriptions, keeps several Publish requests waiting at the server, puts
// the notifications in the order of their sequence numbers, fetches missed
// ones again, and hands them to the groups that share a subscription.
//
// Groups with the same parameters share one subscription, since many servers
// allow few. A message is acknowledged once every group has handed its part
// over; until then the server keeps it. When the groups fall behind, no more
// Publish requests are sent: the server's queues fill instead of our memory,
// and the server marks what it drops.
//
// One goroutine calls Hub.Run; groups call the other methods from their own.
// No lock is held across a request. The loop never waits for a group. A
// subscription that falls silent for three keep-alives ends Run with an error:
// the session is to be opened again.
package publish
