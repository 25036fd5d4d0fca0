package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"syscall"
	"time"

	"fieldferry/buffer"
	"fieldferry/tag"
)

// Names of what the kernel's command line says to the guest: variables that
// the kernel does not know become its environment.
const (
	envBoot = "POWERCUT_BOOT" // number of this boot, from 1
	envLast = "POWERCUT_LAST" // read, close and end, write nothing
)

// guest is the first process in the kernel. It never returns: where a first
// process ends, so does its kernel.
func guest() {
	tell := bufio.NewWriter(os.Stdout)
	err := errors.Join(mount(), work(tell))
	if err != nil {
		say(tell, "failed %v", err)
	} else {
		say(tell, "done")
	}
	_ = syscall.Reboot(syscall.LINUX_REBOOT_CMD_POWER_OFF) // it ends the kernel
}

// say tells the process outside. What it says may get lost, from its end on.
func say(w *bufio.Writer, format string, args ...any) {
	fmt.Fprintf(w, prefix+format+"\n", args...)
	_ = w.Flush() // the console is what there is: nobody could be told
}

func mount() error {
	return errors.Join(
		syscall.Mount("proc", "/proc", "proc", 0, ""),
		syscall.Mount("run", "/run", "tmpfs", 0, ""),
		syscall.Mount("/dev/ubda", "/mnt", "ext4", 0, ""),
	)
}

func work(tell *bufio.Writer) error {
	boot, err := strconv.ParseInt(os.Getenv(envBoot), 10, 64)
	if err != nil {
		return err
	}
	keep, err := openLog(tell, "keep", boot, 64<<20)
	if err != nil {
		return err
	}
	drop, err := openLog(tell, "drop", boot, 8<<20)
	if err != nil {
		return err
	}
	if err := keep.read(true); err != nil {
		return err
	}
	if err := drop.read(false); err != nil {
		return err
	}
	if os.Getenv(envLast) != "" {
		return errors.Join(keep.b.Close(), drop.b.Close())
	}
	say(tell, "writing")
	return write(boot, keep, drop)
}

// record is one of the two buffers, in the guest.
type record struct {
	name string
	b    *buffer.Buffer
	r    *buffer.Reader // reads all, to tell of it
	live *buffer.Reader // reads what comes and settles it
	tell *bufio.Writer
}

// openLog opens a log; every other boot it has no runtime directory.
func openLog(tell *bufio.Writer, name string, boot, size int64) (*record, error) {
	c := buffer.Default()
	c.Dir, c.RuntimeDir, c.MaxBytes = "/mnt/"+name, "/run/"+name, buffer.Size(size)
	c.MinFree, c.SyncInterval = 0, 20*time.Millisecond
	if boot%2 == 0 {
		c.RuntimeDir = ""
	}
	b, err := buffer.Open(buffer.DirFS(), c, slog.New(slog.DiscardHandler))
	if err != nil {
		return nil, err
	}
	r, err := b.Reader("all", buffer.StartOldest)
	if err != nil {
		return nil, err
	}
	live, err := b.Reader("live", buffer.StartOldest)
	if err != nil {
		return nil, err
	}
	return &record{name: name, b: b, r: r, live: live, tell: tell}, nil
}

// ended makes Next return what is there.
var ended = func() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}()

// read tells of everything that the log holds, and of its account. With
// settle it is settled then, durably, and told so.
func (l *record) read(settle bool) error {
	var run span
	var last buffer.Entry
	for {
		es, err := l.r.Next(ended, make([]buffer.Entry, 0, 512))
		for i := range es {
			v, err := numberOf(&es[i])
			if err != nil {
				return err
			}
			if !run.add(v, es[i].Seq) {
				l.spanned(run)
				run = span{v, v, es[i].Seq, es[i].Seq}
			}
			last = es[i]
		}
		if err != nil && len(es) == 0 {
			break
		}
	}
	l.spanned(run)
	if settle && run.to > 0 {
		l.r.Settle(last.Seq)
		if err := l.b.Sync(context.Background()); err != nil {
			return err
		}
		say(l.tell, "%s settled %d", l.name, run.to)
	}
	return l.account()
}

func (l *record) spanned(s span) {
	if s.to > 0 {
		say(l.tell, "%s has %d %d %d %d", l.name, s.from, s.to, s.firstSeq, s.lastSeq)
	}
}

// account tells how the account of the reader of all adds up.
func (l *record) account() error {
	for _, s := range l.b.Stats().Readers {
		if sum := s.Delivered + s.Filtered + total(s.Dropped) + total(s.PutAside) + s.Pending; sum != s.Appended {
			return fmt.Errorf("%s: reader %s: appended %d, the sum of the account is %d: %+v", l.name, s.Name, s.Appended, sum, s)
		}
		if s.Name == "all" {
			say(l.tell, "%s account %d %d", l.name, total(s.Dropped), s.Pending)
		}
	}
	return nil
}

func total(m map[string]uint64) (n uint64) {
	for _, c := range m {
		n += c
	}
	return n
}

// write appends to both logs until the power goes.
func write(boot int64, logs ...*record) error {
	rnd := rand.New(rand.NewPCG(uint64(boot), uint64(time.Now().UnixNano())))
	var s []tag.Sample
	for v := boot * perBoot; v < (boot+1)*perBoot; {
		s = s[:0]
		for range 1 + rnd.IntN(200) {
			s = append(s, sampleOf(v))
			v++
		}
		for _, l := range logs {
			if err := l.step(rnd, s, v-1); err != nil {
				return err
			}
		}
	}
	return errors.New("the power was not cut")
}

// step appends samples, the last of which has the number v, and does one of
// the other things that a gateway does.
func (l *record) step(rnd *rand.Rand, s []tag.Sample, v int64) error {
	if err := l.b.Append(s); err != nil {
		return err
	}
	switch rnd.IntN(8) {
	case 0, 1:
		if err := l.b.Sync(context.Background()); err != nil {
			return err
		}
		say(l.tell, "%s acked %d", l.name, v)
	case 2, 3:
		es, _ := l.live.Next(ended, make([]buffer.Entry, 0, 600)) // the error is that of ended
		if len(es) > 0 {
			e := &es[len(es)-1]
			v, err := numberOf(e)
			if err != nil {
				return err
			}
			l.live.Settle(e.Seq)
			say(l.tell, "%s gave %d %d", l.name, v, e.Seq)
		}
	case 4:
		if l.name == "keep" && l.b.Stats().Bytes > 16<<20 {
			return l.read(true)
		}
	}
	return nil
}
