// Command buffer measures the buffer as a whole and prints ratios to a raw
// sequential write of the same run, on the same disk: appending, draining,
// allocations, bytes on disk per sample, bytes that reach the device, and how
// long a large log takes to open. `make bench` runs it.
//
// As root it makes ext4 file systems on loop devices, to count what reaches a
// device; otherwise it counts what the process hands to the kernel.
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"fieldferry/buffer"
)

// bench is what is measured.
type bench struct {
	dir    string // on the disk that is measured
	memory string // a directory in memory, for what has no disk in it
	rounds int
	wear   time.Duration
	large  int64
	only   string
}

func main() {
	b := bench{}
	dir := flag.String("dir", os.TempDir(), "directory on the disk to measure")
	memory := flag.String("memory", "/dev/shm", "directory in memory")
	flag.IntVar(&b.rounds, "rounds", 3000, "seconds of 1,000 tags to append and drain")
	flag.DurationVar(&b.wear, "wear", 45*time.Second, "how long to count bytes that reach the device")
	gib := flag.Float64("open", 10, "GiB of the log to be opened")
	flag.StringVar(&b.only, "only", "", "one of append, size, wear, open")
	flag.Parse()
	b.large = int64(*gib * (1 << 30))
	if err := b.run(*dir, *memory); err != nil {
		fmt.Fprintln(os.Stderr, "buffer:", err)
		os.Exit(1)
	}
}

func (b *bench) run(dir, memory string) (err error) {
	if b.dir, err = os.MkdirTemp(dir, "fieldferry-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.memory, err = os.MkdirTemp(memory, "fieldferry-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.memory)
	for _, part := range []struct {
		name string
		run  func() error
	}{{"append", b.speed}, {"size", b.sizes}, {"wear", b.devices}, {"open", b.opening}} {
		if b.only != "" && b.only != part.name {
			continue
		}
		if err := part.run(); err != nil {
			return fmt.Errorf("%s: %w", part.name, err)
		}
	}
	return nil
}

// open opens a buffer of its own below dir.
func (b *bench) open(dir, name string, change func(*buffer.Config)) (*buffer.Buffer, error) {
	c := buffer.Default()
	c.Dir, c.RuntimeDir = filepath.Join(dir, name), filepath.Join(b.memory, "run-"+name)
	c.MaxBytes, c.MinFree, c.MaxAge, c.SyncInterval = 64<<30, 0, 0, 10*time.Minute
	if change != nil {
		change(&c)
	}
	return buffer.Open(buffer.DirFS(), c, slog.New(slog.DiscardHandler))
}

// onDisk is what the files below a directory take.
func onDisk(dir string) (n int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		st, err := e.Info()
		if err != nil {
			return err
		}
		if s, ok := st.Sys().(*syscall.Stat_t); ok {
			n += s.Blocks * 512
		}
		return nil
	})
	return n, err
}

func heading(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	fmt.Printf("\n%s\n%s\n", text, strings.Repeat("-", len([]rune(text))))
}

var background = context.Background
