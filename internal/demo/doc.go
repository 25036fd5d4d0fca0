// Package demo is a small bottling plant in one process: Modbus TCP stations,
// a Modbus RTU line on a pseudo terminal, an OPC UA press and an MQTT broker,
// all on loopback. `fieldferry demo` runs the gateway against it, so that a
// newcomer sees values, a dead device and an outage that heals within a
// minute of cloning.
//
// Nothing here is part of the product: only binaries built with the tag
// `demo` contain the broker and the OPC UA server.
package demo
