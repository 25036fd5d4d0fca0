package bench

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/learn"
	"fieldferry/drivers/modbus/plan"
	"fieldferry/drivers/modbus/poll"
	"fieldferry/drivers/modbus/wire"
	"fieldferry/tag"
)

// addressMap is 300 tags of one or two registers, as meters and PLCs have
// them: dense with holes of a few registers, in clusters far apart, or sparse.
func addressMap(kind string) []plan.Item {
	rng := rand.New(rand.NewPCG(11, uint64(len(kind))))
	var items []plan.Item
	at := 0
	for i := range 300 {
		n := 1 + rng.IntN(2)
		items = append(items, plan.Item{Table: layout.HoldingRegisters, Start: at, Length: n, Tag: i, Every: time.Second})
		at += n
		switch kind {
		case "dense":
			at += rng.IntN(3)
		case "clusters":
			if i%12 == 11 {
				at += 60 + rng.IntN(60)
			}
		case "sparse":
			at += rng.IntN(40)
		}
	}
	return items
}

// planned is a case of the comparison: a map, a cap and a link.
type planned struct {
	kind string
	most int
	link string
	cost plan.Costs
}

func plannedCases() []planned {
	serial := func(baud int) plan.Costs {
		char := 11 * time.Second / time.Duration(baud)
		gap := max(7*char/2, 1750*time.Microsecond)
		if baud <= 19200 {
			gap = 7 * char / 2
		}
		return plan.Serial(char, gap, 5*time.Millisecond, 1)
	}
	return []planned{
		{"sparse", 125, "rtu9600", serial(9600)},
		{"dense", 32, "rtu9600", serial(9600)},
		{"sparse", 125, "rtu115200", serial(115200)},
		{"clusters", 125, "tcp2ms", plan.Network(2 * time.Millisecond)},
		{"sparse", 125, "tcp2ms", plan.Network(2 * time.Millisecond)},
	}
}

// plans are the ways to read a map that are compared; auto is ours.
func plans(c planned) map[string][]plan.Block {
	of := func(m plan.Mode, gap int) []plan.Block {
		l := plan.Limits{Mode: m, Gap: gap, Max: [4]int{layout.HoldingRegisters: c.most}}
		return plan.Blocks(addressMap(c.kind), l, c.cost)
	}
	return map[string][]plan.Block{
		"single": of(plan.Single, 0), "gap0": of(plan.Gap, 0), "gap50": of(plan.Gap, 50), "gap125": of(plan.Gap, 125), "auto": of(plan.Auto, 0),
	}
}

// optimum is the least bus time of a cycle, worked out apart from the planner:
// by what it costs to have read the first so many tags, for all starts of the
// last block.
func optimum(c planned) time.Duration {
	items := addressMap(c.kind)
	least := make([]time.Duration, len(items)+1)
	for j := range items {
		least[j+1] = 1 << 62
		for i := j; i >= 0; i-- {
			span := items[j].Start + items[j].Length - items[i].Start
			if span <= c.most {
				least[j+1] = min(least[j+1], least[i]+c.cost.Request+time.Duration(span)*c.cost.Register)
			}
		}
	}
	return least[len(items)]
}

func busTime(blocks []plan.Block, c plan.Costs) (sum time.Duration) {
	for i := range blocks {
		sum += c.Of(&blocks[i])
	}
	return sum
}

// TestPlannerIsOptimal: on none of the maps does any other way cost less, and
// auto costs what the optimum does. With -v it prints the table.
func TestPlannerIsOptimal(t *testing.T) {
	t.Log("requests and bus time of a cycle, relative to the optimum")
	for _, c := range plannedCases() {
		best := optimum(c)
		all := plans(c)
		if got := busTime(all["auto"], c.cost); got != best {
			t.Errorf("%s/%d on %s: auto takes %v, the optimum %v", c.kind, c.most, c.link, got, best)
		}
		var row []string
		for _, name := range []string{"single", "gap0", "gap50", "gap125", "auto"} {
			took := busTime(all[name], c.cost)
			row = append(row, fmt.Sprintf("%s %d/%v/%.2f", name, len(all[name]), took.Round(time.Millisecond), float64(took)/float64(best)))
			if took < best {
				t.Errorf("%s/%d on %s: %s takes %v, less than the optimum %v", c.kind, c.most, c.link, name, took, best)
			}
		}
		t.Logf("%-8s %3d %-9s  %s", c.kind, c.most, c.link, strings.Join(row, "  "))
	}
}

// BenchmarkPlan is the making of a plan for 300 tags, and what it comes to.
func BenchmarkPlan(b *testing.B) {
	for _, c := range plannedCases() {
		b.Run(fmt.Sprintf("%s-%d-%s", c.kind, c.most, c.link), func(b *testing.B) {
			items, l := addressMap(c.kind), plan.Limits{Max: [4]int{layout.HoldingRegisters: c.most}}
			var blocks []plan.Block
			for b.Loop() {
				blocks = plan.Blocks(items, l, c.cost)
			}
			all := plans(c)
			b.ReportMetric(float64(len(blocks)), "requests")
			for name, other := range all {
				b.ReportMetric(float64(busTime(other, c.cost))/float64(optimum(c)), name+"/optimum")
			}
		})
	}
}

// memoryLink answers every read at once, with registers that count up.
type memoryLink struct{ data []byte }

func (m memoryLink) Exchange(_ context.Context, _ byte, req frame.PDU) (wire.Reply, error) {
	return wire.Reply{Data: m.data[:req.AnswerBytes()], At: time.Now().UTC()}, nil
}
func (m memoryLink) Close() error      { return nil }
func (m memoryLink) Stats() wire.Stats { return wire.Stats{} }

// BenchmarkPoll100Devices is one cycle of 100 devices with 1,000 registers
// each, a tag for each register, from the plan to the samples. At one cycle a
// second, ns/register times 100,000 is the share of a core.
func BenchmarkPoll100Devices(b *testing.B) {
	const devices, registers = 100, 1000
	link := memoryLink{make([]byte, 250)}
	for i := range 125 {
		binary.BigEndian.PutUint16(link.data[2*i:], uint16(i))
	}
	log := slog.New(slog.DiscardHandler)
	line := poll.New(poll.Setup{Link: link, Log: log, Facts: learn.Open("", log), Costs: poll.Prior{Costs: plan.Network(time.Millisecond)}})
	var groups []*poll.Group
	for n := range devices {
		d := &tag.Device{Name: fmt.Sprintf("plc%03d", n)}
		for i := range registers {
			d.Tags = append(d.Tags, &tag.Tag{Name: fmt.Sprintf("r%d", i), Device: d, Index: i, Address: fmt.Sprintf("hr:%d", i), Type: "uint16", Interval: time.Second})
		}
		layouts, places := placed(d.Tags)
		groups = append(groups, line.Group(poll.Device{Device: d, Unit: n + 1}, d.Tags, layouts, places))
	}
	samples := make([]tag.Sample, 0, registers)
	cycle := func() {
		for _, g := range groups {
			got, err := g.Read(context.Background(), samples)
			if err != nil || len(got) != registers || got[registers-1].Quality.Level != tag.Good {
				b.Fatalf("%d samples, %v", len(got), err)
			}
		}
	}
	for range 40 { // plans, and measures what a read costs
		cycle()
	}
	b.ReportAllocs()
	allocs := testing.AllocsPerRun(3, cycle)
	for b.Loop() {
		cycle()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*devices*registers), "ns/register")
	b.ReportMetric(allocs/(devices*registers), "allocs/register")
	b.ReportMetric(100*b.Elapsed().Seconds()/float64(b.N), "%core-at-1s")
}
