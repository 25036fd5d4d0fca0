package listing

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"fieldferry/buffer/frame"
	"fieldferry/buffer/inspect"
)

// Listing is what "fieldferry buffer ls --json" prints. Ranges include both ends.
type Listing struct {
	Dir  string `json:"dir"`
	Logs []Log  `json:"logs"`
}

// Log is one log of it.
type Log struct {
	Class    string            `json:"class,omitempty"`
	ID       string            `json:"id"`
	Epoch    uint32            `json:"epoch"`
	Samples  uint64            `json:"appended"`
	Clean    bool              `json:"closed_in_order"`
	Bytes    int64             `json:"bytes"`
	Segments []Segment         `json:"segments"`
	Readers  []Reader          `json:"readers"`
	Dropped  map[string]uint64 `json:"dropped"`
	Drops    []Drop            `json:"drops"`
	Foreign  []string          `json:"left_alone"`
}

// Segment is one file of a log.
type Segment struct {
	File       string     `json:"file"`
	State      string     `json:"state"`
	Fault      string     `json:"fault,omitempty"`
	Bytes      int64      `json:"bytes"`
	Epoch      uint32     `json:"epoch"`
	FirstCount uint64     `json:"first_count"`
	EndCount   uint64     `json:"end_count"`
	FirstSeq   uint64     `json:"first_seq"`
	NextSeq    uint64     `json:"next_seq"`
	Begun      *time.Time `json:"begun"`
	Ended      *time.Time `json:"ended"`
}

// Reader is the account of a reader, as it was last durable.
type Reader struct {
	Name      string            `json:"name"`
	Position  uint64            `json:"position"` // samples of the log before the first that it has not settled
	Ahead     uint64            `json:"ahead"`    // samples that it has settled behind that one
	Lag       uint64            `json:"lag"`      // samples that it has not settled
	Delivered uint64            `json:"delivered"`
	Filtered  uint64            `json:"filtered"`
	Dropped   map[string]uint64 `json:"dropped"`
	PutAside  map[string]uint64 `json:"put_aside"`
}

// Drop is the record of samples that were dropped.
type Drop struct {
	Reason   string            `json:"reason"`
	Samples  uint64            `json:"samples"`
	FirstSeq uint64            `json:"first_seq"`
	LastSeq  uint64            `json:"last_seq"`
	Devices  map[string]uint64 `json:"devices"`
}

// List reads the ends of the files and the newest segments of a directory.
func List(ctx context.Context, d *inspect.Dir) (*Listing, error) {
	out := &Listing{Dir: d.Path, Logs: []Log{}}
	for _, l := range d.Logs {
		t, err := d.Tail(ctx, l)
		if err != nil {
			return nil, err
		}
		out.Logs = append(out.Logs, listLog(l, &t))
	}
	return out, nil
}

func listLog(l *inspect.Log, t *inspect.Tail) Log {
	o := Log{
		Class: l.Class, ID: l.ID, Epoch: t.Epoch, Samples: t.Count, Clean: t.Clean, Dropped: byReason(t.Dropped),
		Segments: []Segment{}, Readers: []Reader{}, Drops: []Drop{}, Foreign: append([]string{}, l.Foreign...),
	}
	for i, s := range l.Segments {
		if i == len(l.Segments)-1 && s.Count == 0 {
			s.Count, s.Next = t.Count, t.Next
		}
		o.Segments = append(o.Segments, listSegment(s))
		o.Bytes += s.Size
	}
	for _, s := range l.Aside {
		o.Segments = append(o.Segments, listSegment(s))
		o.Bytes += s.Size
	}
	for _, r := range t.Readers {
		o.Readers = append(o.Readers, Reader{
			Name: r.Name, Position: r.Ord, Ahead: r.Beyond, Lag: r.Lag, Delivered: r.Delivered, Filtered: r.Filtered,
			Dropped: byReason(r.Dropped), PutAside: byReason(r.PutAside),
		})
	}
	for _, d := range t.Drops {
		o.Drops = append(o.Drops, Drop{Reason: d.Reason, Samples: d.N, FirstSeq: d.FirstSeq, LastSeq: d.LastSeq, Devices: byReason(d.Devices)})
	}
	return o
}

func listSegment(s *inspect.Segment) Segment {
	return Segment{
		File: s.File, State: string(s.State), Fault: s.Fault, Bytes: s.Size, Epoch: s.Epoch,
		FirstCount: s.FirstOrd, EndCount: s.Count, FirstSeq: s.FirstSeq, NextSeq: s.Next, Begun: known(s.Begun), Ended: known(s.Ended),
	}
}

func known(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

func byReason(cs []frame.Count) map[string]uint64 {
	m := map[string]uint64{}
	for _, c := range cs {
		m[c.Reason] += c.N
	}
	return m
}

// Text writes the listing for people.
func (l *Listing) Text(out io.Writer) error {
	for _, g := range l.Logs {
		name := g.Class
		if name == "" {
			name = "in the directory itself"
		}
		how := "not closed in order, or being written"
		if g.Clean {
			how = "closed in order"
		}
		fmt.Fprintf(out, "%s: log %s, epoch %d, %d samples appended, %s in %s, %s\n", name, g.ID, g.Epoch, g.Samples, bytesOf(g.Bytes), count(len(g.Segments), "segment"), how)
		w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
		fmt.Fprintln(w, "SEGMENT\tSTATE\tSAMPLES\tSEQ\tBEGUN\tENDED\tBYTES")
		for i := range g.Segments {
			g.Segments[i].print(w)
		}
		if len(g.Readers) > 0 {
			fmt.Fprintln(w, "\nREADER\tLAG\tPOSITION\tDELIVERED\tFILTERED\tDROPPED\tPUT ASIDE")
		}
		for _, r := range g.Readers {
			fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\n", safe(r.Name), r.Lag, r.Position, r.Delivered, r.Filtered, total(r.Dropped), total(r.PutAside))
		}
		if len(g.Drops) > 0 {
			fmt.Fprintln(w, "\nDROPPED\tSAMPLES\tSEQ\tDEVICES")
		}
		for _, d := range g.Drops {
			fmt.Fprintf(w, "%s\t%d\t%d to %d\t%d\n", safe(d.Reason), d.Samples, d.FirstSeq, d.LastSeq, len(d.Devices))
		}
		for _, name := range g.Foreign {
			fmt.Fprintf(w, "\n%s is left alone: another log, or another version of the format\n", safe(name))
		}
		if err := w.Flush(); err != nil {
			return err
		}
		fmt.Fprintln(out)
	}
	return nil
}

func (s *Segment) print(w io.Writer) {
	samples, seq := "?", "?"
	if s.EndCount >= s.FirstCount && s.NextSeq > 0 {
		samples, seq = fmt.Sprint(s.EndCount-s.FirstCount), "none"
		if s.EndCount > s.FirstCount {
			seq = fmt.Sprintf("%d to %d", s.FirstSeq, s.NextSeq-1)
		}
	}
	fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\n", safe(s.File), s.State, samples, seq, shortTime(s.Begun), shortTime(s.Ended), s.Bytes)
}

func shortTime(t *time.Time) string {
	if t == nil {
		return "?"
	}
	return t.Format("2006-01-02T15:04:05Z")
}

func total(m map[string]uint64) (n uint64) {
	for _, c := range m {
		n += c
	}
	return n
}
