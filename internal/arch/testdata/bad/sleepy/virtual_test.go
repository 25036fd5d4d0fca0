package sleepy

import (
	_ "testing/synctest"
	"time"
)

func wait() { time.Sleep(1) }
