package plan

import "time"

// Costs are the bus time that a read takes: Request however short it is, and
// Register or Bit more for each one asked for.
type Costs struct {
	Request  time.Duration
	Register time.Duration
	Bit      time.Duration
}

// Of is the time that one read of a block takes.
func (c Costs) Of(b *Block) time.Duration {
	if b.Table.Bits() {
		return c.Request + time.Duration(b.Length)*c.Bit
	}
	return c.Request + time.Duration(b.Length)*c.Register
}

// Even is the gap, in registers, from which two requests are cheaper than one
// across it.
func (c Costs) Even() float64 {
	if c.Register <= 0 {
		return maxRegisters
	}
	return float64(c.Request) / float64(c.Register)
}

// Load is the share of the bus that reading some blocks takes, 1 being all of
// its time; blocks without an interval count as read once a second.
func Load(blocks []Block, c Costs) float64 {
	sum := 0.0
	for i := range blocks {
		every := blocks[i].Every
		if every <= 0 {
			every = time.Second
		}
		sum += float64(c.Of(&blocks[i])) / float64(every)
	}
	return sum
}

// Serial are the costs on a line: a character on it takes char, a unit takes
// turnaround from the end of a request to the beginning of its answer, and
// silence is what lies between two frames. The frames are those of RTU: eight
// characters of request, five around the data of an answer, two for each
// register (Modbus over Serial Line V1.02 §2.5.1). scale is how many
// characters of the line a byte of the frame takes: 1 for RTU, 2 for ASCII.
func Serial(char, silence, turnaround time.Duration, scale int) Costs {
	c := time.Duration(scale) * char
	return Costs{Request: 13*c + 2*silence + turnaround, Register: 2 * c, Bit: c / 8}
}

// Network are the costs on a network with a round trip: a register more costs
// the few nanoseconds that its bytes take at 100 Mbit/s, twice.
func Network(roundTrip time.Duration) Costs {
	return Costs{Request: roundTrip, Register: 320 * time.Nanosecond, Bit: 20 * time.Nanosecond}
}
