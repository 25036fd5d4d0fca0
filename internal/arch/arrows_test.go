package arch

import (
	"fmt"
	"path"
	"strings"
)

// The seven floors of the house. An arrow points down, or stays within one
// folder; it never runs up.
const (
	vocabulary = iota + 1 // tag
	contract              // what is said between the parts
	parts                 // one subject each
	doors                 // where values leave: to brokers, to a browser
	files                 // what people write down
	assembly              // knows all parts
	command               // the command line
)

// place is where a folder stands and which folders of the module its packages
// may import beside their own folder. The longest matching folder counts.
type place struct {
	dir   string
	floor int
	may   []string // "x" is the package x alone, "x/..." everything below it too
	why   string
}

var places = []place{
	{"tag", vocabulary, nil, "the vocabulary: everyone knows it, it knows nobody"},

	{"drivers", contract, []string{"tag"}, "the contract speaks in the vocabulary and nothing else"},
	{"live", contract, []string{"tag"}, "the latest sample of every tag"},
	{"mapping/payload", contract, []string{"tag"}, "a message is made of a sample alone"},

	{"buffer", parts, []string{"tag"}, "keeps samples; who made them and who wants them is not its affair"},
	{"mapping", parts, []string{"tag", "live"}, "the latest scaled value lands in live"},
	{"command", parts, []string{"tag", "live"}, "checks a write against the latest values"},
	{"drivers/acquire", parts, []string{"tag", "drivers", "drivers/ask"}, "runs any driver and knows none"},
	{"drivers/drivertest", parts, []string{"tag", "drivers"}, "the suite every driver passes"},
	{"drivers/isolate", parts, []string{"tag", "drivers"}, "wraps any driver"},
	{"drivers/modbus", parts, []string{"tag", "drivers", "drivers/ask"}, "a protocol knows the contract, not who runs it"},
	{"drivers/opcua", parts, []string{"tag", "drivers"}, "a protocol knows the contract, not who runs it"},
	{"drivers/sim", parts, []string{"tag", "drivers"}, "a protocol knows the contract, not who runs it"},
	{"mapping/calc", parts, []string{"tag", "drivers", "live"}, "a driver whose devices are other tags"},

	{"drivers/all", doors, []string{"drivers/..."}, "one import line per driver"},
	{"mqtt", doors, []string{"tag", "buffer", "live", "command", "mapping/payload"}, "drains a reader into a broker and takes commands"},

	{"web", doors, []string{"tag"}, "sees the gateway through small interfaces of its own"},

	{"configs", files, []string{"tag", "drivers", "buffer", "mapping/...", "mqtt/...", "web"}, "fills the Config of every part"},

	{"internal/gateway", assembly, []string{"tag", "drivers/...", "live", "command", "mapping/...", "buffer/...", "mqtt/...", "configs/...", "web/..."}, "assembles everything"},
	{"internal/demo", assembly, []string{"tag", "drivers/...", "configs/..."}, "a plant to look at, beside the gateway"},

	{"cmd/gateway", command, []string{"tag", "drivers/...", "buffer/...", "configs/...", "web/...", "internal/gateway/...", "internal/demo/..."}, "the command line"},
	{"bench", command, []string{"tag", "drivers/...", "live", "command", "mapping/...", "buffer/...", "mqtt/...", "configs/...", "web/...", "internal/gateway/...", "internal/demo/...", "internal/peers/..."}, "measures every part and the whole"},

	{"internal/peers", vocabulary, nil, "starts programs for tests; part of none"},
	{"internal/arch", vocabulary, nil, "tests of the module itself"},
}

// placeOf is the row of a directory, or nil.
func placeOf(rows []place, dir string) *place {
	var best *place
	for i := range rows {
		if below(dir, rows[i].dir) && (best == nil || len(rows[i].dir) > len(best.dir)) {
			best = &rows[i]
		}
	}
	return best
}

// allows says whether a package of the row may import the directory.
func (p *place) allows(dir string) bool {
	if below(dir, p.dir) {
		return true
	}
	for _, m := range p.may {
		if tree, all := strings.CutSuffix(m, "/..."); dir == m || all && below(dir, tree) {
			return true
		}
	}
	return false
}

// checkArrows holds the table of places. Source follows its row; a test may
// import anything that stands on its own floor or below, and test helpers.
func checkArrows(t *tree, rows []place) (faults []string) {
	for _, p := range t.pkgs {
		from := placeOf(rows, p.dir)
		if from == nil {
			faults = append(faults, fmt.Sprintf("%s: the folder has no place: add a row to places in internal/arch/arrows_test.go that says which packages it may import, and why", p.dir))
			continue
		}
		for _, f := range p.files {
			for imported, node := range t.imports(f) {
				dir, ours := t.local(imported)
				if !ours {
					continue
				}
				if fault := arrow(from, f, dir, placeOf(rows, dir)); fault != "" {
					faults = append(faults, t.at(node)+": "+fault)
				}
			}
		}
	}
	return append(faults, checkTable(rows)...)
}

// arrow is what is wrong with one import of a directory, or "".
func arrow(from *place, f *file, dir string, to *place) string {
	switch {
	case to == nil:
		return "" // told at the package itself
	case isHelper(dir):
		if !f.test && !isHelper(path.Dir(f.path)) && from.dir != "bench" {
			return fmt.Sprintf("%s is for tests and is imported by source", dir)
		}
		return ""
	case f.test || isHelper(path.Dir(f.path)):
		if to.floor > from.floor {
			return fmt.Sprintf("a test on floor %d (%s) imports %s on floor %d: test it up there", from.floor, from.dir, dir, to.floor)
		}
		return ""
	case !from.allows(dir):
		return fmt.Sprintf("%s may not import %s (it may import itself and %v: %s)", from.dir, dir, from.may, from.why)
	}
	return ""
}

// isHelper says whether a folder is there for tests: internal/peers, and what
// is named like mqtt/brokertest. Tests of any floor may import it, and nothing
// else may.
func isHelper(dir string) bool {
	for part := range strings.SplitSeq(dir, "/") {
		if strings.HasSuffix(part, "test") {
			return true
		}
	}
	return below(dir, "internal/peers")
}

// checkTable holds the floors against the table itself: what a row may import
// stands strictly below it, so no ring of folders can be written down.
func checkTable(rows []place) (faults []string) {
	for _, r := range rows {
		for _, m := range r.may {
			dir := strings.TrimSuffix(m, "/...")
			to := placeOf(rows, dir)
			if to == nil || to.floor >= r.floor {
				faults = append(faults, fmt.Sprintf("places: the row %s lets it import %s, which is not below it", r.dir, m))
			}
		}
		if r.why == "" {
			faults = append(faults, fmt.Sprintf("places: the row %s has no reason", r.dir))
		}
	}
	return faults
}
