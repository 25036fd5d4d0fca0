package command

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"
)

// historyMax is how much of each of the two audit files is looked at for past
// writes: at 200 bytes a record, the last 40,000 requests and more.
const historyMax = 8 << 20

// lastWrite tells when a tag was last written before this start, as far as the
// audit knows; the zero time if it does not. The files are read once, when the
// first tag asks. Safe for concurrent use.
func (a *Audit) lastWrite(device, tag string) (time.Time, error) {
	a.pastOnce.Do(func() {
		a.past = map[tagName]time.Time{}
		for _, path := range []string{a.path + ".1", a.path} {
			a.pastErr = errors.Join(a.pastErr, readPast(path, a.past))
		}
	})
	return a.past[tagName{device, tag}], a.pastErr
}

type tagName struct{ device, tag string }

// readPast gathers the last write of each tag from one audit file. Lines that
// are no records, such as the torn last one of a power cut, are passed over.
func readPast(path string, past map[tagName]time.Time) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read audit: %w", err)
	}
	defer f.Close()
	if st, err := f.Stat(); err == nil && st.Size() > historyMax {
		if _, err := f.Seek(-historyMax, io.SeekEnd); err != nil {
			return fmt.Errorf("read audit: %w", err)
		}
	}
	lines := bufio.NewReader(f)
	for {
		line, err := lines.ReadBytes('\n')
		var rec record
		if json.Unmarshal(line, &rec) != nil {
			rec = record{}
		}
		if name := (tagName{rec.Device, rec.Tag}); rec.stored() && rec.At.After(past[name]) {
			past[name] = rec.At
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read audit: %w", err)
		}
	}
}

// stored says that the device may have stored what a record tells of.
func (r *record) stored() bool {
	switch r.Outcome {
	case OutcomeDone.String(), OutcomeUnknown.String():
		return !r.Repeated
	case OutcomeFailed.String():
		return !r.Repeated && strings.Contains(r.Reason, ErrNotTaken.Error())
	}
	return false
}
