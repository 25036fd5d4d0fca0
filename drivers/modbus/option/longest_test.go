package option

import (
	"testing"

	"fieldferry/drivers/modbus/layout"
	"fieldferry/drivers/modbus/plan"
)

func TestLongest(t *testing.T) {
	o := DefaultDevice()
	o.MaxRegisters, o.Forbidden = 20, []string{"hr:100-119", "ir:7", "coil:50"}
	tests := []struct {
		table         layout.Table
		start, length int
		want          int
	}{
		{layout.HoldingRegisters, 0, 2, 20},
		{layout.HoldingRegisters, 90, 2, 10},
		{layout.HoldingRegisters, 98, 2, 2},
		{layout.HoldingRegisters, 120, 2, 20},
		{layout.HoldingRegisters, 110, 2, -10}, // within: not at all
		{layout.InputRegisters, 5, 2, 2},
		{layout.InputRegisters, 90, 2, 20},
		{layout.Coils, 40, 8, 10},
		{layout.DiscreteInputs, 40, 8, 2000},
	}
	for _, tt := range tests {
		if got := o.Longest(plan.Range{Table: tt.table, Start: tt.start, Length: tt.length}); got != tt.want {
			t.Errorf("%v %d, %d: got %d, want %d", tt.table, tt.start, tt.length, got, tt.want)
		}
	}
}
