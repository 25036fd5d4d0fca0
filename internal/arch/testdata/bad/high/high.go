// Package high is above low.
package high

import "bad/low"

func long() {
	low.C()
	low.C()
	low.C()
	low.C()
	low.C()
	low.C()
	low.C()
	low.C()
	low.C()
	low.C()
	low.C()
}
