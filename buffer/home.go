package buffer

// home makes the directory again where it has vanished, and locks it: the lock
// from before is on what nobody finds any more, and another process could
// begin in the new one.
func (b *Buffer) home() error {
	if err := b.c.FS.MkdirAll(b.cfg.Dir); err != nil {
		return err
	}
	if is, err := b.lock.Is(b.cfg.Dir); err != nil || is {
		return err
	}
	lock, err := b.c.FS.Lock(b.cfg.Dir)
	if err != nil {
		return err
	}
	err = b.lock.Close()
	b.lock = lock
	return err
}
