// Package wire is the link layer of Modbus: a Link sends one request to one
// unit and returns the answer to that request, or says why there is none. No
// late, foreign or damaged answer is ever returned as the answer.
//
// This package says what a link is, counts what it sees and notices when
// nobody answers on it any more. Package tcp speaks Modbus TCP; package line
// speaks RTU and ASCII, over a serial port or a TCP connection; package reach
// gets at the connections; package backup keeps a second address in hand.
//
// Every error of Exchange is a *frame.Error that tells what kind of failure it
// was and whether the request may have reached the device.
package wire
