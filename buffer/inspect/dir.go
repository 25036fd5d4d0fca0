package inspect

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"fieldferry/buffer/disk"
	"fieldferry/buffer/segment"
)

// Files is as much of a machine as it takes to read. disk.Dir is one.
type Files interface {
	Open(name string) (disk.File, error)
	ReadDir(dir string) ([]string, error)
}

// Dir is a buffer's directory. What it holds was listed by Open.
type Dir struct {
	Path string
	Logs []*Log // those that were found: alarm, normal, bulk

	files Files
}

// Log is one log: a chain of segments.
type Log struct {
	Class    string // empty: the log lies in the directory itself
	ID       string // 16 hexadecimal digits
	Segments []*Segment
	Aside    []*Segment // set aside because something in them cannot be read, by name
	Foreign  []string   // files of other logs and of other formats, which are left alone

	dir string
}

// Segment is one file. Counts and times are told by headers and footers
// alone; Verify reads what lies between.
type Segment struct {
	segment.Header
	File   string // path below the directory
	Size   int64
	State  State
	Count  uint64    // of samples up to its end, since the log was made; 0 in files set aside: unknown
	Next   uint64    // the sequence number behind its last; 0: unknown
	Begun  time.Time // by the machine's clock of that moment
	Ended  time.Time // zero: unknown
	Fault  string    // why it counts as damaged
	until  uint64    // count with which the next segment begins: what lies beyond is void
	footer bool
	clean  bool
	last   bool
}

// State is how a segment ended: sealed, open, unsealed, damaged or set aside.
type State string

const (
	sealed   State = "sealed"    // its footer is there
	open     State = "open"      // the last one: being written, or not closed in order
	unsealed State = "unsealed"  // given up after an error of the disk, or cut by the end of the process or the power
	damaged  State = "damaged"   // its header cannot be read; Verify tells about the rest
	aside    State = "set aside" // kept because something in it cannot be read
)

// classes are the sub-directories, most precious first.
var classes = []string{"alarm", "normal", "bulk"}

const badSuffix = ".bad"

// ErrNone is wrapped by Open's error when a directory holds no log.
var ErrNone = errors.New("no buffer lies here")

// Open lists a directory, and reads the first and the last page of each file.
func Open(files Files, path string) (*Dir, error) {
	d := &Dir{Path: path, files: files}
	names, err := files.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("read directory %q: %w", path, err)
	}
	for _, class := range append(slices.Clone(classes), "") {
		in := names
		if class != "" {
			if in, err = files.ReadDir(filepath.Join(path, class)); errors.Is(err, fs.ErrNotExist) {
				continue // a class that was never used has none
			}
			if err != nil {
				return nil, fmt.Errorf("read directory %q: %w", filepath.Join(path, class), err)
			}
		}
		if l := d.list(class, in); l != nil {
			if class == "" && len(d.Logs) > 0 {
				l.disown() // no log of this format lies beside the classes
			}
			d.Logs = append(d.Logs, l)
		}
	}
	if len(d.Logs) == 0 {
		return nil, fmt.Errorf("read directory %q: %w: there is no file *.seg in it", path, ErrNone)
	}
	return d, nil
}

// list finds the segments among names. As the gateway does, it takes the log
// with the most files for the right one.
func (d *Dir) list(class string, names []string) *Log {
	l := &Log{Class: class, dir: class}
	byLog := map[uint64][]*Segment{}
	slices.Sort(names)
	for _, name := range names {
		file := filepath.Join(class, name)
		s := &Segment{File: file, State: unsealed}
		whole, bad := strings.CutSuffix(name, badSuffix)
		if !s.ParseName(whole) {
			if strings.HasSuffix(whole, ".seg") {
				l.Foreign = append(l.Foreign, file)
			}
			continue
		}
		if err := d.readEnds(s); errors.Is(err, segment.ErrVersion) {
			l.Foreign = append(l.Foreign, file)
			continue
		}
		if bad {
			s.State = aside
			l.Aside = append(l.Aside, s)
			continue
		}
		byLog[s.Log] = append(byLog[s.Log], s)
	}
	l.choose(byLog)
	if len(l.Segments)+len(l.Aside)+len(l.Foreign) == 0 {
		return nil
	}
	return l
}

// disown makes all files foreign ones.
func (l *Log) disown() {
	for _, s := range slices.Concat(l.Segments, l.Aside) {
		l.Foreign = append(l.Foreign, s.File)
	}
	slices.Sort(l.Foreign)
	l.Segments, l.Aside = nil, nil
}

// choose takes the log with the most segments, and links its segments.
func (l *Log) choose(byLog map[uint64][]*Segment) {
	var id uint64
	for log, segs := range byLog {
		if len(segs) > len(l.Segments) || len(segs) == len(l.Segments) && log > id {
			id, l.Segments = log, segs
		}
	}
	for log, segs := range byLog {
		if log != id {
			for _, s := range segs {
				l.Foreign = append(l.Foreign, s.File)
			}
		}
	}
	slices.Sort(l.Foreign)
	if id == 0 && len(l.Aside) > 0 {
		id = l.Aside[0].Log
	}
	l.ID = fmt.Sprintf("%016x", id)
	slices.SortFunc(l.Segments, func(x, y *Segment) int { return cmp.Compare(x.ID, y.ID) })
	for i, s := range l.Segments {
		if i+1 < len(l.Segments) {
			next := l.Segments[i+1]
			s.until = max(s.FirstOrd, next.FirstOrd)
			if !s.footer || s.Count > s.until {
				s.Count, s.Next = s.until, next.FirstSeq
			}
			if s.Ended.IsZero() {
				s.Ended = next.Begun
			}
			continue
		}
		s.last = true
		if s.State == unsealed && !s.clean {
			s.State = open
		}
	}
}

// tail is how much of the end of a file is searched for its footer: more than
// two footers and the gap between them.
const tail = 3 * segment.HeaderSize

// readEnds reads the header page and the footer.
func (d *Dir) readEnds(s *Segment) error {
	f, err := d.open(s)
	if err != nil {
		s.State, s.Fault = damaged, err.Error()
		return nil
	}
	defer f.Close() // it was only read
	page := make([]byte, segment.HeaderSize)
	n, err := f.ReadAt(page, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		s.State, s.Fault = damaged, err.Error()
	} else if err := s.parse(page[:n]); err != nil {
		return err
	}
	s.Begun = s.Clock.Wall
	from := max(segment.HeaderSize, s.Size-tail) &^ 7
	s.blocks(f, from, func(b *segment.Block) bool {
		s.readFooter(b)
		return true
	})
	if s.footer && s.State == unsealed {
		s.State = sealed
	}
	return nil
}

// open opens the file of a segment and takes its size.
func (d *Dir) open(s *Segment) (disk.File, error) {
	f, err := d.files.Open(filepath.Join(d.Path, s.File))
	if err != nil {
		return nil, err
	}
	if s.Size, err = f.Size(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// parse takes the header page over where it says what the name says.
func (s *Segment) parse(page []byte) error {
	var h segment.Header
	err := h.Parse(page)
	switch {
	case errors.Is(err, segment.ErrVersion):
		return err
	case err != nil:
		s.State, s.Fault = damaged, "the header page cannot be read"
	case h.ID != s.ID || h.Log != s.Log || h.FirstOrd != s.FirstOrd || h.FirstSeq != s.FirstSeq:
		s.State, s.Fault = damaged, "the header page is that of another segment"
	default:
		s.Header = h
	}
	return nil
}

// wall is a moment of the log's own time by the clock of the segment's header.
func (s *Segment) wall(t time.Duration) time.Time {
	if s.Clock.Wall.IsZero() {
		return time.Time{}
	}
	return s.Clock.Wall.Add(t - s.Clock.Log)
}
