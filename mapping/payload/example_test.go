package payload_test

import (
	"fmt"
	"time"

	"fieldferry/mapping/payload"
	"fieldferry/tag"
)

func Example() {
	c := payload.Default()
	c.Root = "{site}/{gateway}"
	enc, err := payload.Compile(c, payload.Vars{Gateway: "line3", Uplink: "plant", Labels: map[string]string{"site": "hamburg"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	oven := &tag.Device{Name: "oven"}
	temperature := &tag.Tag{Name: "temperature", Device: oven, Unit: "°C"}
	at := time.Date(2026, 11, 20, 8, 27, 0, 123456789, time.UTC)

	var buf []byte // used again for each message
	for _, s := range []tag.Sample{
		{Tag: temperature, Value: tag.Float32(22.5), Time: at},
		{Tag: temperature, Quality: tag.BadFor(tag.ReasonTimeout), Time: at.Add(time.Second)},
	} {
		m, err := enc.Encode(buf[:0], &payload.Item{Sample: s})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%s %s\n", m.Topic, m.Payload)
		buf = m.Payload
	}
	fmt.Println(enc.Own("status"))
	// Output:
	// hamburg/line3/oven/temperature {"value":22.5,"unit":"°C","quality":"good","timestamp":"2026-11-20T08:27:00.123Z"}
	// hamburg/line3/oven/temperature {"value":null,"unit":"°C","quality":"bad","reason":"timeout","timestamp":"2026-11-20T08:27:01.123Z"}
	// hamburg/line3/_/status
}
