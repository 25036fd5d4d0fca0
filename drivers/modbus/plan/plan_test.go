package plan

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"fieldferry/drivers/modbus/layout"
)

// items reads "h0+2 h4+1 c7+1": table, start and length of each.
func items(s string) []Item {
	var out []Item
	for i, f := range strings.Fields(s) {
		it := Item{Tag: i}
		it.Table = layout.Table(strings.IndexByte("cdhi", f[0]))
		fmt.Sscanf(f[1:], "%d+%d", &it.Start, &it.Length)
		out = append(out, it)
	}
	return out
}

func show(blocks []Block) string {
	var out []string
	for _, b := range blocks {
		tags := make([]string, len(b.Items))
		for i, it := range b.Items {
			tags[i] = fmt.Sprint(it.Tag)
		}
		out = append(out, fmt.Sprintf("%c%d+%d(%s)", "cdhi"[b.Table], b.Start, b.Length, strings.Join(tags, ",")))
	}
	return strings.Join(out, " ")
}

func TestBlocks(t *testing.T) {
	for _, c := range []struct {
		in   string
		l    Limits
		want string
	}{
		{"", Limits{}, ""},
		{"h0+1", Limits{}, "h0+1(0)"},
		{"h2+1 h0+2", Limits{}, "h0+3(1,0)"},
		{"h0+1 h9+1", Limits{}, "h0+10(0,1)"},
		{"h0+1 h10+1", Limits{}, "h0+1(0) h10+1(1)"},
		{"h0+1 h1+1 h3+1", Limits{GapRegisters: -1}, "h0+2(0,1) h3+1(2)"},
		{"h0+4 h1+1 h2+4", Limits{}, "h0+6(0,1,2)"},
		{"h0+1 i0+1 c0+1 d0+1", Limits{}, "c0+1(2) d0+1(3) h0+1(0) i0+1(1)"},
		{"h0+100 h100+25 h125+1", Limits{}, "h0+125(0,1) h125+1(2)"},
		{"h0+2 h2+2 h4+2", Limits{MaxRegisters: 5}, "h0+4(0,1) h4+2(2)"},
		{"h0+8", Limits{MaxRegisters: 4}, "h0+8(0)"},
		{"c0+1 c65+1 c131+1", Limits{}, "c0+66(0,1) c131+1(2)"},
		{"c0+1 c60+1 c120+1", Limits{MaxBits: 100}, "c0+61(0,1) c120+1(2)"},
		{"h65530+2 h65532+4", Limits{}, "h65530+6(0,1)"},
	} {
		if got := show(Blocks(items(c.in), c.l)); got != c.want {
			t.Errorf("Blocks(%s, %+v) = %s, want %s", c.in, c.l, got, c.want)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"h0+1", ""},
		{"h0+1 h1+1", "h0+1(0) h1+1(1)"},
		{"h0+1 h1+1 h5+1 h6+1 h9+1", "h0+2(0,1) h5+5(2,3,4)"},
		{"h0+1 h1+1 h2+1 h3+1", "h0+2(0,1) h2+2(2,3)"},
		{"h0+8 h1+1 h2+1", "h0+8(0) h1+2(1,2)"},
		{"h0+4 h2+4 h6+1", "h0+6(0,1) h6+1(2)"},
	} {
		b := of(items(c.in))
		if got := show(b.Split()); got != c.want {
			t.Errorf("Split(%s) = %s, want %s", c.in, got, c.want)
		}
	}
}

// TestBlocksHoldEveryItemOnce: for random maps each item lies whole in one
// block, no block is longer than the limits, and splitting to the end loses
// nothing.
func TestBlocksHoldEveryItemOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		var in []Item
		for i := range rng.IntN(60) {
			start := rng.IntN(700)
			in = append(in, Item{Table: layout.Table(rng.IntN(4)), Start: start, Length: 1 + rng.IntN(4), Tag: i})
		}
		seen := make([]int, len(in))
		todo := Blocks(in, Limits{GapRegisters: rng.IntN(20), MaxRegisters: 20 + rng.IntN(120), MaxBits: 40})
		for len(todo) > 0 {
			b := todo[0]
			todo = append(todo[1:], b.Split()...)
			if longest := 2000; b.Length > longest || !b.Table.Bits() && b.Length > 125 {
				t.Fatalf("block of %d in %v", b.Length, b.Table)
			}
			for _, it := range b.Items {
				if it.Table != b.Table || it.Start < b.Start || it.end() > b.end() {
					t.Fatalf("item %+v lies outside its block %+v", it, b)
				}
			}
			if len(b.Items) == 1 {
				seen[b.Items[0].Tag]++
			}
		}
		for i, n := range seen {
			if n != 1 {
				t.Fatalf("item %d of %v is in %d single blocks, want 1", i, in, n)
			}
		}
	}
}
