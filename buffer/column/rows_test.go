package column

import (
	"fieldferry/buffer/frame"
	"fieldferry/buffer/planttest"
	"fieldferry/tag"
)

const plantTags = planttest.Tags

// plant gives out the samples of a plant as the rows of blocks.
type plant struct {
	next    func(dst []tag.Sample) []tag.Sample
	samples []tag.Sample
	round   uint64
}

func newPlant(k planttest.Kind) *plant { return &plant{next: planttest.New(k).Next} }

// rows returns the rows of one second.
func (p *plant) rows() []byte {
	var e frame.Encoder
	e.Begin(1)
	var rows []byte
	p.round++
	p.samples = p.next(p.samples[:0])
	for i := range p.samples {
		rows = e.Append(rows, &p.samples[i], uint64(i+1), uint32(i+1), 0, p.round)
	}
	return rows
}
