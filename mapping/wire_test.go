package mapping

import (
	"testing"

	"fieldferry/tag"
)

// deviceScaled are options of a driver whose device scales the tag.
type deviceScaled struct{}

func (deviceScaled) ValueType() string { return "float64" }

// TestValueType: what the device scales itself takes fractions whatever lies
// on the wire, and an array is no number to compute with.
func TestValueType(t *testing.T) {
	tg := &tag.Tag{Name: "power", Type: "int16", Options: deviceScaled{}}
	s := newScaling(Config{})
	if v, err := s.raw(tag.Float64(231.4), typeOf(tg)); err != nil || v != tag.Float64(231.4) {
		t.Errorf("231.4 of an int16 that the device scales: %v, %v", v, err)
	}
	tg.Options = nil
	if v, err := s.raw(tag.Float64(231.4), typeOf(tg)); err == nil {
		t.Errorf("231.4 of an int16: %v, want an error", v)
	}
	half := 0.5
	fs := Check(&tag.Tag{Name: "list", Type: "int16[4]"}, Config{Scale: &half})
	if len(fs) != 1 || fs[0].Path != "scale" {
		t.Errorf("an array with a scale: %v, want a fault at scale", fs)
	}
}
