package peers

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Jsmodbus starts a jsmodbus server, which answers requests that come in
// together in reverse order, and returns its host:port when it listens. What
// it holds is written at the head of jsmodbus/server.js.
func Jsmodbus(t testing.TB) (address string) {
	t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		t.Fatalf("this test needs node: install it with `make deps` (%v)", err)
	}
	_, file, _, _ := runtime.Caller(0)
	folder := filepath.Join(filepath.Dir(file), "jsmodbus")
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "jsmodbus")); err != nil {
		t.Fatalf("this test needs jsmodbus: run `make deps`, or `npm ci` in %s (%v)", folder, err)
	}
	p := start(t, node, filepath.Join(folder, "server.js"))
	if err := p.await(func() bool { return strings.Contains(p.out.String(), "\n") }); err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(p.out.String(), "\n")
	port, ok := strings.CutPrefix(first, "listening ")
	if !ok {
		t.Fatalf("jsmodbus said %q, want \"listening PORT\"", first)
	}
	return "127.0.0.1:" + port
}
