package payload_test

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"testing"
	"time"

	"fieldferry/mapping/payload"
	"fieldferry/tag"
)

// golden is one line of testdata/golden.jsonl: a setting, a sample, and what
// must be published of it. The fields of config are those of payload.Config.
type golden struct {
	Name       string
	Config     json.RawMessage
	Unit       string
	TagRetain  *bool `json:"tag_retain"`
	Sample     goldenSample
	Time       *time.Time
	Historical bool
	Unsynced   bool
	Seq        uint64
	Topic      string // empty: not looked at
	Retain     *bool  // absent: not looked at
	Payload    string
}

type goldenSample struct {
	Int             *int64
	Uint            *uint64
	Float32         *float32
	Float64         *float64
	Bool            *bool
	String          *string
	JSON            *string
	NaN, Inf        bool
	Raw, Hex        string // string, bytes or json of bytes that are no text
	Quality, Reason string
}

func (g goldenSample) value(t *testing.T) tag.Value {
	raw, err := hex.DecodeString(g.Hex)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case g.Int != nil:
		return tag.Int(*g.Int)
	case g.Uint != nil:
		return tag.Uint(*g.Uint)
	case g.Float32 != nil:
		return tag.Float32(*g.Float32)
	case g.Float64 != nil:
		return tag.Float64(*g.Float64)
	case g.Bool != nil:
		return tag.Bool(*g.Bool)
	case g.String != nil:
		return tag.String(*g.String)
	case g.JSON != nil:
		return tag.JSON(*g.JSON)
	case g.NaN:
		return tag.Float32(float32(math.NaN()))
	case g.Inf:
		return tag.Float64(math.Inf(1))
	case g.Raw == "string": // as a broken buffer could bring it
		return tag.FromParts(tag.KindString, 0, string(raw))
	case g.Raw == "bytes":
		return tag.Bytes(raw)
	case g.Raw == "json":
		return tag.JSON(string(raw))
	}
	return tag.Value{}
}

var levels = map[string]tag.Level{"": tag.Good, "good": tag.Good, "uncertain": tag.Uncertain, "bad": tag.Bad, "level": 9}

var instant = time.Date(2026, 11, 20, 8, 27, 0, 123456789, time.UTC)

var vars = payload.Vars{Gateway: "gw", Uplink: "plant", Labels: map[string]string{"site": "hamburg", "cell": "0", "shift": "day"}}

func newTag(device, name string) *tag.Tag {
	d := &tag.Device{Name: device, Link: &tag.Link{Name: "line1"}, Labels: map[string]string{"cell": "4", "shift": "day"}}
	return &tag.Tag{Name: name, Device: d, Labels: map[string]string{"shift": "night"}}
}

func TestGolden(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("testdata", "golden.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	n := 0
	for lines.Scan() {
		var g golden
		dec := json.NewDecoder(bytes.NewReader(lines.Bytes()))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&g); err != nil {
			t.Fatalf("line %d: %v", n+1, err)
		}
		n++
		t.Run(g.Name, g.run)
	}
	if err := lines.Err(); err != nil || n < 50 {
		t.Fatalf("read %d lines: %v", n, err)
	}
}

func (g golden) run(t *testing.T) {
	c := payload.Default()
	if g.Config != nil {
		if err := json.Unmarshal(g.Config, &c); err != nil {
			t.Fatal(err)
		}
	}
	e, err := payload.Compile(c, vars)
	if err != nil {
		t.Fatal(err)
	}
	tg := newTag("pump", "speed")
	tg.Unit, tg.Retain = g.Unit, g.TagRetain
	at := instant
	if g.Time != nil {
		at = *g.Time
	}
	it := payload.Item{
		Sample: tag.Sample{Tag: tg, Value: g.Sample.value(t), Time: at, Quality: tag.Quality{Level: levels[g.Sample.Quality], Reason: g.Sample.Reason}},
		Seq:    g.Seq, Historical: g.Historical, Unsynced: g.Unsynced,
	}
	m, err := e.Encode([]byte("kept"), &it)
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Payload) != g.Payload {
		t.Errorf("payload\n got %s\nwant %s", m.Payload, g.Payload)
	}
	if !json.Valid(m.Payload) {
		t.Errorf("the payload is not JSON: %s", m.Payload)
	}
	if g.Topic != "" && m.Topic != g.Topic {
		t.Errorf("topic: got %q, want %q", m.Topic, g.Topic)
	}
	if g.Retain != nil && m.Retain != *g.Retain {
		t.Errorf("retain: got %t, want %t", m.Retain, *g.Retain)
	}
}
