package listing

import (
	"context"
	"fmt"
	"io"

	"fieldferry/buffer/inspect"
)

// Verification is what "fieldferry buffer verify --json" prints.
type Verification struct {
	Dir      string            `json:"dir"`
	Result   string            `json:"result"` // clean, lossy but consistent, or inconsistent
	Segments int               `json:"segments"`
	Blocks   uint64            `json:"blocks"`
	Samples  uint64            `json:"samples"`
	Bytes    int64             `json:"bytes"`
	Damaged  uint64            `json:"damaged"`
	Dropped  uint64            `json:"dropped"`
	Findings []Finding         `json:"findings"`
	More     uint64            `json:"findings_not_listed"`
	Logs     []Class           `json:"logs"`
	Levels   map[string]uint64 `json:"levels"`
}

// Finding is one thing that was found.
type Finding struct {
	Level   string `json:"level"` // note, loss or fault
	File    string `json:"file,omitempty"`
	Offset  *int64 `json:"offset"` // null: the file as a whole
	Samples uint64 `json:"samples"`
	Text    string `json:"text"`
}

// Class is one log at its end.
type Class struct {
	Class    string   `json:"class,omitempty"`
	Appended uint64   `json:"appended"`
	Readers  []Reader `json:"readers"`
}

// mostFindings bounds what is kept for the JSON form.
const mostFindings = 10000

// Verify checks a directory. With a writer each finding is written there as it
// comes, and a summary at the end; without one they are all in the result.
func Verify(ctx context.Context, d *inspect.Dir, out io.Writer) (*Verification, inspect.Level, error) {
	v := &Verification{Dir: d.Path, Findings: []Finding{}, Logs: []Class{}, Levels: map[string]uint64{}}
	sum, err := d.Verify(ctx, func(f inspect.Finding) {
		switch {
		case out != nil:
			printFinding(out, &f)
		case len(v.Findings) < mostFindings:
			v.Findings = append(v.Findings, jsonFinding(&f))
		default:
			v.More++
		}
	})
	if err != nil {
		return nil, inspect.Fault, err
	}
	v.add(&sum)
	if out != nil {
		fmt.Fprintf(out, "%s: %d samples in %d blocks of %s, %s; %d damaged or missing, %d dropped by record; %s, %s, %s\n",
			v.Result, v.Samples, v.Blocks, count(v.Segments, "segment"), bytesOf(v.Bytes), v.Damaged, v.Dropped,
			count(int(v.Levels["fault"]), "fault"), count(int(v.Levels["loss"]), "loss"), count(int(v.Levels["note"]), "note"))
	}
	return v, sum.Worst, nil
}

func printFinding(out io.Writer, f *inspect.Finding) {
	where := safe(f.File)
	if f.Offset >= 0 {
		where += fmt.Sprintf(" at %d", f.Offset)
	}
	if where != "" {
		where += ": "
	}
	fmt.Fprintf(out, "%-5s  %s%s\n", f.Level, where, safe(f.Text))
}

func jsonFinding(f *inspect.Finding) Finding {
	j := Finding{Level: f.Level.String(), File: f.File, Samples: f.Samples, Text: f.Text}
	if f.Offset >= 0 {
		j.Offset = &f.Offset
	}
	return j
}

func (v *Verification) add(sum *inspect.Summary) {
	v.Result, v.Segments, v.Blocks, v.Samples, v.Bytes = sum.Worst.Verdict(), sum.Segments, sum.Blocks, sum.Samples, sum.Bytes
	v.Damaged, v.Dropped = sum.Damaged, sum.Dropped
	for level, n := range sum.Findings {
		v.Levels[inspect.Level(level).String()] = n
	}
	for i := range sum.Logs {
		l := &sum.Logs[i]
		listed := listLog(&inspect.Log{}, &l.Tail)
		v.Logs = append(v.Logs, Class{Class: l.Class, Appended: l.Count, Readers: listed.Readers})
	}
}
