package peers

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Line is a pair of connected pseudo terminals: what is written to one end is
// read from the other. The names stay the same when it is unplugged and
// plugged in again.
type Line struct {
	A, B string // paths of the two ends
	t    testing.TB
	p    *process
}

// PTY starts a pair of pseudo terminals (socat) and returns when both exist.
func PTY(t testing.TB) *Line {
	t.Helper()
	dir := t.TempDir()
	l := &Line{A: filepath.Join(dir, "ttyA"), B: filepath.Join(dir, "ttyB"), t: t}
	l.Plug()
	return l
}

// Plug connects the two ends again after Unplug.
func (l *Line) Plug() {
	l.t.Helper()
	l.p = start(l.t, "socat", "pty,raw,echo=0,link="+l.A, "pty,raw,echo=0,link="+l.B)
	if err := l.p.await(func() bool { return exists(l.A) && exists(l.B) }); err != nil {
		l.t.Fatal(err)
	}
}

// Unplug takes both ends away, as pulling a USB adapter does: whoever has one
// open sees a hang-up, and the names are gone.
func (l *Line) Unplug() {
	l.p.stop(syscall.SIGTERM)
	_ = os.Remove(l.A) // socat removes them itself when it ends in time
	_ = os.Remove(l.B)
}

// exists says whether the link and the terminal behind it are there.
func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}
