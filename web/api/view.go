package api

import (
	"maps"
	"slices"
	"time"

	"fieldferry/tag"
	"fieldferry/web/health"
	"fieldferry/web/plant"
	"fieldferry/web/stream"
)

// The types of this file are what is sent: times in milliseconds since 1970
// UTC (0: never), spans in seconds.

type status struct {
	Gateway  string        `json:"gateway"`
	Version  string        `json:"version"`
	Started  int64         `json:"started"`
	Now      int64         `json:"now"`
	Revision string        `json:"revision"`
	Fault    string        `json:"fault,omitempty" doc:"Why a newer configuration on disk does not run."`
	Health   health.Health `json:"health"`
	Counts   health.Counts `json:"counts"`
	Links    []link        `json:"links"`
	Devices  []device      `json:"devices"`
	Uplinks  []uplink      `json:"uplinks"`
	Buffer   buffer        `json:"buffer"`
}

type link struct {
	Name      string  `json:"name"`
	Driver    string  `json:"driver"`
	Endpoint  string  `json:"endpoint"`
	State     string  `json:"state" enum:"up,starting,down,disabled"`
	Since     int64   `json:"since"`
	Error     string  `json:"error,omitempty"`
	Requested float64 `json:"requested_seconds" doc:"The shortest sampling interval asked for."`
	Measured  float64 `json:"measured_seconds" doc:"How long one round of all due reads takes; 0: unknown."`
	Cycles    uint64  `json:"cycles"`

	Achievable float64 `json:"achievable_seconds" doc:"The shortest sampling interval that the link can keep; 0: unknown."`
	Planned    float64 `json:"planned_use" doc:"Share of the link's time that all reads asked for take; above 1 it cannot keep up; 0: unknown."`
	Used       float64 `json:"used" doc:"Share of the link's time that reads took lately; 0: unknown."`
	Budget     string  `json:"budget" doc:"The same in words: what was asked, what is achievable, who costs most; empty: unknown."`

	Overruns uint64 `json:"overruns" doc:"Reads skipped because the one before still ran."`
	Connects uint64 `json:"connects"`

	Counts []tally  `json:"counts" doc:"What the driver counts on the link since the start, by name: late, damaged, foreign and the like."`
	Notes  []string `json:"notes" doc:"What somebody should look at: another master on the line, answers that come twice."`
}

type tally struct {
	Name  string `json:"name"`
	Count uint64 `json:"count"`
}

type device struct {
	Name       string  `json:"name"`
	Link       string  `json:"link"`
	State      string  `json:"state" enum:"up,starting,down,dead,maintenance,disabled"`
	Since      int64   `json:"since"`
	LastAnswer int64   `json:"last_answer"`
	Missed     uint64  `json:"missed" doc:"Answers missed in a row."`
	Errors     uint64  `json:"errors" doc:"Answers missed or unusable since the start."`
	RoundTrip  float64 `json:"round_trip_seconds"`
	Error      string  `json:"error,omitempty"`
	Tags       int     `json:"tags"`
}

type uplink struct {
	Name      string  `json:"name"`
	Broker    string  `json:"broker"`
	Format    string  `json:"format"`
	State     string  `json:"state" enum:"up,starting,down,disabled"`
	Since     int64   `json:"since"`
	Error     string  `json:"error,omitempty"`
	Pending   uint64  `json:"pending" doc:"Samples not delivered yet."`
	Backlog   uint64  `json:"backlog" doc:"Those of them that live samples go before."`
	Oldest    int64   `json:"oldest" doc:"Source timestamp of the oldest of them."`
	InFlight  int     `json:"in_flight"`
	Delivered uint64  `json:"delivered"`
	Refused   uint64  `json:"refused" doc:"Samples put aside because the broker would never take them."`
	AckDelay  float64 `json:"ack_delay_seconds"`

	Produced     uint64  `json:"produced" doc:"Samples that were for it, over all restarts: settled + filtered + dropped + put_aside + pending."`
	Settled      uint64  `json:"settled" doc:"Those that it has delivered."`
	Filtered     uint64  `json:"filtered"`
	Dropped      []drops `json:"dropped" doc:"Those that the buffer lost."`
	PutAside     []drops `json:"put_aside" doc:"Those that the broker would never take."`
	PendingBytes int64   `json:"pending_bytes" doc:"About what the pending samples take."`
}

type buffer struct {
	State    string  `json:"state" enum:"up,starting,down,disabled"`
	Error    string  `json:"error,omitempty"`
	Bytes    int64   `json:"bytes"`
	MaxBytes int64   `json:"max_bytes"`
	Oldest   int64   `json:"oldest"`
	Appended uint64  `json:"appended"`
	Dropped  []drops `json:"dropped"`

	Segments  int    `json:"segments"`
	InMemory  int    `json:"in_memory_bytes" doc:"Not durable yet."`
	Shared    bool   `json:"shared" doc:"What is in memory outlives the process."`
	Skipped   uint64 `json:"skipped" doc:"Samples of this run that never had to be written."`
	Oversized uint64 `json:"oversized" doc:"Samples of this run whose value was too large to keep."`
	Written   uint64 `json:"written_bytes" doc:"Of this run."`
	Failures  uint64 `json:"failures" doc:"Writes and syncs of this run that failed."`
	Failing   int64  `json:"failing_since" doc:"Since when it cannot write; 0: it can."`
	Aside     int    `json:"set_aside" doc:"Damaged files that are kept."`
	AsideSize int64  `json:"set_aside_bytes"`
	Syncs     times  `json:"syncs"`
}

type times struct {
	Count uint64  `json:"count"`
	Mean  float64 `json:"mean_seconds"`
	Last  float64 `json:"last_seconds"`
	Max   float64 `json:"max_seconds"`
	Up    []step  `json:"up"`
}

type step struct {
	Bound float64 `json:"bound_seconds"`
	Count uint64  `json:"count" doc:"How often it took no longer."`
}

type drops struct {
	Reason  string `json:"reason"`
	Samples uint64 `json:"samples"`
}

func viewStatus(p plant.Plant, counts health.Counts) status {
	s := p.Status()
	tags, _ := p.Tags()
	v := status{
		Gateway: s.Gateway, Version: s.Version, Started: stream.Millis(s.Started), Now: stream.Millis(s.Now),
		Revision: s.Revision, Fault: s.Fault, Health: health.Of(&s, counts), Counts: counts,
		Links: make([]link, len(s.Links)), Devices: make([]device, len(s.Devices)), Uplinks: make([]uplink, len(s.Uplinks)),
		Buffer: viewBuffer(&s.Buffer),
	}
	of := tagsOf(tags)
	for i := range s.Links {
		v.Links[i] = viewLink(&s.Links[i])
	}
	for i := range s.Devices {
		v.Devices[i] = viewDevice(&s.Devices[i])
		v.Devices[i].Tags = of[s.Devices[i].Name]
	}
	for i := range s.Uplinks {
		v.Uplinks[i] = viewUplink(&s.Uplinks[i])
	}
	return v
}

// tagsOf counts the tags of each device in a list that is sorted by device.
func tagsOf(tags []*tag.Tag) map[string]int {
	of := map[string]int{}
	for i := 0; i < len(tags); {
		first := i
		for i < len(tags) && tags[i].Device == tags[first].Device {
			i++
		}
		of[tags[first].Device.Name] += i - first
	}
	return of
}

func seconds(d time.Duration) float64 { return d.Seconds() }

func viewLink(l *plant.Link) link {
	return link{
		Name: l.Name, Driver: l.Driver, Endpoint: l.Endpoint, State: string(l.State), Since: stream.Millis(l.Since), Error: l.Error,
		Requested: seconds(l.Requested), Measured: seconds(l.Measured), Cycles: l.Cycles, Overruns: l.Overruns, Connects: l.Connects,
		Achievable: seconds(l.Achievable), Planned: l.Planned, Used: l.Used, Budget: l.Budget,
		Counts: tallies(l.Counts), Notes: slices.Concat([]string{}, l.Notes),
	}
}

func tallies(counts map[string]uint64) []tally {
	out := make([]tally, 0, len(counts))
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		out = append(out, tally{name, counts[name]})
	}
	return out
}

func viewDevice(d *plant.Device) device {
	return device{
		Name: d.Name, Link: d.Link, State: string(d.State), Since: stream.Millis(d.Since), LastAnswer: stream.Millis(d.LastAnswer),
		Missed: d.Missed, Errors: d.Errors, RoundTrip: seconds(d.RoundTrip), Error: d.Error,
	}
}

func viewUplink(u *plant.Uplink) uplink {
	return uplink{
		Name: u.Name, Broker: u.Broker, Format: u.Format, State: string(u.State), Since: stream.Millis(u.Since), Error: u.Error,
		Pending: u.Pending, Backlog: u.Backlog, Oldest: stream.Millis(u.Oldest), InFlight: u.InFlight, Delivered: u.Delivered, Refused: u.Refused,
		AckDelay: seconds(u.AckDelay),
		Produced: u.Produced, Settled: u.Settled, Filtered: u.Filtered, Dropped: viewDrops(u.Dropped), PutAside: viewDrops(u.PutAside),
		PendingBytes: u.PendingBytes,
	}
}

func viewBuffer(b *plant.Buffer) buffer {
	return buffer{
		State: string(b.State), Error: b.Error, Bytes: b.Bytes, MaxBytes: b.MaxBytes,
		Oldest: stream.Millis(b.Oldest), Appended: b.Appended, Dropped: viewDrops(b.Dropped),
		Segments: b.Segments, InMemory: b.InMemory, Shared: b.Shared, Skipped: b.Skipped, Oversized: b.Oversized, Written: b.Written,
		Failures: b.Failures, Failing: stream.Millis(b.Failing), Aside: b.Aside, AsideSize: b.AsideSize, Syncs: viewTimes(&b.Syncs),
	}
}

func viewDrops(by map[string]uint64) []drops {
	v := []drops{}
	for _, reason := range slices.Sorted(maps.Keys(by)) {
		v = append(v, drops{reason, by[reason]})
	}
	return v
}

func viewTimes(t *plant.Times) times {
	v := times{Count: t.Count, Last: seconds(t.Last), Max: seconds(t.Max), Up: []step{}}
	if t.Count > 0 {
		v.Mean = seconds(t.Sum) / float64(t.Count)
	}
	for _, bound := range slices.Sorted(maps.Keys(t.Up)) {
		v.Up = append(v.Up, step{seconds(bound), t.Up[bound]})
	}
	return v
}

type tagList struct {
	Generation uint64 `json:"generation" doc:"Of this list; positions in it are the ids of the stream."`
	Revision   string `json:"revision"`
	Tags       []item `json:"tags"`
}

type item struct {
	ID       int               `json:"id"`
	Device   string            `json:"device"`
	Name     string            `json:"name"`
	Link     string            `json:"link"`
	Readable bool              `json:"readable"`
	Unit     string            `json:"unit"`
	Interval float64           `json:"interval_seconds"`
	Labels   map[string]string `json:"labels"`
	Settings map[string]string `json:"settings" doc:"Every key that is written for this tag, at itself or above, by its name in the tag map."`
}

// fromDefault is where a setting comes from that nobody has written.
const fromDefault = "default"

type tagDetail struct {
	Generation uint64             `json:"generation"`
	Revision   string             `json:"revision"`
	Tag        item               `json:"tag"`
	Settings   map[string]setting `json:"settings" doc:"Every key that may be set for this tag."`
	Value      stream.Row         `json:"value"`
	Now        int64              `json:"now"`
}

type setting struct {
	Text string `json:"text" doc:"As in the tag map; empty: not set."`
	From string `json:"from" doc:"Where it comes from: tag, device, profile NAME, link, gateway or default."`
}

func viewItem(id int, t *tag.Tag, settings map[string]plant.Setting) item {
	v := item{
		ID: id, Device: t.Device.Name, Name: t.Name, Readable: t.Access.Readable(), Unit: t.Unit,
		Interval: seconds(t.Interval), Labels: t.Labels, Settings: map[string]string{},
	}
	if t.Device.Link != nil {
		v.Link = t.Device.Link.Name
	}
	if v.Labels == nil {
		v.Labels = map[string]string{}
	}
	for k, s := range settings {
		if s.Text != "" && s.From != fromDefault {
			v.Settings[k] = s.Text
		}
	}
	return v
}

type valueList struct {
	Now    int64   `json:"now"`
	Values []named `json:"values"`
}

type named struct {
	Device string     `json:"device"`
	Name   string     `json:"name"`
	Unit   string     `json:"unit"`
	Latest stream.Row `json:"latest"`
}
