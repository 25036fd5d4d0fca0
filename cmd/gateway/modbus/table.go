package modbus

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"fieldferry/cmd/gateway/console"
)

// table prints rows in columns, each cell made safe for a terminal.
type table struct{ w *tabwriter.Writer }

func newTable(out io.Writer, head ...string) table {
	t := table{tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)}
	t.row(head...)
	return t
}

func (t table) row(cells ...string) {
	safe := make([]string, len(cells))
	for i, c := range cells {
		safe[i] = console.Safe(c)
	}
	fmt.Fprintln(t.w, strings.TrimRight(strings.Join(safe, "\t"), "\t"))
}

// flush writes the rows; an error of the terminal has nobody to go to.
func (t table) flush() { _ = t.w.Flush() }
