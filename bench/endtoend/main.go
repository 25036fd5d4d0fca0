package main

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// setup is what is measured.
type setup struct {
	binary    string
	devices   int
	registers int
	interval  time.Duration
	warm, run time.Duration
}

func main() {
	var s setup
	flag.StringVar(&s.binary, "gateway", "bin/fieldferry", "the gateway's binary")
	flag.IntVar(&s.devices, "devices", 100, "Modbus TCP devices, each with a connection of its own")
	flag.IntVar(&s.registers, "registers", 1000, "int16 registers of each device, each a tag")
	flag.DurationVar(&s.interval, "interval", time.Second, "sampling interval")
	flag.DurationVar(&s.warm, "warm", 10*time.Second, "not measured, first")
	flag.DurationVar(&s.run, "run", 20*time.Second, "measured")
	flag.Parse()
	if err := measure(s); err != nil {
		fmt.Fprintln(os.Stderr, "endtoend:", err)
		os.Exit(1)
	}
}

func measure(s setup) error {
	dir, err := os.MkdirTemp("", "fieldferry-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	plant, err := startPlant(s.registers)
	if err != nil {
		return err
	}
	defer plant.Close()
	broker, err := startBroker()
	if err != nil {
		return err
	}
	defer broker.Close()
	if err := writeConfig(s, dir, plant.Addr(), broker.Addr()); err != nil {
		return err
	}
	cmd := exec.Command(s.binary, "run", "--config", filepath.Join(dir, "config"), "--runtime", filepath.Join(dir, "run"),
		"--admin", filepath.Join(dir, "none.yaml"))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	runtime.LockOSThread() // the death signal follows this thread
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start the gateway: %w", err)
	}
	err = watch(s, cmd.Process.Pid, broker)
	if serr := cmd.Process.Signal(syscall.SIGTERM); err == nil {
		err = serr
	}
	if werr := cmd.Wait(); err == nil {
		err = werr
	}
	return err
}

// watch waits, measures and prints.
func watch(s setup, pid int, b *broker) error {
	<-time.After(s.warm)
	n0, cpu0, t0 := b.values.Load(), cpu(pid), time.Now()
	<-time.After(s.run)
	n, used, took := b.values.Load()-n0, cpu(pid)-cpu0, time.Since(t0)
	if n == 0 {
		return fmt.Errorf("no value arrived in %s", took)
	}
	asked := float64(s.devices*s.registers) / s.interval.Seconds()
	rate := float64(n) / took.Seconds()
	fmt.Printf("devices × registers @ interval  %d × %d @ %s\n", s.devices, s.registers, s.interval)
	fmt.Printf("values/s asked                  %.0f\n", asked)
	fmt.Printf("values/s delivered              %.0f  (%.0f %%)\n", rate, 100*rate/asked)
	fmt.Printf("messages/s                      %.0f\n", rate)
	fmt.Printf("gateway CPU s per 1M values     %.2f\n", used.Seconds()/float64(n)*1e6)
	fmt.Printf("gateway CPU                     %.0f %% of one core\n", 100*used.Seconds()/took.Seconds())
	fmt.Printf("gateway peak RSS                %s\n", peak(pid))
	return nil
}

// cpu is the time that a process has used so far. proc(5): utime and stime are
// fields 14 and 15 of stat, in ticks of 10 ms.
func cpu(pid int) time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(raw[strings.LastIndexByte(string(raw), ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] {
		n, _ := strconv.ParseInt(f, 10, 64)
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

func peak(pid int) string {
	raw, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return "unknown"
}

func writeConfig(s setup, dir, plant, broker string) error {
	config := filepath.Join(dir, "config")
	if err := os.MkdirAll(config, 0o700); err != nil {
		return err
	}
	gw := fmt.Sprintf(`gateway: {name: bench}
buffer: {dir: %s, max_bytes: 1GiB, min_free: 64MiB}
uplinks:
  - {name: bench, brokers: ["mqtt://%s"], root: "{gateway}", topic: "{device}/{tag}", window: 1024, start: oldest, retain: false}
web: {listen: "127.0.0.1:0"}
`, filepath.Join(dir, "buffer"), broker)
	var b strings.Builder
	b.WriteString("links:\n")
	for d := range s.devices {
		fmt.Fprintf(&b, "  - {name: link%03d, driver: modbus-tcp, endpoint: \"tcp://%s\", devices: [{name: dev%03d, unit_id: 1, interval: %s, profile: block}]}\n", d, plant, d, s.interval)
	}
	var p strings.Builder
	p.WriteString("tags:\n")
	for r := range s.registers {
		fmt.Fprintf(&p, "  - {name: r%04d, address: \"hr:%d\", type: int16}\n", r, r)
	}
	if err := os.MkdirAll(filepath.Join(config, "profiles"), 0o700); err != nil {
		return err
	}
	for name, text := range map[string]string{"gateway.yaml": gw, "tagmap.yaml": b.String(), "profiles/block.yaml": p.String()} {
		if err := os.WriteFile(filepath.Join(config, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}
