package payload

// Known tells how many copies of tags the encoder keeps.
func (e *Encoder) Known() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.byTag)
}
