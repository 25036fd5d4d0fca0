// Package lane joins the commands to the links: it turns a value of a command
// into the device's own units, has the link's runner write it, and compares
// what is read back. Write blocks until the device has answered or the context
// ends, and is safe for concurrent use.
package lane

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"

	"fieldferry/command"
	"fieldferry/drivers"
	"fieldferry/drivers/acquire"
	"fieldferry/mapping"
	"fieldferry/tag"
)

// Lane is the write lane of one link in engineering units.
type Lane struct {
	Table  *mapping.Table
	Runner *acquire.Runner
}

var _ command.Lane = Lane{}

// Write writes a value and says whether the device has it: what is read back
// is compared with what was written, in the device's own units.
func (l Lane) Write(ctx context.Context, t *tag.Tag, v tag.Value) (tag.Value, error) {
	raw, err := l.Table.Raw(t, v)
	if err != nil {
		return tag.Value{}, err
	}
	got, err := l.Runner.Write(ctx, t, raw)
	if errors.Is(err, drivers.ErrOutcomeUnknown) {
		err = fmt.Errorf("%w: %w", command.ErrUnknown, err)
	}
	if err != nil {
		return tag.Value{}, err
	}
	back := l.Table.Engineering(t, got.Value)
	switch {
	case got.Quality.Level == tag.Bad:
		return tag.Value{}, fmt.Errorf("%w: %s", command.ErrNotTaken, got.Quality)
	case !got.Value.IsNull() && !taken(raw, got.Value) && !l.near(t, v, back):
		return back, fmt.Errorf("%w: %v", command.ErrNotTaken, back)
	}
	return back, nil
}

// near says that what was read back is within the tag's tolerance of what was
// asked for, both in engineering units.
func (l Lane) near(t *tag.Tag, asked, back tag.Value) bool {
	r, _ := l.Table.Rule(t)
	a, ok1 := asked.Number()
	b, ok2 := back.Number()
	return r.Config.WriteTolerance != nil && ok1 && ok2 && math.Abs(a-b) <= *r.Config.WriteTolerance
}

// taken compares what was written with what was read back, both in the
// device's own units, as far as its type can tell them apart.
func taken(wrote, got tag.Value) bool {
	if wrote == got {
		return true
	}
	a, number := wrote.Number()
	b, alike := got.Number()
	if number != alike {
		return false
	}
	if number {
		return a == b || got.Kind() == tag.KindFloat32 && float32(a) == float32(b)
	}
	x, _ := wrote.Text()
	y, _ := got.Text()
	if got.Kind() == tag.KindJSON {
		return takenArray(x, y)
	}
	return strings.TrimRight(x, "\x00 ") == strings.TrimRight(y, "\x00 ")
}

// takenArray compares arrays as JSON texts, whose elements may be of single
// precision.
func takenArray(wrote, got string) bool {
	var a, b []any
	if json.Unmarshal([]byte(wrote), &a) != nil || json.Unmarshal([]byte(got), &b) != nil || len(a) != len(b) {
		return false
	}
	for i := range a {
		x, ok1 := a[i].(float64)
		y, ok2 := b[i].(float64)
		if a[i] != b[i] && !(ok1 && ok2 && float32(x) == float32(y)) {
			return false
		}
	}
	return true
}
