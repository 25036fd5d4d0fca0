// Package payload makes MQTT topics and payloads of samples.
//
// An uplink compiles its Config once into an Encoder. Root and topic are
// templates: {gateway}, {uplink}, {link}, {device}, {tag}, {unit}, {class}
// and the key of any label in braces are replaced, the root by what is known
// of the whole gateway alone. The values of a tag are published to
// {root}/{topic}; our own topics lie below {root}/_/, which no value may use.
//
// The format "json" gives one message per sample:
//
//	{"value":22.5,"unit":"°C","quality":"good","timestamp":"2026-11-20T08:27:00.123Z"}
//
// Members always come in this order, and those in brackets only where they
// apply:
//
//	value       number, true or false, string, array or object; null where there is none
//	[exact]     the digits of an integer beyond ±2^53, which many readers would round
//	[unit]      as in the tag map
//	quality     good, uncertain or bad (or 192, 64, 0)
//	[reason]    why the quality is not good
//	timestamp   when the device had the value; null if that is not known
//	[historical] true: this comes out of the buffer, late
//	[clock]     "unsynced": the gateway's clock was not yet set
//	[seq]       on request: the number of the sample in the gateway's buffer
//
// Numbers are in the shortest form that reads back as exactly the same
// number, single precision as such: 0.1 stays 0.1. NaN and infinities do not
// exist in JSON: they are null and bad. Raw bytes are a string of lower-case
// hexadecimal digits, as the page and the command line show them. Every
// payload is valid JSON and valid UTF-8.
//
// Appending a message to a buffer that is large enough does not allocate once
// the tag is known. Nothing here blocks or does I/O.
package payload
