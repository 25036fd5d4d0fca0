package configs

import (
	"fmt"
	"path/filepath"
	"strings"

	"fieldferry/tag"
)

// ports refuses a serial port that two links would open: each would take
// the other's answers.
func (l *loader) ports() {
	owners := map[string]*tag.Link{}
	for _, k := range l.g.Links {
		if !strings.HasPrefix(k.Endpoint, "/") {
			continue
		}
		port := filepath.Clean(k.Endpoint)
		if target, err := filepath.EvalSymlinks(port); err == nil {
			port = target
		}
		first := owners[port]
		if first == nil {
			owners[port] = k
			continue
		}
		as := ""
		if filepath.Clean(first.Endpoint) != filepath.Clean(k.Endpoint) {
			as = " (" + first.Endpoint + ")"
		}
		l.g.tags.Fault(k, nil, nil, tag.Fault{Path: "endpoint", Hint: "put both devices on one link",
			Text: fmt.Sprintf("%s uses %s as %s%s does: a serial port has one owner", k.Name, k.Endpoint, first.Name, as)})
	}
}
