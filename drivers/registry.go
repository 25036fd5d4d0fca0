package drivers

import (
	"fmt"
	"slices"
	"sync"
)

// registry is written by init functions alone and only read afterwards; the
// lock is for tests that register while others run.
var registry = struct {
	sync.RWMutex
	m map[string]Driver
}{m: map[string]Driver{}}

// Register makes a driver known by the name that a tag map uses. It is called
// from init and panics when the name is empty or taken: both are bugs of ours.
func Register(name string, d Driver) {
	registry.Lock()
	defer registry.Unlock()
	if name == "" || d == nil {
		panic("drivers: Register without a name or a driver")
	}
	if _, taken := registry.m[name]; taken {
		panic(fmt.Sprintf("drivers: %q is registered twice", name))
	}
	registry.m[name] = d
}

// Lookup returns the driver of a name, and whether there is one.
func Lookup(name string) (Driver, bool) {
	registry.RLock()
	defer registry.RUnlock()
	d, ok := registry.m[name]
	return d, ok
}

// Names returns the registered names in order.
func Names() []string {
	registry.RLock()
	defer registry.RUnlock()
	names := make([]string, 0, len(registry.m))
	for n := range registry.m {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
