package plan

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"fieldferry/drivers/modbus/layout"
)

// serial9600 is a line of 9600 baud whose devices turn round in 5 ms.
func serial9600() Costs {
	char := 11 * time.Second / 9600
	return Serial(char, 7*char/2, 5*time.Millisecond, 1)
}

// items reads "h0+2 h4+1@10 c7+1": table, start and length of each, and the
// seconds between two reads.
func items(s string) []Item {
	var out []Item
	for i, f := range strings.Fields(s) {
		it := Item{Tag: i}
		it.Table = layout.Table(strings.IndexByte("cdhi", f[0]))
		seconds := 1
		fmt.Sscanf(f[1:], "%d+%d@%d", &it.Start, &it.Length, &seconds)
		it.Every = time.Duration(seconds) * time.Second
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
		rate := ""
		if b.Every != time.Second {
			rate = fmt.Sprintf("@%d", b.Every/time.Second)
		}
		out = append(out, fmt.Sprintf("%c%d+%d%s(%s)", "cdhi"[b.Table], b.Start, b.Length, rate, strings.Join(tags, ",")))
	}
	return strings.Join(out, " ")
}

func TestBlocks(t *testing.T) {
	wall := func(start, n int) Limits { return Limits{Walls: []Range{{layout.HoldingRegisters, start, n}}} }
	for _, c := range []struct {
		in   string
		l    Limits
		want string
	}{
		{"", Limits{}, ""},
		{"h0+1", Limits{}, "h0+1(0)"},
		{"h2+1 h0+2", Limits{}, "h0+3(1,0)"},
		{"h0+1 h11+1", Limits{}, "h0+12(0,1)"},
		{"h0+1 h20+1", Limits{}, "h0+1(0) h20+1(1)"},
		{"h0+1 h1+1 h3+1", Limits{Mode: Gap}, "h0+2(0,1) h3+1(2)"},
		{"h0+1 h51+1 h103+1", Limits{Mode: Gap, Gap: 50}, "h0+52(0,1) h103+1(2)"},
		{"h0+1 h1+1 h1+1", Limits{Mode: Single}, "h0+1(0) h1+1(1) h1+1(2)"},
		{"h0+4 h1+1 h2+4", Limits{}, "h0+6(0,1,2)"},
		{"h0+1 i0+1 c0+1 d0+1", Limits{}, "c0+1(2) d0+1(3) h0+1(0) i0+1(1)"},
		{"h0+100 h100+25 h125+1", Limits{}, "h0+125(0,1) h125+1(2)"},
		{"h0+2 h2+2 h4+2", Limits{Max: [4]int{layout.HoldingRegisters: 5}}, "h0+4(0,1) h4+2(2)"},
		{"h0+8", Limits{Max: [4]int{layout.HoldingRegisters: 4}}, "h0+8(0)"},
		{"c0+1 c60+1 c130+1", Limits{Max: [4]int{layout.Coils: 100}}, "c0+61(0,1) c130+1(2)"},
		{"h65530+2 h65532+4", Limits{}, "h65530+6(0,1)"},
		{"h0+2 h4+2", wall(2, 2), "h0+2(0) h4+2(1)"},
		{"h0+2 h2+2", wall(2, 0), "h0+2(0) h2+2(1)"},
		{"h0+2 h1+1 h2+2 h4+1", wall(2, 1), "h0+2(0,1) h2+2(2) h4+1(3)"},
		// A slow tag rides where it costs nothing or little, and not where it
		// would cost more than a request of its own.
		{"h0+2 h1+1@3600 h2+2", Limits{}, "h0+4(0,1,2)"},
		{"h0+2 h2+1@2", Limits{}, "h0+3(0,1)"},
		{"h0+2 h2+8@3600", Limits{}, "h0+2(0) h2+8@3600(1)"},
		{"h0+2@3600 h5+1 h10+2@3600", Limits{}, "h0+12@3600(0,2) h5+1(1)"},
		{"h0+1 h1+1@10 h5+1@10", Limits{Mode: Gap}, "h0+1(0) h1+1@10(1) h5+1@10(2)"},
	} {
		if got := show(Blocks(items(c.in), c.l, serial9600())); got != c.want {
			t.Errorf("Blocks(%s, %+v) = %s, want %s", c.in, c.l, got, c.want)
		}
	}
}

func TestTogether(t *testing.T) {
	h := layout.HoldingRegisters
	it, ok := Together(7, time.Second, Range{h, 10, 2}, Range{h, 4, 1})
	if want := (Item{h, 4, 8, 7, time.Second}); !ok || it != want {
		t.Errorf("Together = %+v, %v; want %+v", it, ok, want)
	}
	for _, bad := range [][]Range{nil, {{h, 0, 0}}, {{h, 0, 1}, {layout.Coils, 0, 1}}} {
		if it, ok := Together(0, 0, bad...); ok {
			t.Errorf("Together(%v) = %+v", bad, it)
		}
	}
}

func TestSplit(t *testing.T) {
	for _, c := range []struct{ in, want, bridge string }{
		{"h0+1", "", ""},
		{"h0+1 h1+1", "h0+1(0) h1+1(1)", "h0+2"},
		{"h0+1 h1+1 h5+1 h6+1 h9+1", "h0+2(0,1) h5+5(2,3,4)", "h1+5"},
		{"h0+1 h1+1 h2+1 h3+1", "h0+2(0,1) h2+2(2,3)", "h1+2"},
		{"h0+8 h1+1 h2+1", "h0+8(0) h1+2(1,2)", ""},
		{"h0+4 h2+4 h6+1", "h0+6(0,1) h6+1(2)", "h2+5"},
	} {
		b := of(items(c.in))
		parts := b.Split()
		if got := show(parts); got != c.want {
			t.Errorf("Split(%s) = %s, want %s", c.in, got, c.want)
		}
		bridge := ""
		if len(parts) == 2 {
			if _, ok := Between(&parts[0], &parts[1]); ok {
				r := Bridge(&parts[0], &parts[1])
				bridge = fmt.Sprintf("h%d+%d", r.Start, r.Length)
			}
		}
		if bridge != c.bridge {
			t.Errorf("Bridge(%s) = %q, want %q", c.in, bridge, c.bridge)
		}
	}
}

// TestBlocksHoldEveryItemOnce: for random maps each item lies whole in one
// block, no block is longer than the limits or crosses a wall with another
// item, and splitting to the end loses nothing.
func TestBlocksHoldEveryItemOnce(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		in := randomItems(rng, rng.IntN(60), 700, 4)
		l := Limits{Mode: Mode(rng.IntN(3)), Gap: rng.IntN(20), Max: [4]int{40, 40, 20 + rng.IntN(120), 20 + rng.IntN(120)}}
		for range rng.IntN(5) {
			l.Walls = append(l.Walls, Range{layout.Table(rng.IntN(4)), rng.IntN(700), rng.IntN(4)})
		}
		seen := make([]int, len(in))
		todo := Blocks(in, l, serial9600())
		for len(todo) > 0 {
			b := todo[0]
			todo = append(todo[1:], b.Split()...)
			if b.Length > l.longest(b.Table) || len(b.Items) > 1 && l.touches(b.Range()) {
				t.Fatalf("block %+v under %+v", b, l)
			}
			for _, it := range b.Items {
				if !b.Range().holds(it.Range()) || it.Every < b.Every {
					t.Fatalf("item %+v does not belong into its block %+v", it, b)
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

func randomItems(rng *rand.Rand, n, span, tables int) []Item {
	var in []Item
	for i := range n {
		every := []time.Duration{time.Second, 10 * time.Second, time.Minute}[rng.IntN(3)]
		in = append(in, Item{Table: layout.Table(rng.IntN(tables)), Start: rng.IntN(span), Length: 1 + rng.IntN(4), Tag: i, Every: every})
	}
	return in
}

// leastByForce tries every set of blocks: each item, in turn, joins one of the
// blocks begun so far or begins one.
func leastByForce(in []Item, l Limits, c Costs) float64 {
	least := math.Inf(1)
	var blocks [][]Item
	var visit func(i int)
	visit = func(i int) {
		if i == len(in) {
			sum := 0.0
			for _, b := range blocks {
				sum += forced(b, l, c)
			}
			least = min(least, sum)
			return
		}
		for k := range blocks {
			blocks[k] = append(blocks[k], in[i])
			visit(i + 1)
			blocks[k] = blocks[k][:len(blocks[k])-1]
		}
		blocks = append(blocks, []Item{in[i]})
		visit(i + 1)
		blocks = blocks[:len(blocks)-1]
	}
	visit(0)
	return least
}

// forced is what a block of some items costs per second; infinite where it
// may not be.
func forced(in []Item, l Limits, c Costs) float64 {
	start, end, every := in[0].Start, 0, in[0].Every
	for _, it := range in {
		start, end, every = min(start, it.Start), max(end, it.Start+it.Length), min(every, it.Every)
	}
	if len(in) > 1 {
		if end-start > l.Max[in[0].Table] {
			return math.Inf(1)
		}
		for _, w := range l.Walls {
			if w.Length > 0 && w.Start < end && start < w.Start+w.Length || w.Length == 0 && start < w.Start && w.Start < end {
				return math.Inf(1)
			}
		}
	}
	return (c.Request.Seconds() + c.Register.Seconds()*float64(end-start)) / every.Seconds()
}

// TestOptimum compares with every possible plan: never dearer where all tags
// have one interval.
func TestOptimum(t *testing.T) {
	rng := rand.New(rand.NewPCG(3, 4))
	for n := range 400 {
		in := randomItems(rng, 1+rng.IntN(7), 20+rng.IntN(150), 1)
		for i := range in {
			in[i].Table, in[i].Every = layout.HoldingRegisters, time.Second
		}
		checkOptimum(t, rng, n, in, 1)
	}
}

// TestOptimumOfLanes: with three intervals the plan costs what the best one
// does in nearly all cases, and never more than a tenth above it.
func TestOptimumOfLanes(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	exact, all := 0, 400
	for n := range all {
		in := randomItems(rng, 1+rng.IntN(7), 10+rng.IntN(80), 1)
		for i := range in {
			in[i].Table = layout.HoldingRegisters
		}
		if checkOptimum(t, rng, n, in, 1.1) {
			exact++
		}
	}
	t.Logf("%d of %d plans are optimal", exact, all)
	if exact < all*97/100 {
		t.Errorf("%d of %d plans are optimal, want at least 97 %%", exact, all)
	}
}

func checkOptimum(t *testing.T, rng *rand.Rand, n int, in []Item, most float64) (exact bool) {
	t.Helper()
	l := Limits{Max: [4]int{layout.HoldingRegisters: 5 + rng.IntN(120)}}
	for range rng.IntN(3) {
		l.Walls = append(l.Walls, Range{layout.HoldingRegisters, rng.IntN(100), rng.IntN(3)})
	}
	c := serial9600()
	c.Request = time.Duration(rng.Int64N(int64(200 * time.Millisecond)))
	got, want := Load(Blocks(in, l, c), c), leastByForce(in, l, c)
	if got > want*most+1e-12 {
		t.Fatalf("case %d: %v under %+v at %v a request and %v a register:\n got %s: %.6f\nwant %.6f", n, in, l, c.Request, c.Register, show(Blocks(in, l, c)), got, want)
	}
	return got <= want+1e-12
}
