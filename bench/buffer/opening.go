package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"fieldferry/buffer"
	"fieldferry/tag"
)

// opening writes a large log, of texts that nothing makes shorter, and opens it
// at a tenth of its size and when it is complete.
func (b *bench) opening() error {
	heading("open a log, really written, closed in order; the files are not in the page cache when they are opened cold")
	free, err := buffer.DirFS().Free(b.dir)
	if err != nil {
		return err
	}
	large := min(b.large, free/2)
	if large < b.large {
		fmt.Printf("  the disk has room for %.1f GiB only\n", gib(large))
	}
	for _, size := range []int64{large / 10, large} {
		if err := b.fill(size); err != nil {
			return err
		}
		for _, cold := range []bool{true, false} {
			if err := b.openOnce(cold); err != nil {
				return err
			}
		}
	}
	return os.RemoveAll(filepath.Join(b.dir, "large"))
}

func gib(n int64) float64 { return float64(n) / (1 << 30) }

// fill appends until the log takes so many bytes.
func (b *bench) fill(size int64) (err error) {
	buf, err := b.open(b.dir, "large", nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, buf.Close()) }()
	if _, err := buf.Reader("slow", buffer.StartOldest); err != nil {
		return err
	}
	text := make([]byte, 1<<20)
	for i := range text {
		text[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"[rand.IntN(64)]
	}
	t := &tag.Tag{Name: "log", Device: &tag.Device{Name: "press", Link: &tag.Link{Name: "line1"}}}
	const length = 40 << 10
	for n := 0; buf.Stats().Bytes < size; n++ {
		at := rand.IntN(len(text) - length)
		if err := buf.Append([]tag.Sample{{Tag: t, Value: tag.String(string(text[at : at+length])), Time: time.Now(), Read: uint64(n)}}); err != nil {
			return err
		}
		if n%100 == 99 {
			if err := buf.Sync(background()); err != nil {
				return err
			}
		}
	}
	return nil
}

// openOnce opens the log and tells the time and the memory that it took.
func (b *bench) openOnce(cold bool) error {
	dir, word := filepath.Join(b.dir, "large"), "warm"
	if cold {
		word = "cold"
		if err := forget(dir); err != nil {
			return err
		}
	}
	size, err := onDisk(dir)
	if err != nil {
		return err
	}
	runtime.GC()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	begin := time.Now()
	buf, err := b.open(b.dir, "large", nil)
	took := time.Since(begin)
	if err != nil {
		return err
	}
	runtime.ReadMemStats(&after)
	allocated := after.TotalAlloc - before.TotalAlloc
	runtime.GC()
	runtime.ReadMemStats(&after)
	s := buf.Stats()
	fmt.Printf("  %5.1f GiB, %4d segments, %d samples, %s: %8v, %.1f MiB allocated, %.1f MiB held\n",
		gib(size), s.Segments, s.Appended, word, took.Round(100*time.Microsecond), float64(allocated)/(1<<20), (float64(after.HeapAlloc)-float64(before.HeapAlloc))/(1<<20))
	return buf.Close()
}

// forget has the kernel drop the pages of the files.
func forget(dir string) error {
	return filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		return errors.Join(unix.Fdatasync(int(f.Fd())), unix.Fadvise(int(f.Fd()), 0, 0, unix.FADV_DONTNEED), f.Close())
	})
}
