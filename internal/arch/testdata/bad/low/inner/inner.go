package inner

// Nothing does nothing.
func Nothing() {}
