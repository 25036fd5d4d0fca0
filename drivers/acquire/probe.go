package acquire

import (
	"context"
	"fmt"

	"fieldferry/drivers/ask"
	"fieldferry/tag"
)

// Probe lends the link for one query, between two reads. A read that is due
// goes first after it, so that however many queries wait, the schedule is
// never held up by more than one of them. It blocks like Write. Safe for
// concurrent use.
func (r *Runner) Probe(ctx context.Context, q ask.Query) (ask.Answer, error) {
	var got ask.Answer
	_, err := r.ask(ctx, "probe "+r.link.Name, nil, func(ctx context.Context, s *session, _ *group) (tag.Sample, error) {
		p, ok := s.conn.(ask.Prober)
		if !ok {
			return tag.Sample{}, fmt.Errorf("driver %s cannot be asked for what no tag names", s.r.link.Driver)
		}
		return tag.Sample{}, s.r.call("probe", func() (err error) {
			got, err = p.Probe(ctx, q)
			return err
		})
	})
	return got, err
}
