// Package frame makes Modbus requests and takes answers apart: PDUs, and the
// frames of TCP and RTU around them. It tells whether what came back is an
// answer to what was asked: function code, byte count against quantity, form
// of an exception, echo of a write. Nothing else is ever let through.
//
// It does no I/O, keeps no state and panics on no bytes.
package frame
