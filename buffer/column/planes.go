package column

import "encoding/binary"

// appendPlanes appends numbers byte by byte: the lowest byte of all of them,
// the next one of all, up to the highest that is not 0 everywhere.
func appendPlanes(dst []byte, nums []uint64) []byte {
	all := uint64(0)
	for _, v := range nums {
		all |= v
	}
	for ; all != 0; all >>= 8 {
		for i, v := range nums {
			dst = append(dst, byte(v))
			nums[i] = v >> 8
		}
	}
	return dst
}

// planes reads numbers that appendPlanes wrote.
type planes struct {
	p     []byte
	n, at int
}

// set makes s n numbers of the column, and reports false when it does not hold
// as many.
func (s *planes) set(c stream, n int) bool {
	*s = planes{p: c.p, n: n}
	if n == 0 || c.run {
		return len(c.p) == 0
	}
	return len(c.p)%n == 0 && len(c.p)/n <= 8
}

func (s *planes) next() (v uint64) {
	for i, shift := s.at, 0; i < len(s.p); i, shift = i+s.n, shift+8 {
		v |= uint64(s.p[i]) << shift
	}
	s.at++
	return v
}

// stream is one column: bytes, or the same byte several times.
type stream struct {
	p    []byte
	run  bool
	left int // of the run
	bad  bool
}

// appendStream appends a column with its length. One byte over and over, which
// is what most columns of regular samples are, is stored once.
func appendStream(dst, p []byte, plain bool) []byte {
	run := !plain && len(p) > 1
	for i := 1; run && i < len(p); i++ {
		run = p[i] == p[0]
	}
	if run {
		dst = binary.AppendUvarint(dst, uint64(len(p))<<1|1)
		return append(dst, p[0])
	}
	dst = binary.AppendUvarint(dst, uint64(len(p))<<1)
	return append(dst, p...)
}

// cutStream takes a column off p. No column has more bytes than limit.
func cutStream(p []byte, limit int) (s stream, rest []byte, ok bool) {
	v, n := binary.Uvarint(p)
	if n <= 0 || v>>1 > uint64(limit) {
		return s, nil, false
	}
	p, length := p[n:], int(v>>1)
	if s.run = v&1 != 0; s.run {
		s.left, length = length, 1
	}
	if length > len(p) {
		return s, nil, false
	}
	s.p = p[:length]
	return s, p[length:], true
}

// done says that everything was read, and nothing more than there was.
func (s *stream) done() bool { return !s.bad && (s.run && s.left == 0 || !s.run && len(s.p) == 0) }

func (s *stream) byte() byte {
	switch {
	case s.run && s.left > 0:
		s.left--
		return s.p[0]
	case s.run || len(s.p) == 0:
		s.bad = true
		return 0
	}
	c := s.p[0]
	s.p = s.p[1:]
	return c
}

func (s *stream) uvarint() uint64 {
	if s.run || len(s.p) > 0 && s.p[0] < 0x80 {
		return uint64(s.byte())
	}
	v, n := binary.Uvarint(s.p)
	if n <= 0 {
		s.bad = true
		return 0
	}
	s.p = s.p[n:]
	return v
}

func (s *stream) take(n uint64) []byte {
	if s.run || n > uint64(len(s.p)) {
		s.bad = true
		return nil
	}
	p := s.p[:n]
	s.p = s.p[n:]
	return p
}
