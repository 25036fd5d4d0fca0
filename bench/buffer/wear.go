package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"fieldferry/buffer"
	"fieldferry/buffer/planttest"
	"fieldferry/tag"
)

// plain is what a sample takes that nobody encodes: tag, time and value.
const plain = 4 + 8 + 8

// settling is not counted, first: a segment and its dictionary are begun, and
// the file system writes what is new in it.
const settling = 12 * time.Second

// load is one way to use a buffer for a while.
type load struct {
	perSecond int
	online    bool // a reader settles everything at once

	device  uint64 // bytes that reached it
	written uint64 // bytes that the buffer wrote
	samples int
	err     error
}

// devices counts what reaches the device while samples come at a steady rate,
// each load on a file system of its own, at the same time.
func (b *bench) devices() error {
	loads := []*load{{perSecond: 10}, {perSecond: 100}, {perSecond: 1000}, {perSecond: 1000, online: true}}
	how := "ext4 on a loop device, sectors written"
	mounts, err := mountAll(b.dir, len(loads))
	if err != nil {
		how = fmt.Sprintf("write_bytes of /proc/self/io, one load after the other (no loop devices: %v)", err)
	}
	heading("bytes that reach the device, %v, sync_interval 1s: %s", b.wear, how)
	var wg sync.WaitGroup
	for i, l := range loads {
		if mounts == nil {
			l.err = l.run(b, b.dir, processWrites)
			continue
		}
		wg.Go(func() { l.err = l.run(b, mounts[i].dir, mounts[i].sectors) })
	}
	wg.Wait()
	for _, l := range loads {
		l.print()
		err = errors.Join(err, l.err)
	}
	if mounts == nil {
		return errors.Join(loads[0].err, loads[1].err, loads[2].err, loads[3].err)
	}
	for _, m := range mounts {
		err = errors.Join(err, m.close())
	}
	return err
}

func (l *load) print() {
	name := fmt.Sprintf("%d samples/s", l.perSecond)
	if l.online {
		name += ", online with a fast reader"
	}
	if l.samples == 0 {
		fmt.Printf("  %s: %v\n", name, l.err)
		return
	}
	n := float64(l.samples)
	fmt.Printf("  %-40s  %7.1f B to the device per sample, %.2f × its plain %d bytes, %.2f × the %.2f bytes that the buffer wrote\n",
		name, float64(l.device)/n, float64(l.device)/n/plain, plain, float64(l.device)/float64(max(l.written, 1)), float64(l.written)/n)
}

// run appends at the rate of the load, ten times a second.
func (l *load) run(b *bench, dir string, count func() (uint64, error)) error {
	name := fmt.Sprintf("wear-%d-%t", l.perSecond, l.online)
	buf, err := b.open(dir, name, func(c *buffer.Config) { c.SyncInterval = time.Second; c.MaxBytes = 256 << 20 })
	if err != nil {
		return err
	}
	r, err := buf.Reader("plant", buffer.StartOldest)
	if err != nil {
		return errors.Join(err, buf.Close())
	}
	if err := l.feed(settling, buf, r); err != nil {
		return errors.Join(err, buf.Close())
	}
	l.samples = 0
	before, err := count()
	if err != nil {
		return errors.Join(err, buf.Close())
	}
	wrote := buf.Stats().Written
	if err := l.feed(b.wear, buf, r); err != nil {
		return errors.Join(err, buf.Close())
	}
	after, err := count()
	l.device, l.written = after-before, buf.Stats().Written-wrote
	return errors.Join(err, buf.Close())
}

func (l *load) feed(d time.Duration, buf *buffer.Buffer, r *buffer.Reader) error {
	plant, waiting := planttest.New(planttest.Realistic), []tag.Sample(nil)
	entries := make([]buffer.Entry, 0, 1000)
	t := time.NewTicker(100 * time.Millisecond)
	defer t.Stop()
	for begin := time.Now(); time.Since(begin) < d; <-t.C {
		due := int(time.Since(begin).Seconds() * float64(l.perSecond))
		for l.samples < due {
			if len(waiting) == 0 {
				waiting = plant.Next(nil)
			}
			n := min(due-l.samples, len(waiting))
			if err := buf.Append(waiting[:n]); err != nil {
				return err
			}
			waiting, l.samples = waiting[n:], l.samples+n
		}
		for got := 0; l.online && buf.Stats().Readers[0].Pending > 0; got += len(entries) {
			var err error
			if entries, err = r.Next(background(), entries[:0]); err != nil {
				return err
			}
			settle(r, entries)
		}
	}
	return nil
}

// processWrites is what this process has caused to be written.
func processWrites() (uint64, error) {
	raw, err := os.ReadFile("/proc/self/io")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(raw)) {
		if rest, ok := strings.CutPrefix(line, "write_bytes:"); ok {
			return strconv.ParseUint(strings.TrimSpace(rest), 10, 64)
		}
	}
	return 0, errors.New("/proc/self/io does not tell write_bytes")
}

// mount is a file system on a loop device.
type mount struct{ image, device, dir string }

func mountAll(dir string, n int) (all []*mount, err error) {
	for i := range n {
		m := &mount{image: filepath.Join(dir, fmt.Sprintf("disk%d", i)), dir: filepath.Join(dir, fmt.Sprintf("mount%d", i))}
		if err := m.open(); err != nil {
			err = errors.Join(err, m.close())
			for _, o := range all {
				err = errors.Join(err, o.close())
			}
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (m *mount) open() error {
	if err := os.Mkdir(m.dir, 0o700); err != nil {
		return err
	}
	if err := os.WriteFile(m.image, nil, 0o600); err != nil {
		return err
	}
	if err := os.Truncate(m.image, 512<<20); err != nil {
		return err
	}
	if _, err := command("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", m.image); err != nil {
		return err
	}
	out, err := command("losetup", "--find", "--show", m.image)
	if err != nil {
		return err
	}
	m.device = strings.TrimSpace(out)
	if _, err = command("mount", "-t", "ext4", m.device, m.dir); err != nil {
		return err
	}
	_, err = command("sync", "-f", m.dir)
	return err
}

// sectors is what the device has been told to write, in bytes: the seventh
// field of its stat, in sectors of 512.
func (m *mount) sectors() (uint64, error) {
	raw, err := os.ReadFile(filepath.Join("/sys/block", filepath.Base(m.device), "stat"))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(raw))
	if len(fields) < 7 {
		return 0, fmt.Errorf("stat of %s: %q", m.device, raw)
	}
	n, err := strconv.ParseUint(fields[6], 10, 64)
	return n * 512, err
}

func (m *mount) close() (err error) {
	if m.device != "" {
		_, err = command("umount", m.dir)
		_, detachErr := command("losetup", "--detach", m.device)
		err = errors.Join(err, detachErr)
	}
	return errors.Join(err, os.Remove(m.image))
}

func command(name string, args ...string) (string, error) {
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			err = fmt.Errorf("%w: %s", err, strings.TrimSpace(string(exit.Stderr)))
		}
		return "", fmt.Errorf("%s: %w", name, err)
	}
	return string(out), nil
}
