// Package write writes single tags to Modbus devices: it chooses the function,
// leaves the neighbours of a bit alone, and tells what is known of the outcome.
//
// Each write is sent once. What may have reached the device and was not
// confirmed is drivers.ErrOutcomeUnknown and is never repeated. Its calls block
// until the device has answered, its timeout has passed, or the context has
// ended, and belong to the goroutine of the link.
package write
