package low

import (
	_ "bad/high"
	_ "example.com/leak"
	_ "example.com/port"
)

var tooLong = `
this file
has more lines
than a test may`
