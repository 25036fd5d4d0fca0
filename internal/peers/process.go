package peers

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os/exec"
	"runtime"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a program may take to come up or to end on a busy
// machine.
const patience = 30 * time.Second

// process is one started program.
type process struct {
	t     testing.TB
	name  string
	cmd   *exec.Cmd
	stdin io.Closer
	out   *output
	done  chan struct{} // closed when the program has ended
	once  sync.Once
}

// start runs a program until the test ends. Its stdin is held open.
func start(t testing.TB, name string, args ...string) *process {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("this test needs %s: install it with `make deps` (%v)", name, err)
	}
	p := &process{t: t, name: name, cmd: exec.Command(path, args...), out: new(output), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = p.out, p.out
	p.cmd.WaitDelay = patience
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if p.stdin, err = p.cmd.StdinPipe(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	started := make(chan error, 1)
	go p.run(started)
	if err := <-started; err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	t.Cleanup(func() {
		p.stop(syscall.SIGKILL)
		if t.Failed() {
			t.Logf("%s said:\n%s", name, p.out)
		}
	})
	return p
}

// run starts the program and waits for it on one locked thread: the kernel
// sends the death signal when the thread that started the child ends, and the
// runtime ends idle threads as it likes.
func (p *process) run(started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer close(p.done)
	err := p.cmd.Start()
	started <- err
	if err == nil {
		_ = p.cmd.Wait() // how it ended is not the test's business: it is told to
	}
}

// stop ends the program and waits for it.
func (p *process) stop(sig syscall.Signal) {
	p.once.Do(func() {
		_ = p.cmd.Process.Signal(sig) // an error means that it has ended already
		_ = p.stdin.Close()
	})
	select {
	case <-p.done:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.done
	}
}

// await polls ready until it says so, the program ends or patience does.
func (p *process) await(ready func() bool) error {
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ready() {
		select {
		case <-p.done:
			return fmt.Errorf("%s ended before it was ready:\n%s", p.name, p.out)
		case <-deadline:
			return fmt.Errorf("%s is not ready after %v:\n%s", p.name, patience, p.out)
		case <-tick.C:
		}
	}
	return nil
}

// output collects what a program prints.
type output struct {
	mu  sync.Mutex // guards buf
	buf bytes.Buffer
}

func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(b)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// freePort returns a port of 127.0.0.1 that nobody listens on just now.
func freePort(t testing.TB) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("find a free port: %v", err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// answers says whether something accepts connections on a port.
func answers(port int) bool {
	c, err := net.DialTimeout("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)), time.Second)
	if err != nil {
		return false
	}
	return c.Close() == nil
}
