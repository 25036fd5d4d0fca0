package main

// span is a row of samples that were appended one after the other.
type span struct {
	from, to          int64
	firstSeq, lastSeq uint64
}

// add makes the row longer by the sample behind it, and reports false for any
// other.
func (s *span) add(v int64, seq uint64) bool {
	if s.to == 0 || v != s.to+1 || seq != s.lastSeq+1 {
		return false
	}
	s.to, s.lastSeq = v, seq
	return true
}
