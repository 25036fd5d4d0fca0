package buffer

import (
	"context"
	"errors"
	"fmt"

	"fieldferry/buffer/inspect"
)

// consistent looks at the directory as "fieldferry buffer verify" does, from
// outside, before the log is opened: whatever has happened to it, and whatever
// was lost, it must not contradict itself.
func (g *rig) consistent() {
	g.t.Helper()
	err := verify(g.m, g.cfg.Dir)
	var bad inconsistent
	switch {
	case errors.As(err, &bad):
		g.t.Fatalf("%v\n%s", bad, g.m.Dump())
	case err != nil && len(g.must) > 0 && !g.faulty && !g.loose && !g.m.Cut():
		g.t.Fatalf("verify: %v, but there are samples", err)
	}
}

// inconsistent is what contradicts itself.
type inconsistent struct{ inspect.Finding }

func (f inconsistent) Error() string {
	return fmt.Sprintf("verify: %s at %d: %s", f.File, f.Offset, f.Text)
}

// verify reads a directory from outside. An error that is not an inconsistent
// says that there is no log yet, or that the disk is out.
func verify(files inspect.Files, dir string) error {
	d, err := inspect.Open(files, dir)
	if err != nil {
		return err
	}
	var found error
	_, err = d.Verify(context.Background(), func(f inspect.Finding) {
		if f.Level == inspect.Fault && found == nil {
			found = inconsistent{f}
		}
	})
	return errors.Join(err, found)
}
