package configs_test

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fieldferry/configs"
)

// TestIrregular puts a FIFO where each kind of file is wanted; opening one
// waits for a writer, for ever.
func TestIrregular(t *testing.T) {
	const tagMap = "links: [{name: a, driver: modbus-tcp, endpoint: \"tcp://a:1\", password_file: secret, devices: [{name: d, tags: [{name: x, address: \"hr:1\"}]}]}]\n"
	tests := []struct{ name, want string }{
		{"config/gateway.yaml", "gateway.yaml: is not a regular file (put a file in its place)"},
		{"config/tagmap.yaml", "tagmap.yaml: is not a regular file (put a file in its place)"},
		{"config/profiles/meter.yaml", "profiles/meter.yaml: is not a regular file (put a file in its place)"},
		{"admin.yaml", "DIR/admin.yaml: is not a regular file (put a file in its place)"},
		{"config/secret", "tagmap.yaml:1:77: links[0].password_file: DIR/config/secret is not a regular file (name a file)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			write(t, filepath.Join(dir, "config", "gateway.yaml"), head)
			write(t, filepath.Join(dir, "config", "tagmap.yaml"), tagMap)
			write(t, filepath.Join(dir, "config", "profiles", "meter.yaml"), "tags: []\n")
			name := filepath.Join(dir, tt.name)
			if err := os.RemoveAll(name); err != nil {
				t.Fatal(err)
			}
			if err := syscall.Mkfifo(name, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := configs.Load(filepath.Join(dir, "config"), options(dir))
			if err == nil {
				t.Fatal("got no fault")
			}
			if got := strings.ReplaceAll(err.Error(), dir, "DIR"); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
