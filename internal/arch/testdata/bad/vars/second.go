package vars

var elsewhere struct{ field int }

func alsoHere() {
	lock.Lock()
	counter = 3
}
