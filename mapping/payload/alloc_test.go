//go:build !race

package payload_test

import (
	"math"
	"testing"

	"fieldferry/mapping/payload"
	"fieldferry/tag"
)

// The race detector makes sync.Pool forget at random, and with it the JSON
// scanner that checks a JSON value.
func TestEncodeDoesNotAllocate(t *testing.T) {
	e := compile(t, func(c *payload.Config) { c.OnBad, c.Sequence, c.History = "last", true, "separate" })
	tg := newTag("pump", "speed")
	tg.Unit = "rpm"
	buf := make([]byte, 0, 1024)
	for _, v := range []tag.Value{
		{}, tag.Bool(true), tag.Int(math.MinInt64), tag.Uint(math.MaxUint64), tag.Float32(0.1), tag.Float64(1e-300),
		tag.String("läuft\n"), tag.Bytes([]byte{1, 2}), tag.JSON(`[1,2,{"a":"b"}]`), tag.Float64(math.NaN()),
	} {
		for _, q := range []tag.Quality{tag.OK(), tag.UncertainFor(tag.ReasonStale), tag.BadFor(tag.ReasonTimeout)} {
			it := payload.Item{Sample: tag.Sample{Tag: tg, Value: v, Quality: q, Time: instant}, Seq: 5, Historical: true, Unsynced: true}
			n := testing.AllocsPerRun(100, func() {
				if _, err := e.Encode(buf, &it); err != nil {
					t.Fatal(err)
				}
			})
			if n != 0 {
				t.Errorf("%v %v: %v allocations, want 0", v, q, n)
			}
		}
	}
}
