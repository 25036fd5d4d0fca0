package frame

import "fmt"

// Kind is what went wrong between a request and its answer.
type Kind uint8

// The kinds of failure.
const (
	Timeout   Kind = iota // the unit did not answer in time
	Exception             // it answered that it will not; Code tells why
	BadFrame              // what it answered is not an answer to the request
	LinkDown              // the connection or the port is gone
	Cancelled             // the context ended first; Err is its error
	Invalid               // the request cannot be sent as it is
)

// Error tells why a request has no answer that can be used.
type Error struct {
	Kind Kind
	Code byte // of an exception
	// Sent: the request, or a part of it, may have reached the device.
	Sent bool
	// Suspect: the exception may be the late answer to an earlier request,
	// so nothing may be concluded from it about this one.
	Suspect bool
	Err     error // what happened; nil for an exception
}

func (e *Error) Error() string {
	if e.Kind == Exception {
		return fmt.Sprintf("exception %d (%s)", e.Code, ExceptionText(e.Code))
	}
	return e.Err.Error()
}

func (e *Error) Unwrap() error { return e.Err }

// Bad is an error of kind BadFrame.
func Bad(format string, args ...any) *Error {
	return &Error{Kind: BadFrame, Sent: true, Err: fmt.Errorf(format, args...)}
}
