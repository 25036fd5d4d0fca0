package peers

import (
	"strings"
	"syscall"
	"testing"
)

// Program is a started program that a test stops, kills or starts again.
type Program struct {
	t    testing.TB
	path string
	args []string
	p    *process
}

// Start runs a program until the test ends.
func Start(t testing.TB, path string, args ...string) *Program {
	t.Helper()
	return &Program{t: t, path: path, args: args, p: start(t, path, args...)}
}

// Await returns when the program has printed a text; it fails the test when
// the program ends without it.
func (p *Program) Await(text string) {
	p.t.Helper()
	if err := p.p.await(func() bool { return strings.Contains(p.p.out.String(), text) }); err != nil {
		p.t.Fatalf("waiting for %q: %v", text, err)
	}
}

// Kill ends the program at once, as a crash would.
func (p *Program) Kill() { p.p.stop(syscall.SIGKILL) }

// Terminate asks the program to end and returns its exit code.
func (p *Program) Terminate() int {
	p.p.stop(syscall.SIGTERM)
	return p.p.cmd.ProcessState.ExitCode()
}

// Pid is the process id.
func (p *Program) Pid() int { return p.p.cmd.Process.Pid }

// Output is what the program has printed since it was last started.
func (p *Program) Output() string { return p.p.out.String() }

// Again starts the program again after Kill or Terminate.
func (p *Program) Again() {
	p.t.Helper()
	p.p = start(p.t, p.path, p.args...)
}
