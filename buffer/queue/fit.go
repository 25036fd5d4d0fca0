package queue

import "fieldferry/tag"

const (
	// maxText bounds the text of a value: a sample must fit into a block.
	maxText = 48 << 10
	// maxReason bounds the reason of a quality.
	maxReason = 1 << 10
	// reasonTooLarge is the reason of a sample whose value was left out.
	reasonTooLarge = "value too large for the buffer"
)

// Fit returns s, or a copy of it without what does not fit into a block: a
// value of more than 48 KiB of text, which cut tells, and what a reason has
// beyond 1 KiB.
func Fit(s *tag.Sample) (fit *tag.Sample, cut bool) {
	_, _, text := s.Value.Parts()
	if len(text) <= maxText && len(s.Quality.Reason) <= maxReason {
		return s, false
	}
	c := *s
	c.Quality.Reason = c.Quality.Reason[:min(len(c.Quality.Reason), maxReason)]
	if cut = len(text) > maxText; cut {
		c.Value, c.Quality = tag.Value{}, tag.BadFor(reasonTooLarge)
	}
	return &c, cut
}
