package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"fieldferry/buffer"
	"fieldferry/buffer/planttest"
	"fieldferry/tag"
)

// perSync is how many seconds of samples are appended between two syncs.
const perSync = 30

// pace is how fast something went.
type pace struct {
	took    time.Duration
	bytes   uint64
	syncs   uint64
	samples int
	allocs  uint64
}

func (p pace) rate() float64 { return float64(p.bytes) / p.took.Seconds() / 1e6 }

// plainRate is the rate of the samples as they are before they are encoded.
func (p pace) plainRate() float64 { return float64(p.samples*plain) / p.took.Seconds() / 1e6 }

func (p pace) perSample() time.Duration { return p.took / time.Duration(p.samples) }

// speed appends and drains, on the disk with syncs, and in memory, where a sync
// costs nothing.
func (b *bench) speed() error {
	heading("append and drain: %d × 1,000 realistic samples, a sync every %d,000", b.rounds, perSync)
	for _, place := range []struct{ name, dir string }{{"disk, with fdatasync", b.dir}, {"memory, no sync to wait for", b.memory}} {
		app, drain, err := b.appendAndDrain(place.dir)
		if err != nil {
			return err
		}
		raw, err := rawWrite(place.dir, app.bytes, app.syncs)
		if err != nil {
			return err
		}
		fmt.Printf("%s\n", place.name)
		fmt.Printf("  raw write  %8.1f MB/s  %d bytes, %d syncs: the same bytes in the same rhythm\n", raw.rate(), raw.bytes, raw.syncs)
		for _, p := range []struct {
			name string
			pace
		}{{"append", app}, {"drain", drain}} {
			fmt.Printf("  %-9s  %8.1f MB/s  %.2f × raw of the encoded bytes, %.2f × of %d plain bytes a sample; %v and %.4f allocations per sample\n",
				p.name, p.rate(), p.rate()/raw.rate(), p.plainRate()/raw.rate(), plain, p.perSample(), float64(p.allocs)/float64(p.samples))
		}
	}
	return nil
}

func (b *bench) appendAndDrain(dir string) (app, drain pace, err error) {
	buf, err := b.open(dir, "speed", nil)
	if err != nil {
		return app, drain, err
	}
	defer func() { err = errors.Join(err, buf.Close(), os.RemoveAll(filepath.Join(dir, "speed"))) }()
	r, err := buf.Reader("drain", buffer.StartOldest)
	if err != nil {
		return app, drain, err
	}
	// The samples are made before the clock starts, some hundred seconds of them
	// that are appended again and again: making them costs more than appending.
	plant, seconds := planttest.New(planttest.Realistic), make([][]tag.Sample, min(b.rounds, 300))
	for i := range seconds {
		seconds[i] = plant.Next(nil)
	}
	if err := buf.Append(seconds[0]); err != nil { // the dictionary is not measured
		return app, drain, err
	}
	if err := buf.Sync(background()); err != nil {
		return app, drain, err
	}
	if app, err = timeAppend(buf, seconds, b.rounds); err != nil {
		return app, drain, err
	}
	drain, err = timeDrain(buf, r, app)
	return app, drain, err
}

func timeAppend(buf *buffer.Buffer, seconds [][]tag.Sample, rounds int) (p pace, err error) {
	before, mallocs, begin := buf.Stats(), allocations(), time.Now()
	for i := range rounds {
		if err := buf.Append(seconds[i%len(seconds)]); err != nil {
			return p, err
		}
		if i%perSync == perSync-1 {
			if err := buf.Sync(background()); err != nil {
				return p, err
			}
		}
	}
	if err := buf.Sync(background()); err != nil {
		return p, err
	}
	p.took, p.allocs = time.Since(begin), allocations()-mallocs
	after := buf.Stats()
	p.bytes, p.syncs, p.samples = after.Written-before.Written, after.Syncs-before.Syncs, rounds*planttest.Tags
	return p, nil
}

func timeDrain(buf *buffer.Buffer, r *buffer.Reader, app pace) (p pace, err error) {
	entries := make([]buffer.Entry, 0, 1000)
	want := buf.Stats().Readers[0].Pending
	mallocs, begin := allocations(), time.Now()
	for n := uint64(0); n < want; n += uint64(len(entries)) {
		if entries, err = r.Next(background(), entries[:0]); err != nil {
			return p, err
		}
		settle(r, entries)
	}
	p = pace{took: time.Since(begin), bytes: app.bytes, samples: int(want), allocs: allocations() - mallocs}
	return p, nil
}

// settle settles what was handed out.
func settle(r *buffer.Reader, entries []buffer.Entry) { r.Settle(entries[len(entries)-1].Turn) }

func allocations() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Mallocs
}

// rawWrite writes bytes to a file whose space is allocated, in as many equal
// pieces as there are syncs, each followed by one.
func rawWrite(dir string, bytes, syncs uint64) (p pace, err error) {
	f, err := os.Create(filepath.Join(dir, "raw"))
	if err != nil {
		return p, err
	}
	defer func() { err = errors.Join(err, f.Close(), os.Remove(f.Name())) }()
	if err := unix.Fallocate(int(f.Fd()), 0, 0, int64(bytes)); err != nil {
		return p, err
	}
	if err := f.Sync(); err != nil {
		return p, err
	}
	piece := make([]byte, bytes/max(syncs, 1)+1)
	for i := range piece {
		piece[i] = byte(i * 7)
	}
	begin := time.Now()
	for left := bytes; left > 0; {
		n := min(left, uint64(len(piece)))
		if _, err := f.Write(piece[:n]); err != nil {
			return p, err
		}
		if err := unix.Fdatasync(int(f.Fd())); err != nil {
			return p, err
		}
		left -= n
		p.syncs++
	}
	p.took, p.bytes = time.Since(begin), bytes
	return p, nil
}

// sizes tells what a sample takes on disk, with a commit every second.
func (b *bench) sizes() error {
	const seconds = 900
	heading("bytes on disk per sample: 1,000 tags at 1 s for %d s, a commit every second, everything included", seconds)
	for _, kind := range []planttest.Kind{planttest.Regular, planttest.Realistic, planttest.Noise} {
		buf, err := b.open(b.memory, "size", nil)
		if err != nil {
			return err
		}
		if _, err := buf.Reader("slow", buffer.StartOldest); err != nil {
			return err
		}
		plant, s := planttest.New(kind), []tag.Sample(nil)
		for range seconds {
			s = plant.Next(s[:0])
			if err := errors.Join(buf.Append(s), buf.Sync(background())); err != nil {
				return err
			}
		}
		if err := buf.Close(); err != nil {
			return err
		}
		dir := filepath.Join(b.memory, "size")
		n, err := onDisk(dir)
		if err != nil {
			return err
		}
		fmt.Printf("  %-9s  %.2f\n", kind, float64(n)/(seconds*planttest.Tags))
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
	}
	return nil
}
