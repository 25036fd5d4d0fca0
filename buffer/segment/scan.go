package segment

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
)

// Scanner reads the blocks of a segment one after the other and finds the
// next intact one behind damage. It holds one piece of the file at a time.
type Scanner struct {
	// Lossy makes pages that the disk cannot read count as damage. Without it
	// Next returns the disk's error and may be called again.
	Lossy bool

	r    io.ReaderAt
	key  Key
	buf  []byte // file bytes from base on
	base int64
	off  int64 // where the next block is looked for
	end  int64 // nothing is read from here on
	eof  bool  // buf ends where the file ends
}

// chunk is how much is read at once: two blocks of the largest size fit in.
const chunk = 2 * maxBlock

// NewScanner reads blocks of a segment from offset off up to end.
func NewScanner(r io.ReaderAt, k Key, off, end int64) *Scanner {
	return &Scanner{r: r, key: k, off: off, base: off, end: end}
}

// Offset is where the next block is expected.
func (s *Scanner) Offset() int64 { return s.off }

// Next returns the next block with an intact checksum; its payload is valid
// until the next call. At the end of the file, and of what can be read in it,
// it returns io.EOF, and Offset stays behind the last intact block.
func (s *Scanner) Next() (Block, error) {
	f, n, err := s.try(s.off)
	if err == nil && n > 0 {
		return f, nil
	}
	// What was read earlier may be older than what has been written since.
	s.buf, s.base, s.eof = s.buf[:0], s.off, false
	for at := s.off; ; at += n {
		if f, n, err = s.try(at); err != nil {
			return Block{}, err
		}
		if n > 0 {
			return f, nil
		}
		n = nextMagic(s.buf[at-s.base:])
	}
}

// try returns the block at offset at and its length on disk, 0 if there is
// none.
func (s *Scanner) try(at int64) (Block, int64, error) {
	p, err := s.fill(at)
	if err != nil {
		return Block{}, 0, err
	}
	if len(p) < blockHeader {
		return Block{}, 0, io.EOF
	}
	n, ok := blockLength(p)
	if !ok || n > len(p) {
		return Block{}, 0, nil
	}
	var b Block
	if intact := b.Parse(p, s.key) == nil; !intact {
		return Block{}, 0, nil
	}
	b.Off, b.Skipped = at, at-s.off
	s.off = at + int64(n)
	return b, int64(n), nil
}

// nextMagic returns the distance to the next place where a block may start.
func nextMagic(p []byte) int64 {
	var magic [4]byte
	binary.LittleEndian.PutUint32(magic[:], blockMagic)
	for i := 8; i < len(p); {
		j := bytes.Index(p[i:], magic[:])
		if j < 0 {
			break
		}
		if i += j; i%8 == 0 {
			return int64(i)
		}
		i++
	}
	return int64(max(8, len(p)&^7-8)) // a magic may lie across the end of p
}

// fill returns the file's bytes from at on: a whole block at least, unless
// the file ends.
func (s *Scanner) fill(at int64) ([]byte, error) {
	have := s.base + int64(len(s.buf))
	if at >= s.base && (have-at >= maxBlock || s.eof && at <= have) {
		return s.buf[at-s.base:], nil
	}
	if s.buf == nil {
		s.buf = make([]byte, 0, min(chunk, max(0, s.end-at)))
	}
	want := int(min(chunk, max(0, s.end-at)))
	n, err := s.r.ReadAt(s.buf[:want], at)
	ended := errors.Is(err, io.EOF)
	if err != nil && !ended {
		if !s.Lossy {
			return nil, err
		}
		n, ended = s.readPages(at, want)
	}
	s.buf, s.base, s.eof = s.buf[:n], at, ended || want < chunk
	return s.buf, nil
}

// readPages reads page by page and leaves zeros where the disk cannot. It says
// whether the file ended there.
func (s *Scanner) readPages(at int64, want int) (n int, ended bool) {
	const page = 4096
	clear(s.buf[:want])
	for ; n < want; n += page {
		m, err := s.r.ReadAt(s.buf[n:min(n+page, want)], at+int64(n))
		if errors.Is(err, io.EOF) {
			return n + m, true
		}
	}
	return want, false
}
