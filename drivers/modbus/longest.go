package modbus

import (
	"math"

	"fieldferry/drivers/modbus/frame"
	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/option"
	"fieldferry/drivers/modbus/plan"
	"fieldferry/drivers/modbus/wire/line"
	"fieldferry/tag"
)

// longest tells the line how far it may lengthen a read of a unit: no further
// than every device of that unit id allows.
func longest(l *tag.Link) line.Longest {
	of := map[byte][]option.Device{}
	for _, d := range l.Devices {
		o := deviceOptions(d)
		of[byte(o.UnitID)] = append(of[byte(o.UnitID)], o)
	}
	return func(unit byte, read frame.PDU) int {
		x := plan.Range{Table: layout.Table(read.Function - layout.Coils.ReadFunction()), Start: read.Address(), Length: read.Quantity()}
		most := math.MaxInt
		for _, o := range of[unit] {
			most = min(most, o.Longest(x))
		}
		return most
	}
}
