package main

import (
	"fmt"
	"hash/fnv"
	"strings"
	"time"

	"fieldferry/buffer"
	"fieldferry/tag"
)

// perBoot separates the numbers of the samples of one boot from those of the
// next.
const perBoot = 10_000_000

// tags are those that samples are of; the last of them is precious, and there
// are three that are not.
var tags = func() []*tag.Tag {
	link := &tag.Link{Name: "line1"}
	var ts []*tag.Tag
	for i := range 20 {
		d := &tag.Device{Name: fmt.Sprintf("dev%d", i%3), Link: link}
		t := &tag.Tag{Name: fmt.Sprintf("t%d", i), Device: d, Unit: "bar"}
		switch {
		case i == 19:
			t.Class = tag.ClassAlarm
		case i >= 16:
			t.Class = tag.ClassBulk
		}
		ts = append(ts, t)
	}
	return ts
}()

func tagOf(v int64) *tag.Tag { return tags[v%int64(len(tags))] }

// sampleOf is sample number v. Nothing else has its content.
func sampleOf(v int64) tag.Sample {
	h := fnv.New64a()
	fmt.Fprint(h, v)
	bits := h.Sum64()
	s := tag.Sample{
		Tag: tagOf(v), Read: uint64(v),
		Time: time.Unix(1_790_000_000+v/100, int64(bits%1e9)).UTC(),
	}
	switch bits % 4 {
	case 0:
		s.Value = tag.Int(int64(bits))
	case 1:
		s.Value = tag.Float64(float64(bits%100_000) / 10)
	case 2:
		s.Value = tag.String(strings.Repeat(string(rune('a'+bits%26)), int(bits>>8%300)))
	case 3:
		s.Value = tag.Bool(bits&16 > 0)
		s.Quality = tag.BadFor(tag.ReasonTimeout)
	}
	return s
}

// numberOf is the number of a sample that a reader handed out; an error where
// it is none that was ever appended.
func numberOf(e *buffer.Entry) (int64, error) {
	v := int64(e.Sample.Read)
	if v < perBoot {
		return 0, fmt.Errorf("sample %v was never appended", e.Sample)
	}
	want := sampleOf(v)
	got := e.Sample
	if got.Tag.Path() != want.Tag.Path() || got.Tag.Class != want.Tag.Class || got.Quality != want.Quality || !got.Time.Equal(want.Time) || !got.Value.Equal(want.Value) {
		return 0, fmt.Errorf("sample %d came back as %s %v, it was %s %v", v, got.Tag.Path(), got, want.Tag.Path(), want)
	}
	return v, nil
}
