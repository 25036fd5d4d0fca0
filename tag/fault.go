package tag

import "strings"

// Fault is one thing wrong with what a user wrote: where, what, and what to
// do about it. Packages that validate their own configuration return Faults,
// so that all of them can be shown at once.
type Fault struct {
	Path string // the key below the struct that was checked, such as "tls.ca_file" or "brokers[1]"; empty for the struct itself
	Text string // what is wrong, with the offending text quoted
	Hint string // what to do; may be empty
}

func (f Fault) Error() string {
	s := f.Text
	if f.Path != "" {
		s = f.Path + ": " + s
	}
	if f.Hint != "" {
		s += " (" + f.Hint + ")"
	}
	return s
}

// Faults is a list of faults as an error. Return it through Err, so that an
// empty list is a nil error.
type Faults []Fault

// Err returns f as an error, nil when there is no fault.
func (f Faults) Err() error {
	if len(f) == 0 {
		return nil
	}
	return f
}

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, x := range f {
		lines[i] = x.Error()
	}
	return strings.Join(lines, "\n")
}
