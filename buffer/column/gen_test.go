package column

import (
	"math"
	"math/rand/v2"
	"time"

	"fieldferry/buffer/frame"
	"fieldferry/tag"
)

// plant makes the samples of 1,000 tags, 50 each of 20 devices, once a second.
// The answers of a device come together, a few milliseconds after the second,
// at a time that no two rounds share to the nanosecond.
type plant struct {
	rnd   *rand.Rand
	at    time.Time
	round uint64
	tags  []func() tag.Value
}

const (
	plantTags = 1000
	perDevice = 50
)

func newPlant(makeTag func(rnd *rand.Rand, i int) func() tag.Value) *plant {
	p := &plant{rnd: rand.New(rand.NewPCG(1, 2)), at: time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)}
	for i := range plantTags {
		p.tags = append(p.tags, makeTag(p.rnd, i))
	}
	return p
}

// next returns the rows of one second.
func (p *plant) next() []byte {
	var e frame.Encoder
	e.Begin(1)
	var rows []byte
	p.round++
	var at time.Time
	for i, value := range p.tags {
		if i%perDevice == 0 {
			at = p.at.Add(time.Duration(i)*time.Millisecond/2 + time.Duration(p.rnd.Int64N(int64(3*time.Millisecond))))
		}
		s := tag.Sample{Value: value(), Time: at, Read: p.round}
		rows = e.Append(rows, &s, uint64(i+1), uint32(i+1), 0, p.round)
	}
	p.at = p.at.Add(time.Second)
	return rows
}

// counter is a register that grows by up to step a second, now and then.
func counter(rnd *rand.Rand, size uint64, step int64, chance float64) func() tag.Value {
	v := rnd.Uint64N(size)
	return func() tag.Value {
		if rnd.Float64() < chance {
			v = (v + uint64(rnd.Int64N(step+1))) % size
		}
		return tag.Uint(v)
	}
}

// constant is a setpoint with one decimal, changed about once an hour.
func constant(rnd *rand.Rand) func() tag.Value {
	v := float64(rnd.IntN(2000)) / 10
	return func() tag.Value {
		if rnd.IntN(3600) == 0 {
			v = float64(rnd.IntN(2000)) / 10
		}
		return tag.Float64(v)
	}
}

// stateOf is one of five states, changed about once a minute.
func stateOf(rnd *rand.Rand) func() tag.Value {
	v := rnd.Uint64N(5)
	return func() tag.Value {
		if rnd.IntN(60) == 0 {
			v = rnd.Uint64N(5)
		}
		return tag.Uint(v)
	}
}

// drift is a measurement that wanders by up to step a second about a level,
// rounded to so many decimals.
func drift(rnd *rand.Rand, level, step float64, decimals int, wrap func(float64) tag.Value) func() tag.Value {
	v, scale := level*(0.9+0.2*rnd.Float64()), math.Pow10(decimals)
	return func() tag.Value {
		v += step*(2*rnd.Float64()-1) + (level-v)/100
		return wrap(math.Round(v*scale) / scale)
	}
}

func single(f float64) tag.Value { return tag.Float32(float32(f)) }

// regularTag: four in ten are counters that move by at most 5 about every
// other second, three setpoints, three states.
func regularTag(rnd *rand.Rand, i int) func() tag.Value {
	switch i % 10 {
	case 0, 1, 2, 3:
		return counter(rnd, 1<<24, 5, 0.5)
	case 4, 5, 6:
		return constant(rnd)
	}
	return stateOf(rnd)
}

// realisticTag: half are the float32 of an energy meter (volts, amperes and
// watts with one or two decimals, and its energy), two in ten counters of 16
// and 32 bits, one in ten states, two in ten temperatures with noise and
// without a deadband.
func realisticTag(rnd *rand.Rand, i int) func() tag.Value {
	switch i % 10 {
	case 0:
		return drift(rnd, 230, 0.4, 1, single)
	case 1:
		return drift(rnd, 12, 0.2, 2, single)
	case 2, 3:
		return drift(rnd, 2500, 12, 1, single)
	case 4:
		v := float64(rnd.IntN(90000))
		return func() tag.Value { v += 0.001 * rnd.Float64(); return single(math.Round(v*100) / 100) }
	case 5:
		return counter(rnd, 1<<16, 20, 1)
	case 6:
		return counter(rnd, 1<<32, 200, 1)
	case 7:
		return stateOf(rnd)
	}
	return drift(rnd, 65, 0.3, 1, func(f float64) tag.Value { return tag.Float64(f) })
}

// noiseTag: every bit of a float64 is new every second, but those of sign and
// the upper exponent.
func noiseTag(rnd *rand.Rand, _ int) func() tag.Value {
	return func() tag.Value { return tag.Float64(1 + 1000*rnd.Float64()) }
}
