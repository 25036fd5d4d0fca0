package downlink

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"fieldferry/command"
)

func TestFloodOfRefusalsIsSummedUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &plant{}
		r := newRefusals(p, "mqtt:plant")
		go r.run()
		n := 0
		flood := func(most int) {
			for range most {
				n++
				r.add(command.Request{ID: fmt.Sprint(n), Source: "mqtt:plant"}, fmt.Sprintf("reason %d", n))
			}
		}
		check := func(what string, want ...string) {
			t.Helper()
			synctest.Wait()
			got := p.refusals()
			if len(got) != len(want) {
				t.Fatalf("%s: %d records, want %d: %+v", what, len(got), len(want), got)
			}
			for i := range got {
				if g := strings.TrimSpace(got[i].req.ID + " " + got[i].reason); g != want[i] || got[i].req.Source != "mqtt:plant" {
					t.Errorf("%s: record %d: got %q, want %q", what, i, g, want[i])
				}
			}
		}
		var want []string
		single := func(from, to int) {
			for i := from; i <= to; i++ {
				want = append(want, fmt.Sprintf("%d reason %d", i, i))
			}
		}
		flood(1000)
		single(1, refusalRate)
		check("flood", want...)
		time.Sleep(time.Second)
		want = append(want, "... and 980 more refused, the last one because: reason 1000")
		check("a second later", want...)
		time.Sleep(time.Hour)
		check("an hour later", want...)
		flood(2)
		single(1001, 1002)
		check("two more", want...)
		flood(refusalRate)
		single(1003, 1002+refusalRate-2)
		r.end()
		want = append(want, "... and 2 more refused, the last one because: reason 1022")
		check("at the end", want...)
		flood(1)
		single(1023, 1023)
		check("after the end", want...)
	})
}

// stuckAudit records nothing until it is released.
type stuckAudit struct {
	plant
	open chan struct{}
}

func (s *stuckAudit) Refuse(r command.Request, reason string) command.Result {
	<-s.open
	return s.plant.Refuse(r, reason)
}

func TestStuckAuditHoldsUpNobodyAndLosesNoRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &stuckAudit{open: make(chan struct{})}
		r := newRefusals(p, "mqtt:plant")
		go r.run()
		const seconds, each = 60, 100
		for range seconds {
			for range each {
				r.add(command.Request{Device: strings.Repeat("x", 60_000)}, strings.Repeat("ä", 30_000))
			}
			time.Sleep(time.Second)
		}
		close(p.open)
		r.end()
		total := 0
		list := p.refusals()
		for _, a := range list {
			more := 1
			if strings.HasPrefix(a.reason, "...") {
				if _, err := fmt.Sscanf(a.reason, "... and %d more refused", &more); err != nil {
					t.Fatalf("%q: %v", a.reason, err)
				}
			}
			total += more
			if most := 2 * refusalLength; len(a.req.Device) > most || len(a.reason) > most {
				t.Errorf("a device of %d bytes and a reason of %d, want at most %d", len(a.req.Device), len(a.reason), most)
			}
		}
		if total != seconds*each || len(list) > 2*refusalQueue {
			t.Errorf("%d refusals in %d records, want %d in at most %d", total, len(list), seconds*each, 2*refusalQueue)
		}
	})
}
