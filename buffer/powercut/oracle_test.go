package main

import (
	"strings"
	"testing"
)

// TestOracle: each tale but the first has a fault, and the oracle names it.
func TestOracle(t *testing.T) {
	for _, c := range []struct{ name, tale, want string }{
		{"all there", "boot 1; keep acked 10000009; boot 2; keep has 10000000 10000012 1 13; keep account 0 13; keep settled 10000012; keep acked 20000003; boot 3; keep has 20000000 20000003 99 102; keep account 0 4", ""},
		{"dropped and counted", "boot 1; drop acked 10000009; boot 2; drop has 10000004 10000009 5 10; drop account 4 6", ""},
		{"a gap that is still pending", "boot 1; drop acked 10000009; boot 2; drop has 10000004 10000009 5 10; drop account 0 10", ""},
		{"end lost", "boot 1; keep acked 10000009; boot 2; keep has 10000000 10000008 1 9; keep account 0 9", "1 acknowledged samples are missing"},
		{"begin lost", "boot 1; keep acked 10000009; boot 2; keep has 10000001 10000009 2 10; keep account 0 9", "1 acknowledged samples are missing"},
		{"middle lost", "boot 1; keep acked 10000009; boot 2; keep has 10000000 10000002 1 3; keep has 10000005 10000009 6 10; keep account 0 8", "2 acknowledged samples are missing"},
		{"all lost", "boot 1; keep acked 10000009; boot 2; keep account 0 0", "10 acknowledged samples are missing"},
		{"a whole boot lost", "boot 1; keep acked 10000001; boot 2; keep acked 20000001; boot 3; keep has 20000000 20000001 7 8; keep account 0 2", "2 acknowledged samples are missing"},
		{"counted where nothing may be", "boot 1; keep acked 10000001; boot 2; keep has 10000000 10000001 1 2; keep account 1 2", "1 samples count as dropped"},
		{"counted too few", "boot 1; drop acked 10000009; boot 2; drop has 10000004 10000009 5 10; drop account 3 6", "4 acknowledged samples are missing"},
		{"a hole in what was not acknowledged", "boot 1; keep acked 10000001; boot 2; keep has 10000000 10000001 1 2; keep has 10000022 10000022 23 23; keep account 0 3", "sample 10000022 is there, but"},
		{"settled comes again", "boot 1; keep acked 10000001; boot 2; keep has 10000000 10000001 1 2; keep account 0 2; keep settled 10000001; boot 3; keep has 10000001 10000001 2 2", "comes again"},
		{"out of order", "boot 1; keep has 10000005 10000006 6 7; keep has 10000000 10000001 8 9", "comes after"},
		{"numbers out of order", "boot 1; keep has 10000000 10000001 8 9; keep has 10000002 10000003 3 4", "comes after"},
		{"a number twice", "boot 1; keep gave 10000003 4; boot 2; keep gave 20000000 4", "has the sequence number 4"},
		{"another number", "boot 1; keep gave 10000003 4; boot 2; keep gave 10000003 5", "had the sequence number 4"},
		{"a fault of the guest", "boot 1; failed no disk", "the guest says: failed no disk"},
	} {
		o := newOracle()
		var err error
		for step := range strings.SplitSeq(c.tale, "; ") {
			if n, ok := strings.CutPrefix(step, "boot "); ok {
				o.begin(int64(n[0] - '0'))
				continue
			}
			if err = o.hear(step); err != nil {
				break
			}
		}
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %s\n got: %v\nwant: no fault", c.name, c.tale, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %s\n got: %v\nwant: %s", c.name, c.tale, err, c.want)
		}
	}
}
