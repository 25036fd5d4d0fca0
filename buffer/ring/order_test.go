//go:build !race

package ring

import (
	"bytes"
	"runtime"
	"sync/atomic"
	"testing"
)

// TestCommitWord looks at the memory from beside while a record is stored, as
// the next process does after a kill in the middle of it: what the commit word
// covers is there. It reads what another goroutine writes, on purpose.
func TestCommitWord(t *testing.T) {
	const rounds, n = 2000, 32 << 10
	mem := make([]byte, Size(64<<10))
	var round atomic.Int64
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := int64(1); i <= rounds; i++ {
			r := New(mem, ID{Log: 5, Boot: boot}, 0)
			rec := r.Begin(1, 0, 1, 0, n)
			p := bytes.Repeat([]byte{byte(i) | 1}, n)
			round.Store(i)
			r.Append(rec, p, 1)
			for round.Load() == i {
				select {
				case <-stop:
					return
				default:
					runtime.Gosched()
				}
			}
		}
	}()
	defer func() {
		close(stop)
		<-done
	}()
	for i := int64(1); i <= rounds; i++ {
		for round.Load() != i {
			runtime.Gosched()
		}
		frames := waitRecord(mem)
		for at := len(frames) - 1; at >= 0; at -= 512 {
			if frames[at] != byte(i)|1 {
				t.Fatalf("round %d: the commit word covers %d bytes, but byte %d is %d, want %d", i, len(frames), at, frames[at], byte(i)|1)
			}
		}
		round.Store(-i)
	}
}

// waitRecord returns the frames of the record as soon as it is one.
func waitRecord(mem []byte) []byte {
	for {
		if r, _, ok := Recover(mem, 5, boot); ok && len(r.Records()) > 0 {
			return r.Records()[0].Frames
		}
	}
}
