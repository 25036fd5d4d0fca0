package arch

import (
	"fmt"
	"slices"
	"strings"
)

// fence says where a module from outside may be imported.
type fence struct {
	module string   // every package of it
	source []string // folders whose source may
	tests  bool     // and any test besides
	files  int      // in at most so many source files; 0: any number
	why    string
}

// fences lists every module from outside that this one imports. A library
// behind a fence can be replaced by changing one folder.
var fences = []fence{
	{"github.com/goburrow/modbus", []string{"drivers/modbus"}, false, 0, "encodes and decodes frames; the transport is ours"},
	{"github.com/goburrow/serial", nil, false, 0, "comes with goburrow/modbus and would open a port behind our back"},
	{"github.com/tarm/serial", []string{"drivers/modbus"}, false, 1, "its timeouts come in steps of 100 ms: one file knows that"},
	{"github.com/gopcua/opcua", []string{"drivers/opcua", "internal/demo"}, false, 0, "a client of it is disposable and only the driver knows how; the demo has a server"},
	{"github.com/eclipse/paho.golang", []string{"mqtt"}, false, 0, "packets and connections; what is owed is known by our buffer"},
	{"gopkg.in/yaml.v3", []string{"configs"}, true, 0, "one strict reader of files"},
	{"github.com/expr-lang/expr", []string{"mapping/calc"}, false, 0, "expressions over tags, with a limit on memory"},
	{"github.com/danielgtaylor/huma/v2", []string{"web"}, false, 0, "the HTTP interface and its OpenAPI file"},
	{"github.com/prometheus/client_golang", []string{"web"}, false, 0, "writes /metrics"},
	{"github.com/klauspost/compress", []string{"buffer", "web"}, false, 0, "compresses sealed blocks and answers"},
	{"github.com/spf13/cobra", []string{"cmd/gateway"}, false, 0, "the command line"},
	{"github.com/coreos/go-systemd/v22", []string{"cmd/gateway", "internal/gateway"}, false, 0, "tells systemd that the gateway is ready and alive"},
	{"golang.org/x/sys", []string{"buffer", "drivers/modbus", "internal/gateway", "internal/demo", "internal/peers", "cmd/gateway"}, true, 0, "mapped files, terminals, peer credentials"},
	{"github.com/mochi-mqtt/server/v2", []string{"internal/demo", "bench"}, true, 0, "an embedded broker, never in the product"},
	{"go.uber.org/goleak", nil, true, 0, "finds goroutines that tests leave"},
	{"pgregory.net/rapid", nil, true, 0, "properties over random input"},

	{"os/exec", []string{"drivers/isolate", "internal/peers", "internal/demo", "bench", "buffer/powercut"}, true, 0, "the gateway starts no program but itself"},
	{"log", []string{"drivers/opcua", "internal/demo"}, false, 0, "a *slog.Logger is passed in; there it is silenced, because gopcua prints to it"},
	{"net/http/pprof", nil, false, 0, "adds routes to a global server by being imported"},
	{"plugin", nil, false, 0, "protocols are compiled in"},
}

// checkFences holds the table; a module without a row is a fault.
func checkFences(t *tree, rows []fence) (faults []string) {
	used := map[*fence][]string{}
	for _, p := range t.pkgs {
		for _, f := range p.files {
			for imported, node := range t.imports(f) {
				if _, ours := t.local(imported); ours {
					continue
				}
				row := fenceOf(rows, imported)
				switch {
				case row == nil && strings.Contains(strings.Split(imported, "/")[0], "."):
					faults = append(faults, fmt.Sprintf("%s: %s has no row in fences (internal/arch/fences_test.go): add one that says where it may be used, and why", t.at(node), imported))
				case row == nil || f.test && row.tests:
				case !slices.ContainsFunc(row.source, p.in):
					faults = append(faults, fmt.Sprintf("%s: %s may be imported in %v only: %s", t.at(node), imported, row.source, row.why))
				case !f.test:
					used[row] = append(used[row], f.path)
				}
			}
		}
	}
	for i := range rows {
		in := slices.Compact(used[&rows[i]])
		if rows[i].files > 0 && len(in) > rows[i].files {
			faults = append(faults, fmt.Sprintf("%s is imported in %d files, limit %d: %v", rows[i].module, len(in), rows[i].files, in))
		}
	}
	return faults
}

// fenceOf is the row of an imported package, or nil.
func fenceOf(rows []fence, imported string) *fence {
	for i := range rows {
		// "log" is a fence around one package, not around log/slog.
		std := !strings.Contains(rows[i].module, ".")
		if imported == rows[i].module || !std && below(imported, rows[i].module) {
			return &rows[i]
		}
	}
	return nil
}
