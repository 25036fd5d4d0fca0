package peers

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// libmodbusServer is the source of libmodbus's own test server, as Debian's
// libmodbus-dev ships it. It listens where it was compiled to.
const libmodbusServer = "/usr/share/doc/libmodbus-dev/examples/unit-test-server.c"

// Libmodbus compiles and starts the test server of libmodbus, which answers
// some requests wrongly on purpose: a read of hr:0x170 with exception 6, of
// 0x171 with another transaction id (on TCP) or unit (on RTU), of 0x172 after
// half a second, of 0x173 byte by byte (on TCP), of two registers with one.
// Unit 17. With a tty it serves RTU at 115200 8N1 there; without one it serves
// Modbus TCP to a single connection, and the returned address is where.
func Libmodbus(t testing.TB, tty string) (address string) {
	t.Helper()
	src, err := os.ReadFile(libmodbusServer)
	if err != nil {
		t.Fatalf("this test needs libmodbus-dev: install it with `make deps` (%v)", err)
	}
	dir, port, mode := t.TempDir(), freePort(t), "tcp"
	if tty != "" {
		mode = "rtu"
	}
	for old, now := range map[string]string{
		`"127.0.0.1", 1502`: fmt.Sprintf(`"127.0.0.1", %d`, port),
		`"/dev/ttyUSB0"`:    fmt.Sprintf("%q", tty),
	} {
		if !bytes.Contains(src, []byte(old)) {
			t.Fatalf("%s has no %s: another version of libmodbus?", libmodbusServer, old)
		}
		src = bytes.ReplaceAll(src, []byte(old), []byte(now))
	}
	source, program := filepath.Join(dir, "server.c"), filepath.Join(dir, "server")
	if err := os.WriteFile(source, src, 0o600); err != nil {
		t.Fatal(err)
	}
	cc := exec.Command("gcc", "-o", program, source, "-I/usr/include/modbus", "-I"+filepath.Dir(libmodbusServer), "-lmodbus")
	if out, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("compile libmodbus's test server: %v\n%s", err, out)
	}
	start(t, program, mode)
	return fmt.Sprintf("127.0.0.1:%d", port)
}
