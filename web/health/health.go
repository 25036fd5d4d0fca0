// Package health says in one sentence how the gateway is, and in one word how
// each of its three parts is: the field (links, devices, tags), the buffer and
// the uplinks. The page's header, the overview and the service manager's
// status line show the same words. It computes from a snapshot, keeps nothing
// and blocks nowhere.
package health

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"fieldferry/web/plant"
)

// Level is how urgent something is.
type Level string

// The levels, calmest first.
const (
	OK    Level = "ok"    // nothing to do
	Warn  Level = "warn"  // we cope; someone should look
	Alarm Level = "alarm" // data is being lost, or someone must act
)

// Chip is the state of one part.
type Chip struct {
	Level Level  `json:"level" enum:"ok,warn,alarm"`
	Text  string `json:"text" doc:"The state in a few words."`
}

// Health is the whole gateway at a glance.
type Health struct {
	Level    Level  `json:"level" enum:"ok,warn,alarm" doc:"The worst of the three parts and the configuration."`
	Sentence string `json:"sentence"`
	Field    Chip   `json:"field"`
	Buffer   Chip   `json:"buffer"`
	Uplink   Chip   `json:"uplink"`
}

// Counts is how many tags there are and how many are not good.
type Counts struct {
	Tags      int `json:"tags"`
	Uncertain int `json:"uncertain"`
	Bad       int `json:"bad"`
	None      int `json:"none" doc:"Not read yet."`
}

// behindAfter is the age of the oldest waiting sample from which an uplink is
// said to be behind; younger ones are on their way.
const behindAfter = 30 * time.Second

// Of judges a snapshot.
func Of(s *plant.Status, c Counts) Health {
	h := Health{Level: OK, Field: field(s, c), Buffer: buffer(s), Uplink: uplink(s)}
	parts := []string{h.Field.Text, h.Uplink.Text}
	if h.Buffer.Level != OK {
		parts = slices.Insert(parts, 0, h.Buffer.Text)
	}
	if s.Fault != "" {
		h.Level = Warn
		parts = slices.Insert(parts, 0, "the configuration on disk has a fault, the last good one runs")
	}
	for _, chip := range []Chip{h.Field, h.Buffer, h.Uplink} {
		h.Level = worse(h.Level, chip.Level)
	}
	h.Sentence = sentence(parts)
	return h
}

func worse(a, b Level) Level {
	if a == Alarm || b == Alarm {
		return Alarm
	}
	if a == Warn || b == Warn {
		return Warn
	}
	return OK
}

func sentence(parts []string) string {
	parts = slices.DeleteFunc(parts, func(p string) bool { return p == "" })
	s := strings.Join(parts, "; ")
	return strings.ToUpper(s[:1]) + s[1:] + "."
}

func field(s *plant.Status, c Counts) Chip {
	asked, starting, silent := 0, 0, []string{}
	for i := range s.Devices {
		switch d := &s.Devices[i]; d.State {
		case plant.Disabled, plant.Maintenance:
			continue
		case plant.Dead, plant.Down:
			silent = append(silent, d.Name)
		case plant.Starting:
			starting++
		}
		asked++
	}
	chip := Chip{OK, answering(asked, starting)}
	if len(silent) > 0 {
		chip = Chip{Warn, fmt.Sprintf("%d of %s: %s", len(silent), silence(asked, len(silent)), some(silent))}
	}
	if c.Bad > 0 {
		chip = Chip{Warn, chip.Text + "; " + badTags(c.Bad)}
	}
	return chip
}

func badTags(n int) string {
	if n == 1 {
		return "1 tag is bad"
	}
	return count(n, "tag") + " are bad"
}

func answering(asked, starting int) string {
	switch {
	case asked == 0:
		return "no device is asked"
	case starting > 0:
		return fmt.Sprintf("%d of %s still to answer for the first time", starting, haveCount(asked))
	case asked == 1:
		return "the one device answers"
	case asked == 2:
		return "both devices answer"
	}
	return fmt.Sprintf("all %d devices answer", asked)
}

func haveCount(devices int) string {
	if devices == 1 {
		return "1 device has"
	}
	return fmt.Sprintf("%d devices have", devices)
}

func silence(devices, silent int) string {
	verb := "do"
	if silent == 1 {
		verb = "does"
	}
	return fmt.Sprintf("%s %s not answer", count(devices, "device"), verb)
}

func buffer(s *plant.Status) Chip {
	b := &s.Buffer
	dropped := uint64(0)
	for _, n := range b.Dropped {
		dropped += n
	}
	switch {
	case b.State == plant.Down:
		return Chip{Alarm, "the buffer cannot write: " + orUnknown(b.Error)}
	case dropped > 0:
		return Chip{Alarm, fmt.Sprintf("the buffer dropped %s since the start", count(dropped, "sample"))}
	case b.State == plant.Disabled:
		return Chip{Warn, "the buffer is off"}
	case b.MaxBytes > 0 && b.Bytes*10 >= b.MaxBytes*9:
		return Chip{Warn, fmt.Sprintf("the buffer is %d%% full", b.Bytes*100/b.MaxBytes)}
	}
	return Chip{OK, "the buffer writes"}
}

func uplink(s *plant.Status) Chip {
	var wrong []string
	used := 0
	for i := range s.Uplinks {
		u := &s.Uplinks[i]
		if u.State == plant.Disabled {
			continue
		}
		used++
		if t := uplinkFault(u, s.Now); t != "" {
			wrong = append(wrong, t)
		}
	}
	switch {
	case len(wrong) > 0:
		return Chip{Warn, strings.Join(wrong, ", ")}
	case used == 0:
		return Chip{Warn, "no uplink is set up"}
	case used == 1:
		return Chip{OK, "the uplink is connected"}
	case used == 2:
		return Chip{OK, "both uplinks are connected"}
	}
	return Chip{OK, fmt.Sprintf("all %d uplinks are connected", used)}
}

func uplinkFault(u *plant.Uplink, now time.Time) string {
	switch {
	case u.State == plant.Down:
		return fmt.Sprintf("uplink %s is not connected, %s", u.Name, waiting(u, now))
	case u.State == plant.Starting:
		return fmt.Sprintf("uplink %s is connecting", u.Name)
	case u.Pending > 0 && !u.Oldest.IsZero() && now.Sub(u.Oldest) > behindAfter:
		return fmt.Sprintf("uplink %s is %s behind, %s waiting", u.Name, ago(now.Sub(u.Oldest)), count(u.Pending, "sample"))
	case u.Refused > 0:
		return fmt.Sprintf("uplink %s put %s aside", u.Name, count(u.Refused, "sample"))
	}
	return ""
}

// waiting tells how many samples wait for an uplink, and since when.
func waiting(u *plant.Uplink, now time.Time) string {
	s := count(u.Pending, "sample") + " waiting"
	if u.Pending > 0 && now.Sub(u.Oldest) >= time.Second && !u.Oldest.IsZero() {
		s += ", the oldest for " + ago(now.Sub(u.Oldest))
	}
	return s
}

func some(names []string) string {
	const most = 3
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}

func count[N int | uint64](n N, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%s %ss", grouped(uint64(n)), noun)
}

// grouped writes a number as the page does: 48 212, with narrow spaces that do
// not break.
func grouped(n uint64) string {
	s := strconv.FormatUint(n, 10)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

func orUnknown(err string) string {
	if err == "" {
		return "reason unknown"
	}
	return err
}

// ago is a duration in the one or two units that matter.
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}
