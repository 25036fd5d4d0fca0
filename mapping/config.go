package mapping

import (
	"fmt"
	"math"
	"time"

	"fieldferry/tag"
)

// Config is how one tag is processed. Every field may be written at any place
// above the tag and is then inherited. The zero Config publishes every read
// as it came.
type Config struct {
	// Scale and Offset make engineering units: raw × scale + offset.
	// Default 1 and 0: the value keeps its kind and all of its digits.
	Scale  *float64 `yaml:"scale"`
	Offset *float64 `yaml:"offset"`

	// Deadband is the smallest change worth publishing, in engineering
	// units, against the last published value. Default 0: every read is
	// published.
	Deadband *float64 `yaml:"deadband"`

	// MinInterval is the shortest time between two published values, 0 for
	// no limit. A change of quality does not wait for it. Default 0.
	MinInterval time.Duration `yaml:"min_interval"`

	// MaxInterval publishes a tag that did not change at least this often,
	// 0 for never. Default 0.
	MaxInterval time.Duration `yaml:"max_interval"`

	// StaleAfter is how long the last read stands for the present. Default
	// three sampling intervals and at least 5 s.
	StaleAfter time.Duration `yaml:"stale_after"`

	// Min and Max are the limits in engineering units, inclusive. A read
	// beyond them is uncertain, a write refused. Default: none.
	Min *float64 `yaml:"min"`
	Max *float64 `yaml:"max"`

	// Step is the grid of the values that may be written, counted from Min,
	// or from 0 where there is none. Default: every value.
	Step *float64 `yaml:"step"`

	// MaxStep is the most that one write may change the tag by, against the
	// value that it has; without a good one the write is refused. Default:
	// no limit.
	MaxStep *float64 `yaml:"max_step"`

	// WriteTolerance is how far what is read back after a write may be from
	// what was written. Default: as far as the tag's type cannot tell apart.
	WriteTolerance *float64 `yaml:"write_tolerance"`

	// MinWriteInterval is the least time between two writes that may have
	// reached the device, over restarts: registers that lie in an EEPROM wear
	// out. Default 0: no limit.
	MinWriteInterval time.Duration `yaml:"min_write_interval"`
}

// minStale is the least default of StaleAfter: polling faster than this does
// not make a tag stale for one late answer.
const minStale = 5 * time.Second

// Validate returns tag.Faults for everything that is wrong whatever the tag;
// Check adds what is wrong with a particular one.
func (c Config) Validate() error { return c.faults().Err() }

func (c Config) faults() tag.Faults {
	var fs tag.Faults
	add := func(path, text, hint string) { fs = append(fs, tag.Fault{Path: path, Text: text, Hint: hint}) }
	for _, f := range []struct {
		path string
		v    *float64
	}{{"scale", c.Scale}, {"offset", c.Offset}, {"deadband", c.Deadband}, {"min", c.Min}, {"max", c.Max},
		{"step", c.Step}, {"max_step", c.MaxStep}, {"write_tolerance", c.WriteTolerance}} {
		if f.v != nil && (math.IsNaN(*f.v) || math.IsInf(*f.v, 0)) {
			add(f.path, fmt.Sprintf("%v is not a finite number", *f.v), "write a number such as 0.1")
		}
	}
	if c.Scale != nil && *c.Scale == 0 {
		add("scale", "a scale of 0 would make every value the same", "leave it out, or use 1, for the raw value")
	}
	if c.Deadband != nil && *c.Deadband < 0 {
		add("deadband", fmt.Sprintf("%v is negative", *c.Deadband), "use 0 to publish every read")
	}
	for _, f := range []struct {
		path  string
		v     *float64
		least float64
		text  string
	}{{"step", c.Step, math.SmallestNonzeroFloat64, "the values that may be written would not differ"},
		{"max_step", c.MaxStep, math.SmallestNonzeroFloat64, "no write could change anything"},
		{"write_tolerance", c.WriteTolerance, 0, "nothing could be read back as it was written"}} {
		if f.v != nil && *f.v < f.least {
			add(f.path, fmt.Sprintf("with %v %s", *f.v, f.text), "leave it out, or write a number above 0")
		}
	}
	if c.Min != nil && c.Max != nil && *c.Min > *c.Max {
		add("min", fmt.Sprintf("min %v is above max %v", *c.Min, *c.Max), "no value could be within them: exchange them")
	}
	for _, d := range []struct {
		path string
		v    time.Duration
	}{{"min_interval", c.MinInterval}, {"max_interval", c.MaxInterval}, {"stale_after", c.StaleAfter}, {"min_write_interval", c.MinWriteInterval}} {
		if d.v < 0 {
			add(d.path, fmt.Sprintf("%s is negative", d.v), "use 0 to leave it to the default")
		}
	}
	if c.MaxInterval > 0 && c.MinInterval > c.MaxInterval {
		add("min_interval", fmt.Sprintf("min_interval %s is longer than max_interval %s", c.MinInterval, c.MaxInterval),
			"a tag cannot be published both less and more often: exchange them")
	}
	return fs
}

// Check returns everything that is wrong with the processing of one tag,
// including what Validate finds. Paths are those of Config's keys.
func Check(t *tag.Tag, c Config) tag.Faults {
	fs := c.faults()
	add := func(path, text, hint string) { fs = append(fs, tag.Fault{Path: path, Text: text, Hint: hint}) }
	if c.StaleAfter > 0 && c.StaleAfter < t.Interval {
		add("stale_after", fmt.Sprintf("stale_after %s is shorter than the interval %s", c.StaleAfter, t.Interval),
			"the tag would be stale between any two reads: use at least two intervals")
	}
	if k := kindOf(typeOf(t)); k == wireText || k == wireBool {
		for _, f := range []struct {
			path string
			used bool
			hint string
		}{
			{"scale", c.Scale != nil && *c.Scale != 1, ", or write scale: 1 at this tag where it is inherited"},
			{"offset", c.Offset != nil && *c.Offset != 0, ", or write offset: 0 at this tag where it is inherited"},
			{"deadband", c.Deadband != nil && *c.Deadband > 0, ", or write deadband: 0 at this tag where it is inherited"},
			{"min", c.Min != nil, ", or correct the type"},
			{"max", c.Max != nil, ", or correct the type"},
			{"step", c.Step != nil, ", or correct the type"},
			{"max_step", c.MaxStep != nil, ", or correct the type"},
			{"write_tolerance", c.WriteTolerance != nil, ", or correct the type"},
		} {
			if f.used {
				add(f.path, fmt.Sprintf("%s needs a number, but the type is %q", f.path, t.Type), "remove it"+f.hint)
			}
		}
	}
	return fs
}

func (c Config) staleAfter(t *tag.Tag) time.Duration {
	if c.StaleAfter > 0 {
		return c.StaleAfter
	}
	return max(3*t.Interval, minStale)
}
