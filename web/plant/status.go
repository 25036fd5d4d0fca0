package plant

import "time"

// State is how a link, a device, an uplink or the buffer is. It is text
// because it is shown and sent as it is.
type State string

// The states, and what they are said of.
const (
	Up          State = "up"          // link, uplink: connected; device: answers; buffer: writes
	Starting    State = "starting"    // not connected or not asked yet since the start
	Down        State = "down"        // link, uplink: not connected, being retried; buffer: cannot write
	Dead        State = "dead"        // device: missed several answers in a row
	Maintenance State = "maintenance" // device: somebody works on it
	Disabled    State = "disabled"    // by configuration
)

// Status is a snapshot of the gateway.
type Status struct {
	Gateway  string    // its name
	Version  string    // of the program
	Started  time.Time // when this run began
	Now      time.Time // the gateway's clock at the snapshot; every age counts from it
	Revision string    // of the running configuration; equals Editor.Revision().ID
	Fault    string    // why a newer configuration on disk does not run; empty: none or it runs
	Links    []Link
	Devices  []Device
	Uplinks  []Uplink
	Buffer   Buffer
}

// Link is one physical connection and its time budget.
type Link struct {
	Name      string
	Driver    string
	Endpoint  string
	State     State // Up, Starting, Down, Disabled
	Since     time.Time
	Error     string        // last error, empty when Up
	Requested time.Duration // the shortest sampling interval asked for on it
	Measured  time.Duration // how long one round of all its due reads takes at present; 0: unknown
	Cycles    uint64        // rounds done

	Achievable time.Duration // the shortest sampling interval that it can keep; 0: unknown
	Planned    float64       // share of its time that all reads asked for take, by what was measured or assumed; above 1 it cannot keep up; 0: unknown
	Used       float64       // share of its time that reads took lately; 0: unknown
	Budget     string        // the same in words: what was asked, what is achievable, who costs most; empty: unknown

	Overruns uint64 // reads that were skipped because the one before still ran
	Connects uint64 // connections made since the start

	Counts map[string]uint64 // what its driver counts since the start, over all connections, such as late or damaged; empty: nothing
	Notes  []string          // what somebody should look at on it, in words
}

// Device is one station on a link.
type Device struct {
	Name       string
	Link       string
	State      State // Up, Starting, Dead, Maintenance, Disabled, or Down with its link
	Since      time.Time
	LastAnswer time.Time     // zero: never
	Missed     uint64        // answers missed in a row, 0 when Up
	Errors     uint64        // answers missed or unusable since the start
	RoundTrip  time.Duration // of the last answer; 0: unknown
	Error      string        // last error, empty when Up
}

// Uplink is one destination.
type Uplink struct {
	Name      string
	Broker    string // the one in use or tried last, without credentials
	Format    string
	State     State // Up, Starting, Down, Disabled
	Since     time.Time
	Error     string
	Pending   uint64    // samples in the buffer that it has not delivered
	Backlog   uint64    // those of them that live samples go before
	Oldest    time.Time // source timestamp of the oldest of them; zero: none
	InFlight  int       // messages sent and not yet acknowledged
	Delivered uint64    // samples since the start
	Refused   uint64    // samples put aside because the broker would never take them
	AckDelay  time.Duration

	// Of its account in the buffer, over all restarts: Produced = Settled +
	// Filtered + all Dropped + all PutAside + Pending.
	Produced     uint64
	Settled      uint64 // delivered
	Filtered     uint64
	Dropped      map[string]uint64 // lost by the buffer, by reason
	PutAside     map[string]uint64 // refused by the broker, by reason
	PendingBytes int64             // about what the pending samples take
}

// Buffer is the store on disk.
type Buffer struct {
	State    State // Up, Down
	Error    string
	Bytes    int64     // in use
	MaxBytes int64     // bound by configuration
	Oldest   time.Time // of the oldest sample kept; zero: empty
	Appended uint64    // samples since the start
	Dropped  map[string]uint64

	Segments  int       // files in use
	InMemory  int       // bytes that are not durable yet
	Shared    bool      // they outlive the process, in the runtime directory
	Skipped   uint64    // samples of this run that never had to be written
	Oversized uint64    // samples of this run whose value was too large to keep
	Written   uint64    // bytes of this run
	Failures  uint64    // writes and syncs of this run that failed
	Failing   time.Time // since when it cannot write; zero: it can
	Aside     int       // damaged files that are kept
	AsideSize int64     // and their bytes
	Syncs     Times
}

// Times is how long something took in this run.
type Times struct {
	Count     uint64
	Sum       time.Duration
	Last, Max time.Duration
	Up        map[time.Duration]uint64 // how often it took no longer than the key
}
