package health

import (
	"testing"
	"time"

	"fieldferry/web/plant"
)

var now = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func devices(states ...plant.State) []plant.Device {
	list := make([]plant.Device, len(states))
	for i, s := range states {
		list[i] = plant.Device{Name: string(rune('a' + i)), State: s}
	}
	return list
}

func TestOf(t *testing.T) {
	up := []plant.Uplink{{Name: "plant", State: plant.Up}}
	for _, c := range []struct {
		name   string
		status plant.Status
		counts Counts
		level  Level
		want   string
	}{
		{"all well", plant.Status{Devices: devices(plant.Up, plant.Up), Uplinks: up}, Counts{}, OK, "Both devices answer; the uplink is connected."},
		{"three of them", plant.Status{Devices: devices(plant.Up, plant.Up, plant.Up), Uplinks: up}, Counts{}, OK, "All 3 devices answer; the uplink is connected."},
		{"one of each", plant.Status{Devices: devices(plant.Up), Uplinks: up}, Counts{}, OK, "The one device answers; the uplink is connected."},
		{"nothing yet", plant.Status{}, Counts{}, Warn, "No device is asked; no uplink is set up."},
		{"one dead", plant.Status{Devices: devices(plant.Up, plant.Dead), Uplinks: up}, Counts{Bad: 19}, Warn, "1 of 2 devices does not answer: b; 19 tags are bad; the uplink is connected."},
		{"many dead", plant.Status{Devices: devices(plant.Dead, plant.Down, plant.Dead, plant.Dead, plant.Dead), Uplinks: up}, Counts{}, Warn, "5 of 5 devices do not answer: a, b, c and 2 more; the uplink is connected."},
		{"starting is not answering", plant.Status{Devices: devices(plant.Up, plant.Starting), Uplinks: up}, Counts{}, OK, "1 of 2 devices have still to answer for the first time; the uplink is connected."},
		{"maintenance and disabled are not asked", plant.Status{Devices: devices(plant.Up, plant.Up, plant.Maintenance, plant.Disabled), Uplinks: up}, Counts{}, OK, "Both devices answer; the uplink is connected."},
		{"one bad tag", plant.Status{Devices: devices(plant.Up, plant.Up), Uplinks: up}, Counts{Bad: 1}, Warn, "Both devices answer; 1 tag is bad; the uplink is connected."},
		{
			"uplink down", plant.Status{Now: now, Devices: devices(plant.Up), Uplinks: []plant.Uplink{{Name: "plant", State: plant.Down, Pending: 1_201_742, Oldest: now.Add(-48 * time.Second)}}},
			Counts{}, Warn, "The one device answers; uplink plant is not connected, 1\u202f201\u202f742 samples waiting, the oldest for 48 s.",
		},
		{
			"uplink behind", plant.Status{Now: now, Devices: devices(plant.Up), Uplinks: []plant.Uplink{{Name: "cloud", State: plant.Up, Pending: 1, Oldest: now.Add(-130 * time.Minute)}}},
			Counts{}, Warn, "The one device answers; uplink cloud is 2 h 10 min behind, 1 sample waiting.",
		},
		{
			"samples on their way", plant.Status{Now: now, Devices: devices(plant.Up), Uplinks: []plant.Uplink{{Name: "cloud", State: plant.Up, Pending: 9, Oldest: now.Add(-time.Second)}, {State: plant.Up}, {State: plant.Disabled}}},
			Counts{}, OK, "The one device answers; both uplinks are connected.",
		},
		{
			"samples put aside", plant.Status{Now: now, Devices: devices(plant.Up), Uplinks: []plant.Uplink{{Name: "cloud", State: plant.Up, Refused: 3}}},
			Counts{}, Warn, "The one device answers; uplink cloud put 3 samples aside.",
		},
		{
			"buffer down", plant.Status{Devices: devices(plant.Up), Uplinks: up, Buffer: plant.Buffer{State: plant.Down, Error: "no space left on device"}},
			Counts{}, Alarm, "The buffer cannot write: no space left on device; the one device answers; the uplink is connected.",
		},
		{
			"samples dropped", plant.Status{Devices: devices(plant.Up), Uplinks: up, Buffer: plant.Buffer{State: plant.Up, Dropped: map[string]uint64{"full": 2, "age": 1}}},
			Counts{}, Alarm, "The buffer dropped 3 samples since the start; the one device answers; the uplink is connected.",
		},
		{
			"buffer nearly full", plant.Status{Devices: devices(plant.Up), Uplinks: up, Buffer: plant.Buffer{State: plant.Up, Bytes: 95, MaxBytes: 100}},
			Counts{}, Warn, "The buffer is 95% full; the one device answers; the uplink is connected.",
		},
		{
			"fault on disk", plant.Status{Fault: "tagmap.yaml:3:1: ...", Devices: devices(plant.Up), Uplinks: up},
			Counts{}, Warn, "The configuration on disk has a fault, the last good one runs; the one device answers; the uplink is connected.",
		},
	} {
		got := Of(&c.status, c.counts)
		if got.Sentence != c.want || got.Level != c.level {
			t.Errorf("%s:\n got %s: %s\nwant %s: %s", c.name, got.Level, got.Sentence, c.level, c.want)
		}
	}
}
