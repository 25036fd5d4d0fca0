package opcuapeer

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Namespace is the URI of the server's own nodes: nsu=...;s=Double.
const Namespace = "urn:fieldferry:peer"

// patience is how long the server may take to come up or to answer on a busy
// machine: it makes a key and loads a hundred packages.
const patience = 2 * time.Minute

// Options say what the server is to be. The zero Options let anybody in.
type Options struct {
	PKI         string            `json:"pki,omitempty"`       // directory of its certificate; the test's own without it
	Port        int               `json:"port,omitempty"`      // a free one without it
	Users       map[string]string `json:"users,omitempty"`     // name: password
	Anonymous   *bool             `json:"anonymous,omitempty"` // a pointer to false refuses anonymous users
	First       string            `json:"first,omitempty"`     // a namespace registered before the server's own: its index moves
	Limits      map[string]int    `json:"limits,omitempty"`    // operation limits, such as maxNodesPerRead
	TicksMillis int               `json:"ticks,omitempty"`     // steps of Counter; 0: it stands
}

// Server is a running server.
type Server struct {
	Endpoint string // opc.tcp://127.0.0.1:PORT/peer

	t       testing.TB
	options Options
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	lines   chan string   // of stdout; closed by the reader at its end
	done    chan struct{} // closed when the process has ended
	errors  *tail
}

// Folder is where the server and its package-lock.json are.
func Folder() string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(filepath.Dir(filepath.Dir(file)), "opcua")
}

// Start starts a server and returns when it listens.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	if o.PKI == "" {
		o.PKI = t.TempDir()
	}
	s := &Server{t: t, options: o}
	s.launch()
	t.Cleanup(func() {
		s.end()
		if t.Failed() {
			t.Logf("the OPC UA peer said:\n%s", s.errors)
		}
	})
	return s
}

// launch starts the process and waits for its first line.
func (s *Server) launch() {
	s.t.Helper()
	node, err := exec.LookPath("node")
	if err != nil {
		s.t.Fatalf("this test needs node: install it with `make deps` (%v)", err)
	}
	if _, err := os.Stat(filepath.Join(Folder(), "node_modules", "node-opcua")); err != nil {
		s.t.Fatalf("this test needs node-opcua: run `make deps`, or `npm ci` in %s (%v)", Folder(), err)
	}
	argument, err := json.Marshal(s.options)
	if err != nil {
		s.t.Fatal(err)
	}
	s.cmd = exec.Command(node, filepath.Join(Folder(), "server.js"), string(argument))
	s.errors, s.lines, s.done = new(tail), make(chan string, 64), make(chan struct{})
	s.cmd.Stderr = s.errors
	stdout, err := s.cmd.StdoutPipe()
	if err == nil {
		s.stdin, err = s.cmd.StdinPipe()
	}
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		s.t.Fatalf("start the OPC UA peer: %v", err)
	}
	go s.read(stdout)
	port, ok := strings.CutPrefix(s.line(), "listening ")
	if s.options.Port, err = strconv.Atoi(port); !ok || err != nil {
		s.t.Fatalf("the OPC UA peer said %q, want \"listening PORT\"\n%s", port, s.errors)
	}
	s.Endpoint = fmt.Sprintf("opc.tcp://127.0.0.1:%d/peer", s.options.Port)
}

// read passes lines on until the process ends, and waits for it.
func (s *Server) read(stdout io.Reader) {
	lines := bufio.NewScanner(stdout)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		s.lines <- lines.Text()
	}
	close(s.lines)
	_ = s.cmd.Wait() // how it ended is not the test's business: it is told to
	close(s.done)
}

func (s *Server) line() string {
	s.t.Helper()
	select {
	case l, ok := <-s.lines:
		if !ok {
			s.t.Fatalf("the OPC UA peer ended:\n%s", s.errors)
		}
		return l
	case <-time.After(patience):
		s.t.Fatalf("the OPC UA peer does not answer:\n%s", s.errors)
	}
	return ""
}

// Do sends a command, such as {"do": "set", "name": "Double", "value": 1}, and
// returns the answer's value. The commands are written in server.js.
func (s *Server) Do(command map[string]any) any {
	s.t.Helper()
	b, err := json.Marshal(command)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.stdin.Write(append(b, '\n')); err != nil {
		s.t.Fatalf("command %s: %v", b, err)
	}
	var answer struct {
		Value any
		Error string
	}
	line := s.line()
	if err := json.Unmarshal([]byte(line), &answer); err != nil || answer.Error != "" {
		s.t.Fatalf("command %s: answered %q", b, line)
	}
	return answer.Value
}

// Set gives a variable a good value with the present time.
func (s *Server) Set(name string, v any) {
	s.t.Helper()
	s.Do(map[string]any{"do": "set", "name": name, "value": v})
}

// Certificate is the file of the server's certificate, in PEM.
func (s *Server) Certificate() string {
	return filepath.Join(s.options.PKI, "server", "own", "certs", "certificate.pem")
}

// Kill ends the server at once.
func (s *Server) Kill() { s.end() }

// Again starts it again on its port after Kill, with other options where
// change is not nil.
func (s *Server) Again(change func(*Options)) {
	s.t.Helper()
	if change != nil {
		change(&s.options)
	}
	s.launch()
}

// Freeze stops the process: its connections stay open and nothing answers.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatalf("signal the OPC UA peer: %v", err)
	}
}

func (s *Server) end() {
	_ = s.cmd.Process.Kill() // an error means that it has ended already
	_ = s.stdin.Close()
	for range s.lines { // let the reader end
	}
	<-s.done
}

// tail keeps the last of what is written to it.
type tail struct {
	mu sync.Mutex // guards b
	b  []byte
}

func (w *tail) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.b = append(w.b, p...)
	if n := len(w.b) - 8<<10; n > 0 {
		w.b = w.b[n:]
	}
	return len(p), nil
}

func (w *tail) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return string(w.b)
}
