package buffer

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"fieldferry/buffer/fault"
	"fieldferry/tag"
)

// TestRuntimeDirLocked: a second log in the same runtime directory is refused
// before it touches the ring of the first, and can have it afterwards.
func TestRuntimeDirLocked(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct {
		fs    FS
		first Config
	}{
		"fault machine": {fault.New(), rigConfig()},
		"this machine":  {DirFS(), Config{Dir: filepath.Join(dir, "one"), RuntimeDir: filepath.Join(dir, "run"), MaxBytes: 1 << 20}},
	} {
		t.Run(name, func(t *testing.T) {
			first := mustOpen(t, c.fs, c.first, quiet())
			appendAll(t, first, 100)
			second := c.first
			second.Dir = filepath.Join(dir, "two")
			_, err := open(c.fs, second, quiet(), smallLimits())
			if !errors.Is(err, ErrLocked) {
				t.Fatalf("second log in runtime directory %s: %v, want ErrLocked", second.RuntimeDir, err)
			}
			for _, want := range []string{fmt.Sprintf("another gateway uses runtime directory %q", second.RuntimeDir), "--runtime", "buffer.runtime_dir"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q, want %q in it", err, want)
				}
			}
			if got := first.Stats(); !got.Shared || got.InMemory == 0 {
				t.Errorf("first log after it: shared %v, %d bytes in memory, want its ring untouched", got.Shared, got.InMemory)
			}
			apart := second
			apart.RuntimeDir = "" // the refused one has let go of its own directory
			mustClose(t, mustOpen(t, c.fs, apart, quiet()))
			mustClose(t, first)
			mustClose(t, mustOpen(t, c.fs, second, quiet()))
			mustClose(t, mustOpen(t, c.fs, c.first, quiet()))
		})
	}
}

// TestRuntimeDirUnusable: where the runtime directory cannot be locked, for
// whatever reason but another process, samples go straight to the log.
func TestRuntimeDirUnusable(t *testing.T) {
	for _, kind := range []string{"mkdir", "lock"} {
		m := fault.New()
		m.Plan(func(_ int, k, name string) error {
			if name == "ff" && (k == kind || k == "lock") {
				return syscall.EROFS
			}
			return nil
		})
		var log bytes.Buffer
		b := mustOpen(t, m, rigConfig(), slog.New(slog.NewTextHandler(&log, nil)))
		if b.Stats().Shared {
			t.Errorf("%s fails: shared memory is used without a lock", kind)
		}
		if !strings.Contains(log.String(), "no shared memory") {
			t.Errorf("%s fails: log %q, want a warning", kind, log.String())
		}
		appendAll(t, b, 10)
		mustClose(t, b)
	}
}

// TestOpenReleasesLocks: an Open that fails leaves nothing locked.
func TestOpenReleasesLocks(t *testing.T) {
	m := fault.New()
	m.Plan(func(_ int, kind, _ string) error {
		if kind == "readdir" {
			return syscall.EIO
		}
		return nil
	})
	if _, err := open(m, rigConfig(), quiet(), smallLimits()); !errors.Is(err, syscall.EIO) {
		t.Fatalf("open: %v, want EIO", err)
	}
	m.Plan(nil)
	mustClose(t, mustOpen(t, m, rigConfig(), quiet()))
}

// TestForeignRuntimeDir: what another log has left in the runtime directory
// is told before it is cleared.
func TestForeignRuntimeDir(t *testing.T) {
	m := fault.New()
	killed := mustOpen(t, m, rigConfig(), quiet())
	appendAll(t, killed, 7) // 3 normal, 3 bulk, 1 alarm
	id := killed.ID()
	m = m.Kill()
	other := rigConfig()
	other.Dir = "/elsewhere"
	var log bytes.Buffer
	b := mustOpen(t, m, other, slog.New(slog.NewTextHandler(&log, nil)))
	told := 0
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "samples of another log are given up") {
			told++
		}
	}
	want := fmt.Sprintf("dir=/run/ff/normal log=%s samples=3 bytes=", id)
	if told != classes || !strings.Contains(log.String(), want) {
		t.Errorf("got %d warnings in %s\nwant %d, one with %q", told, log.String(), classes, want)
	}
	mustClose(t, b)
	log.Reset()
	mustClose(t, mustOpen(t, m, other, slog.New(slog.NewTextHandler(&log, nil))))
	if strings.Contains(log.String(), "another log") {
		t.Errorf("told again: %s", log.String())
	}
}

func mustOpen(t *testing.T, fs FS, c Config, log *slog.Logger) *Buffer {
	t.Helper()
	b, err := open(fs, c, log, smallLimits())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func mustClose(t *testing.T, b *Buffer) {
	t.Helper()
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
}

func appendAll(t *testing.T, b *Buffer, n int) {
	t.Helper()
	tags := rigTags(7)
	for v := range n {
		if err := b.Append([]tag.Sample{sampleFor(tags, int64(v))}); err != nil {
			t.Fatal(err)
		}
	}
}
