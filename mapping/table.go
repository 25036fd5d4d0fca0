package mapping

import (
	"time"

	"fieldferry/live"
	"fieldferry/tag"
)

// Rule is one tag with its processing.
type Rule struct {
	Tag    *tag.Tag
	Config Config
}

// Table processes the samples of one link. One goroutine uses it at a time.
type Table struct {
	clock func() time.Time
	rows  []row // by tag.Index
}

type row struct {
	rule Rule
	cell *live.Cell
}

// Compile makes the table of a link; rule is asked once for every tag. Cells
// of store are made for all tags.
func Compile(link *tag.Link, rule func(*tag.Tag) Config, store *live.Store, clock func() time.Time) *Table {
	t := &Table{clock: clock}
	for _, d := range link.Devices {
		for _, tg := range d.Tags {
			for tg.Index >= len(t.rows) {
				t.rows = append(t.rows, row{})
			}
			t.rows[tg.Index] = row{rule: Rule{Tag: tg, Config: rule(tg)}, cell: store.Cell(tg)}
		}
	}
	return t
}
