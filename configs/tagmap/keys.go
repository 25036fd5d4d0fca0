package tagmap

import (
	"reflect"
	"slices"
	"time"

	"fieldferry/configs/strict"
	"fieldferry/configs/tree"
	"fieldferry/drivers"
	"fieldferry/mapping"
	"fieldferry/tag"
)

// What nothing else says.
const (
	defaultInterval  = time.Second
	defaultRetry     = 30 * time.Second
	defaultDeadAfter = 3
	minInterval      = time.Millisecond
)

// mapKeys are the keys of tagmap.yaml itself.
type mapKeys struct {
	Defaults *tree.Node `yaml:"defaults"`
	Rates    *tree.Node `yaml:"rates"`
	Links    *tree.Node `yaml:"links"`
}

// linkKeys stand at a link alone.
type linkKeys struct {
	Name        string     `yaml:"name,required"`
	Driver      string     `yaml:"driver,required"`
	Endpoint    string     `yaml:"endpoint"`    // as the driver reads it
	Enabled     bool       `yaml:"enabled"`     // default true
	Description string     `yaml:"description"` // for people
	Labels      *tree.Node `yaml:"labels"`
	Rates       *tree.Node `yaml:"rates"`
	Defaults    *tree.Node `yaml:"defaults"`
	Devices     *tree.Node `yaml:"devices"`
}

// linkShared may stand at a link and in the map's defaults.
type linkShared struct {
	Retry time.Duration `yaml:"retry"` // longest pause between two attempts to connect; default 30s
}

// deviceKeys stand at a device alone.
type deviceKeys struct {
	Name        string     `yaml:"name,required"`
	Each        *tree.Node `yaml:"each"`
	Endpoint    string     `yaml:"endpoint"` // makes the device a link of its own
	Enabled     bool       `yaml:"enabled"`  // default true
	Description string     `yaml:"description"`
	Tags        *tree.Node `yaml:"tags"`
}

// deviceShared may stand at a device and in the defaults above it.
type deviceShared struct {
	Profile     string            `yaml:"profile"`
	DeadAfter   int               `yaml:"dead_after"` // answers missed in a row until it counts as dead; default 3
	Maintenance bool              `yaml:"maintenance"`
	Params      map[string]string `yaml:"params"` // fill {placeholders} of its tags
}

// labelKeys may stand at everything.
type labelKeys struct {
	Labels map[string]string `yaml:"labels"`
}

// rateKeys name sampling intervals.
type rateKeys struct {
	Rates map[string]time.Duration `yaml:"rates"`
}

// tagKeys stand at a tag alone.
type tagKeys struct {
	Name        string     `yaml:"name,required"`
	Address     string     `yaml:"address"`
	Enabled     bool       `yaml:"enabled"` // default true
	Description string     `yaml:"description"`
	Access      tag.Access `yaml:"access"` // default read
}

// tagShared may stand at a tag and everywhere above it.
type tagShared struct {
	Type     string        `yaml:"type"`
	Unit     string        `yaml:"unit"`
	Class    tag.Class     `yaml:"class"`    // default normal
	Interval time.Duration `yaml:"interval"` // sampling interval; default 1s
	Rate     string        `yaml:"rate"`     // or the name of one in rates
	Retain   *bool         `yaml:"retain"`   // default: as the uplink says
}

// profileKeys are the keys of a profile.
type profileKeys struct {
	Description string            `yaml:"description"`
	Source      string            `yaml:"source"`  // where the register map was taken from
	Drivers     []string          `yaml:"drivers"` // that it works with; default: any
	Params      map[string]string `yaml:"params"`  // fallbacks for the device's
	Rates       *tree.Node        `yaml:"rates"`   // fallbacks for the link's
	Defaults    *tree.Node        `yaml:"defaults"`
	Tags        *tree.Node        `yaml:"tags,required"`
}

// tagShapes are the structs whose keys may stand at a tag or above.
func tagShapes(o drivers.Options) []any {
	return []any{tagShared{}, labelKeys{}, mapping.Config{}, o.Tag}
}

// KeyType is the type of what a key of a tag holds on a link of a driver (nil
// if unknown); nil for unknown keys.
func KeyType(drv drivers.Driver, key string) reflect.Type {
	var o drivers.Options
	if drv != nil {
		o = drv.Options()
	}
	return (&strict.Decoder{}).TypeOf(key, append(tagShapes(o), tagKeys{})...)
}

// TagKeys lists the keys that may be written at a tag on a link of a driver
// (nil if unknown), but for its name.
func TagKeys(drv drivers.Driver) []string {
	var o drivers.Options
	if drv != nil {
		o = drv.Options()
	}
	keys := (&strict.Decoder{}).Keys(append(tagShapes(o), tagKeys{})...)
	return slices.DeleteFunc(keys, func(k string) bool { return k == "name" })
}
