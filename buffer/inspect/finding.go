package inspect

// Finding is one thing that Verify has found.
type Finding struct {
	Level   Level
	File    string // path below the directory; empty: the log as a whole
	Offset  int64  // in the file; -1: the file as a whole
	Samples uint64 // lost with it
	Text    string // what it means
}

// Level says how bad a finding is.
type Level uint8

// The levels, and what the worst of them says of a log.
const (
	Note  Level = iota // worth knowing, nothing is lost: clean
	Loss               // something is lost, and accounted for: lossy but consistent
	Fault              // the log contradicts itself: inconsistent
)

func (l Level) String() string { return [...]string{"note", "loss", "fault"}[min(l, Fault)] }

// Verdict is the name of a log whose worst finding is l.
func (l Level) Verdict() string {
	return [...]string{"clean", "lossy but consistent", "inconsistent"}[min(l, Fault)]
}

// Summary is what Verify has read.
type Summary struct {
	Worst    Level
	Segments int
	Blocks   uint64
	Samples  uint64 // that can be read
	Bytes    int64
	Damaged  uint64 // samples lost to damage, and to files that are not there
	Dropped  uint64 // samples in the records of drops that are still there
	Findings [Fault + 1]uint64
	Logs     []LogSummary
}

// LogSummary is what one log holds at its end.
type LogSummary struct {
	Class string
	Tail
}
