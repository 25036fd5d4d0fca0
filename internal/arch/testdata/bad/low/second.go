//go:build someday

package low

import _ "example.com/port"

// Wide has a method too many.
type Wide interface {
	One()
	Two()
	Three()
}
