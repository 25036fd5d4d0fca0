package configs_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPortBehindLink names a port by its own name and by one that leads to it,
// as /dev/serial/by-id does.
func TestPortBehindLink(t *testing.T) {
	dir := t.TempDir()
	port, other := filepath.Join(dir, "ttyUSB0"), filepath.Join(dir, "by-id")
	write(t, port, "")
	if err := os.Symlink("ttyUSB0", other); err != nil {
		t.Fatal(err)
	}
	const link = "  - {name: %s, driver: modbus-rtu, endpoint: %s, devices: [{name: d%[1]s, tags: [{name: x, address: \"hr:1\"}]}]}\n"
	_, err := tryLoad("links:\n" + fmt.Sprintf(link, "a", port) + fmt.Sprintf(link, "b", other))
	want := fmt.Sprintf("b uses %s as a (%s) does: a serial port has one owner (put both devices on one link)", other, port)
	if err == nil || !strings.HasSuffix(err.Error(), "links[1].endpoint: "+want) {
		t.Errorf("got %v\nwant %s", err, want)
	}
}
