//go:build demo

package demo

import "math"

// begun is when the meters were set to zero: 2026-01-01 UTC, in seconds.
const begun = 1_767_225_600

// Mean loads of a meter, for what it has counted: W and var.
const (
	meanActive   = 3 * 230 * 12 * 0.9
	meanReactive = 3 * 230 * 12 * 0.4
)

// sums are what a meter adds up over its phases.
type sums struct{ volts, amperes, active, apparent, reactive float64 }

// updateMeter lays values out as an Eastron SDM630 does: float32 in input
// registers, high word first.
func updateMeter(dev *slave, unit, s float64) {
	dev.mu.Lock()
	defer dev.mu.Unlock()
	set := func(a uint16, f float64) { dev.setFloat(dev.input, a, f) }
	if len(dev.input) == 0 { // every register of the map answers, the unused ones with zero
		for a := uint16(0); a < 400; a += 2 {
			set(a, 0)
		}
	}
	var all sums
	for phase := range 3 {
		all.add(set, phase, unit, s)
	}
	set(0x2A, all.volts/3)
	set(0x2E, all.amperes/3)
	set(0x30, all.amperes)
	set(0x34, all.active)
	set(0x38, all.apparent)
	set(0x3C, all.reactive)
	set(0x3E, all.active/all.apparent)
	set(0x46, 50+0.02*math.Sin(s/23)+noise(0.005)) // Hz
	set(0x54, all.active*(1+0.05*math.Sin(s/300))) // demand, W
	set(0xE0, 0.4+0.2*math.Sin(s/13+unit))         // neutral current, A
	lineVoltages(set, all.volts/3, unit, s)
	counters(set, unit, s)
}

// add plays one phase, and adds it to the sums.
func (x *sums) add(set func(uint16, float64), phase int, unit, s float64) {
	u := 230 + 2*math.Sin(s/11+float64(phase)+unit) + noise(0.2)
	i := 12 + 4*math.Sin(s/17+unit+float64(phase)) + noise(0.05)
	factor := 0.9 + 0.05*math.Sin(s/41+float64(phase)+unit)
	apparent := u * i
	active, reactive := apparent*factor, apparent*math.Sqrt(1-factor*factor)
	for table, f := range []float64{u, i, active, apparent, reactive, factor} { // six tables of three phases
		set(uint16(6*table+2*phase), f)
	}
	*x = sums{x.volts + u, x.amperes + i, x.active + active, x.apparent + apparent, x.reactive + reactive}
}

// lineVoltages are those between two phases, and their average.
func lineVoltages(set func(uint16, float64), mean, unit, s float64) {
	sum := 0.0
	for phase := range 3 {
		u := math.Sqrt(3)*mean + math.Sin(s/11+float64(phase)+unit)
		set(uint16(0xC8+2*phase), u)
		sum += u
	}
	set(0xCE, sum/3)
}

// counters only ever count up, whatever the load is at the moment. In kWh and
// kvarh; each meter was set to zero with another count.
func counters(set func(uint16, float64), unit, s float64) {
	hours := (s - begun) / 3600
	imported, reactive := 100*unit+hours*meanActive/1000, 40*unit+hours*meanReactive/1000
	exported, back := imported/50, reactive/80
	set(0x48, imported)
	set(0x4A, exported)
	set(0x4C, reactive)
	set(0x4E, back)
	set(0x156, imported+exported)
	set(0x158, reactive+back)
}
