package gateway_test

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"fieldferry/buffer"
	"fieldferry/internal/gateway"
)

// TestSecondGateway: one that shares the runtime directory of a living one,
// though not its buffer, is refused and does not touch it.
func TestSecondGateway(t *testing.T) {
	first := start(t)
	taken := filepath.Join(first.dir, "run")
	for _, c := range []struct {
		name, runtime, buffer, want string
		locked, touched             bool
	}{
		{"same --runtime", taken, "", "another gateway answers on " + filepath.Join(taken, "control.sock"), false, false},
		{"same buffer.runtime_dir", t.TempDir(), ", runtime_dir: " + taken, fmt.Sprintf("another gateway uses runtime directory %q", taken), true, true},
	} {
		second := &running{t: t, dir: t.TempDir()}
		dir := filepath.Join(second.dir, "buffer")
		second.write("gateway.yaml", fmt.Sprintf("gateway: {name: g}\nbuffer: {dir: %s, max_bytes: 64MiB, min_free: 1MiB%s}\nweb: {listen: \"127.0.0.1:0\"}\n", dir, c.buffer))
		second.write("profiles/motor.yaml", motorProfile)
		second.write("tagmap.yaml", editedMap)
		_, err := gateway.New(gateway.Options{ConfigDir: filepath.Join(second.dir, "config"), RuntimeDir: c.runtime, Version: "test", Log: slog.New(slog.DiscardHandler)})
		if err == nil || !strings.Contains(err.Error(), c.want) || errors.Is(err, buffer.ErrLocked) != c.locked {
			t.Errorf("%s: got error %v, want %q in it, ErrLocked %v", c.name, err, c.want, c.locked)
		}
		if _, err := os.Stat(dir); (err == nil) != c.touched {
			t.Errorf("%s: buffer directory: %v, want it made %v", c.name, err, c.touched)
		}
	}
}
