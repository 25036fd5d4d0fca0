package inspect

import (
	"context"
	"fmt"
)

// verifyNumbers reads all logs merged: they share one sequence of numbers, and
// one counter for each tag, whatever class it is of.
func (d *Dir) verifyNumbers(ctx context.Context, sum *Summary, tell func(Finding)) error {
	fault := func(s *Sample, format string, args ...any) {
		sum.Worst = max(sum.Worst, Fault)
		sum.Findings[Fault]++
		tell(Finding{Level: Fault, File: s.File, Offset: -1, Text: fmt.Sprintf(format, args...)})
	}
	var before Sample
	counters := map[string]uint64{}
	_, err := d.Samples(ctx, Filter{}, func(s *Sample) error {
		if s.Seq == before.Seq && s.Class != before.Class {
			fault(s, "the sequence number %d is that of a sample of %s, and of one of %s", s.Seq, before.Class, s.Class)
		}
		before = *s
		if s.N == 0 {
			return nil
		}
		path := s.Sample.Tag.Path()
		if n := counters[path]; s.N <= n {
			fault(s, "sample %d of the tag %s, with the sequence number %d, comes after sample %d of it", s.N, path, s.Seq, n)
		}
		counters[path] = max(counters[path], s.N)
		return nil
	})
	return err
}
