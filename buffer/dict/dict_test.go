package dict

import (
	"fmt"
	"testing"

	"fieldferry/buffer/tally"
	"fieldferry/tag"
)

func named(name string) *tag.Tag {
	return &tag.Tag{Name: name, Device: &tag.Device{Name: "pump", Link: &tag.Link{Name: "line1"}}}
}

// TestLearn: another dictionary learns the entries with their numbers, does
// not give those again, and has one pointer for equal tags.
func TestLearn(t *testing.T) {
	d, p := New(new(tally.Tally)), []byte(nil)
	for i := range 3 {
		e, isNew := d.Tag(named(fmt.Sprint("t", i)))
		r, _ := d.Reason(fmt.Sprint("r", i))
		if !isNew || e.ID != uint32(i+1) || r.ID != uint32(i+1) {
			t.Fatalf("got %+v, %v, %+v, want number %d", e, isNew, r, i+1)
		}
		p = r.Append(e.Append(p))
	}
	l := New(new(tally.Tally))
	l.Learn(p)
	l.Learn(p[:len(p)-1]) // a torn end changes nothing
	if e := l.TagByID(2); e == nil || e.Tag.Path() != "pump/t1" {
		t.Fatalf("number 2 is %+v, want pump/t1", e)
	}
	if e := l.ReasonByID(3); e == nil || e.Reason != "r2" {
		t.Fatalf("reason 3 is %+v, want r2", e)
	}
	mine := named("t1")
	e, isNew := l.Tag(mine)
	if !isNew || e.ID != 4 {
		t.Fatalf("a new pointer got number %d, want 4", e.ID)
	}
	if got := l.Known(e.fields); got != mine {
		t.Errorf("equal fields are known as %p, want the latest pointer %p", got, mine)
	}
	if e, isNew := l.Reason(""); e != nil || isNew {
		t.Errorf("no reason got %+v", e)
	}
}

// TestPrune: tags that many blocks have not used are forgotten, and none that
// a block still needs. Their numbers are not used again.
func TestPrune(t *testing.T) {
	d := New(new(tally.Tally))
	old := make([]*Entry, 3000)
	for i := range old {
		old[i], _ = d.Tag(named(fmt.Sprint("t", i)))
		old[i].Block = 1
	}
	old[5].Block = 2
	d.Prune(2, 2)
	d.Prune(3, 4)
	if d.TagByID(old[0].ID) != nil {
		t.Error("an unused tag is still there")
	}
	e, isNew := d.Tag(old[0].Tag)
	if !isNew || e.ID != 3001 {
		t.Errorf("it came back with number %d, want 3001", e.ID)
	}
	d = New(new(tally.Tally))
	a, _ := d.Tag(named("a"))
	d.Prune(9, 9)
	d.Prune(10, 10)
	if d.TagByID(a.ID) != a {
		t.Error("a tag was forgotten although there are few")
	}
}
